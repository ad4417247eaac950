"""COCO results: one JSON list of people, each with the number of its image."""

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, at, pick, stack, whole
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "COCO results [{image_id, keypoints, score}]"
#: Joint formats that are common in such files.
JOINTS = ("coco_17", "halpe_26", "coco_wholebody_23")
SOURCES = (
    Source("COCO API", "2017", "the argument of loadRes", "image_id is the frame number"),
    Source("Detectron2", "0.6", "coco_instances_results.json", "as COCO results"),
    Source("ViTPose, HRNet, MMPose 0.x", "2022", "result_keypoints.json", "as COCO results"),
)


def matches(content: Content) -> bool:
    """Return whether this is a list of people with numbered images; an empty list counts."""
    table = content.json
    if not isinstance(table, Table):
        return False
    if not len(table):
        return True
    return {"image_id", "keypoints"} <= set(table.keys) and not isinstance(
        table.first()["image_id"], str
    )


def read(content: Content) -> People:
    """Read all people. Scores that are all zero were not written by the program: they become 1."""
    table: Table = content.json

    def place(i: int) -> str:
        return f"{content.path}, entry {i}"

    keypoints, kept = stack(table.take("keypoints"), place)
    if keypoints.size and not np.nan_to_num(keypoints[..., 2]).any():
        keypoints[..., 2] = (np.nan_to_num(keypoints[..., :2]) != 0).any(-1)
    images = table.take("image_id")
    tracks = table.take("track_id") if "track_id" in table.keys else None
    numbered = isinstance(images, np.ndarray) and images.dtype.kind == "i"
    return People(
        keypoints,
        place=pick(place, kept),
        image=[str(images[i]) for i in kept],
        frame=images[kept] if numbered else [whole(images[i]) for i in kept],
        person=None if tracks is None else at(tracks, kept),
        usual=JOINTS,
        skipped={"people without joints": len(images) - len(kept)},
    )
