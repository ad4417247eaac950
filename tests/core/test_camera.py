"""Camera: projection and normalised coordinates."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from camerapose.core.camera import MIN_DEPTH, Camera, denormalize, normalize

sizes = st.tuples(st.integers(16, 8000), st.integers(16, 8000))


def camera_of(n=4, distorted=False, seed=0):
    random = np.random.default_rng(seed)
    matrix, _ = np.linalg.qr(random.normal(size=(n, 3, 3)))
    matrix *= np.sign(np.linalg.det(matrix))[:, None, None]
    return Camera(
        focal=random.uniform(1, 4, (n, 2)),
        center=random.normal(0, 0.1, (n, 2)),
        translation=random.normal(size=(n, 3)),
        rotation=matrix,
        distortion=random.normal(0, 0.1, (n, 5)) if distorted else None,
    )


def points_of(n=4, joints=7, seed=1):
    return np.random.default_rng(seed).normal(size=(n, joints, 3)) + [0, 0, 5]


@given(sizes, st.integers(0, 99))
def test_denormalize_is_the_inverse(size, seed):
    keypoints = np.random.default_rng(seed).uniform(-100, 9000, (3, 5, 2))
    np.testing.assert_allclose(denormalize(normalize(keypoints, size), size), keypoints, atol=1e-6)


@given(sizes)
def test_corners_and_aspect(size):
    w, h = size
    corners = normalize(np.array([[0.0, 0.0], [w, h], [w / 2, h / 2]]), size)
    np.testing.assert_allclose(corners, [[-1, -h / w], [1, h / w], [0, 0]], atol=1e-12)
    square = normalize(np.array([[0.0, 0.0], [10.0, 10.0]]), size)
    step = square[1] - square[0]
    np.testing.assert_allclose(step[0], step[1])


def test_one_image_size_per_pose():
    keypoints = np.random.default_rng(0).uniform(0, 500, (2, 5, 2))
    sizes = np.array([[640.0, 480.0], [480.0, 640.0]])
    both = normalize(keypoints, sizes)
    for i in range(2):
        np.testing.assert_allclose(both[i], normalize(keypoints[i], tuple(sizes[i])))
    np.testing.assert_allclose(denormalize(both, sizes), keypoints)


def test_pixel_and_normalised_cameras_agree():
    camera, points = camera_of(), points_of()
    size = np.tile([1280.0, 720.0], (4, 1))
    expected = denormalize(camera.project(points), size)
    np.testing.assert_allclose(camera.in_pixels(size).project(points), expected)
    matrix = camera.in_pixels((1280, 720)).matrix
    homogeneous = points @ np.swapaxes(matrix, 1, 2)
    np.testing.assert_allclose(homogeneous[..., :2] / homogeneous[..., 2:], expected)


def test_focal_length_one_is_ninety_degrees():
    camera = Camera(np.ones((1, 2)), np.zeros((1, 2)), np.zeros((1, 3)))
    np.testing.assert_allclose(camera.project(np.array([[[2.0, -2.0, 2.0]]])), [[[1, -1]]])


def test_world_and_camera_frames_are_inverse():
    camera, points = camera_of(), points_of()
    np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-12)
    expected = np.einsum("nij,nkj->nki", camera.rotation, points) + camera.translation[:, None]
    np.testing.assert_allclose(camera.to_camera(points), expected)


def test_without_rotation():
    camera = camera_of()
    still = Camera(camera.focal, camera.center, camera.translation)
    points = points_of()
    np.testing.assert_allclose(still.to_camera(points), points + camera.translation[:, None])
    np.testing.assert_allclose(still.to_world(still.to_camera(points)), points)


def test_projection_is_constant_along_a_ray():
    camera, points = camera_of(distorted=True), np.abs(points_of()) + [0, 0, 1]
    np.testing.assert_allclose(camera.project(points), camera.project(points * 3))


def test_no_distortion_is_zero_distortion():
    camera, points = camera_of(), points_of()
    zero = Camera(camera.focal, camera.center, camera.translation, None, np.zeros((4, 5)))
    np.testing.assert_allclose(zero.project(points), camera.project(points))


def test_distortion_against_a_hand_computed_point():
    k1, k2, k3, p1, p2 = distortion = np.array([0.1, -0.2, 0.05, 0.01, -0.03])
    camera = Camera(np.ones((1, 2)), np.zeros((1, 2)), np.zeros((1, 3)), None, distortion[None])
    x, y = 0.4, -0.3
    r2 = 0.25
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    expected = [
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    ]
    got = camera.project(np.array([[[x * 2, y * 2, 2.0]]]))[0, 0]
    np.testing.assert_allclose(got, expected)


def test_points_at_or_behind_the_camera_are_finite():
    camera = camera_of(1)
    points = np.array([[[1.0, 1.0, 0.0], [1.0, 1.0, -3.0], [1.0, 1.0, MIN_DEPTH]]])
    projected = camera.project(points)
    assert np.isfinite(projected).all()
    np.testing.assert_allclose(projected[:, :2], projected[:, 2:].repeat(2, axis=1))


@pytest.mark.parametrize("distorted", [False, True])
def test_numpy_and_torch_agree(distorted):
    camera, points = camera_of(distorted=distorted), points_of()
    on_torch = camera.map(torch.from_numpy)
    theirs = torch.from_numpy(points)
    np.testing.assert_allclose(on_torch.project(theirs).numpy(), camera.project(points))
    np.testing.assert_allclose(on_torch.to_camera(theirs).numpy(), camera.to_camera(points))
    pixels = on_torch.in_pixels((640, 480)).focal
    np.testing.assert_allclose(pixels.numpy(), camera.in_pixels((640, 480)).focal)
    np.testing.assert_allclose(
        normalize(torch.from_numpy(points[..., :2]), (640, 480)).numpy(),
        normalize(points[..., :2], (640, 480)),
    )


def test_gradients_flow_to_the_camera():
    camera = camera_of().map(lambda c: torch.from_numpy(c).requires_grad_())
    camera.project(torch.from_numpy(points_of())).sum().backward()
    assert camera.focal.grad.abs().sum() > 0 and camera.center.grad.abs().sum() > 0


def test_indexing_and_concatenation():
    camera = camera_of(5, distorted=True)
    again = Camera.cat([camera[:2], camera[[2, 3, 4]]])
    for name in ("focal", "center", "translation", "rotation", "distortion"):
        assert (getattr(again, name) == getattr(camera, name)).all()


def test_concatenation_with_and_without_distortion():
    points = points_of(8)
    plain, bent = camera_of(4), camera_of(4, distorted=True, seed=3)
    both = Camera.cat([plain, bent])
    np.testing.assert_allclose(both.project(points)[:4], plain.project(points[:4]))
    np.testing.assert_allclose(both.project(points)[4:], bent.project(points[4:]))
    assert (
        Camera.cat([plain, Camera(plain.focal, plain.center, plain.translation)]).rotation is None
    )
