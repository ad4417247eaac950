"""Label Studio: keypoint tasks in its own JSON export."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "Label Studio tasks [{data, annotations: [{result}]}]"
SOURCES = (
    Source(
        "Label Studio", "1.13", "export as JSON",
        "percent; joints by label; people by the box that is their parent",
    ),
)  # fmt: skip
#: Type of a region with a keypoint.
KIND = "keypointlabels"


def matches(content: Content) -> bool:
    """Return whether this is a list of tasks with annotations."""
    return isinstance(content.json, Table) and {"data", "annotations"} <= set(content.json.keys)


def read(content: Content) -> People:
    """Read the first annotation of every task; keypoints of one box are one person.

    Raises:
        ValueError: several people of an image are not grouped by boxes.
    """
    rows: list[tuple[str, dict[str, tuple[float, float]], tuple[float, float]]] = []
    names: dict[str, None] = {}
    skipped, images = 0, []
    for i, task in enumerate(content.json):
        image = _image(task.get("data"))
        images.append(image)
        done = [a for a in task.get("annotations") or [] if not a.get("was_cancelled")]
        people = _people(done[0].get("result") or [], f"{content.path}, task {i}") if done else []
        skipped += not people
        for points, size in people:
            names |= dict.fromkeys(points)
            rows.append((image, points, size))
    keypoints = np.zeros((len(rows), len(names), 3), np.float32)
    for row, (_, points, _) in enumerate(rows):
        for joint, name in enumerate(names):
            if name in points:
                keypoints[row, joint] = *points[name], 1.0
    return People(
        keypoints,
        place=lambda i: f"{content.path}, person {i}",
        image=[image for image, _, _ in rows],
        size=np.array([size for _, _, size in rows], np.float32).reshape(-1, 2),
        joints=list(names),
        unit="percent",
        skipped={"tasks without keypoints": skipped},
    )


def _image(data: Any) -> str:
    """Return the file name of a task's image."""
    values = [v for v in data.values() if isinstance(v, str)] if isinstance(data, dict) else []
    return values[0].rsplit("/", 1)[-1] if values else ""


def _people(
    result: list[dict[str, Any]], place: str
) -> list[tuple[dict[str, tuple[float, float]], tuple[float, float]]]:
    """Return the points of every person by label, and the image size."""
    groups: dict[Any, dict[str, tuple[float, float]]] = {}
    size = (float("nan"), float("nan"))
    for region in result:
        value = region.get("value") or {}
        labels = value.get(KIND)
        if region.get("type", KIND) != KIND or not labels:
            continue
        points = groups.setdefault(region.get("parentID", region.get("parent_id")), {})
        if labels[0] in points:
            raise ValueError(
                f"{place}: {labels[0]!r} occurs twice; draw a box for each person and make it the "
                "parent of the keypoints, or export as COCO"
            )
        points[str(labels[0])] = (float(value["x"]), float(value["y"]))
        width, height = (region.get(f"original_{side}", np.nan) for side in ("width", "height"))
        size = (float(width), float(height))
    return [(points, size) for points in groups.values()]
