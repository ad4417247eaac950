"""The contract of detectors, and functions that several detectors share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

#: Share of a box's longer side by which a person extends beyond the joints; upwards twice that.
BODY_MARGIN = 0.1


@dataclass(frozen=True)
class Detection:
    """A person in an image.

    Pixels have their origin at the image's top left corner, x right, y down; the centre of the
    first pixel is (0.5, 0.5).

    Attributes:
        keypoints: pixels, in the joint format of the detector.
        confidence: of each keypoint, 0 (not detected) to 1.
        box: x0, y0, x1, y1 in pixels.
        score: confidence of the person, 0 to 1.
        person: identity: the number that a tracked person keeps over a video.
    """

    keypoints: Float[np.ndarray, "joints 2"]
    confidence: Float[np.ndarray, " joints"]
    box: Float[np.ndarray, "4"]
    score: float
    person: int = 0


class Detector(Protocol):
    """A 2D detector.

    The constructor takes `model` (name or file) and the keywords `max_people` and `threads` (None:
    all processor cores), all with defaults. Detectors that can use other devices also take
    `device` (a key of `camerapose.io.runtime.DEVICES`).

    Attributes:
        skeleton: joint format of the keypoints, see `camerapose.core.joint_formats.get`.
    """

    skeleton: str

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], *, track: bool = False
    ) -> Sequence[Detection]:
        """Detect people, the most prominent first.

        Args:
            image: RGB.
            track: whether the images are consecutive frames of one video.

        Raises:
            ValueError: the image has another type or shape.
        """
        ...

    def reset(self) -> None:
        """Forget the tracked people; call it before another video."""
        ...


def check_image(image: np.ndarray) -> None:
    """Raise ValueError unless the image is uint8 RGB with at least one pixel."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"image has type {image.dtype} and shape {image.shape}; "
            "expected uint8 RGB (height, width, 3)"
        )


def check_max_people(max_people: int) -> None:
    """Raise ValueError unless the number is positive."""
    if max_people < 1:
        raise ValueError(f"got max_people={max_people}; expected 1 or more")


def keypoint_box(keypoints: Float[np.ndarray, "joints 2"]) -> Float[np.ndarray, "4"]:
    """Return the smallest box x0, y0, x1, y1 that contains the keypoints."""
    return np.concatenate([keypoints.min(0), keypoints.max(0)])


def body_box(box: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    """Enlarge a box around joints to the whole body."""
    margin = BODY_MARGIN * np.max(box[2:] - box[:2])
    return box + margin * np.array([-1, -2, 1, 1])
