"""The closed-form translation: properties, and numpy against torch."""

import numpy as np
import pytest
import torch
from helpers.models import bodies

from camerapose.core.translation import MIN_DEPTH, solve_translation


def test_recovers_the_translation_of_an_exact_projection():
    body, camera = bodies()
    pose2d = camera.project(body + camera.translation[:, None])
    result = solve_translation(body, pose2d, torch.ones(32, 16), camera.focal, camera.center)
    assert torch.allclose(result, camera.translation, atol=2e-3)


def test_minimises_the_linearised_error():
    """Against the normal equations of u (Z + t_z) = X + t_x, solved by numpy.linalg.lstsq."""
    body, camera = bodies(4)
    pose2d = camera.project(body + camera.translation[:, None]) + 0.02 * torch.randn(4, 16, 2)
    weight = torch.rand(4, 16)
    columns = (body, pose2d, weight, camera.focal, camera.center)
    columns = [column.double().numpy() for column in columns]
    result = solve_translation(*columns)
    for i in range(4):
        relative, points, weights, focal, center = (column[i] for column in columns)
        u = (points - center) / focal
        rows, targets = [], []
        for axis in (0, 1):
            row = np.zeros((16, 3))
            row[:, axis], row[:, 2] = 1, -u[:, axis]
            root = np.sqrt(weights)
            rows.append(root[:, None] * row)
            targets.append(root * (u[:, axis] * relative[:, 2] - relative[:, axis]))
        expected = np.linalg.lstsq(np.concatenate(rows), np.concatenate(targets), rcond=None)[0]
        np.testing.assert_allclose(result[i], expected, rtol=1e-8)


@pytest.mark.parametrize("zero_weight", [False, True])
def test_numpy_and_torch_agree(zero_weight):
    body, camera = bodies()
    pose2d = camera.project(body + camera.translation[:, None])
    weight = torch.zeros(32, 16) if zero_weight else torch.rand(32, 16)
    columns = [c.double() for c in (body, pose2d, weight, camera.focal, camera.center)]
    expected = solve_translation(*columns)
    result = solve_translation(*(column.numpy() for column in columns))
    np.testing.assert_allclose(result, expected.numpy(), rtol=1e-10)


def test_a_single_point_gives_a_finite_result_in_front_of_the_camera():
    result = solve_translation(
        torch.zeros(1, 16, 3), torch.zeros(1, 16, 2), torch.zeros(1, 16),
        torch.ones(1, 2), torch.zeros(1, 2),
    )  # fmt: skip
    assert torch.isfinite(result).all() and result[0, 2] >= MIN_DEPTH


def test_no_poses():
    zero = [np.zeros(shape) for shape in ((0, 16, 3), (0, 16, 2), (0, 16), (0, 2), (0, 2))]
    assert solve_translation(*zero).shape == (0, 3)
