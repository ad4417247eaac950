"""Turned views: what another camera sees, and the mean of what is lifted from it."""

from dataclasses import replace

import numpy as np
import pytest

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.evaluate.measure import lift
from camerapose.evaluate.models import OnnxModel
from camerapose.infer import rotated_views as views
from camerapose.infer.predictor import Predictor


@pytest.fixture(scope="module")
def truth():
    poses = synthetic.load(n=20, seed=4)
    camera = Camera(poses.camera.focal, poses.camera.center, poses.root_position)
    return replace(poses, camera=camera, pose2d=camera.project(poses.pose3d))


class Oracle:
    """Knows everybody before a camera turned in any of the ways in `turns`, by how they look."""

    def __init__(self, truth, turns, focal=1.0):
        self.asked, self.known, self.focal = [], [], focal
        for turn in turns:
            pose3d = (truth.pose3d @ turn.T).astype(np.float32)
            camera = Camera(truth.camera.focal, truth.camera.center, pose3d[:, 0])
            pose2d = camera.project(pose3d)
            self.known.append(
                replace(truth, pose2d=pose2d, pose3d=pose3d, camera=camera, refined2d=pose2d)
            )

    def __call__(self, poses: Poses) -> Poses:
        off = [np.abs(poses.pose2d - known.pose2d).max() for known in self.known]
        assert min(off) < 1e-4, "a view that no turned camera has"
        self.asked.append(int(np.argmin(off)))
        found = self.known[self.asked[-1]]
        factor = self.focal if len(self.asked) > 1 else 1.0
        camera = replace(found.camera, focal=found.camera.focal * factor)
        return replace(found, camera=camera)


def turns():
    """The camera's own and its axis turned by 5 degrees towards each side, made another way."""
    found = [np.eye(3)]
    for side in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        axis = np.array([side[0], side[1], 0.0])
        x, y, z = axis * np.deg2rad(5)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        term = total = np.eye(3)
        for power in range(1, 9):  # the exponential's series
            term = term @ cross / power
            total = total + term
        found.append(total)
    return found


def test_with_perfect_predictions_nothing_changes(truth):
    oracle = Oracle(truth, turns())
    found = views.lift(oracle, truth)
    assert oracle.asked[0] == 0 and sorted(oracle.asked) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.pose3d, truth.pose3d, atol=1e-3)
    np.testing.assert_allclose(found.camera.focal, truth.camera.focal, rtol=1e-5)
    np.testing.assert_allclose(found.reprojection, truth.pose2d, atol=1e-3)
    assert found.pose3d.dtype == np.float32


def test_focal_lengths_are_averaged_and_people_placed_by_them(truth):
    found = views.lift(Oracle(truth, turns(), focal=1.1), truth)
    np.testing.assert_allclose(found.camera.focal, truth.camera.focal * 1.1 ** (4 / 5), rtol=1e-5)
    farther = found.root_position[:, 2] / truth.root_position[:, 2]
    np.testing.assert_allclose(np.median(farther), 1.1 ** (4 / 5), atol=0.005)


def test_a_predictor_does_so_if_asked_and_evaluation_has_the_same():
    given = synthetic.load(n=9, seed=5, skeleton="h36m_16")
    points = (given.pose2d + 1) * 500
    usual, turned = (
        Predictor(threads=1, rotated_views=t)(points, image_size=(1000, 1000), skeleton="h36m_16")
        for t in (False, True)
    )
    off = np.linalg.norm(usual.pose3d - turned.pose3d, axis=-1)
    assert 1e-4 < off.mean() < 0.2
    measured = lift(
        OnnxModel(Predictor().path), usual.to_torch(), flip_averaging=True, rotated_views=True
    )
    np.testing.assert_allclose(measured.to_numpy().pose3d, turned.pose3d, atol=2e-3)
    assert len(Predictor(rotated_views=True)(np.zeros((0, 17, 2)), image_size=(8, 8))) == 0
