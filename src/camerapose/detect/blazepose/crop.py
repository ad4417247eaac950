"""Rotated square crops of people."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

#: Side of a crop, pixels.
CROP_SIZE = 256
#: Side of a crop divided by the diameter of the circle around the body.
CROP_MARGIN = 1.25


class Roi(NamedTuple):
    """A square region of an image, rotated by `angle` (radians, clockwise on the screen)."""

    x: float
    y: float
    size: float
    angle: float

    @classmethod
    def from_alignment(cls, center: Float[Any, "2"], on_circle: Float[Any, "2"]) -> "Roi":
        """Return the region around a body.

        Args:
            center: centre of the hips, pixels.
            on_circle: point on the circle around the body, above the head. The direction towards
                it is up in the crop.
        """
        dx, dy = float(on_circle[0] - center[0]), float(on_circle[1] - center[1])
        size = 2 * CROP_MARGIN * float(np.hypot(dx, dy))
        return cls(float(center[0]), float(center[1]), size, float(np.arctan2(dx, -dy)))

    def to_image(self) -> Float[np.ndarray, "2 3"]:
        """Return the affine map from crop pixels to image pixels."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]]) * (self.size / CROP_SIZE)
        shift = np.array([self.x, self.y]) - linear @ np.full(2, CROP_SIZE / 2)
        return np.concatenate([linear, shift[:, None]], axis=1)

    def bounds(self) -> Float[np.ndarray, "4"]:
        """Return x0, y0, x1, y1 of the axis-aligned box around the square, in image pixels."""
        half = self.size / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle)))
        return np.array([self.x - half, self.y - half, self.x + half, self.y + half])


def crop(image: UInt8[np.ndarray, "h w 3"], roi: Roi) -> Float[np.ndarray, "1 s s 3"] | None:
    """Return the input of the landmark network, values 0 to 1; None if the region misses the image.

    Pixels beyond the image repeat its border. A region much larger than the crop is averaged
    first.
    """
    height, width = image.shape[:2]
    if not (np.isfinite(roi).all() and 1 < roi.size < 20 * max(width, height)):
        return None
    bounds = np.stack([np.floor(roi.bounds()[:2]), np.ceil(roi.bounds()[2:])]).astype(int)
    (x0, y0), (x1, y1) = np.clip(bounds, 0, (width, height))
    if x1 <= x0 or y1 <= y0:
        return None
    factor = max(1, int(roi.size / CROP_SIZE))
    patch = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1])).reduce(factor)
    before = -(-(np.array([x0, y0]) - bounds[0]) // factor)
    after = -(-(bounds[1] - (x1, y1)) // factor)
    if before.any() or after.any():
        border = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        patch = Image.fromarray(np.pad(np.asarray(patch), border, mode="edge"))
    matrix = roi.to_image()
    matrix[:, 2] -= (x0, y0)
    matrix /= factor
    matrix[:, 2] += before
    upright = patch.transform(
        (CROP_SIZE, CROP_SIZE), Image.Transform.AFFINE, matrix.ravel(), Image.Resampling.BILINEAR
    )
    return np.asarray(upright, np.float32)[None] / 255
