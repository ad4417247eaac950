"""Z-buffer rasterisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camerapose.data.render import rasterizer
from camerapose.data.render.rasterizer import rasterize, vertex_normals

SIZE = (20, 16)


def random_mesh(seed, faces=12):
    random = np.random.default_rng(seed)
    pixels = random.uniform(-5, 25, (3 * faces, 2))
    return pixels, random.uniform(0.5, 4, 3 * faces), np.arange(3 * faces).reshape(-1, 3)


def brute_force(pixels, depth, faces, size):
    """Nearest depth of each pixel, by solving for the weights one pixel at a time."""
    result = np.full((size[1], size[0]), np.inf)
    for face in faces:
        matrix = np.vstack([pixels[face].T, np.ones(3)])
        for y in range(size[1]):
            for x in range(size[0]):
                weights = np.linalg.solve(matrix, [x + 0.5, y + 0.5, 1])
                if (weights >= 0).all():
                    result[y, x] = min(result[y, x], 1 / (weights / depth[face]).sum())
    return result


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_depth_equals_brute_force(seed):
    pixels, depth, faces = random_mesh(seed)
    found = rasterize(pixels, depth, faces, SIZE, cull=False)
    result = np.full(SIZE[0] * SIZE[1], np.inf)
    result[found.pixel] = found.depth
    expected = brute_force(pixels, depth, faces, SIZE)
    np.testing.assert_allclose(result.reshape(SIZE[::-1]), expected, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_interpolation_is_perspective_correct(seed):
    """Interpolated positions in the camera frame project to the pixel that shows them."""
    random = np.random.default_rng(seed)
    points = random.uniform([-2, -2, 1], [2, 2, 5], (30, 3))
    faces = np.arange(30).reshape(-1, 3)
    pixels = points[:, :2] / points[:, 2:] * 10 + np.array(SIZE) / 2
    found = rasterize(pixels, points[:, 2], faces, SIZE, cull=False)
    surface = found.interpolate(points, faces)
    y, x = np.divmod(found.pixel, SIZE[0])
    again = surface[:, :2] / surface[:, 2:] * 10 + np.array(SIZE) / 2
    np.testing.assert_allclose(again, np.stack([x + 0.5, y + 0.5], 1), atol=1e-4)
    np.testing.assert_allclose(surface[:, 2], found.depth, rtol=1e-5)


def test_faces_seen_from_behind_are_culled():
    pixels = np.array([[2.0, 2], [2, 12], [12, 2]])  # counter-clockwise with y down
    depth = np.ones(3)
    front, back = np.array([[0, 1, 2]]), np.array([[0, 2, 1]])
    assert len(rasterize(pixels, depth, front, SIZE).pixel) > 20
    assert len(rasterize(pixels, depth, back, SIZE).pixel) == 0
    assert len(rasterize(pixels, depth, back, SIZE, cull=False).pixel) > 20


def test_several_steps_give_the_same(monkeypatch):
    pixels, depth, faces = random_mesh(3, faces=40)
    at_once = rasterize(pixels, depth, faces, SIZE, cull=False)
    monkeypatch.setattr(rasterizer, "MAX_FRAGMENTS", 100)
    in_steps = rasterize(pixels, depth, faces, SIZE, cull=False)
    for a, b in zip(at_once, in_steps, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("depth", [0.01, -1.0])
def test_triangles_behind_the_camera_are_left_out(depth):
    pixels, faces = np.array([[2.0, 2], [2, 12], [12, 2]]), np.array([[0, 1, 2]])
    assert len(rasterize(pixels, np.array([1, 1, depth]), faces, SIZE).pixel) == 0


def test_normals_of_a_tetrahedron_point_outwards():
    vertices = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    np.testing.assert_allclose(vertex_normals(vertices, faces), vertices / np.sqrt(3), atol=1e-12)
