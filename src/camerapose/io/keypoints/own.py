"""camerapose's own `poses.json`, and `poses.jsonl` of a webcam."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content, describe
from camerapose.io.keypoints._people import People, at, numbers, stack, whole, with_scores
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "camerapose's poses.json or poses.jsonl"
SOURCES = (
    Source(
        "camerapose", "1", "camerapose predict (poses.json; poses.jsonl of a webcam)",
        "2D keypoints with frame, time and person",
    ),
)  # fmt: skip
#: Joint format of a poses.jsonl that does not name it.
JOINTS = ("h36m_16",)
#: Keys by which the lines of a poses.jsonl are recognised.
KEYS = {"keypoints", "confidence", "pose3d", "camera"}


def matches(content: Content) -> bool:
    """Return whether this is a JSON object with `"format": "camerapose"`, or lines with `KEYS`."""
    if isinstance(content.json, Table):
        return set(content.json.keys) >= KEYS
    return isinstance(content.json, dict) and content.json.get("format") == "camerapose"


def read(content: Content) -> People:
    """Read the 2D keypoints of every pose; those of joints that were not visible are null."""
    document, path = content.json, content.path
    if isinstance(document, Table):
        document = {"poses": document, "skeleton": document.first().get("skeleton")}
    poses = document.get("poses")
    if "poses" not in document:
        raise ValueError(f"{path}: no 'poses' but {describe(document)}")
    if not isinstance(poses, Table):
        raise ValueError(f"{path}: poses is {describe(poses)}, expected a list of objects")

    def place(i: int) -> str:
        return f"{path}, pose {i}"

    n = len(poses)
    given = poses.take("keypoints")
    missing = next((i for i in range(n) if given[i] is None), None)
    if missing is not None:
        raise ValueError(f"{place(missing)}: no keypoints")
    points, kept = stack(given, place, 2)
    images, sizes = poses.take("image"), poses.take("image_size")
    default = document.get("image_size")
    times = poses.take("time")
    return People(
        with_scores(points, _scores(poses.take("confidence"), points, kept, place)),
        place=lambda i: place(int(kept[i])),
        image=[str(images[i] or "") for i in kept],
        frame=[whole(v) for v in at(poses.take("frame"), kept)],
        person=[whole(v) for v in at(poses.take("person"), kept)],
        size=_sizes([sizes[i] if sizes[i] is not None else default for i in kept], kept, place),
        time=None if any(times[i] is None for i in kept) else [float(times[i]) for i in kept],
        joints=_joint_names(document),
        skeleton=None if document.get("skeleton") is None else str(document["skeleton"]),
        usual=JOINTS,
        unit="pixel",
    )


def _scores(values: Any, points: np.ndarray, kept: np.ndarray, place: Any) -> np.ndarray:
    scores = np.ones(points.shape[:2], np.float32)
    for row, i in enumerate(kept):
        if values[i] is None or isinstance(values[i], list) and not values[i]:
            continue
        score = numbers(values[i], place(int(i)), "confidence")
        if len(score) != points.shape[1]:
            raise ValueError(
                f"{place(int(i))}: got {points.shape[1]} keypoints and {len(score)} confidences, "
                "expected one confidence per keypoint"
            )
        scores[row] = score
    return scores


def _sizes(values: list, kept: np.ndarray, place: Any) -> np.ndarray:
    sizes = np.full((len(values), 2), np.nan, np.float32)
    for row, value in enumerate(values):
        if value is None:
            continue
        size = numbers(value, place(int(kept[row])), "image_size")
        if size.shape != (2,) or not (np.isfinite(size) & (size > 0)).all():
            raise ValueError(
                f"{place(int(kept[row]))}: image_size is {value}, expected a positive width and "
                "height in pixels"
            )
        sizes[row] = size
    return sizes


def _joint_names(document: dict[str, Any]) -> list[str] | None:
    """Return the names of the joints; None without them."""
    names = document.get("joints")
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"joints is {describe(names)}, expected a list of names")
    return names
