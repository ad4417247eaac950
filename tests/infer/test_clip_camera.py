"""Cameras of a clip."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.clips import three_people, walk

from camerapose.core.viewing import view_rotation
from camerapose.infer import clip
from camerapose.infer.clip.camera import reposition
from camerapose.models.crop import VirtualCamera


@pytest.fixture(scope="module")
def people():
    return three_people()


def test_average_camera_is_shared_by_the_people_of_a_frame(people):
    """Individual cameras disagree; with the shared one the 2D still matches."""
    trio = replace(people, labels={"frame": np.arange(30) // 3, "person": np.arange(30) % 3})
    shared = clip.average_camera(trio)
    for column in (shared.camera.focal, shared.camera.center):
        assert (np.ptp(column.reshape(10, 3, 2), axis=1) == 0).all()
    low, high = (f(trio.camera.focal.reshape(10, 3, 2), axis=1) for f in (np.min, np.max))
    mean = shared.camera.focal.reshape(10, 3, 2)[:, 0]
    assert (mean > low - 1e-6).all() and (mean < high + 1e-6).all()
    assert np.linalg.norm(shared.reprojection - trio.pose2d, axis=-1).mean() < 0.02
    np.testing.assert_allclose(shared.root_position, shared.camera.translation)
    assert clip.average_camera(people) is people  # one person per frame
    mixed = replace(trio, labels={"frame": np.r_[0, 0, 2:30], "person": np.arange(30) % 3})
    np.testing.assert_array_equal(clip.average_camera(mixed).pose3d[2:], trio.pose3d[2:])


def test_known_intrinsics_restore_positions(people):
    """Predicted with 1.5 times the focal length, then given the correct one."""
    focal, center = people.camera.focal * 1.5, people.camera.center + 0.05
    wrong = clip.replace_camera(people, focal, center)
    width = people.image_size[:, :1]
    assert np.abs(wrong.root_position - people.root_position).max() > 0.5
    pixels = people.camera.in_pixels(people.image_size)
    right = clip.set_focal_length(wrong, pixels.focal, pixels.center)
    np.testing.assert_allclose(right.camera.focal, people.camera.focal, rtol=1e-5)
    np.testing.assert_allclose(right.pose3d, people.pose3d, atol=0.02)
    assert width.shape == (30, 1)


def test_focal_length_is_checked(people):
    with pytest.raises(ValueError, match="give pixels above 0"):
        clip.set_focal_length(people, -3)
    with pytest.raises(ValueError, match="no image_size"):
        clip.set_focal_length(replace(people, image_size=None), 1000)


def test_static_camera_is_constant():
    ground_truth, _ = walk()
    wobble = np.exp(0.2 * np.random.default_rng(0).normal(size=(len(ground_truth), 1)))
    noisy = clip.replace_camera(
        ground_truth, ground_truth.camera.focal * wobble, ground_truth.camera.center
    )
    constant = clip.static_camera(noisy)
    assert (constant.camera.focal == constant.camera.focal[0]).all()

    def unsteady(poses):
        return np.abs(np.diff(poses.root_position[:, 2], n=2)).mean()

    assert unsteady(constant) < 0.05 * unsteady(noisy)
    assert len(clip.static_camera(noisy[:0])) == 0


def test_view_rotation_agrees_with_the_virtual_camera_of_the_networks(people):
    place, focal, center = people.pose2d.mean(1), people.camera.focal, people.camera.center
    view = VirtualCamera(torch.tensor(place)[:, None], torch.ones(30, 1, 1))
    expected = view.rotation(torch.tensor(focal), torch.tensor(center))
    np.testing.assert_allclose(view_rotation(place, focal, center), expected, atol=1e-5)


def test_reposition_recovers_positions(people):
    relative = people.pose3d - people.root_position[:, None]
    result = reposition(people, relative, people.camera.focal, people.camera.center)
    np.testing.assert_allclose(result.root_position, people.root_position, rtol=1e-2, atol=1e-2)
