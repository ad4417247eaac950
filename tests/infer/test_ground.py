"""Estimated ground for cameras of known orientation."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camerapose.core.anatomy import ANKLE_HEIGHT, body_height
from camerapose.core.camera import Camera
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.infer import clip
from camerapose.io.export import tracks

#: Joints of a standing person, metres: to the right, up, towards the viewer.
STANDING = {
    "pelvis": (0, 0.93, 0), "right_hip": (0.13, 0.93, 0), "left_hip": (-0.13, 0.93, 0),
    "right_knee": (0.13, 0.5, 0), "left_knee": (-0.13, 0.5, 0),
    "right_ankle": (0.13, 0.07, 0), "left_ankle": (-0.13, 0.07, 0),
    "spine": (0, 1.17, 0), "thorax": (0, 1.42, 0), "head": (0, 1.66, 0),
    "right_shoulder": (0.15, 1.42, 0), "left_shoulder": (-0.15, 1.42, 0),
    "right_elbow": (0.15, 1.14, 0), "left_elbow": (-0.15, 1.14, 0),
    "right_wrist": (0.15, 0.9, 0), "left_wrist": (-0.15, 0.9, 0),
}  # fmt: skip


def people(n=60, sway=4.0, seed=0):
    """Return a person who stands in n places and sways by some degrees, in the level frame."""
    random = np.random.default_rng(seed)
    body = np.array([STANDING[name] for name in H36M_16.joints])
    sways = Rotation.from_rotvec(np.radians(sway) * random.normal(size=(n, 3)) * [1, 0, 1])
    turns = Rotation.from_rotvec(random.uniform(0, 2 * np.pi, (n, 1)) * [[0, 1, 0]])
    place = np.stack([random.normal(size=n), np.zeros(n), random.uniform(-6, -3, n)], axis=1)
    bodies = [(sway * turn).apply(body) for sway, turn in zip(sways, turns, strict=True)]
    return np.stack(bodies) + place[:, None]


def observe(points, pitch=0.0, roll=0.0, height=1.6):
    """Return the poses as seen by a camera of given pitch (down), roll (clockwise) and height."""
    down = Rotation.from_euler("x", -pitch, degrees=True)
    orientation = down * Rotation.from_euler("z", -roll, degrees=True)
    pose3d = orientation.inv().apply((points - [0, height, 0]).reshape(-1, 3)) * [1, -1, -1]
    pose3d = np.float32(pose3d.reshape(points.shape))
    n = len(points)
    camera = Camera(np.full((n, 2), 2.0, np.float32), np.zeros((n, 2), np.float32), pose3d[:, 0])
    return Poses(
        H36M_16, camera.project(pose3d), np.ones((n, 16), np.float32), pose3d, camera,
        labels={"person": np.zeros(n, int), "frame": np.arange(n)},
    )  # fmt: skip


def true_ground(pitch=0.0, roll=0.0, height=1.6):
    """Return the ground of a camera."""
    down = Rotation.from_euler("x", -pitch, degrees=True)
    orientation = down * Rotation.from_euler("z", -roll, degrees=True)
    return Ground.of(orientation.inv().apply([0, 1, 0]) * [1, -1, -1], height)


@pytest.mark.parametrize("pitch, roll", [(0, 0), (25, 0), (-15, 0), (0, 20), (20, -30), (88, 10)])
def test_camera_orientation_and_height(pitch, roll):
    """Large rolls are improbable and estimated too small."""
    poses = observe(people(), pitch, roll)
    result = clip.estimate_ground(poses)
    assert result.pitch == pytest.approx(pitch, abs=2)
    if pitch < 80:
        assert result.roll == pytest.approx(roll, abs=2 if abs(roll) < 25 else 3.5)
        assert result.camera_height == pytest.approx(1.6, abs=0.2)
    np.testing.assert_allclose(result.axes @ result.axes.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(result.axes) == pytest.approx(1)


def test_a_motionless_person_is_restored():
    points = people(sway=0)
    poses = observe(points, pitch=18, roll=7)
    back = clip.estimate_ground(poses).points(poses.pose3d)
    sole = ANKLE_HEIGHT * np.median(body_height(poses.pose3d, poses.skeleton))
    np.testing.assert_allclose(back, points + [0, sole - 0.07, 0], atol=0.12)


def test_bent_and_lying_people_do_not_affect_the_vertical():
    """Two thirds of the time bent forward, the same way, or lying."""
    points = people(sway=2)
    trunk = [H36M_16.index(j) for j in ("spine", "thorax", "head", "left_shoulder", "left_elbow",
             "left_wrist", "right_shoulder", "right_elbow", "right_wrist")]  # fmt: skip
    bend = Rotation.from_euler("x", 80, degrees=True)
    for i in range(30):
        pelvis = points[i, 0]
        points[i, trunk] = bend.apply(points[i, trunk] - pelvis) + pelvis
    for i in range(30, 40):
        points[i] = Rotation.from_euler("z", 90, degrees=True).apply(points[i])
    result = clip.estimate_ground(observe(points, pitch=20))
    assert result.pitch == pytest.approx(20, abs=2) and result.roll == pytest.approx(0, abs=2)


def test_exports_stand_on_the_floor():
    points = people(sway=0)
    poses = observe(points, pitch=18)
    flat = tracks(poses, ground=true_ground(18))[0].points
    ankles = [H36M_16.index("left_ankle"), H36M_16.index("right_ankle")]
    assert flat[:, ankles, 1].min() == pytest.approx(0.07, abs=1e-4)
    np.testing.assert_allclose(flat[..., [0, 2]], points[..., [0, 2]], atol=1e-4)
    without_ground = tracks(poses)[0].points
    assert np.ptp(without_ground[:, ankles, 1]) > 0.3


def test_aligned_poses_are_level_and_reproject_alike():
    points = people(sway=0)
    poses = observe(points, pitch=18, roll=7)
    ground = true_ground(18, 7)
    level = clip.align(poses, ground)
    np.testing.assert_allclose(level.reprojection, poses.reprojection, atol=1e-5)
    np.testing.assert_allclose(level.pose3d, points * [1, -1, -1], atol=1e-4)
    np.testing.assert_allclose(
        tracks(level, ground=clip.LEVEL)[0].points,
        tracks(poses, ground=ground)[0].points, atol=1e-4,
    )  # fmt: skip


def test_invalid_poses():
    poses = observe(people(3))
    with pytest.raises(ValueError, match="no pose"):
        clip.estimate_ground(poses[:0])
    legless = poses.to(Skeleton("bust", ("thorax", "head"), (None, "thorax")))
    with pytest.raises(ValueError, match="bust has no .*left_ankle"):
        clip.estimate_ground(legless)
