"""VideoPose3D: 2D data sets and detections of single videos, as pickled arrays in .npz files."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, with_scores
from camerapose.io.keypoints._sources import Source
from camerapose.io.pickles import read_pickled

DESCRIPTION = "VideoPose3D .npz with positions_2d, or with boxes and keypoints"
#: Joint formats by the layout in the metadata.
LAYOUTS = {"coco": "coco_17", "h36m": "h36m_17", "humaneva15": "humaneva_15"}
#: Detections of less certain boxes are left out.
MIN_SCORE = 0.5
SOURCES = (
    Source(
        "VideoPose3D", "2019", "data/prepare_data_2d_custom.py",
        "joints and image size by the metadata; one identity per video and camera",
    ),
    Source(
        "VideoPose3D", "2019", "inference/infer_video_d2.py (VIDEO.npz)",
        "COCO 17, image size by the metadata",
    ),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether the .npz has the members that VideoPose3D writes."""
    names = set(content.arrays or ())
    return "positions_2d" in names or {"boxes", "keypoints", "metadata"} <= names


def read(content: Content) -> People:
    """Read all videos, or all detections of one video."""
    if "positions_2d" in (content.arrays or ()):
        return _read_dataset(content)
    return _read_detections(content)


def _read_dataset(content: Content) -> People:
    metadata = read_pickled(content.path, "metadata", {})
    metadata = metadata if isinstance(metadata, dict) else {}
    sizes = metadata.get("video_metadata") or {}
    parts: list[np.ndarray] = []
    images: list[str] = []
    frames: list[int] = []
    size: list[tuple[float, float]] = []
    for subject, actions in read_pickled(content.path, "positions_2d").items():
        known = sizes.get(subject) or {}
        for action, cameras in actions.items():
            for camera, points in enumerate(cameras):
                name = f"{subject}/{action}/{camera}"
                points = np.asarray(points, np.float32)
                parts.append(points[..., :2])
                images += [name] * len(points)
                frames += range(len(points))
                size += [(known.get("w", np.nan), known.get("h", np.nan))] * len(points)
    points = np.concatenate(parts)
    layout = LAYOUTS.get(str(metadata.get("layout_name")))
    return People(
        with_scores(points, (points != 0).any(-1)),
        place=lambda i: f"{content.path}, {images[i]}, frame {frames[i]}",
        image=images,
        frame=frames,
        person=images,
        size=np.array(size, np.float32),
        skeleton=layout,
        usual=tuple(LAYOUTS.values()),
    )


def _read_detections(content: Content) -> People:
    keypoints = read_pickled(content.path, "keypoints")
    boxes = read_pickled(content.path, "boxes")
    metadata = read_pickled(content.path, "metadata", {})
    rows, frames, skipped = [], [], 0
    for frame, (people, found) in enumerate(zip(keypoints, boxes, strict=True)):
        people, found = _of_people(people), _of_people(found)
        for person, values in enumerate(people):
            values = np.asarray(values, np.float32)
            score = float(found[person][4]) if len(found) > person and len(found[person]) > 4 else 1
            if score < MIN_SCORE:
                skipped += 1
                continue
            rows.append(np.stack([values[0], values[1], values[-1]], axis=-1))
            frames.append(frame)
    known = metadata if isinstance(metadata, dict) else {}
    size = np.array([known.get("w", np.nan), known.get("h", np.nan)], np.float32)
    return People(
        np.array(rows, np.float32).reshape(len(rows), -1, 3),
        place=lambda i: f"{content.path}, frame {frames[i]}",
        image=[""] * len(rows),
        frame=frames,
        frames=list(range(len(keypoints))),
        size=np.tile(size, (len(rows), 1)),
        usual=("coco_17",),
        skipped={"detections of low confidence": skipped},
    )


def _of_people(value: Any) -> Any:
    """Return Detectron's list for the class of people, the last of its classes."""
    classes = list(value) if value is not None else []
    return classes[-1] if classes and classes[-1] is not None else []
