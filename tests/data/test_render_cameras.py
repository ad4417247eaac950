"""Random cameras of rendered images."""

import numpy as np
import pytest

from camerapose.data.render import cameras
from camerapose.data.render.cameras import MIN_HEIGHT, View

PERSON = np.random.default_rng(0).uniform([-0.3, -0.3, 0], [0.3, 0.3, 1.7], (200, 3))


@pytest.fixture(scope="module")
def views():
    random = np.random.default_rng(0)
    return [cameras.draw(random, PERSON) for _ in range(200)]


def test_axes_are_right_handed(views):
    """Images are not mirrored."""
    for view in views:
        np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(view.rotation) == pytest.approx(1)


def test_level_camera_sees_up_above_and_left_of_a_facing_person_on_the_right():
    view = next(
        v for v in (cameras.draw(np.random.default_rng(i), PERSON) for i in range(50))
        if abs(v.rotation[1, 2] + 1) < 0.02
    )  # fmt: skip
    center = PERSON.mean(0)
    forward = view.rotation[2]
    left_of_person = np.cross([0, 0, 1], -forward)  # of a person who faces the camera
    points = view.to_camera(center + np.array([[0, 0, 0], [0, 0, 0.5], 0.5 * left_of_person]))
    middle, above, left = view.project(points)
    assert above[1] < middle[1] and left[0] > middle[0]


def test_cameras_are_above_the_floor_and_in_front_of_the_person(views):
    assert np.mean([view.position[2] > MIN_HEIGHT for view in views]) > 0.99
    assert all(view.to_camera(PERSON)[:, 2].min() > 0.1 for view in views)


def test_most_people_are_mostly_inside(views):
    inside = []
    for view in views:
        pixels = view.project(view.to_camera(PERSON))
        inside.append(((pixels >= 0) & (pixels < view.size)).all(1).mean())
    assert np.mean(inside) > 0.8 and 0.1 < np.mean(np.array(inside) < 0.99) < 0.6


def test_rays_project_to_their_pixels():
    view = View((8, 6), 5.0, np.eye(3), np.zeros(3))
    pixels = view.project(view.rays() * 2.0).reshape(6, 8, 2)
    np.testing.assert_allclose(pixels[4, 3], [3.5, 4.5])
    assert len(view.rays(2)) == 12
    np.testing.assert_allclose(view.project(view.rays(2))[0], [1, 1])


def test_position_is_the_centre_of_projection(views):
    np.testing.assert_allclose(views[0].to_camera(views[0].position), 0, atol=1e-9)
