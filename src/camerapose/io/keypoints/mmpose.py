"""MMPose: predictions of the inferencer and of the demos."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._join import join
from camerapose.io.keypoints._people import People, pick, stack, with_scores
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "MMPose predictions [{keypoints, keypoint_scores}]"
#: A file of the inferencer for one image is one frame of a folder.
PER_FRAME = True
#: Joint formats of the body models.
JOINTS = ("coco_17", "halpe_26", "coco_wholebody_23")
SOURCES = (
    Source(
        "MMPose", "1.3", "MMPoseInferencer(..., pred_out_dir=DIR)",
        "COCO 17, Halpe 26, H36M 17 and others by plausibility; frame_id; track_id",
    ),
    Source(
        "MMPose", "1.3", "demo/topdown_demo_with_mmdet.py --save-predictions",
        "joints by the names in meta_info",
    ),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether this is a list of instances or of frames, or an object with instances."""
    document = content.json
    if isinstance(document, dict):
        return "instance_info" in document
    if not isinstance(document, Table):
        return False
    keys = set(document.keys)
    return {"keypoints", "keypoint_scores"} <= keys or {"instances", "frame_id"} <= keys


def read(content: Content) -> People:
    """Read all instances; the frames of a video have a `frame_id`."""
    document, names = content.json, None
    entries: Any = document
    if isinstance(document, dict):
        names, entries = _joint_names(document.get("meta_info")), document["instance_info"]
    entries = list(entries)
    if not entries or "instances" not in entries[0]:
        return _instances(entries, names, str(content.path), content.path.stem, None)
    parts = [
        _instances(
            entry.get("instances") or [], names, f"{content.path}, frame {entry.get('frame_id')}",
            "", entry.get("frame_id", i),
        )
        for i, entry in enumerate(entries)
    ]  # fmt: skip
    people = join(parts, [str(entry.get("frame_id", i)) for i, entry in enumerate(entries)])
    people.frames = [entry.get("frame_id", i) for i, entry in enumerate(entries)]
    return people


def _joint_names(info: Any) -> list[str] | None:
    names = info.get("keypoint_id2name") if isinstance(info, dict) else None
    if not isinstance(names, dict):
        return None
    return [str(names[key]) for key in sorted(names, key=int)]


def _instances(
    instances: list[Any], names: list[str] | None, source: str, image: str, frame: int | None
) -> People:
    """Return the people of one frame."""

    def place(i: int) -> str:
        return f"{source}, instance {i}"

    points, kept = stack([person.get("keypoints") for person in instances], place, 2)
    given = [instances[i].get("keypoint_scores") for i in kept]
    scores = None if any(score is None for score in given) or not given else np.stack(given)
    return People(
        with_scores(points, scores),
        place=pick(place, kept),
        image=[image] * len(kept),
        frame=None if frame is None else [frame] * len(kept),
        person=[instances[i].get("track_id", instances[i].get("instance_id")) for i in kept],
        joints=names,
        usual=JOINTS,
        skipped={"people without joints": len(instances) - len(kept)},
    )
