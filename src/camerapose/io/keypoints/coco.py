"""COCO annotations: images, categories and annotations in one JSON object."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from camerapose.io.keypoints import _names
from camerapose.io.keypoints._content import Content, describe
from camerapose.io.keypoints._identity import frame_numbers
from camerapose.io.keypoints._people import People, at, pick, stack, whole
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
    categories = list(_objects(document, "categories", content))
    images = _objects(document, "images", content)

    def place(i: int) -> str:
        return f"{path}, annotation {i}"

    skipped: dict[str, int] = {}
    rows = np.arange(len(annotations))
    names, rows = _person_rows(categories, annotations, rows, skipped)
    crowd = annotations.take("iscrowd")
    is_crowd = crowd != 0 if isinstance(crowd, np.ndarray) else [bool(value) for value in crowd]
    rows = _keep(rows, ~np.array(is_crowd, bool)[rows], "crowds", skipped)
    values = annotations.take("keypoints")
    if isinstance(values, np.ndarray):
        chosen: Any = values if len(rows) == len(values) else values[rows]
    else:
        has = [_has(values[i]) for i in rows]
        rows = _keep(rows, has, "annotations without keypoints", skipped)
        chosen = [values[i] for i in rows]
    del values
    keypoints, kept = stack(chosen, pick(place, rows))
    rows = rows[kept]
    keypoints[..., 2] = confidence(keypoints[..., 2])
    labelled = (keypoints[..., 2] > 0).any(axis=1)
    rows = _keep(rows, labelled, "annotations without labelled joints", skipped)
    keypoints = keypoints[labelled]
    ids = annotations.take("image_id")
    missing = (
        None if isinstance(ids, np.ndarray) else next((i for i in rows if ids[i] is None), None)
    )
    if missing is not None:
        raise ValueError(f"{place(int(missing))}: no image_id")
    people = People(
        keypoints, place=pick(place, rows), joints=names, usual=("coco_17",), skipped=skipped,
        person=_tracks(annotations, rows),
    )  # fmt: skip
    return _with_images(people, images, at(ids, rows))


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
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "i":
        kept: Any = np.isin(ids[rows], [k for k in same if isinstance(k, int)])
    else:
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


def _with_images(people: People, images: Table, ids: Any) -> People:
    """Add names, sizes and frame numbers of the images.

    Args:
        images: the images of the file, which may lack some.
        ids: (n,) the image of each person.
    """
    listed, n = images.take("id"), len(images)
    rows = _rows_of(listed, ids)
    files = images.take("file_name")
    names = [str(i if file is None else file) for i, file in zip(listed, files, strict=True)]
    other = dict.fromkeys(str(ids[i]) for i in np.flatnonzero(rows < 0))
    for place, name in enumerate(other):
        other[name] = n + place
    for i in np.flatnonzero(rows < 0):
        rows[i] = other[str(ids[i])]
    names += other
    people.image = [names[row] for row in rows.tolist()]
    size = np.full((len(names), 2), np.nan, np.float32)
    for axis, side in enumerate(("width", "height")):
        size[:n, axis] = [value or np.nan for value in images.take(side)]
    people.size = np.where((size > 0).all(axis=1, keepdims=True), size, np.nan)[rows]
    numbers = frame_numbers(None, names)
    people.frame = numbers[rows]
    people.frames = numbers.tolist()
    return people


def _rows_of(listed: Any, wanted: Any) -> np.ndarray:
    """Return the place of each wanted id in a list of ids; -1 if it is not listed."""
    if all(isinstance(ids, np.ndarray) and ids.dtype.kind == "i" for ids in (listed, wanted)):
        order = np.argsort(listed, kind="stable")
        place = np.searchsorted(listed[order], wanted, side="right") - 1
        found = order[place] if len(order) else place
        return np.where((place >= 0) & (listed[found] == wanted), found, -1)
    table = {key(value): row for row, value in enumerate(listed)}
    return np.array([table.get(key(value), -1) for value in wanted], np.int64)


def key(value: Any) -> Any:
    """Return an id so that 7, 7.0 and "7" are the same."""
    number = whole(value)
    return str(value) if number is None else number


def _tracks(annotations: Table, rows: np.ndarray) -> list[Any] | None:
    if not {"track_id", "attributes"} & set(annotations.keys):
        return None
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


def _objects(document: dict[str, Any], name: str, content: Content) -> Table:
    """Return a list of objects of a file; empty if it has no such list."""
    listed = document.get(name)
    if listed is not None and not isinstance(listed, Table):
        raise ValueError(
            f"{content.path}: {name} is {describe(listed)}, expected a list of objects"
        )
    return Table() if listed is None else listed
