"""MediaPipe and TensorFlow.js: landmarks as objects with x and y, in JSON."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._join import join
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "landmarks [{x, y, visibility}] of MediaPipe or TensorFlow.js"
PER_FRAME = True
#: Joint formats of the models.
JOINTS = ("blazepose_33", "coco_17")
SOURCES = (
    Source(
        "MediaPipe Pose", "0.10", "pose_landmarks as JSON, per frame",
        "33 landmarks, 0 to 1, needs --image-size",
    ),
    Source(
        "MediaPipe Tasks", "0.10", "PoseLandmarkerResult as JSON",
        "several people; world landmarks alone are refused",
    ),
    Source("TensorFlow.js", "2", "estimatePoses as JSON", "pixels, joints by name"),
)  # fmt: skip
#: Keys of the landmarks of one or of several people.
KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "keypoints", "poses")
WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks")


def matches(content: Content) -> bool:
    """Return whether this is a frame, or a list of frames, with landmarks as objects."""
    document = content.json
    if isinstance(document, Table):
        document = document.first()
        return _is_landmark(document) or _people(document) is not None or _is_world(document)
    if isinstance(document, dict):
        frames = document.get("frames")
        if isinstance(frames, Table):
            return _people(frames.first()) is not None
        return _people(document) is not None or _is_world(document)
    return False


def read(content: Content) -> People:
    """Read all frames; frames are numbered by `frame`, else counted."""
    document: Any = content.json
    if isinstance(document, dict):
        document = document.get("frames", [document])
    frames = list(document)
    if frames and _is_landmark(frames[0]):
        frames = [{"landmarks": frames}]
    if any(_is_world(frame) for frame in frames):
        raise ValueError(
            f"{content.path} contains MediaPipe's world landmarks, which are 3D positions in "
            "metres; export pose_landmarks instead"
        )
    single = len(frames) == 1
    numbers = [frame.get("frame", frame.get("frame_id", i)) for i, frame in enumerate(frames)]
    parts = [
        _frame(
            frame, number, f"{content.path}, frame {number}", content.path.stem if single else ""
        )
        for frame, number in zip(frames, numbers, strict=True)
    ]
    if single:
        return parts[0]
    people = join(parts, [str(number) for number in numbers])
    people.frames = numbers
    return people


def _is_landmark(value: Any) -> bool:
    return isinstance(value, dict) and {"x", "y"} <= set(value) and not isinstance(value["x"], dict)


def _people(frame: Any) -> list[list[dict[str, Any]]] | None:
    """Return the landmarks of each person of a frame; None if it has no key for them."""
    if not isinstance(frame, dict):
        return None
    for name in KEYS:
        value = frame.get(name)
        if isinstance(value, dict):  # a protocol buffer: {"landmark": [...]}
            value = value.get("landmark")
        if isinstance(value, (list, Table)):
            people = _split(list(value))
            if people is not None:
                return people
    return None


def _split(values: list[Any]) -> list[list[dict[str, Any]]] | None:
    if not values:
        return []
    if all(map(_is_landmark, values)):
        return [values]
    if all(isinstance(v, list) and all(map(_is_landmark, v)) for v in values):
        return values
    nested = [_people(value) for value in values]
    if all(value is not None for value in nested):
        return [person for value in nested if value for person in value]
    return None


def _is_world(frame: Any) -> bool:
    if not isinstance(frame, dict) or _people(frame):
        return False
    return any(frame.get(name) for name in WORLD)


def _frame(frame: dict[str, Any], number: Any, source: str, image: str) -> People:
    people = _people(frame) or []
    keypoints = np.array([[_point(point) for point in person] for person in people], np.float32)
    names = [point.get("name") for point in people[0]] if people else []
    return People(
        keypoints.reshape(len(people), -1, 3),
        place=lambda i: f"{source}, person {i}",
        image=[image] * len(people),
        frame=None if image else [number] * len(people),
        joints=None if None in names or not names else [str(name) for name in names],
        usual=JOINTS,
        usual_unit="unit",
    )


def _point(point: dict[str, Any]) -> tuple[Any, Any, Any]:
    score = next((point[k] for k in ("visibility", "score", "presence") if k in point), 1.0)
    return point["x"], point["y"], score
