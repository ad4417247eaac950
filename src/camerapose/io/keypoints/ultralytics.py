"""Ultralytics YOLO pose: results as JSON, and label files."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, with_scores
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "Ultralytics pose results [{box, keypoints: {x, y, visible}}]"
PER_FRAME = True
#: Joint format of the models.
JOINTS = ("coco_17",)
SOURCES = (
    Source(
        "Ultralytics", "8", "results[0].to_json()",
        "pixels, or 0 to 1 with normalize=True; track_id; one file per frame",
    ),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether this is a list of detections with keypoints in lists x and y."""
    if not isinstance(content.json, Table):
        return False
    keypoints = content.json.first().get("keypoints")
    return isinstance(keypoints, dict) and {"x", "y"} <= set(keypoints)


def read(content: Content) -> People:
    """Read the detections of one frame, or of all frames if they have a frame number."""
    rows = list(content.json)
    detections = [row for row in rows if isinstance(row.get("keypoints"), dict)]
    people = [row for row in detections if row.get("class", 0) in (0, "person", None)]
    keypoints = [_keypoints(row["keypoints"]) for row in people]
    frames = [row.get("frame", row.get("frame_id")) for row in people]
    result = People(
        np.stack(keypoints) if keypoints else np.zeros((0, 0, 3), np.float32),
        place=lambda i: f"{content.path}, detection {i}",
        image=[content.path.stem] * len(people),
        person=[row.get("track_id") for row in people],
        usual=JOINTS,
        usual_unit="unit",
        skipped={"detections without keypoints or of other classes": len(rows) - len(people)},
    )
    if people and all(frame is not None for frame in frames):
        result.frame, result.image = frames, [str(frame) for frame in frames]
    return result


def _keypoints(values: dict[str, Any]) -> np.ndarray:
    points = np.stack([np.asarray(values[axis], np.float32) for axis in "xy"], axis=-1)[None]
    scores = values.get("visible", values.get("conf"))
    return with_scores(points, None if scores is None else np.asarray(scores)[None])[0]
