"""Rows of a figure: which frames are shown, with which image and title."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from camerapose.core.poses import Poses

#: Longer side, pixels, of the images given to a figure; its panels show a part of them.
IMAGE_PIXELS = 1600

Item = TypeVar("Item")


class Row(NamedTuple):
    """One row of a figure.

    Attributes:
        poses: all people of one frame.
        image: uint8 (height, width, 3) RGB, possibly smaller than `poses.image_size`; None for a
            plain background.
        title: text below the image, such as a time.
    """

    poses: Poses
    image: Any = None
    title: str = ""


def frame_title(poses: Poses) -> str:
    """Return the title of one frame: its time in a video, image name or frame number."""
    if "time" in poses.labels:
        return time_label(float(poses.labels["time"][0]))
    name = str(poses.labels["image"][0]) if "image" in poses.labels else ""
    if name or "frame" not in poses.labels:
        return name
    return f"frame {poses.labels['frame'][0]}"


def time_label(seconds: float) -> str:
    """Return a video time as minutes and seconds: 65.25 is 1:05.2."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def spread(values: Sequence[Item], count: int) -> list[Item]:
    """Choose at most `count` values: the centres of as many equal parts of the sequence."""
    n = min(count, len(values))
    return [values[int((i + 0.5) * len(values) / n)] for i in range(n)]


def split_people(poses: Poses) -> list[tuple[int, Poses]]:
    """Return number and poses, in the order of frames, of each person, most frames first."""
    numbers = poses.labels.get("person", np.zeros(len(poses), int))
    people, counts = np.unique(numbers, return_counts=True)
    parts = []
    for person in people[np.argsort(-counts, kind="stable")]:
        rows = np.flatnonzero(numbers == person)
        rows = rows[np.argsort(poses.labels["frame"][rows], kind="stable")]
        parts.append((int(person), poses[rows]))
    return parts


def thinned(poses: Poses, limit: int) -> tuple[Poses, int]:
    """Return the poses of every n-th frame, at most about `limit`, and n."""
    step = max(1, -(-len(poses) // limit))
    frames = poses.labels["frame"]
    chosen = np.isin(frames, np.unique(frames)[::step])
    return (poses, 1) if step == 1 else (poses[np.flatnonzero(chosen)], step)
