"""What readers of motion capture files share: the result, rotations, text with line numbers."""

from pathlib import Path
from typing import NamedTuple

import numpy as np


class Motion(NamedTuple):
    """Motion of one skeleton, in the file's unit and axes.

    Attributes:
        joints: positions in the world by joint name, each (frames, 3).
        parents: parent of each joint; None for the root.
        seconds: time between frames, if the file states it.
    """

    joints: dict[str, np.ndarray]
    parents: dict[str, str | None]
    seconds: float | None


def rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    """Return rotations (n, 3, 3) about the axis X, Y or Z by angles (n,)."""
    angle, k = np.radians(degrees), "XYZ".index(axis)
    i, j = (k + 1) % 3, (k + 2) % 3
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, k, k] = 1
    matrix[:, i, i] = matrix[:, j, j] = np.cos(angle)
    matrix[:, j, i], matrix[:, i, j] = np.sin(angle), -np.sin(angle)
    return matrix


def rotate(rotations: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, 3) rotated by rotations (n, 3, 3)."""
    return (rotations @ vectors[:, :, None])[:, :, 0]


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return number and words of each line that is not empty."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return [(i, words) for i, line in enumerate(text.splitlines(), 1) if (words := line.split())]


def parse_floats(words: list[str], where: str) -> np.ndarray:
    """Return finite numbers; ValueError with `where` otherwise."""
    try:
        values = np.array(words, float)
    except ValueError:
        raise ValueError(f"{where}: got {' '.join(words)[:60]!r}, expected numbers") from None
    if not (np.abs(values) < 1e7).all():
        raise ValueError(f"{where}: some numbers are not finite or exceed 1e7")
    return values
