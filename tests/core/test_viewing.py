"""The rotation towards a point of the image: definition, and numpy against torch."""

import numpy as np
import torch

from camerapose.core.viewing import view_rotation


def test_axes_follow_from_the_ray():
    rng = np.random.default_rng(0)
    point, center = rng.uniform(-1, 1, (2, 50, 2))
    focal = rng.uniform(0.5, 4, (50, 2))
    rays = np.concatenate([(point - center) / focal, np.ones((50, 1))], axis=1)
    forward = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    expected = np.stack([right, np.cross(forward, right), forward], axis=-1)
    rotation = view_rotation(point, focal, center)
    np.testing.assert_allclose(rotation, expected, atol=1e-12)
    tensors = (torch.from_numpy(column) for column in (point, focal, center))
    np.testing.assert_allclose(view_rotation(*tensors).numpy(), expected, atol=1e-12)


def test_the_centre_of_the_image_and_no_points():
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    np.testing.assert_array_equal(view_rotation(zero, one, zero), np.eye(3)[None])
    assert view_rotation(zero[:0], one[:0], zero[:0]).shape == (0, 3, 3)
