"""Synthetic bodies: proportions, limits, cameras, determinism."""

import numpy as np
import pytest

from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.data.datasets import synthetic
from camerapose.data.datasets.synthetic import FAMILIES, FRACTIONS, LIMITS


@pytest.fixture(scope="module")
def poses():
    return synthetic.load(n=4000, seed=3)


def lengths(poses):
    child, parent = np.array(poses.skeleton.bones).T
    return np.linalg.norm(poses.pose3d[:, child] - poses.pose3d[:, parent], axis=-1)


def joint(poses, name):
    return poses.pose3d[:, poses.skeleton.index(name)]


def test_same_seed_same_poses(poses):
    again, other = synthetic.load(n=4000, seed=3), synthetic.load(n=4000, seed=4)
    for name, column in poses.columns().items():
        assert (again.columns()[name] == column).all(), name
    assert (other.pose3d != poses.pose3d).any()


def test_left_and_right_bones_are_equal(poses):
    length = lengths(poses)
    np.testing.assert_allclose(length, length[:, list(H36M_16.bone_mirror)], atol=2e-5)
    assert length.min() > 0.05


def test_proportions_are_those_published(poses):
    length = dict(zip(H36M_16.bone_names, lengths(poses).T, strict=True))
    stature = length["left_knee"] / FRACTIONS["thigh"]
    assert stature.mean() == pytest.approx(1.69, abs=0.01)
    assert stature.std() == pytest.approx(0.10, abs=0.02)
    published = {"left_ankle": "shank", "left_elbow": "upper_arm", "left_wrist": "forearm"}
    for bone, segment in published.items():
        assert length[bone].mean() / 1.69 == pytest.approx(FRACTIONS[segment], rel=0.01)


def angle(a, b, c):
    """Return the angle at b in degrees; 180 is straight."""
    u, v = a - b, c - b
    cosine = (u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("side", ["left", "right"])
def test_elbows_and_knees_bend_within_limits(poses, side):
    for chain, name in (
        (("hip", "knee", "ankle"), "knee_flexion"),
        (("shoulder", "elbow", "wrist"), "elbow_flexion"),
    ):
        bent = 180 - angle(*(joint(poses, f"{side}_{j}") for j in chain))
        assert bent.max() <= LIMITS[name][1] + 0.5
        assert bent.std() > 15


def test_knees_and_elbows_bend_in_the_right_direction(poses):
    """In the frame of the person, a bent knee is in front of the line from hip to ankle."""
    for side in ("left", "right"):
        hip, knee, ankle = (joint(poses, f"{side}_{j}") for j in ("hip", "knee", "ankle"))
        across = joint(poses, "left_hip") - joint(poses, "right_hip")
        forward = np.cross(across, hip - ankle)
        bent = 180 - angle(hip, knee, ankle) > 15
        calm = np.isin(poses.labels["action"], ["standing", "walking"])
        out = ((knee - (hip + ankle) / 2) * forward).sum(-1)
        assert (out[bent & calm] > 0).mean() > 0.97


def test_faces_look_forward():
    poses = synthetic.load(n=500, skeleton="h36m_17")
    assert poses.skeleton == H36M_17
    across = joint(poses, "left_shoulder") - joint(poses, "right_shoulder")
    forward = np.cross(across, joint(poses, "thorax") - joint(poses, "spine"))
    nose = joint(poses, "neck_nose") - joint(poses, "thorax")
    assert ((nose * forward).sum(-1) > 0).mean() > 0.95


def test_17_joints_without_the_neck_are_16():
    without, with_neck = (synthetic.load(n=50, skeleton=f"h36m_{j}") for j in (16, 17))
    relative = [p.pose3d - p.root_position[:, None] for p in (without, with_neck.to(H36M_16))]
    size = lengths(without)
    np.testing.assert_allclose(lengths(with_neck.to(H36M_16)), size, atol=1e-5)
    np.testing.assert_allclose(*relative, atol=1e-5)


def test_2d_is_the_reprojection_within_the_image(poses):
    np.testing.assert_allclose(poses.reprojection, poses.pose2d, atol=1e-6)
    edge = np.stack([np.ones(len(poses)), poses.image_size[:, 1] / poses.image_size[:, 0]], axis=1)
    assert (np.abs(poses.pose2d) <= edge[:, None] + 1e-5).all()
    assert poses.pose3d[..., 2].min() > synthetic.MIN_DEPTH - 1e-3
    assert (poses.camera.translation == poses.root_position).all()
    assert poses.camera.rotation is None and (poses.confidence == 1).all()


def test_cameras_vary(poses):
    log_focal = np.log(poses.camera.focal[:, 0])
    assert log_focal.min() >= 0 and log_focal.max() <= np.log(4) + 1e-6
    assert log_focal.mean() == pytest.approx(np.log(2), abs=0.03)
    center = poses.pose2d.mean(axis=1)
    assert center.std(axis=0).min() > 0.15
    facing = joint(poses, "left_hip")[:, 0] > joint(poses, "right_hip")[:, 0]
    assert 0.45 < facing.mean() < 0.55


def test_standing_people_stand_upright(poses):
    standing = poses[poses.labels["action"] == "standing"]
    assert (joint(standing, "head")[:, 1] < joint(standing, "pelvis")[:, 1]).all()
    lying = poses[poses.labels["action"] == "lying"]
    trunk = joint(lying, "thorax") - joint(lying, "pelvis")
    high = np.abs(trunk[:, 1]) / np.linalg.norm(trunk, axis=1)
    assert np.median(high) < 0.7


def test_shares_of_the_families(poses):
    for name, family in FAMILIES.items():
        share = (poses.labels["action"] == name).mean()
        assert share == pytest.approx(family.share, abs=0.03)
    assert sum(f.share for f in FAMILIES.values()) == pytest.approx(1)


def test_angles_folded_at_a_limit():
    values = np.array([-3.0, 0, 2, 10, 12, 23])
    np.testing.assert_allclose(synthetic._fold(values, 0, 10), [3, 0, 2, 10, 8, 3])


def test_options_are_used():
    poses = synthetic.load(n=200, focal=(1.5, 1.5), height=(0.5, 0.5), pitch=(0, 0))
    np.testing.assert_allclose(poses.camera.focal, 1.5, rtol=1e-6)


def test_default_number_of_poses():
    assert len(synthetic.load()) == 20_000


def test_errors():
    with pytest.raises(ValueError, match="n is 0; give 1 or more"):
        synthetic.load(n=0)
    with pytest.raises(ValueError, match="h36m_16 or h36m_17, not as 'coco_17'"):
        synthetic.load(skeleton="coco_17")
    with pytest.raises(ValueError, match=r"focal is \(4, 1\); give \(minimum, maximum\)"):
        synthetic.load(focal=(4, 1))
