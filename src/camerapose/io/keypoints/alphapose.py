"""AlphaPose: one JSON list for all images."""

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, pick, stack, whole
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "AlphaPose results [{image_id: name, keypoints, score}]"
#: Joint formats of the body models.
JOINTS = ("coco_17", "halpe_26")
SOURCES = (Source("AlphaPose", "0.6", "--outdir DIR", "identities from idx with --pose_track"),)


def matches(content: Content) -> bool:
    """Return whether this is a list of people whose `image_id` is a file name."""
    if not isinstance(content.json, Table) or not {"image_id", "keypoints"} <= set(
        content.json.keys
    ):
        return False
    return isinstance(content.json.first()["image_id"], str)


def read(content: Content) -> People:
    """Read all people; `idx`, or `track_id`, is the identity."""
    table: Table = content.json

    def place(i: int) -> str:
        return f"{content.path}, entry {i}"

    keypoints, kept = stack(table.take("keypoints"), place)
    images = table.take("image_id")
    ids, tracks = table.take("idx"), table.take("track_id")
    return People(
        keypoints,
        place=pick(place, kept),
        image=[str(images[i]) for i in kept],
        person=[whole(ids[i] if ids[i] is not None else tracks[i]) for i in kept],
        usual=JOINTS,
        skipped={"without joints": len(images) - len(kept)},
    )
