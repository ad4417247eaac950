"""Identities of people and numbers of frames, from the values in a file."""

import re
from typing import Any

import numpy as np

from camerapose.io.keypoints._people import whole

#: Identities are not used if more than this fraction of the people share theirs with another
#: person of their frame.
MAX_SHARED = 0.1


def identities(values: Any, frame: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return identities, unique within each frame, and whether they come from the file.

    Args:
        values: identities of any type; None, negative numbers and empty lists are unknown.
        frame: frame numbers.
    """
    if values is None or not len(values):
        return count_within(frame), False
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        values = np.where(np.isfinite(values) & (values % 1 == 0), values, -1).astype(np.int64)
    if isinstance(values, np.ndarray) and values.dtype.kind == "i":
        ids = values.astype(np.int64)
    else:
        ids = _numbered([_value(value) for value in values])
    unknown = ids < 0
    if unknown.mean() > 0.5:
        return count_within(frame), False
    if unknown.any():
        ids = ids.copy()
        ids[unknown] = ids.max() + 1 + np.arange(int(unknown.sum()))
    order = np.lexsort((ids, frame))
    same = (np.diff(frame[order]) == 0) & (np.diff(ids[order]) == 0)
    if same.mean() > MAX_SHARED if len(same) else False:
        return count_within(frame), False
    again = order[1:][same]
    if len(again):
        ids = ids.copy()
        ids[again] = ids.max() + 1 + np.arange(len(again))
    return ids, True


def _value(value: Any) -> Any:
    """Return an identity as a number or a text; None if it is unknown."""
    while isinstance(value, (list, np.ndarray)):
        if len(value) != 1:
            return None
        value = value[0]
    number = whole(value)
    if number is not None:
        return number if number >= 0 else None
    return value if isinstance(value, str) and value else None


def _numbered(values: list[Any]) -> np.ndarray:
    """Return whole numbers as they are; texts are numbered in order of appearance."""
    if all(value is None or isinstance(value, int) for value in values):
        return np.array([-1 if value is None else value for value in values], np.int64)
    numbers: dict[Any, int] = {}
    return np.array(
        [-1 if v is None else numbers.setdefault(v, len(numbers)) for v in values], np.int64
    )


def frame_numbers(frames: Any, images: Any) -> np.ndarray:
    """Return frame numbers: those of the file, else those in the names of the images.

    The number in the names is the last one that differs between all images. Images without such a
    number are counted.
    """
    if frames is not None and isinstance(frames, np.ndarray):
        return frames.astype(np.int64)
    if frames is not None and all(frame is not None for frame in frames):
        return np.asarray(frames, np.int64)
    names = list(dict.fromkeys(images))
    find = re.compile(r"\d+").findall
    files = [str(name).rpartition("/")[2] for name in names]
    groups = [find((file.rpartition(".")[0] or file)[-200:]) for file in files]
    for last in range(1, min(map(len, groups), default=0) + 1):
        numbers = [int(group[-last]) for group in groups]
        if max(numbers) < 2**62 and len(set(numbers)) == len(numbers):
            table = dict(zip(names, numbers, strict=True))
            return np.array([table[name] for name in images], np.int64)
    table = {name: i for i, name in enumerate(names)}
    return np.array([table[name] for name in images], np.int64)


def count_within(groups: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... for the entries of each group, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(groups) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(groups)), 0))
    counts = np.empty(len(groups), np.int64)
    counts[order] = np.arange(len(groups)) - first
    return counts
