"""OpenPose: one JSON file per frame, or a single one of them."""

import re
from typing import Any

from camerapose.io.keypoints._content import Content, describe
from camerapose.io.keypoints._people import People, pick, stack
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "OpenPose JSON {people: [{pose_keypoints_2d}]}, one file or a folder"
#: Every file of a folder is one frame.
PER_FRAME = True
#: Joint formats of the body models.
JOINTS = ("body_25", "openpose_18")
SOURCES = (Source("OpenPose", "1.7", "--write_json DIR", "frame numbers from the file names"),)


def matches(content: Content) -> bool:
    """Return whether this is a JSON object with a list `people`."""
    document = content.json
    return isinstance(document, dict) and "people" in document and "format" not in document


def read(content: Content) -> People:
    """Read the body keypoints of everyone in one frame."""
    people = list(content.json["people"])

    def place(i: int) -> str:
        return f"{content.path}, person {i}"

    values = [_keypoints(person, place(i)) for i, person in enumerate(people)]
    keypoints, kept = stack(values, place)
    name = re.sub("_keypoints$", "", content.path.stem)
    return People(
        keypoints,
        place=pick(place, kept),
        image=[name] * len(kept),
        usual=JOINTS,
        skipped={"without joints": len(people) - len(kept)},
    )


def _keypoints(person: Any, place: str) -> Any:
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        raise ValueError(f"{place}: no pose_keypoints_2d but {describe(person)}")
    return person["pose_keypoints_2d"]
