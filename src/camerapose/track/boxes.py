"""Overlap of bounding boxes."""

import numpy as np
from jaxtyping import Real


def iou(a: Real[np.ndarray, "4"], b: Real[np.ndarray, "4"]) -> float:
    """Return the intersection over union of two boxes x0, y0, x1, y1; 0 for empty boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.clip(high - low, 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common
    return float(common / union) if union > 0 else 0.0
