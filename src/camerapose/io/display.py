"""Convert decoded video frames to RGB as players show them: pixel shape, orientation, HDR."""

from typing import Any

import numpy as np

from camerapose.io import hdr

#: Range of plausible pixel aspect ratios; others are errors of the file.
MIN_ASPECT, MAX_ASPECT = 0.25, 4.0


def to_rgb(decoded: Any, aspect: float = 1.0) -> np.ndarray:
    """Convert a decoded frame to uint8 (height, width, 3) RGB, upright, with square pixels.

    Args:
        decoded: frame of PyAV.
        aspect: width of a pixel divided by its height.
    """
    size = displayed_size(decoded.width, decoded.height, aspect)
    image = decoded.to_ndarray(format="rgb24", width=size[0], height=size[1])
    transfer = int(getattr(decoded, "color_trc", 0) or 0)
    if transfer in (hdr.PQ, hdr.HLG):
        image = hdr.tone_map(image, transfer)
    return np.ascontiguousarray(_orient(image, _display_matrix(decoded)))


def displayed_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Return (width, height) with square pixels; the shorter side of a pixel is enlarged."""
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def pixel_aspect(stream: Any) -> float:
    """Return the pixel aspect ratio of a video stream, 1 if it is unknown or implausible."""
    aspect = float(getattr(stream, "sample_aspect_ratio", None) or 1)
    return aspect if MIN_ASPECT <= aspect <= MAX_ASPECT else 1.0


def _display_matrix(decoded: Any) -> tuple[int, int, int, int]:
    """Return a, b, c, d of x' = a x + c y, y' = b x + d y (ISO 14496-12, 8.3.2)."""
    for data in decoded.side_data:
        if getattr(data.type, "name", "") == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data), np.int32)
            return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])
    return 1, 0, 0, 1


def _orient(image: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Rotate by the nearest multiple of 90 degrees and flip."""
    a, b, c, d = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        flip_x, flip_y = a < 0, d < 0
    else:
        image = image.transpose(1, 0, 2)
        flip_x, flip_y = c < 0, b < 0
    return image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
