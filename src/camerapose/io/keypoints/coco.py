"""COCO annotations: images, categories and annotations in one JSON object."""

from typing import Any

import numpy as np

from camerapose.core import formats
from camerapose.io.keypoints._content import Content, describe
from camerapose.io.keypoints._people import People, pick, stack
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "COCO annotations {images, annotations}"
#: Confidence of COCO's visibility flags 0 (not labelled), 1 (labelled, but hidden: a guess of the
#: annotator), 2 (visible).
VISIBILITY = np.array([0.0, 0.5, 1.0], np.float32)
SOURCES = (Source("COCO", "2017", "person_keypoints_*.json", "joints by the category's names"),)


def matches(content: Content) -> bool:
    """Return whether this is a JSON object with a list `annotations`."""
    return isinstance(content.json, dict) and isinstance(content.json.get("annotations"), Table)


def read(content: Content) -> People:
    """Read all annotations that have labelled joints; frames are numbered in order of images."""
    document, path = content.json, content.path
    annotations: Table = document["annotations"]
    categories, images = (_objects(document, key, content) for key in ("categories", "images"))

    def place(i: int) -> str:
        return f"{path}, annotation {i}"

    names = next((c["keypoints"] for c in categories if c.get("keypoints")), None)
    same = [s.name for s in formats.FORMATS.values() if list(s.joints) == names]
    keypoints, kept = stack(annotations.take("keypoints"), place)
    flags = np.nan_to_num(keypoints[..., 2]).clip(0, 2).astype(int)
    labelled = flags.any(axis=1)
    keypoints[..., 2] = VISIBILITY[flags]
    keypoints, kept = keypoints[labelled], kept[labelled]
    listed = {str(image.get("id")): (i, image) for i, image in enumerate(images)}
    ids = annotations.take("image_id")
    missing = next((i for i in kept if ids[i] is None), None)
    if missing is not None:
        raise ValueError(f"{place(int(missing))}: no image_id")
    found: list[Any] = [listed.get(str(ids[i]), (None, {})) for i in kept]
    return People(
        keypoints,
        place=pick(place, kept),
        image=[
            str(image.get("file_name", ids[i])) for i, (_, image) in zip(kept, found, strict=True)
        ],
        frame=[frame for frame, _ in found],
        size=np.array([_size(image) for _, image in found], np.float32).reshape(-1, 2),
        skeleton=same[0] if same else None,
        usual=("coco_17",),
    )


def _objects(document: dict[str, Any], key: str, content: Content) -> list[dict[str, Any]]:
    """Return a list of objects of a file; empty if it has no such list."""
    listed = document.get(key)
    if listed is not None and not isinstance(listed, Table):
        raise ValueError(f"{content.path}: {key} is {describe(listed)}, expected a list of objects")
    return [] if listed is None else list(listed)


def _size(image: dict[str, Any]) -> tuple[float, float]:
    width, height = image.get("width"), image.get("height")
    return (float(width), float(height)) if width and height else (np.nan, np.nan)
