"""What the reader of a format returns: the people of a file, in the file's own units and joints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from camerapose.io.keypoints._content import describe


def _row(index: int) -> str:
    return f"entry {index}"


@dataclass
class People:
    """Keypoints of people, one entry per person and frame in every column.

    Attributes:
        keypoints: (n, joints, 3) x, y and score; NaN where there is no number.
        place: returns where in the file an entry is, for error messages.
        image: name of the image; "" if unknown.
        frame: frame number; None if the file has none.
        person: identity, any hashable value; None if the file has none.
        size: (n, 2) width and height of the image in pixels; NaN if unknown.
        time: seconds; None if the file has none.
        joints: names of the joints in the file's spelling and order.
        skeleton: name of the joint format, if the file or its format defines it.
        usual: joint formats that the program writes, the most common first.
        unit: "pixel", "unit" (0 to 1), "percent" or "symmetric" (-1 to 1 over the width, as
            normalised by VideoPose3D) if the format defines it.
        usual_unit: unit that the program writes besides pixels, if it is known.
        frames: numbers of all frames, including those without people, if the file lists them.
        skipped: how many entries were left out, by reason ("without joints").
        notes: messages about what was assumed.
    """

    keypoints: np.ndarray
    place: Callable[[int], str] = _row
    image: Any = ()
    frame: Any = None
    person: Any = None
    size: np.ndarray | None = None
    time: Any = None
    joints: Sequence[str] | None = None
    skeleton: str | None = None
    usual: tuple[str, ...] = ()
    unit: str | None = None
    usual_unit: str | None = None
    frames: Sequence[int] | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.keypoints)


def stack(
    values: Any, place: Callable[[int], str], width: int = 3, what: str = "keypoints"
) -> tuple[np.ndarray, np.ndarray]:
    """Return flat or nested coordinates of people as one array, and the entries that have some.

    Args:
        values: per entry a flat list x, y, score, x, ..., or a list of points; None or an empty
            list for an entry without keypoints, which is left out.
        place: returns where an entry is, for error messages.
        width: numbers per joint of flat lists.

    Returns:
        (n, joints, width) float32, and the indices (n,) of its entries in `values`.

    Raises:
        ValueError: an entry is not a list of numbers, or the entries differ in length.
    """
    if isinstance(values, np.ndarray) and values.ndim in (2, 3) and values.dtype.kind == "f":
        flat = values.reshape(len(values), -1)
        return _jointwise(flat, width, place, range(len(flat)), what), np.arange(len(flat))
    kept = [i for i, value in enumerate(values) if not _is_empty(value)]
    rows = [numbers(values[i], place(i), what) for i in kept]
    if not rows:
        return np.zeros((0, 0, width), np.float32), np.zeros(0, int)
    for i, row in zip(kept, rows, strict=True):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{place(i)}: got {len(row)} numbers, expected {len(rows[0])} as in "
                f"{place(kept[0])}; split the file by joint format"
            )
    return _jointwise(np.stack(rows), width, place, kept, what), np.array(kept)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (list, np.ndarray)) and not len(value))


def numbers(value: Any, place: str, what: str = "keypoints") -> np.ndarray:
    """Return a list of numbers, or of points, as one flat array; null is NaN.

    Raises:
        ValueError: it is anything else.
    """
    try:
        if not isinstance(value, (list, np.ndarray)):
            raise TypeError(f"got {describe(value)}")
        if any(isinstance(v, (str, dict)) for v in value):
            raise TypeError("got text or objects")
        return np.asarray(value, np.float32).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{place}: {what} are not a list of numbers ({error}); expected x, y and score of "
            "every joint"
        ) from error


def _jointwise(
    flat: np.ndarray, width: int, place: Callable[[int], str], kept: Sequence[int], what: str
) -> np.ndarray:
    if len(flat) and flat.shape[1] % width:
        raise ValueError(
            f"{place(kept[0])}: got {flat.shape[1]} numbers of {what}, expected {width} per joint"
        )
    return flat.reshape(len(flat), -1, width)


def with_scores(points: np.ndarray, scores: Any = None) -> np.ndarray:
    """Return points (n, joints, 2) with scores (n, joints), by default 1, as (n, joints, 3)."""
    shape = (*points.shape[:2], 1)
    column = np.ones(shape) if scores is None else np.asarray(scores).reshape(shape)
    return np.concatenate([points, column], axis=-1, dtype=np.float32)


def whole(value: Any) -> int | None:
    """Return a whole number, also one written as 7.0 or "7" or [7]; None for anything else."""
    if isinstance(value, (list, np.ndarray)) and len(value) == 1:
        return whole(value[0])
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 19:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return int(value) if is_whole and abs(value) < 2**62 else None


def pick(place: Callable[[int], str], kept: np.ndarray) -> Callable[[int], str]:
    """Return `place` of the entries that are left after others were left out."""
    return lambda i: place(int(kept[i]))


def at(column: Any, rows: np.ndarray) -> Any:
    """Return the values of some rows of a column, which is an array or a list."""
    return column[rows] if isinstance(column, np.ndarray) else [column[i] for i in rows]
