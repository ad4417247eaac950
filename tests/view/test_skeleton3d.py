"""The 3D view: directions and lengths."""

import numpy as np
import pytest
from helpers.drawing import BODY
from matplotlib.figure import Figure

from camerapose.core import joint_formats
from camerapose.view.skeleton3d import Stage


@pytest.fixture
def stage():
    return lambda view: Stage(Figure().add_subplot(), view, BODY)


def test_view_directions(stage):
    """From the front x is right and y down; from the side, far is right."""
    np.testing.assert_allclose(stage((0.0, 0.0)).project([1, 2, 3]), [1, -2, 3], atol=1e-12)
    np.testing.assert_allclose(stage((90.0, 0.0)).project([1, 2, 3]), [3, -2, -1], atol=1e-12)
    np.testing.assert_allclose(stage((0.0, 90.0)).project([1, 2, 3]), [1, 3, 2], atol=1e-12)


def test_views_preserve_lengths(stage):
    points = stage((37.0, 12.0)).project(BODY)
    for child, parent in joint_formats.H36M_16.bones:
        assert np.linalg.norm(points[child] - points[parent]) == pytest.approx(
            np.linalg.norm(BODY[child] - BODY[parent]), rel=1e-5
        )
