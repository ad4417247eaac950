"""MPII Human Pose: people in everyday activities with 2D annotations.

Source: Andriluka et al., CVPR 2014 (annotations: simplified BSD licence). Two files are read: the
JSON in common use (`annot/train.json`, `annot/valid.json`: image, joints, joints_vis, center,
scale) and the official `mpii_human_pose_v1_u12_1.mat` (also if saved again as version 7.3).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core.camera import normalize
from camerapose.core.joint_formats import MPII_16
from camerapose.core.poses import Poses
from camerapose.data.readers.matlab import read_mat

MAT = "mpii_human_pose_v1_u12_1.mat"
SPLITS = ("train", "valid")
#: People in the JSON. Versions with one person per image have fewer.
PUBLISHED = {"train": 22246, "valid": 2958}
#: Common image sizes of MPII, ascending. The annotations show steps at heights of 480, 720 and 1080
#: pixels; nearly all images of height 480 have width 640.
COMMON_SIZES = ((640, 480), (1280, 720), (1920, 1080))
#: Coordinates beyond this (pixels) are errors.
MAX_PIXELS = 1e5

_HOW_TO_GET = (
    f"Get {MAT} from http://human-pose.mpi-inf.mpg.de (annotations, 12.5 MB), or the JSON that "
    "pose repositories such as HRNet's link to, and give the folder that holds it."
)


class _Person(NamedTuple):
    image: str
    joints: np.ndarray  # (16, 2) pixels
    annotated: np.ndarray  # (16,) bool
    center: np.ndarray  # (2,) pixels


def load(root: str | Path, *, split: str = "train", images: str | Path | None = None) -> Poses:
    """Load the people of MPII, in its own 16 joints.

    Annotated joints, visible or occluded, have confidence 1 (the JSON does not distinguish them),
    others 0. People without annotated joints are excluded.

    The annotations contain no image sizes. Without `images`, the smallest of `COMMON_SIZES` that
    contains all annotated joints and centres of an image's people is assumed (the largest if none
    does). This is correct for most images; otherwise the person is displaced, as in a cropped
    image.

    Args:
        root: folder of `annot/train.json` or of the .mat, or one of these files.
        split: "train" or "valid". The .mat has no "valid", which is a division of its annotated
            images that only the JSON contains.
        images: folder of the images, to read true sizes from their headers.

    Returns:
        Poses with the labels image (file name), person (index within the image), split.

    Raises:
        FileNotFoundError: annotations or an image are missing.
        ValueError: a file has unexpected content, or an option is invalid.
    """
    path = files(root, split=split)[0]
    people = list(_from_mat(path) if path.suffix == ".mat" else _from_json(path))
    people = [person for person in people if person.annotated.any()]
    if not people:
        raise ValueError(f"{path} has no annotated people for split {split!r}. {_HOW_TO_GET}")
    names = np.array([person.image for person in people])
    joints = np.array([person.joints for person in people], np.float32)
    annotated = np.array([person.annotated for person in people])
    joints[~annotated] = 0
    if images is None:
        size = _assumed_sizes(names, joints, np.array([p.center for p in people], np.float32))
    else:
        size = _true_sizes(names, Path(images).expanduser())
    return Poses(
        skeleton=MPII_16,
        pose2d=np.where(annotated[..., None], normalize(joints, size), np.float32(0)),
        confidence=annotated.astype(np.float32),
        image_size=size,
        labels={
            "image": names,
            "person": _count_within(names),
            "split": np.full(len(people), split),
        },
    )


def files(
    root: str | Path, *, split: str = "train", images: str | Path | None = None
) -> list[Path]:
    """Return the file that `load` reads with these options, and the folder of images."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of MPII; give {' or '.join(SPLITS)}")
    root = Path(root).expanduser()
    folders = [Path(images).expanduser()] if images else []
    if root.is_file():
        return [root, *folders]
    places = [root / "annot" / f"{split}.json", root / f"{split}.json"]
    places += [root / MAT, root / "annot" / MAT, root / "mpii_human_pose_v1_u12_2" / MAT]
    for path in places:
        if path.is_file():
            if path.suffix == ".mat" and split != "train":
                raise ValueError(
                    f"{path} has no split {split!r}: its other images have no annotations; use "
                    f"split='train', or the JSON annot/{split}.json"
                )
            return [path, *folders]
    raise FileNotFoundError(
        f"MPII: no annotations for {split!r}; looked for "
        f"{', '.join(str(path) for path in places)}. {_HOW_TO_GET}"
    )


def expected(*, split: str = "train", **_: Any) -> dict[str, dict[str, int | None]]:
    """Return the number of people in the JSON, for `camerapose data check`."""
    return {"split": {split: PUBLISHED[split]}}


def _from_json(path: Path) -> Iterator[_Person]:
    try:
        entries = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error}). {_HOW_TO_GET}") from error
    if not isinstance(entries, list):
        raise ValueError(
            f"{path} contains a JSON {type(entries).__name__}, expected a list of people. "
            + _HOW_TO_GET
        )
    for i, entry in enumerate(entries):
        try:
            joints = np.array(entry["joints"], float)
            annotated = np.array(entry["joints_vis"], float) > 0
            center = np.array(entry.get("center", (0, 0)), float)
            image = str(entry["image"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"{path}, person {i}: expected image, joints, joints_vis ({error!r}). {_HOW_TO_GET}"
            ) from error
        if joints.shape != (16, 2) or annotated.shape != (16,) or center.shape != (2,):
            raise ValueError(
                f"{path}, person {i}: got joints of shape {joints.shape} and joints_vis of shape "
                f"{annotated.shape}, expected (16, 2) and (16,)"
            )
        valid = np.isfinite(joints).all(axis=1) & (np.abs(joints) < MAX_PIXELS).all(axis=1)
        if (annotated & ~valid).any() or not np.isfinite(center).all():
            raise ValueError(
                f"{path}, person {i}: annotated joints or the center are not finite and within "
                f"{MAX_PIXELS:.0f} pixels. {_HOW_TO_GET}"
            )
        yield _Person(image, np.where(valid[:, None], joints, 0), annotated, center)


def _from_mat(path: Path) -> Iterator[_Person]:
    """Yield the annotated people of the training images."""
    release = _structs(read_mat(path, ["RELEASE"], _HOW_TO_GET).get("RELEASE"))
    images = _structs(release[0].get("annolist")) if release else []
    training = np.ravel(release[0].get("img_train", ())) if release else ()
    if not images or len(images) != len(training):
        raise ValueError(
            f"{path} has no RELEASE with annolist and img_train of equal length (got "
            f"{len(images)} and {len(training)}). {_HOW_TO_GET}"
        )
    for i, (image, train) in enumerate(zip(images, training, strict=True)):
        people = _structs(image.get("annorect")) if train == 1 else []
        for k, person in enumerate(people):
            try:
                yield _person(image, person)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, RELEASE.annolist({i + 1}), person {k}: expected a name and "
                    f"points with id (0 to 15), x and y ({error!r}). {_HOW_TO_GET}"
                ) from error


def _person(image: dict[str, Any], person: dict[str, Any]) -> _Person:
    joints, annotated = np.zeros((16, 2)), np.zeros(16, bool)
    for points in _structs(person.get("annopoints")):
        for point in _structs(points.get("point")):
            joint, position = _number(point["id"]), (_number(point["x"]), _number(point["y"]))
            if joint not in range(16) or not (np.abs(position) < MAX_PIXELS).all():
                raise ValueError(f"a point has the id {joint} and the position {position}")
            joints[int(joint)], annotated[int(joint)] = position, True
    positions = _structs(person.get("objpos"))
    center = [_number(positions[0][axis]) for axis in "xy"] if positions else (0.0, 0.0)
    name = _structs(image["image"])[0]["name"]
    if not isinstance(name, str):
        raise ValueError(f"the image's name is {type(name).__name__}")
    return _Person(name, joints, annotated, np.array(center))


def _number(value: Any) -> float:
    return float(np.asarray(value, float).reshape(()) if np.size(value) == 1 else np.nan)


def _structs(value: Any) -> list[dict[str, Any]]:
    """Return the structs of a struct array or of cells of structs; [] for empty values."""
    if not isinstance(value, list):
        return []
    nested = [[item] if isinstance(item, dict) else _structs(item) for item in value]
    return [struct for structs in nested for struct in structs]


def _count_within(names: np.ndarray) -> np.ndarray:
    """Return the index of each person within its image."""
    _, which = np.unique(names, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.flatnonzero(np.diff(which[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(names)))
    count = np.empty(len(names), np.int32)
    count[order] = np.arange(len(names)) - np.repeat(starts, lengths)
    return count


def _assumed_sizes(names: np.ndarray, joints: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Return for each person the smallest common size that contains all people of the image."""
    _, which = np.unique(names, return_inverse=True)
    corner = np.zeros((which.max() + 1, 2))
    np.maximum.at(corner, which, np.maximum(joints.max(axis=1), center))
    contains = (corner[:, None] <= np.array(COMMON_SIZES)).all(axis=2)
    contains[:, -1] = True
    return np.array(COMMON_SIZES, np.float32)[contains.argmax(axis=1)][which]


def _true_sizes(names: np.ndarray, folder: Path) -> np.ndarray:
    from PIL import Image

    different, which = np.unique(names, return_inverse=True)
    missing = [name for name in different if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"MPII: {len(missing)} of {len(different)} annotated images are not in "
            f"{folder.absolute()}, the first is {missing[0]}; give the folder of all images, or "
            "none to assume sizes from the annotations"
        )
    sizes = []
    for name in different:
        with Image.open(folder / name) as image:  # reads only the header
            sizes.append(image.size)
    return np.array(sizes, np.float32)[which]
