"""Random cameras of the data engine."""

import numpy as np
import pytest
import torch

from camerapose.data.augment.cameras import MIN_DEPTH, CameraOptions, draw_views, rotations


def people(n=3000):
    """Standing people: pelvis, head and feet."""
    body = torch.tensor([[0.0, 0, 1.0], [0, 0, 1.7], [0.1, 0, 0], [-0.1, 0, 0]])
    return body.expand(n, -1, -1).clone()


def views(options, n=3000):
    return draw_views(people(n), 0, 1, options, torch.Generator().manual_seed(0))


def test_poses_are_rotated_and_translated_only():
    view = views(CameraOptions())
    torch.testing.assert_close(
        torch.cdist(view.pose3d, view.pose3d), torch.cdist(people(), people()), atol=2e-3, rtol=0
    )
    identity = view.rotation @ view.rotation.mT
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-5, rtol=0)
    assert (torch.linalg.det(view.rotation) > 0.99).all()


def test_ranges_of_focal_length_and_depth():
    view = views(CameraOptions())
    assert view.focal.min() >= 0.8 - 1e-5 and view.focal.max() <= 4.0 + 1e-4
    assert view.pose3d[..., 2].min() >= MIN_DEPTH - 1e-4
    assert torch.linalg.vector_norm(view.pose3d[:, 0], dim=-1).max() <= 15.01


def test_level_cameras_show_upright_people():
    level = CameraOptions(pitch=(0.0, 0.0), steep=0.0, roll=0.0, selfie=0.0)
    up = views(level).pose3d[:, 1] - views(level).pose3d[:, 0]
    torch.testing.assert_close(up, torch.tensor([0.0, -0.7, 0]).expand_as(up), atol=1e-4, rtol=0)


def test_steep_cameras_look_down():
    steep = CameraOptions(pitch=(89.9, 0.0), steep=0.0, roll=0.0, selfie=0.0)
    view = views(steep)
    head, pelvis = view.pose3d[:, 1], view.pose3d[:, 0]
    assert (head[:, 2] < pelvis[:, 2]).all()


def test_selfies_show_the_face_from_near():
    view = views(CameraOptions(selfie=1.0))
    distance = torch.linalg.vector_norm(view.pose3d[:, 1], dim=-1)
    assert distance.median() < 1.1
    assert view.focal.max() <= 1.61


def test_some_people_are_truncated_and_most_are_visible():
    inside = views(CameraOptions()).inside().float().mean(1)
    assert 0.05 < (inside < 1).float().mean() < 0.6
    assert (inside > 0).float().mean() > 0.95


@pytest.mark.parametrize("pitch", [0.0, 30.0, 90.0])
def test_rotations_agree_with_scipy(pitch):
    from scipy.spatial.transform import Rotation

    heading, roll = 40.0, 10.0
    ours = rotations(*(torch.tensor([angle]).deg2rad() for angle in (heading, pitch, roll)))
    # camera axes of a camera that looks along x: right -y, down -z, forward x
    axes = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    turned = Rotation.from_euler("ZY", [heading, pitch], degrees=True).as_matrix()
    level = axes @ turned.T
    expected = Rotation.from_euler("z", -roll, degrees=True).as_matrix() @ level
    np.testing.assert_allclose(ours[0], expected, atol=1e-5)
