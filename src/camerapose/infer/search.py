"""Search rotated copies and parts of images in which a detector detects no one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from camerapose.detect._base import Detection
from camerapose.infer.options import PredictOptions
from camerapose.io.resize import shrink
from camerapose.io.source import Source
from camerapose.track.boxes import iou

#: Shorter side in pixels from which on parts of an image are searched, and from which on the parts
#: are smaller. Detectors search halves themselves.
MIN_SIDE, LARGE_SIDE = 480, 1600
#: Smallest score of a person in a rotated copy or a part; normal images accept lower ones.
MIN_SCORE = 0.5
#: Overlap (IoU) from which on two detections are the same person.
SAME_PERSON = 0.3

#: Number of frames of a video that are searched, and their largest side in pixels, which is that of
#: the largest image that a detector receives.
MAX_FRAMES, MAX_FRAME_SIDE = 5, 4096


@dataclass(frozen=True)
class View:
    """A part of an image, rotated.

    Attributes:
        turns: number of counter-clockwise rotations by 90 degrees.
        part: x0, y0, x1, y1 in pixels; None for the whole image.
    """

    turns: int = 0
    part: tuple[int, int, int, int] | None = None

    def __str__(self) -> str:
        if self.part is None:
            return f"rotated by {90 * self.turns} degrees"
        return "in parts of the image"

    def cut(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "a b 3"]:
        """Return this view of an image."""
        if self.part is not None:
            x0, y0, x1, y1 = self.part
            image = image[y0:y1, x0:x1]
        return np.ascontiguousarray(np.rot90(image, self.turns))

    def restore(self, found: Detection, width: int, height: int) -> Detection:
        """Return a detection in this view in pixels of the image, which has this size."""
        if self.part is not None:
            width, height = self.part[2] - self.part[0], self.part[3] - self.part[1]
        points = _rotate_back(found.keypoints, self.turns, width, height)
        corners = _rotate_back(found.box.reshape(2, 2), self.turns, width, height)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        if self.part is not None:
            origin = np.array(self.part[:2], points.dtype)
            points, box = points + origin, box + np.tile(origin, 2)
        return replace(found, keypoints=points, box=box.astype(found.box.dtype))


class ViewDetector:
    """A detector that sees one view of every image; for a video that is upside-down, say."""

    def __init__(self, detector: Any, view: View):
        self.skeleton, self._detector, self._view = detector.skeleton, detector, view

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[Detection]:
        """Detect people in the view; keypoints are those of the image."""
        height, width = image.shape[:2]
        found = self._detector(self._view.cut(image), track=track)
        return [self._view.restore(one, width, height) for one in found]

    def reset(self) -> None:
        """Forget the tracked people."""
        self._detector.reset()


def search(detector: Any, image: UInt8[np.ndarray, "h w 3"]) -> tuple[View, list[Detection]] | None:
    """Search the views of an image.

    Returns:
        The view with the most certain person, and people who do not overlap, the most certain
        first; None if there are no people in any view.
    """
    height, width = image.shape[:2]
    for group in views(width, height):
        found = [
            (view, one) for view in group for one in ViewDetector(detector, view)(image)
            if one.score >= MIN_SCORE
        ]  # fmt: skip
        found.sort(key=lambda item: item[1].score, reverse=True)
        people: list[Detection] = []
        for _, one in found:
            if all(iou(one.box, other.box) <= SAME_PERSON for other in people):
                people.append(replace(one, person=len(people)))
        if people:
            return found[0][0], people
    return None


def find_view(detector: Any, source: Source, options: PredictOptions, n_frames: int) -> View | None:
    """Return the view in which a video without detections shows people in most frames; or None.

    Args:
        n_frames: number of frames of the video; `MAX_FRAMES` of them are searched.
    """
    step = options.stride * max(1, -(-n_frames // MAX_FRAMES))
    start = (options.start or 0) + step // 2 // options.stride * options.stride
    found = Counter(
        result[0]
        for frame in source.frames(start, options.end, step)
        if (result := search(detector, shrink(frame.image, MAX_FRAME_SIDE)))
    )
    turned = {view: n for view, n in found.items() if view.part is None}
    return max(turned or found, key=found.__getitem__, default=None)


def views(width: int, height: int) -> Iterator[Sequence[View]]:
    """Iterate over groups of views: rotated copies, then overlapping square parts."""
    yield [View(turns) for turns in (2, 1, 3)]
    short = min(width, height)
    if short >= MIN_SIDE:
        side = short // (4 if short >= LARGE_SIDE else 2)
        yield [View(0, part) for part in _parts(width, height, side)]


def _parts(width: int, height: int, side: int) -> list[tuple[int, int, int, int]]:
    """Return squares that cover the image and overlap by half or more."""
    xs, ys = (
        np.linspace(0, n - side, 1 + -(-2 * (n - side) // side)).astype(int).tolist()
        for n in (width, height)
    )
    return [(x, y, x + side, y + side) for y in ys for x in xs]


def _rotate_back(points: np.ndarray, turns: int, width: int, height: int) -> np.ndarray:
    """Return points of an image that was rotated by `np.rot90`, in pixels of the original."""
    x, y = points[..., 0], points[..., 1]
    restored = {
        0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x),
    }[turns % 4]  # fmt: skip
    return np.stack(restored, axis=-1)
