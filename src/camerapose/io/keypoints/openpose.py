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
JOINTS = ("body_25", "openpose_18", "openpose_15", "body_25b")
SOURCES = (
    Source(
        "OpenPose", "1.7", "--write_json DIR",
        "BODY_25, COCO, MPI or BODY_25B by plausibility; person_id; frames from file names",
    ),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether this is a JSON object with a list `people`."""
    document = content.json
    return isinstance(document, dict) and "people" in document and "format" not in document


def read(content: Content) -> People:
    """Read the body keypoints of everyone in one frame; `person_id` -1 is unknown."""
    people = list(content.json["people"])
    name = re.sub("_keypoints$", "", content.path.stem)
    return from_list(people, str(content.path), name)


def from_list(people: list[Any], source: str, image: str) -> People:
    """Return the people of one frame."""

    def place(i: int) -> str:
        return f"{source}, person {i}"

    values = [_keypoints(person, place(i)) for i, person in enumerate(people)]
    keypoints, kept = stack(values, place)
    if keypoints.size and not (keypoints[..., 2] > 0).any() and (keypoints[..., :2] > 0).any():
        keypoints[..., 2] = (keypoints[..., :2] != 0).any(-1)  # written without scores
    return People(
        keypoints,
        place=pick(place, kept),
        image=[image] * len(kept),
        person=[people[i].get("person_id") for i in kept],
        usual=JOINTS,
        skipped={"people without joints": len(people) - len(kept)},
    )


def _keypoints(person: Any, place: str) -> Any:
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        hint = ""
        if isinstance(person, dict) and "pose_keypoints_3d" in person:
            hint = "; 3D keypoints cannot be used, run OpenPose without --3d"
        raise ValueError(f"{place}: no pose_keypoints_2d but {describe(person)}{hint}")
    return person["pose_keypoints_2d"]
