"""What the report shows besides the poses: video or images, the time span, the ground."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from camerapose.core.ground import Ground


@dataclass(frozen=True)
class Recording:
    """The recording from which poses were predicted.

    Attributes:
        span: time of the first and the last frame, seconds; None: those of the poses.
        video: MP4 file, and the time of its first frame in seconds; None without video.
        images: uint8 (height, width, 3) RGB images by their frame numbers.
        ground: estimate of the floor; None if it is unknown.
        aligned: whether the scene is first shown with the vertical of `ground`, and heights are
            above the floor.
        note: about the recording, for the reader of the report.
    """

    span: tuple[float, float] | None = None
    video: tuple[bytes, float] | None = None
    images: Mapping[int, np.ndarray] = field(default_factory=dict)
    ground: Ground | None = None
    aligned: bool = False
    note: str = ""
