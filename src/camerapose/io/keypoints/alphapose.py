"""AlphaPose: one JSON file for all images, in its own layout or in those of CMU and OpenPose."""

from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._join import join
from camerapose.io.keypoints._people import People, at, pick, stack
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "AlphaPose results [{image_id: name, keypoints, score}]"
#: Joint formats of the body models.
JOINTS = ("coco_17", "halpe_26", "coco_wholebody_23")
#: Joint format of the layouts "open" and "cmu".
OPEN = ("openpose_18",)
SOURCES = (
    Source(
        "AlphaPose", "0.6", "--outdir DIR",
        "COCO 17, Halpe 26 or 136, COCO-WholeBody 133; identities from idx; frames from image_id",
    ),
    Source("AlphaPose", "0.6", "--format open, --format cmu", "OpenPose's 18 joints"),
    Source("MotionBERT", "2023", "its input, alphapose-results.json", "as AlphaPose, Halpe 26"),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether this is a list of people by file name, or an object of such lists."""
    document = content.json
    if isinstance(document, dict):
        return bool(document) and all(_bodies(value) is not None for value in document.values())
    if not isinstance(document, Table) or not {"image_id", "keypoints"} <= set(document.keys):
        return False
    return isinstance(document.first()["image_id"], str)


def read(content: Content) -> People:
    """Read all people; `idx`, or `track_id`, is the identity."""
    if isinstance(content.json, dict):
        return _read_by_image(content)
    table: Table = content.json

    def place(i: int) -> str:
        return f"{content.path}, entry {i}"

    keypoints, kept = stack(table.take("keypoints"), place)
    images = table.take("image_id")
    has_both = {"idx", "track_id"} <= set(table.keys)
    ids, tracks = table.take("idx"), table.take("track_id")
    if has_both:
        ids = [track if own is None else own for own, track in zip(ids, tracks, strict=True)]
    elif not isinstance(ids, np.ndarray) and not any(v is not None for v in ids):
        ids = tracks
    return People(
        keypoints,
        place=pick(place, kept),
        image=list(map(str, at(images, kept))),
        person=at(ids, kept),
        usual=JOINTS,
        skipped={"people without joints": len(images) - len(kept)},
    )


def _bodies(value: Any) -> list[Any] | None:
    """Return the people of one image in the layouts "open" and "cmu"; None if it is neither."""
    if not isinstance(value, dict):
        return None
    people = value.get("people", value.get("bodies"))
    return people if isinstance(people, list) else None


def _read_by_image(content: Content) -> People:
    parts = []
    for image, value in content.json.items():
        people = _bodies(value) or []
        values = [person.get("pose_keypoints_2d", person.get("joints")) for person in people]

        def place(i: int, image: str = image) -> str:
            return f"{content.path}, {image}, person {i}"

        keypoints, kept = stack(values, place)
        parts.append(
            People(
                keypoints,
                place=pick(place, kept),
                image=[image] * len(kept),
                person=[people[i].get("person_id", people[i].get("idx")) for i in kept],
                usual=OPEN if keypoints.shape[1] == 18 else JOINTS,
                skipped={"people without joints": len(people) - len(kept)},
            )
        )
    return join(parts, list(content.json))
