"""Image panels: the part of an image around the people, or a plain background."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.view.rows import Row

#: Width and height, pixels, that are assumed for poses without image size.
DEFAULT_SIZE = (1000.0, 1000.0)
#: Limits of the height of a panel divided by its width.
MIN_ASPECT, MAX_ASPECT = 0.62, 1.18
#: Longer side, pixels, of a panel's image; more would only enlarge the file.
PANEL_PIXELS = 900
#: Margin around keypoints as a share of their extent: preferred and minimum.
MARGIN, MIN_MARGIN = 0.22, 0.06
OUTSIDE, BACKGROUND, BORDER = "#E9ECF0", "#F6F7F9", "#C9CED6"


def to_pixels(poses: Poses, points: Any) -> np.ndarray:
    """Convert normalised 2D points of poses to pixels (`DEFAULT_SIZE` without image size)."""
    if poses.image_size is None:
        return denormalize(np.asarray(points), np.asarray([1000, 1000]))
    return denormalize(points, poses.image_size)


def panel_aspect(rows: Sequence[Row]) -> float:
    """Return the height over width that suits most rows: tall for one person, wide for groups."""
    aspects = []
    for row in rows:
        box = _bounds(row.poses.to_numpy(), MARGIN)
        width, height = _image_size(row) if box is None else box[1] - box[0]
        aspects.append(height / max(width, 1e-6))
    return float(np.clip(np.median(aspects), MIN_ASPECT, MAX_ASPECT))


def draw_image(panels: Sequence[Axes], row: Row) -> None:
    """Show the image, or a plain background of its size, cropped to the people.

    The axes' limits are pixels of the original image, y down.
    """
    size = _image_size(row)
    box = panels[0].get_window_extent()
    x0, y0, x1, y1 = crop_window(row.poses.to_numpy(), size, box.height / box.width)
    for ax in panels:
        if row.image is not None:
            _show(ax, row.image, size, (x0, y0, x1, y1))
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fc=OUTSIDE, ec="none", zorder=-2))
        if row.image is None:
            ax.add_patch(Rectangle((0, 0), *size, fc=BACKGROUND, ec=BORDER, lw=0.8, zorder=-1))
        ax.set_xlim(x0, x1)
        ax.set_ylim(y1, y0)
        ax.set_aspect("equal")


def crop_window(
    poses: Poses, size: Float[np.ndarray, "2"], aspect: float
) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 in pixels: around the people, inside the image if possible.

    Args:
        size: width and height of the image; all of it is shown if no joint is visible.
        aspect: height of the window divided by its width.
    """

    def expand(extent: np.ndarray) -> np.ndarray:
        return np.maximum(extent, extent[::-1] * (1 / aspect, aspect))

    preferred, minimum = _bounds(poses, MARGIN), _bounds(poses, MIN_MARGIN)
    if preferred is None or minimum is None:
        center, extent = size / 2, expand(size)
    else:
        low, high = minimum
        center = (preferred[0] + preferred[1]) / 2
        extent = expand(preferred[1] - preferred[0])
        extent = np.maximum(extent * min(1, *(size / extent)), expand(high - low))
        # No background while there is image on the other side, but no person is cropped.
        half = np.minimum(extent, size) / 2
        center = np.clip(center, half, size - half)
        center = np.clip(center, high - extent / 2, low + extent / 2)
    (x0, y0), (x1, y1) = center - extent / 2, center + extent / 2
    return float(x0), float(y0), float(x1), float(y1)


def _image_size(row: Row) -> Float[np.ndarray, "2"]:
    """Return width and height, pixels, of the original image; `row.image` may be smaller."""
    if row.poses.image_size is not None and len(row.poses):
        return np.asarray(row.poses.to_numpy().image_size[0], dtype=float)
    if row.image is not None:
        return np.array([row.image.shape[1], row.image.shape[0]], dtype=float)
    return np.array(DEFAULT_SIZE)


def _bounds(poses: Poses, margin: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return low and high corner, pixels, of the visible joints with a margin; None without any."""
    points = to_pixels(poses, poses.pose2d)[poses.confidence > 0]
    if not len(points):
        return None
    low, high = points.min(0), points.max(0)
    return low - margin * max(high - low), high + margin * max(high - low)


def _show(
    ax: Axes, image: Any, size: np.ndarray, window: tuple[float, float, float, float]
) -> None:
    """Show the window of an image, shrunk to a panel's resolution; `size` is the original's."""
    height, width = image.shape[:2]
    scale = np.array([width, height] * 2) / np.tile(size, 2)
    low = np.floor(np.array(window[:2]) * scale[:2]).astype(int).clip(0)
    high = np.ceil(np.array(window[2:]) * scale[2:]).astype(int).clip(None, (width, height))
    if (high <= low).any():  # all people are outside the image
        return
    part = Image.fromarray(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]))
    part.thumbnail((PANEL_PIXELS, PANEL_PIXELS), Image.Resampling.LANCZOS)
    (x0, y0), (x1, y1) = low / scale[:2], high / scale[2:]
    ax.imshow(np.asarray(part), extent=(x0, x1, y1, y0), zorder=0)
