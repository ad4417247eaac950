"""BlazePose's rotated crops."""

import numpy as np
import pytest

from camerapose.detect.blazepose.crop import Roi, crop


def smooth_image(width=320, height=240):
    """Return an image whose red channel grows with x and whose green channel grows with y."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([255 * x / width, 255 * y / height, 0 * x], axis=2).astype(np.uint8)


class TestRoi:
    def test_upright_person(self):
        roi = Roi.from_alignment(np.array([100.0, 80.0]), np.array([100.0, 40.0]))
        assert roi == pytest.approx((100, 80, 2 * 40 * 1.25, 0))

    @pytest.mark.parametrize("degrees", [-170, -90, -30, 0, 45, 90, 180])
    def test_body_axis_points_up_in_the_crop(self, degrees):
        angle = np.radians(degrees)
        head = np.array([100, 80]) + 40 * np.array([np.sin(angle), -np.cos(angle)])
        matrix = Roi.from_alignment(np.array([100.0, 80.0]), head).to_image()
        to_crop = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        np.testing.assert_allclose((to_crop @ [100, 80, 1])[:2], [128, 128], atol=1e-9)
        np.testing.assert_allclose((to_crop @ [*head, 1])[:2], [128, 128 - 128 / 1.25], atol=1e-9)

    def test_map_preserves_angles_and_orientation(self):
        linear = Roi(3, 4, 512, 0.7).to_image()[:, :2]
        np.testing.assert_allclose(linear @ linear.T, 4 * np.eye(2), atol=1e-12)
        assert np.linalg.det(linear) == pytest.approx(4)

    def test_bounds_contain_the_corners(self):
        roi = Roi(30, 40, 20, 0.6)
        corners = np.array([[0, 0], [256, 0], [0, 256], [256, 256]])
        corners = corners @ roi.to_image()[:, :2].T + roi.to_image()[:, 2]
        np.testing.assert_allclose(roi.bounds(), [*corners.min(0), *corners.max(0)])


class TestCrop:
    def expected(self, roi, image):
        """Return the colours of the crop, computed from the map alone."""
        height, width = image.shape[:2]
        v, u = np.mgrid[:256, :256] + 0.5
        matrix = roi.to_image()
        x, y = np.tensordot(matrix[:, :2], np.stack([u, v]), axes=1) + matrix[:, 2, None, None]
        x, y = x.clip(0.5, width - 0.5), y.clip(0.5, height - 0.5)  # the border is repeated
        return np.stack([x / width, y / height], axis=2)

    @pytest.mark.parametrize(
        "roi",
        [
            Roi(160, 120, 150, 0),
            Roi(160, 120, 150, 0.5),
            Roi(150, 110, 100, -2.5),
            Roi(20, 30, 200, 1.0),
            Roi(300, 220, 180, 3.0),
            Roi(160, 120, 600, 0.3),  # averaged first
            Roi(170, 100, 900, 0.3),
        ],
    )
    def test_crop_shows_the_square(self, roi):
        image = smooth_image()
        tensor = crop(image, roi)
        assert tensor.shape == (1, 256, 256, 3) and tensor.dtype == np.float32
        difference = np.abs(tensor[0, :, :, :2] - self.expected(roi, image))
        assert np.median(difference) < 0.004  # a colour step, or one pixel
        assert difference.max() < 0.02

    @pytest.mark.parametrize(
        "roi", [Roi(-900, 0, 100, 0), Roi(0, 0, 0, 0), Roi(np.nan, 0, 9, 0), Roi(0, 0, 1e9, 0)]
    )
    def test_region_outside_the_image(self, roi):
        assert crop(smooth_image(), roi) is None
