"""HumanEva: a miniature of VideoPose3D's layout with known cameras."""

import numpy as np
import pytest
from helpers.paths import HUMANEVA

from camerapose.core.camera import denormalize
from camerapose.data.datasets import humaneva

REAL = HUMANEVA
FRAMES = {"Train/S1": {"Walking 1": 20, "Box 1": 9}, "Validate/S1": {"Walking 1": 15}}


def a_camera(seed):
    """Return intrinsics in pixels, and world to camera, some metres from the origin."""
    random = np.random.default_rng(seed)
    matrix = np.array([[760.0 + seed, 0, 310], [0, 750, 250 + seed], [0, 0, 1]])
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    rotation = rotation * np.sign(np.linalg.det(rotation))
    return matrix, rotation, np.array([0.1, -0.2, 4.0 + seed])


def project_points(world, camera):
    matrix, rotation, translation = camera
    image = (world @ rotation.T + translation) @ matrix.T
    return image[..., :2] / image[..., 2:]


@pytest.fixture
def tree():
    random = np.random.default_rng(0)
    return {
        group: {
            name: random.normal(0, 0.5, (n, 15, 3)).astype(np.float32) for name, n in takes.items()
        }
        for group, takes in FRAMES.items()
    }


@pytest.fixture
def root(tmp_path, tree):
    keypoints = {
        group: {
            name: [np.float32(project_points(world, a_camera(c))) for c in range(3)]
            for name, world in takes.items()
        }
        for group, takes in tree.items()
    }
    np.savez_compressed(tmp_path / humaneva.FILES[0], positions_3d=tree)
    np.savez_compressed(tmp_path / humaneva.FILES[1], positions_2d=keypoints)
    return tmp_path


def test_cameras_are_estimated_from_the_pairs(root, tree):
    poses = humaneva.load(root)
    assert len(poses) == 3 * (20 + 9 + 15)
    for number in range(3):
        matrix, rotation, translation = a_camera(number)
        mine = poses[poses.labels["camera"] == number]
        np.testing.assert_allclose(mine.camera.focal[0] * 320, [matrix[0, 0], 750], rtol=1e-4)
        center = denormalize(mine.camera.center[:1, None], humaneva.IMAGE_SIZE)[0, 0]
        np.testing.assert_allclose(center, matrix[:2, 2], atol=0.1)
        walking = (mine.labels["action"] == "Walking 1") & (mine.labels["frame"] == 7)
        ground_truth = tree["Train/S1"]["Walking 1"][7] @ rotation.T + translation
        assert np.abs(mine.pose3d[walking] - ground_truth).max(axis=(1, 2)).min() < 1e-3
    np.testing.assert_allclose(poses.reprojection, poses.pose2d, atol=1e-4)
    np.testing.assert_array_equal(poses.camera.translation, poses.root_position)


def test_parts(root):
    assert len(humaneva.load(root, parts=("Validate",))) == 3 * 15
    with pytest.raises(ValueError, match="Train and Validate"):
        humaneva.load(root, parts=("Test",))


def test_frames_that_are_not_finite_are_skipped(root, tree):
    tree["Train/S1"]["Box 1"][3, 2, 0] = np.nan
    np.savez_compressed(root / humaneva.FILES[0], positions_3d=tree)
    poses = humaneva.load(root)
    assert len(poses) == 3 * (20 + 8 + 15) and np.isfinite(poses.pose3d).all()
    assert 3 not in poses.labels["frame"][poses.labels["action"] == "Box 1"]


def test_missing_and_invalid_files(tmp_path, root, tree):
    with pytest.raises(FileNotFoundError, match=r"2d_humaneva15_gt\.npz missing.*VideoPose3D"):
        (root / humaneva.FILES[1]).unlink()
        humaneva.load(root)
    wrong = {g: {n: [np.zeros((4, 17, 2))] * 3 for n in takes} for g, takes in tree.items()}
    np.savez_compressed(root / humaneva.FILES[1], positions_2d=wrong)
    with pytest.raises(ValueError, match=r"\(4, 17, 2\).*three of"):
        humaneva.load(root)


@pytest.mark.skipif(not REAL.exists(), reason="needs HumanEva; set CAMERAPOSE_DATA")
def test_the_real_files():
    poses = humaneva.load(REAL)
    assert len(poses) == 28731
    error = denormalize(poses.reprojection, poses.image_size) - denormalize(
        poses.pose2d, poses.image_size
    )
    assert np.median(np.linalg.norm(error, axis=-1)) < 1  # pixel
    assert (poses.camera.focal > 2).all() and (poses.camera.focal < 2.6).all()
