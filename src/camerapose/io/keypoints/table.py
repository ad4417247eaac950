"""Tables of keypoints: CSV with one row per person and frame, and columns such as `nose_x`."""

from collections.abc import Iterator

import numpy as np

from camerapose.io.keypoints import _tables
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "CSV with columns such as nose_x, nose_y or x0, y0, v0"
#: Joint formats of numbered columns.
JOINTS = ("blazepose_33", "coco_17")
SOURCES = (
    Source(
        "MediaPipe Pose", "0.10", "CSV with columns frame, x0, y0, z0, v0, ...",
        "33 landmarks, 0 to 1, needs --image-size",
    ),
    Source("any program", "", "CSV with columns nose_x, nose_y, nose_score, ...", "joints by name"),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether the header has pairs of columns for x and y."""
    return content.header is not None and _tables.layout(content.header) is not None


def read(content: Content) -> People:
    """Read all rows; columns for frame, person, time and image are recognised by name."""
    rows = content.rows()
    header = next(rows)
    layout = _tables.layout(header)
    assert layout is not None
    texts: list[str] = []

    def fields() -> Iterator[list[str]]:
        for row in rows:
            if layout.image >= 0 and any(field.strip() for field in row):
                texts.append(row[layout.image])
            yield row

    values = _tables.numbers(fields(), len(header))
    x, y, score = layout.columns.T
    scores = np.where(score >= 0, values[:, np.maximum(score, 0)], 1.0)
    keypoints = np.stack([values[:, x], values[:, y], scores], axis=-1).astype(np.float32)
    frame = _whole(values, layout.frame)
    if frame is None and layout.person < 0 and not texts:
        frame = np.arange(len(values))
    empty = np.isnan(keypoints[..., :2]).all(axis=(1, 2))
    person = _whole(values, layout.person)
    return People(
        keypoints[~empty],
        place=lambda i: f"{content.path}, row {i + 2}",
        image=[texts[i] for i in np.flatnonzero(~empty)] if texts else [],
        frame=None if frame is None else frame[~empty],
        frames=None if frame is None else frame.tolist(),
        person=None if person is None else person[~empty],
        time=values[~empty, layout.time] if layout.time >= 0 else None,
        joints=layout.joints,
        usual=JOINTS,
        skipped={"rows without keypoints": int(empty.sum())},
    )


def _whole(values: np.ndarray, column: int) -> np.ndarray | None:
    if column < 0 or not np.isfinite(values[:, column]).all() or (values[:, column] % 1).any():
        return None
    return values[:, column].astype(np.int64)
