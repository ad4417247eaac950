"""Processing of whole clips: optimisation, scale, camera, gaps, ground plane.

Every function takes numpy `Poses` with 3D and cameras, such as a `Predictor` returns, and returns
new ones (camera frame, metres). Rows are assigned to people and frames by the labels `person` and
`frame`; without these labels, the rows are one person in consecutive frames.
"""

from camerapose.infer.clip.camera import (
    average_camera,
    replace_camera,
    set_focal_length,
    static_camera,
)
from camerapose.infer.clip.gaps import fill_gaps
from camerapose.infer.clip.ground import LEVEL, align, estimate_ground
from camerapose.infer.clip.optimize import optimize
from camerapose.infer.clip.scale import (
    MAX_HEIGHT,
    MIN_HEIGHT,
    check_height,
    median_height,
    set_height,
    set_median_height,
)
from camerapose.infer.clip.shot import ClipCamera

__all__ = [
    "LEVEL",
    "MAX_HEIGHT",
    "MIN_HEIGHT",
    "ClipCamera",
    "align",
    "average_camera",
    "check_height",
    "estimate_ground",
    "fill_gaps",
    "median_height",
    "optimize",
    "replace_camera",
    "set_focal_length",
    "set_height",
    "set_median_height",
    "static_camera",
]
