"""Downscale images before detection and drawing."""

import numpy as np
from PIL import Image


def shrink(image: np.ndarray, max_side: int) -> np.ndarray:
    """Return an image (height, width, 3) whose longer side has at most `max_side` pixels."""
    if max(image.shape[:2]) <= max_side:
        return image
    small = Image.fromarray(image)
    small.thumbnail((max_side, max_side), reducing_gap=2.0)
    return np.asarray(small)
