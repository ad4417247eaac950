"""MS-COCO keypoints: people in the wild with annotated 2D joints, and no 3D.

Source: Lin et al., ECCV 2014 (annotations: CC BY 4.0). The official files are read:
`annotations/person_keypoints_train2017.json` and `..._val2017.json` (images, categories,
annotations with keypoints x, y, v; v is 0 not labelled, 1 labelled but hidden, 2 seen). For COCO
files of other programs, and detections, see the adapter `keypoints`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.camera import normalize
from camerapose.core.formats import COCO_17
from camerapose.core.poses import Poses
from camerapose.io.keypoints.coco import VISIBILITY

SPLITS = ("train", "val")
#: People of the published files who are no crowd and have a joint labelled.
PUBLISHED = {"train": 149813, "val": 6352}
#: Numbers that no image comes near: pixels beyond are a damaged file.
MOST_PIXELS = 1e5

_HOW_TO_GET = (
    "Get annotations_trainval2017.zip from https://cocodataset.org (2017 Train/Val annotations) "
    "and give the folder in which it was unpacked."
)


def load(
    root: str | Path, *, split: str = "train", smallest: float | int = 32, fewest_joints: int = 1
) -> Poses:
    """People of COCO, in its own 17 joints.

    Crowds (iscrowd) are left out, and people of whom no joint is labelled. A hidden joint has
    confidence 0.5, one that is not labelled 0.

    Args:
        root: the folder of `annotations`, or that folder, or one file.
        split: "train" or "val"; of one file what it is.
        smallest: leave out whose labelled joints reach over fewer pixels, across and down; COCO's
            own measure of small is 32.
        fewest_joints: leave out who has fewer joints labelled.

    Returns:
        Poses with the labels image (file name), person (the annotation's id), split.

    Raises:
        FileNotFoundError: no annotations.
        ValueError: a file or an option is not what it should be.
    """
    path = files(root, split=split)[0]
    content = _read(path)
    sizes = _image_sizes(content["images"], path)
    rows, images, person, size = [], [], [], []
    for i, entry in enumerate(content["annotations"]):
        where = f"{path}, annotation {i}"
        try:
            if entry.get("iscrowd", 0) or not any(entry["keypoints"][2::3]):
                continue
            keypoints = np.array(entry["keypoints"], float)
            name, width, height = sizes[entry["image_id"]]
            person.append(int(entry["id"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"{where}: it should have id, iscrowd, keypoints and the image_id of one of the "
                f"images ({error!r}). {_HOW_TO_GET}"
            ) from error
        rows.append(_checked(keypoints, where))
        images.append(name)
        size.append((width, height))
    if not rows:
        raise ValueError(f"{path} has no people with labelled joints. {_HOW_TO_GET}")
    keypoints, size = np.array(rows, np.float32), np.array(size, np.float32)
    points, confidence = keypoints[..., :2], VISIBILITY[keypoints[..., 2].astype(int)]
    seen = confidence > 0
    poses = Poses(
        skeleton=COCO_17,
        pose2d=np.where(seen[..., None], normalize(points, size), np.float32(0)),
        confidence=confidence.astype(np.float32),
        image_size=size,
        labels={
            "image": np.array(images),
            "person": np.array(person, np.int64),
            "split": np.full(len(rows), split),
        },
    )
    low = np.where(seen[..., None], points, np.inf).min(axis=1)
    high = np.where(seen[..., None], points, -np.inf).max(axis=1)
    large = (high - low).max(axis=1) >= smallest
    kept = np.flatnonzero(large & (seen.sum(axis=1) >= fewest_joints))
    if not len(kept):
        raise ValueError(
            f"{path}: none of {len(rows)} people is {smallest} pixels large with {fewest_joints} "
            "joints; ask for less"
        )
    return poses[kept]


def files(root: str | Path, *, split: str = "train", **_: Any) -> list[Path]:
    """The file that `load` reads with these options."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of COCO; there are {' and '.join(SPLITS)}")
    root = Path(root).expanduser()
    if root.is_file():
        return [root]
    name = f"person_keypoints_{split}2017.json"
    places = [root / "annotations" / name, root / name]
    for path in places:
        if path.is_file():
            return [path]
    raise FileNotFoundError(
        f"COCO: there are no annotations for {split!r}; looked for "
        f"{' and '.join(str(path) for path in places)}. {_HOW_TO_GET}"
    )


def expected(
    *, split: str = "train", smallest: float | int = 32, fewest_joints: int = 1
) -> dict[str, dict[str, int | None]]:
    """How many poses the published file has, for `camerapose data check`."""
    every = smallest <= 0 and fewest_joints <= 1
    return {"split": {split: PUBLISHED[split] if every else None}}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise ValueError(f"{path} is not JSON ({error}). {_HOW_TO_GET}") from error
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in lists):
        raise ValueError(f"{path} does not hold lists of {', '.join(lists)}. {_HOW_TO_GET}")
    for category in content["categories"]:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if names != list(COCO_17.joints):
            raise ValueError(
                f"{path}: its category has the keypoints {names}; COCO's people have "
                f"{', '.join(COCO_17.joints)}. Other joints can be read by the adapter keypoints"
            )
    return content


def _image_sizes(images: list, path: Path) -> dict[Any, tuple[str, float, float]]:
    """File name, width and height by the image's id."""
    found = {}
    for i, image in enumerate(images):
        try:
            width, height = float(image["width"]), float(image["height"])
            if not (0 < width < MOST_PIXELS and 0 < height < MOST_PIXELS):
                raise ValueError(f"{width} x {height} pixels")
            found[image["id"]] = str(image["file_name"]), width, height
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{path}, image {i}: it should have id, file_name, width, height ({error!r}). "
                f"{_HOW_TO_GET}"
            ) from error
    return found


def _checked(keypoints: np.ndarray, where: str) -> np.ndarray:
    """x, y, v of each joint (17, 3)."""
    if keypoints.shape != (3 * COCO_17.n_joints,):
        raise ValueError(
            f"{where}: got {keypoints.size} numbers as keypoints; COCO's people have 51, x, y and "
            f"v of each of 17 joints. {_HOW_TO_GET}"
        )
    keypoints = keypoints.reshape(-1, 3)
    if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
        raise ValueError(f"{where}: got visibilities {keypoints[:, 2].tolist()}; 0, 1 or 2 exist")
    if not (np.abs(keypoints) < MOST_PIXELS).all():
        raise ValueError(
            f"{where}: keypoints are not all finite and within {MOST_PIXELS:.0f} pixels. "
            f"{_HOW_TO_GET}"
        )
    return keypoints
