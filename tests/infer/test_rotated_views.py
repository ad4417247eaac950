"""Averaging over rotated views."""

from dataclasses import replace

import numpy as np
import pytest

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.evaluate.measure import lift
from camerapose.evaluate.models import OnnxModel
from camerapose.infer import rotated_views
from camerapose.infer.predictor import Predictor


@pytest.fixture(scope="module")
def ground_truth():
    poses = synthetic.load(n=20, seed=4)
    camera = Camera(poses.camera.focal, poses.camera.center, poses.root_position)
    return replace(poses, camera=camera, pose2d=camera.project(poses.pose3d))


class Oracle:
    """Returns the ground truth for views of cameras with any of the given rotations."""

    def __init__(self, ground_truth, rotations, focal=1.0):
        self.requested, self.known, self.focal = [], [], focal
        for rotation in rotations:
            pose3d = (ground_truth.pose3d @ rotation.T).astype(np.float32)
            camera = Camera(ground_truth.camera.focal, ground_truth.camera.center, pose3d[:, 0])
            pose2d = camera.project(pose3d)
            self.known.append(
                replace(ground_truth, pose2d=pose2d, pose3d=pose3d, camera=camera, refined2d=pose2d)
            )

    def __call__(self, poses: Poses) -> Poses:
        off = [np.abs(poses.pose2d - known.pose2d).max() for known in self.known]
        assert min(off) < 1e-4, "not the view of a rotated camera"
        self.requested.append(int(np.argmin(off)))
        result = self.known[self.requested[-1]]
        factor = self.focal if len(self.requested) > 1 else 1.0
        camera = replace(result.camera, focal=result.camera.focal * factor)
        return replace(result, camera=camera)


def rotations():
    """Return the identity and rotations by 5 degrees to each side, by the exponential series."""
    result = [np.eye(3)]
    for side in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        axis = np.array([side[0], side[1], 0.0])
        x, y, z = axis * np.deg2rad(5)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        term = total = np.eye(3)
        for power in range(1, 9):  # the exponential's series
            term = term @ cross / power
            total = total + term
        result.append(total)
    return result


def test_perfect_predictions_are_unchanged(ground_truth):
    oracle = Oracle(ground_truth, rotations())
    result = rotated_views.lift(oracle, ground_truth)
    assert oracle.requested[0] == 0 and sorted(oracle.requested) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(result.pose3d, ground_truth.pose3d, atol=1e-3)
    np.testing.assert_allclose(result.camera.focal, ground_truth.camera.focal, rtol=1e-5)
    np.testing.assert_allclose(result.reprojection, ground_truth.pose2d, atol=1e-3)
    assert result.pose3d.dtype == np.float32


def test_focal_lengths_are_averaged(ground_truth):
    result = rotated_views.lift(Oracle(ground_truth, rotations(), focal=1.1), ground_truth)
    np.testing.assert_allclose(
        result.camera.focal, ground_truth.camera.focal * 1.1 ** (4 / 5), rtol=1e-5
    )
    farther = result.root_position[:, 2] / ground_truth.root_position[:, 2]
    np.testing.assert_allclose(np.median(farther), 1.1 ** (4 / 5), atol=0.005)


def test_predictor_and_evaluation_agree():
    given = synthetic.load(n=9, seed=5, skeleton="h36m_16")
    points = (given.pose2d + 1) * 500
    plain, rotated = (
        Predictor(threads=1, rotated_views=t)(points, image_size=(1000, 1000), skeleton="h36m_16")
        for t in (False, True)
    )
    off = np.linalg.norm(plain.pose3d - rotated.pose3d, axis=-1)
    assert 1e-4 < off.mean() < 0.2
    measured = lift(
        OnnxModel(Predictor().path), plain.to_torch(), flip_averaging=True, rotated_views=True
    )
    np.testing.assert_allclose(measured.to_numpy().pose3d, rotated.pose3d, atol=2e-3)
    assert len(Predictor(rotated_views=True)(np.zeros((0, 17, 2)), image_size=(8, 8))) == 0
