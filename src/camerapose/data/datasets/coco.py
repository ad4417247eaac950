"""MS-COCO keypoints: people in everyday scenes with 2D annotations.

Source: Lin et al., ECCV 2014 (annotations: CC BY 4.0). The official files are read:
`annotations/person_keypoints_train2017.json` and `..._val2017.json` (images, categories,
annotations with keypoints x, y, v; v is 0 not labelled, 1 occluded, 2 visible). COCO files of
other programs and detections are read by the adapter `keypoints`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core.camera import normalize
from camerapose.core.joint_formats import COCO_17
from camerapose.core.poses import Poses
from camerapose.io.keypoints.coco import VISIBILITY

SPLITS = ("train", "val")
#: People in the published files who are not a crowd and have a labelled joint.
PUBLISHED = {"train": 149813, "val": 6352}
#: Coordinates beyond this (pixels) are errors.
MAX_PIXELS = 1e5

_HOW_TO_GET = (
    "Get annotations_trainval2017.zip from https://cocodataset.org (2017 Train/Val annotations) "
    "and give the folder in which it was unpacked."
)


class _Person(NamedTuple):
    id: int
    image: str
    image_size: tuple[float, float]
    keypoints: np.ndarray  # (17, 3): x, y (pixels), v


def load(
    root: str | Path, *, split: str = "train", min_size: float | int = 32, min_joints: int = 1
) -> Poses:
    """Load the people of COCO, in its own 17 joints.

    Crowds (iscrowd) and people without labelled joints are excluded. Occluded joints have
    confidence 0.5, joints that are not labelled 0.

    Args:
        root: folder of `annotations`, that folder itself, or one file.
        split: "train" or "val"; for one file, its split.
        min_size: exclude people whose labelled joints extend over fewer pixels in both directions;
            32 is COCO's own definition of small.
        min_joints: exclude people with fewer labelled joints.

    Returns:
        Poses with the labels image (file name), person (id of the annotation), split.

    Raises:
        FileNotFoundError: the annotations are missing.
        ValueError: a file has unexpected content, or an option is invalid.
    """
    path = files(root, split=split)[0]
    content = _read(path)
    sizes = _image_sizes(content["images"], path)
    people = [
        person
        for i, entry in enumerate(content["annotations"])
        if (person := _person(entry, sizes, f"{path}, annotation {i}")) is not None
    ]
    if not people:
        raise ValueError(f"{path} has no people with labelled joints. {_HOW_TO_GET}")
    keypoints = np.array([person.keypoints for person in people], np.float32)
    size = np.array([person.image_size for person in people], np.float32)
    points, confidence = keypoints[..., :2], VISIBILITY[keypoints[..., 2].astype(int)]
    is_labelled = confidence > 0
    poses = Poses(
        skeleton=COCO_17,
        pose2d=np.where(is_labelled[..., None], normalize(points, size), np.float32(0)),
        confidence=confidence.astype(np.float32),
        image_size=size,
        labels={
            "image": np.array([person.image for person in people]),
            "person": np.array([person.id for person in people], np.int64),
            "split": np.full(len(people), split),
        },
    )
    low = np.where(is_labelled[..., None], points, np.inf).min(axis=1)
    high = np.where(is_labelled[..., None], points, -np.inf).max(axis=1)
    is_large = (high - low).max(axis=1) >= min_size
    rows = np.flatnonzero(is_large & (is_labelled.sum(axis=1) >= min_joints))
    if not len(rows):
        raise ValueError(
            f"{path}: none of {len(people)} people has {min_joints} joints and a size of "
            f"{min_size} pixels; lower min_size or min_joints"
        )
    return poses[rows]


def files(root: str | Path, *, split: str = "train", **_: Any) -> list[Path]:
    """Return the file that `load` reads with these options."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of COCO; give {' or '.join(SPLITS)}")
    root = Path(root).expanduser()
    if root.is_file():
        return [root]
    name = f"person_keypoints_{split}2017.json"
    places = [root / "annotations" / name, root / name]
    for path in places:
        if path.is_file():
            return [path]
    raise FileNotFoundError(
        f"COCO: no annotations for {split!r}; looked for "
        f"{' and '.join(str(path) for path in places)}. {_HOW_TO_GET}"
    )


def expected(
    *, split: str = "train", min_size: float | int = 32, min_joints: int = 1
) -> dict[str, dict[str, int | None]]:
    """Return the published number of poses, for `camerapose data check`."""
    is_complete = min_size <= 0 and min_joints <= 1
    return {"split": {split: PUBLISHED[split] if is_complete else None}}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise ValueError(f"{path} is not JSON ({error}). {_HOW_TO_GET}") from error
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in lists):
        raise ValueError(f"{path} has no lists of {', '.join(lists)}. {_HOW_TO_GET}")
    for category in content["categories"]:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if names != list(COCO_17.joints):
            raise ValueError(
                f"{path}: its category has the keypoints {names}, expected "
                f"{', '.join(COCO_17.joints)}; for other joints use the adapter keypoints"
            )
    return content


def _image_sizes(images: list, path: Path) -> dict[Any, tuple[str, float, float]]:
    """Return file name, width and height of each image by its id."""
    result = {}
    for i, image in enumerate(images):
        try:
            width, height = float(image["width"]), float(image["height"])
            if not (0 < width < MAX_PIXELS and 0 < height < MAX_PIXELS):
                raise ValueError(f"{width} x {height} pixels")
            result[image["id"]] = str(image["file_name"]), width, height
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{path}, image {i}: expected id, file_name, width, height ({error!r}). "
                f"{_HOW_TO_GET}"
            ) from error
    return result


def _person(entry: Any, sizes: dict, where: str) -> _Person | None:
    """Return an annotated person; None for crowds and people without labelled joints."""
    try:
        if entry.get("iscrowd", 0) or not any(entry["keypoints"][2::3]):
            return None
        keypoints = np.array(entry["keypoints"], float)
        name, width, height = sizes[entry["image_id"]]
        number = int(entry["id"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{where}: expected id, iscrowd, keypoints and the image_id of one of the images "
            f"({error!r}). {_HOW_TO_GET}"
        ) from error
    return _Person(number, name, (width, height), _check(keypoints, where))


def _check(keypoints: np.ndarray, where: str) -> np.ndarray:
    """Return x, y, v of each joint (17, 3)."""
    if keypoints.shape != (3 * COCO_17.n_joints,):
        raise ValueError(
            f"{where}: got {keypoints.size} numbers as keypoints, expected 51: x, y and v of 17 "
            f"joints. {_HOW_TO_GET}"
        )
    keypoints = keypoints.reshape(-1, 3)
    if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
        raise ValueError(
            f"{where}: got visibilities {keypoints[:, 2].tolist()}, expected 0, 1 or 2"
        )
    if not (np.abs(keypoints) < MAX_PIXELS).all():
        raise ValueError(
            f"{where}: keypoints are not all finite and within {MAX_PIXELS:.0f} pixels. "
            f"{_HOW_TO_GET}"
        )
    return keypoints
