"""Columns of keypoints in tables: `nose_x`, `x0`, `left_hip.likelihood`, and similar."""

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

#: What the last part of a column name means.
AXES = {
    "x": 0, "y": 1, "z": 3, "v": 2, "c": 2, "s": 2, "p": 2, "vis": 2, "visibility": 2, "score": 2,
    "conf": 2, "confidence": 2, "likelihood": 2, "prob": 2, "probability": 2, "presence": 4,
}  # fmt: skip
FRAME = {"frame", "frameid", "frameno", "framenumber", "frameidx", "frameindex", "framenum"}
PERSON = {"person", "personid", "id", "trackid", "track", "idx", "subject", "personidx"}
TIME = {"time", "timestamp", "t", "seconds", "times", "timesec"}
#: Number of rows of text that are converted at once.
ROWS = 4096
IMAGE = {"image", "imagename", "filename", "file", "imageid"}


class Layout(NamedTuple):
    """Where a table has what.

    Attributes:
        joints: names of the joints; None if they are numbered.
        columns: (joints, 3) columns of x, y and score; -1 where there is none.
        frame, person, time, image: their columns; -1 where there is none.
    """

    joints: list[str] | None
    columns: np.ndarray
    frame: int
    person: int
    time: int
    image: int


def layout(header: Sequence[str]) -> Layout | None:
    """Return the layout of a table by its header; None if it has no pairs of x and y columns."""
    found: dict[str, dict[int, int]] = {}
    for i, name in enumerate(header):
        joint, axis = _joint_and_axis(name.strip())
        if axis is not None and joint != "":
            found.setdefault(joint, {}).setdefault(AXES[axis], i)
    points = {joint: axes for joint, axes in found.items() if {0, 1} <= set(axes)}
    if len(points) < 5:
        return None
    numbered = all(re.fullmatch(r"\D*?\d+", joint) for joint in points) and _same_stem(points)
    if numbered:
        points = dict(sorted(points.items(), key=lambda item: int(re.findall(r"\d+", item[0])[-1])))
    columns = np.array([[axes[0], axes[1], axes.get(2, -1)] for axes in points.values()])
    plain = [re.sub(r"[^a-z]", "", name.lower()) for name in header]

    def where(options: set[str]) -> int:
        return next((i for i, name in enumerate(plain) if name in options), -1)

    return Layout(
        None if numbered else list(points), columns, where(FRAME), where(PERSON), where(TIME),
        where(IMAGE),
    )  # fmt: skip


def _joint_and_axis(name: str) -> tuple[str, str | None]:
    """Split `nose_x`, `x_nose`, `nose.x`, `noseX` or `x0` into joint and axis."""
    parts = re.split(r"[_\s./:\-]+", name)
    for joint, axis in ((parts[:-1], parts[-1]), (parts[1:], parts[0])):
        if joint and axis.lower() in AXES:
            return "_".join(joint), axis.lower()
    if (match := re.fullmatch(r"([a-zA-Z]+?)_?(\d+)", name)) and match[1].lower() in AXES:
        return match[2], match[1].lower()
    if match := re.fullmatch(r"(.*[a-z0-9])(X|Y|Z)", name):
        return match[1], match[2].lower()
    return name, None


def _same_stem(names: Iterable[str]) -> bool:
    return len({re.sub(r"\d+$", "", name) for name in names}) == 1


def numbers(rows: Iterable[Sequence[str]], width: int) -> np.ndarray:
    """Return the fields of text rows as numbers (n, width); NaN where there is none."""
    blocks = [np.zeros((0, width))]
    filled = (row for row in rows if any(map(str.strip, row)))
    while block := list(islice(filled, ROWS)):
        blocks.append(np.array([_numbers(row, width) for row in block], np.float64))
    return np.concatenate(blocks)


def _numbers(row: Sequence[str], width: int) -> list[float]:
    fields = [*row[:width], *[""] * (width - len(row))]
    try:
        return list(map(float, fields))
    except ValueError:
        return [_number(field) for field in fields]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
