"""Adapters `anny` and `cmu_dance`, and the transfer of limb directions."""

import numpy as np
import pytest
from helpers.anny import write_files

from camerapose.core.attachment import ATTACHED
from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.data.datasets import anny, cmu_dance
from camerapose.data.level_view import to_world
from camerapose.data.retarget import retarget, smallest_rotation


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path)


def test_joints_keep_their_definition_and_axes(folder):
    poses = anny.load(folder, excluded=())
    world = to_world(poses)
    with np.load(folder / anny.FILE) as file:
        np.testing.assert_allclose(world[:, :23], file["coco23"], atol=2e-3)
        knee = H36M_17.index("right_knee")
        i = BODY_46.index("right_knee_h36m")
        np.testing.assert_allclose(world[:, i], file["h36m17"][:, knee], atol=2e-3)
    np.testing.assert_allclose(poses.reprojection, poses.pose2d, atol=1e-5)


def test_benchmark_subjects_are_not_loaded(folder):
    poses = anny.load(folder)
    assert set(poses.labels["subject"]) == {"cmu/01", "cmu/05"}
    assert len(anny.load(folder, subjects=("cmu/05",))) == 4
    with pytest.raises(ValueError, match="no poses of"):
        anny.load(folder, subjects=("cmu/77",))


def test_missing_and_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="docs/datasets.md"):
        anny.load(tmp_path)
    np.savez(tmp_path / anny.FILE, h36m17=np.zeros((1, 17, 3)))
    with pytest.raises(ValueError, match="lacks"):
        anny.load(tmp_path)


def test_dance_is_transferred_to_the_bodies(folder):
    poses = cmu_dance.load(folder, frame_step=2)
    assert len(poses) == 3 and poses.skeleton == BODY_46
    assert poses.labels["subject"][0] == "cmu/salsa"
    assert poses.labels["frame"].tolist() == [0, 2, 4]
    assert np.isfinite(poses.pose3d).all()


def test_bodies_of_excluded_subjects_do_not_dance(folder):
    """The bone lengths of every dancer are those of a body of the remaining subject."""
    hip, knee = (BODY_46.index(f"left_{joint}") for joint in ("hip_centre", "knee_h36m"))

    def lengths(poses):
        world = to_world(poses)
        return np.linalg.norm(world[:, knee] - world[:, hip], axis=1)

    allowed = lengths(anny.load(folder, subjects=("cmu/01",)))
    dancers = lengths(cmu_dance.load(folder, excluded=("cmu/05", "cmu/09")))
    assert np.abs(dancers[:, None] - allowed).min(axis=1).max() < 1e-3
    everyone = lengths(cmu_dance.load(folder))
    assert np.abs(everyone[:, None] - allowed).min(axis=1).max() > 1e-3


def test_limbs_take_the_directions_of_the_motion_and_the_lengths_of_the_body():
    rng = np.random.default_rng(1)
    motion, bodies = rng.normal(size=(20, 17, 3)), rng.normal(size=(20, 46, 3))
    result = retarget(motion, bodies, ATTACHED.parents)
    for child, parent in ATTACHED.bones:
        ours = np.linalg.norm(result[:, child] - result[:, parent], axis=1)
        theirs = np.linalg.norm(bodies[:, child] - bodies[:, parent], axis=1)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    for side in ("left", "right"):
        for end, start, outer, inner in (
            ("knee_h36m", "hip_centre", "knee", "hip"),
            ("ankle_h36m", "knee_h36m", "ankle", "knee"),
            ("elbow_h36m", "shoulder_centre", "elbow", "shoulder"),
            ("wrist_h36m", "elbow_h36m", "wrist", "elbow"),
        ):
            bone = result[:, BODY_46.index(f"{side}_{end}")]
            bone = bone - result[:, BODY_46.index(f"{side}_{start}")]
            given = motion[:, H36M_17.index(f"{side}_{outer}")]
            given = given - motion[:, H36M_17.index(f"{side}_{inner}")]
            cosine = (bone * given).sum(1) / np.linalg.norm(bone, axis=1)
            np.testing.assert_allclose(cosine, np.linalg.norm(given, axis=1), atol=1e-4)


def test_a_rotated_motion_gives_a_rotated_body():
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(2)
    motion, bodies = rng.normal(size=(5, 17, 3)), rng.normal(size=(5, 46, 3))
    rotation = Rotation.from_euler("xyz", [0.3, 0.5, 1.0]).as_matrix()
    rotated = retarget(motion @ rotation.T, bodies, ATTACHED.parents)
    expected = retarget(motion, bodies, ATTACHED.parents) @ rotation.T
    np.testing.assert_allclose(rotated, expected, atol=1e-4)


def test_smallest_rotation():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 50, 3))
    rotation = smallest_rotation(a, b)
    rotated = (rotation @ a[..., None])[..., 0]
    np.testing.assert_allclose(
        rotated / np.linalg.norm(rotated, axis=1, keepdims=True),
        b / np.linalg.norm(b, axis=1, keepdims=True),
        atol=1e-9,
    )
    axis = np.cross(a, b)
    np.testing.assert_allclose((rotation @ axis[..., None])[..., 0], axis, atol=1e-9)
    np.testing.assert_allclose(smallest_rotation(a, -a), np.broadcast_to(np.eye(3), (50, 3, 3)))
