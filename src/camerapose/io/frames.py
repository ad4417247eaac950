"""Types that describe images and videos while they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Frame:
    """One image of a source.

    Attributes:
        index: number of the frame in the video or of the image in the folder, from 0.
        time: seconds since the start of the video; 0 for images, which have no times.
        image: uint8, (height, width, 3), RGB, upright.
        name: file name of the image, or its path relative to `Source.folder` if the images are in
            several folders; for a video its name and the index, such as `walk_000012`.
    """

    index: int
    time: float
    image: np.ndarray
    name: str


class SourceInfo(NamedTuple):
    """Properties of a source that are known before it is read.

    Attributes:
        width, height: size of the first frame in pixels, upright.
        fps: frames per second; None for images.
        n_frames: number of frames; None if the video does not declare it.
    """

    width: int
    height: int
    fps: float | None
    n_frames: int | None


#: Receives messages about how an input is read.
Log = Callable[[str], None]


def ignore(message: str) -> None:
    """Discard a message."""


def once(log: Log) -> Log:
    """Return a function that passes on each message once, whatever file name follows a colon."""
    known: set[str] = set()

    def log_new(message: str) -> None:
        text = message.rpartition(": ")[0] or message
        if text not in known:
            known.add(text)
            log(message)

    return log_new


class IncompleteInput(ValueError):
    """Part of the input could not be read; it is raised after all readable frames."""
