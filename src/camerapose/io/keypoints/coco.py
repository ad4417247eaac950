"""COCO annotations: images, categories and annotations in one JSON object."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from camerapose.io.keypoints import _names
from camerapose.io.keypoints._content import Content, describe
from camerapose.io.keypoints._identity import frame_numbers
from camerapose.io.keypoints._people import People, pick, stack, whole
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "COCO annotations {images, annotations}"
#: Confidence of COCO's visibility flags 0 (not labelled), 1 (labelled, but hidden: a guess of the
#: annotator), 2 (visible).
VISIBILITY = np.array([0.0, 0.5, 1.0], np.float32)
#: Names of the category of people.
PERSON = {"person", "people", "human", "man", "woman", "pedestrian", "player", "athlete", "body"}
_NAMED = "joints by the names in the category; flags or scores; frames from file names"
SOURCES = (
    Source("COCO", "2017", "person_keypoints_*.json", _NAMED),
    Source("CVAT", "2", "export as COCO Keypoints 1.0", _NAMED + "; track_id"),
    Source("Roboflow", "2024", "export as COCO", _NAMED),
    Source("Label Studio", "1.13", "export as COCO", _NAMED),
    Source("MMPose", "1", "annotations of a data set in COCO format", _NAMED),
)


def matches(content: Content) -> bool:
    """Return whether this is a JSON object with a list `annotations`."""
    return isinstance(content.json, dict) and isinstance(content.json.get("annotations"), Table)


def read(content: Content) -> People:
    """Read all annotations of people that have labelled joints."""
    document, path = content.json, content.path
    annotations: Table = document["annotations"]
    categories, images = (_objects(document, key, content) for key in ("categories", "images"))

    def place(i: int) -> str:
        return f"{path}, annotation {i}"

    skipped: dict[str, int] = {}
    rows = np.arange(len(annotations))
    names, rows = _person_rows(categories, annotations, rows, skipped)
    crowd = annotations.take("iscrowd")
    rows = _keep(rows, [not crowd[i] for i in rows], "crowds", skipped)
    values = annotations.take("keypoints")
    rows = _keep(rows, [_has(values[i]) for i in rows], "annotations without keypoints", skipped)
    chosen = values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows]
    keypoints, kept = stack(chosen, pick(place, rows))
    rows = rows[kept]
    keypoints[..., 2] = confidence(keypoints[..., 2])
    labelled = (keypoints[..., 2] > 0).any(axis=1)
    rows = _keep(rows, labelled, "annotations without labelled joints", skipped)
    keypoints = keypoints[labelled]
    ids = annotations.take("image_id")
    missing = next((i for i in rows if ids[i] is None), None)
    if missing is not None:
        raise ValueError(f"{place(int(missing))}: no image_id")
    people = People(
        keypoints, place=pick(place, rows), joints=names, usual=("coco_17",), skipped=skipped,
        person=_tracks(annotations, rows),
    )  # fmt: skip
    return _with_images(people, images, [ids[i] for i in rows])


def confidence(third: np.ndarray) -> np.ndarray:
    """Return the confidence of the third numbers (n, joints): visibility flags, or scores.

    If all numbers of a file are 0, 1 or 2, they are flags. Otherwise a person whose numbers are
    whole and reach 2 has flags, and all others have scores.
    """
    third = np.nan_to_num(third)
    flags = np.isin(third, (0, 1, 2))
    if not flags.all():
        flags &= (flags.all(axis=1) & (third.max(axis=1) == 2))[:, None]
    return np.where(flags, VISIBILITY[third.clip(0, 2).astype(int)], third).astype(np.float32)


def _person_rows(
    categories: list[dict[str, Any]], annotations: Table, rows: np.ndarray, skipped: dict[str, int]
) -> tuple[Sequence[str] | None, np.ndarray]:
    """Return the names of the joints of people, and the annotations of people."""
    named = {key(c.get("id")): c for c in categories if c.get("keypoints")}
    people = {k: c for k, c in named.items() if str(c.get("name")).lower() in PERSON}
    people = people or {k: c for k, c in named.items() if _names.order(_joints(c) or ())} or named
    wanted = next(iter(people.values()), None)
    names = _joints(wanted) if wanted else None
    if wanted is None:
        return None, rows
    same = {k for k, c in people.items() if _joints(c) == names}
    ids = annotations.take("category_id")
    if len(named) == 1 and all(ids[i] is None for i in rows):
        return names, rows
    kept = [key(ids[i]) in same for i in rows]
    return names, _keep(rows, kept, "annotations of other categories", skipped)


def _joints(category: dict[str, Any]) -> list[str] | None:
    """Return the names of a category; None if they are only numbers, such as `new-point-3`."""
    names = category.get("keypoints")
    if not isinstance(names, (list, np.ndarray)) or not len(names):
        return None
    names = [str(name) for name in names]
    numbered = all(re.fullmatch(r"(new-?point|kpt?|point|joint|k|p)?[-_ ]*\d+", n) for n in names)
    return None if numbered else names


def _with_images(people: People, images: list[dict[str, Any]], ids: list[Any]) -> People:
    """Add names, sizes and frame numbers of the images."""
    table = {key(image.get("id")): image for image in images}
    found = [table.get(key(i), {}) for i in ids]
    people.image = [str(image.get("file_name", i)) for image, i in zip(found, ids, strict=True)]
    people.size = np.array([_size(image) for image in found], np.float32).reshape(-1, 2)
    listed = [str(image.get("file_name", image.get("id"))) for image in images]
    order = list(dict.fromkeys([*listed, *people.image]))
    numbers = dict(zip(order, frame_numbers(None, order).tolist(), strict=True))
    people.frame = [numbers[name] for name in people.image]
    people.frames = list(numbers.values())
    return people


def key(value: Any) -> Any:
    """Return an id so that 7, 7.0 and "7" are the same."""
    number = whole(value)
    return str(value) if number is None else number


def _tracks(annotations: Table, rows: np.ndarray) -> list[Any] | None:
    tracks, attributes = annotations.take("track_id"), annotations.take("attributes")
    found = []
    for i in rows:
        track = tracks[i]
        if track is None and isinstance(attributes[i], dict):
            track = attributes[i].get("track_id")
        found.append(track)
    return None if all(track is None for track in found) else found


def _keep(rows: np.ndarray, keep: Any, reason: str, skipped: dict[str, int]) -> np.ndarray:
    keep = np.asarray(keep, bool)
    skipped[reason] = skipped.get(reason, 0) + int((~keep).sum())
    return rows[keep]


def _has(value: Any) -> bool:
    return value is not None and not (isinstance(value, (list, np.ndarray)) and not len(value))


def _objects(document: dict[str, Any], name: str, content: Content) -> list[dict[str, Any]]:
    """Return a list of objects of a file; empty if it has no such list."""
    listed = document.get(name)
    if listed is not None and not isinstance(listed, Table):
        raise ValueError(
            f"{content.path}: {name} is {describe(listed)}, expected a list of objects"
        )
    return [] if listed is None else list(listed)


def _size(image: dict[str, Any]) -> tuple[float, float]:
    width, height = image.get("width"), image.get("height")
    return (float(width), float(height)) if width and height else (np.nan, np.nan)
