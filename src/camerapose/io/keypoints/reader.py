"""2D keypoints that other programs, or this one, wrote.

Formats are told apart by their content: COCO results (a list of people with image_id, keypoints,
score) and COCO annotations (images, annotations), OpenPose (one JSON file, or a folder with one a
frame), AlphaPose results, camerapose's own poses.json and poses.npz.
"""

import itertools
import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import formats
from camerapose.core.camera import normalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

FORMATS = {
    "camerapose-npz": "camerapose's poses.npz",
    "camerapose": "camerapose's poses.json",
    "coco": "COCO annotations {images, annotations}",
    "coco-results": "COCO results [{image_id, keypoints, score}]",
    "alphapose": "AlphaPose results [{image_id: name, keypoints, score}]",
    "openpose": "OpenPose JSON {people: [{pose_keypoints_2d}]}",
    "openpose-folder": "a folder of OpenPose's JSON files, one a frame",
}
#: Confidence of COCO's visibility flags 0 (not labelled), 1 (labelled but hidden: the annotator's
#: guess), 2 (seen).
VISIBILITY = np.array([0.0, 0.5, 1.0])
#: Of layouts with face and hands, the body that they begin with.
WHOLE_BODY = {133: "coco_17", 136: "halpe_26"}
#: Which format a number of joints means, where the file does not say.
_USUAL = {
    "coco": ("coco_17",),
    "coco-results": ("coco_17", "halpe_26"),
    "alphapose": ("coco_17", "halpe_26"),
    "openpose": ("body_25", "openpose_18"),
    "camerapose": (),
}
#: Joints farther off than this (pixels) are no joints of the image.
FARTHEST = 1e6
#: Sizes to guess from, where neither file nor user says one.
COMMON_SIZES = [
    size
    for w, h in ((640, 480), (1280, 720), (1920, 1080), (3840, 2160), (7680, 4320))
    for size in ((w, h), (h, w))
]


@dataclass
class _People:
    """What a reader collects, one entry a person in every list."""

    format: str
    keypoints: list[list[float]] = field(default_factory=list)  # x y score x y score ...
    place: list[str] = field(default_factory=list)  # for messages
    image: list[str] = field(default_factory=list)
    frame: list[int | None] = field(default_factory=list)
    person: list[int | None] = field(default_factory=list)
    size: list[tuple[float, float] | None] = field(default_factory=list)
    skeleton: str | None = None

    def add(self, keypoints, place, image, frame=None, person=None, size=None) -> None:
        if size is not None:
            try:
                size = tuple(_checked_size(size))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{place}: {error}") from error
        self.keypoints.append(_floats(keypoints, place))
        self.place.append(place)
        self.image.append(image)
        self.frame.append(frame)
        self.person.append(person)
        self.size.append(size)


def load(path: str | Path, *, skeleton: str | None = None, image_size: Any = None) -> Poses:
    """Read keypoints in any of `FORMATS`.

    A joint that is missing, NaN or infinite has confidence 0; scores are cut to [0, 1]. COCO's
    annotated but hidden joints have confidence 0.5.

    Args:
        path: a file or a folder.
        skeleton: the joint format, where the file does not say it and it is not the usual one.
        image_size: (width, height) in pixels, where the file does not say it. Without it the
            smallest common size that holds all joints is taken, with a warning.

    Returns:
        Poses with the labels frame, person, image ("" where unnamed). Frames are the numbers in
        the images' names where all have one, else counted.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: none of the formats, damaged, without people, or with another number of joints.
    """
    path = Path(path).expanduser()
    given = None if image_size is None else _checked_size(image_size)
    wanted = None if skeleton is None else formats.get(skeleton)
    if _exists(path).is_file() and path.suffix.lower() == ".npz":
        return _from_npz(path, wanted, given)
    people = _read(path)
    if not people.keypoints:
        raise ValueError(
            f"{path} ({FORMATS[people.format]}) holds no people; give a file with at least one"
        )
    target = _skeleton_of(people, wanted, path)
    x_y_score = _numbers(people, target)
    points, score = x_y_score[..., :2], x_y_score[..., 2]
    seen = np.isfinite(x_y_score).all(axis=-1) & (score > 0)
    seen &= (np.abs(points) < FARTHEST).all(axis=-1)
    points = np.where(seen[..., None], points, 0).astype(np.float32)
    size = _sizes(people.size, points, seen, given, path)
    return Poses(
        skeleton=target,
        pose2d=np.where(seen[..., None], normalize(points, size), np.float32(0)),
        confidence=np.where(seen, np.clip(score, 0, 1), 0).astype(np.float32),
        image_size=size,
        labels=_labels(people),
    )


def files(path: str | Path, **_: Any) -> list[Path]:
    """The files that `load` reads."""
    path = Path(path).expanduser()
    return _frames(path) if path.is_dir() else [path]


def recognise(path: str | Path) -> str | None:
    """Which of `FORMATS` a file or folder is in; None if in none (or nothing is there)."""
    path = Path(path).expanduser()
    try:
        if path.is_file() and path.suffix.lower() == ".npz":
            Poses.load(path)
            return "camerapose-npz"
        if path.is_dir():
            first = _frames(path)[:1]
            found = first and _format(_json(first[0])) == "openpose"
            return "openpose-folder" if found else None
        return _format(_json(path))
    except (OSError, ValueError):
        return None


def _exists(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}; give keypoints to read")
    return path


def _checked_size(size: Any) -> np.ndarray:
    size = np.asarray(size, np.float32)
    if size.shape != (2,) or not (np.isfinite(size) & (size > 0)).all():
        raise ValueError(
            f"image_size is {size.tolist()}; give width and height in pixels, both positive"
        )
    return size


# --- what the formats hold ----------------------------------------------------------------------


def _read(path: Path) -> _People:
    if path.is_dir():
        return _from_openpose(path, _frames(path))
    content = _json(path)
    form = _format(content)
    if form == "camerapose":
        return _from_own(content, path)
    if form == "coco":
        return _from_coco(content, path)
    if form == "openpose":
        return _from_openpose(path, [path])
    if form is not None:
        return _from_results(content, form, path)
    raise ValueError(
        f"{path} holds no keypoints that can be read but {_describe(content)}; these would do: "
        f"{'; '.join(FORMATS.values())}"
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise ValueError(
            f"{path} is not JSON ({error}); give one of: {'; '.join(FORMATS.values())}"
        ) from error


def _format(content: Any) -> str | None:
    if isinstance(content, dict):
        if content.get("format") == "camerapose":
            return "camerapose"
        for key, name in (("people", "openpose"), ("annotations", "coco")):
            if isinstance(content.get(key), list):
                return name
    if isinstance(content, list):
        if not content:
            return "coco-results"  # nobody was found; `load` says so
        first = content[0]
        if isinstance(first, dict) and {"keypoints", "image_id"} <= set(first):
            return "alphapose" if isinstance(first["image_id"], str) else "coco-results"
    return None


def _describe(content: Any) -> str:
    if isinstance(content, dict):
        return f"an object with {', '.join(list(content)[:8]) or 'nothing'}"
    if isinstance(content, list):
        return f"a list of {type(content[0]).__name__}" if content else "an empty list"
    return f"a {type(content).__name__}"


def _frames(folder: Path) -> list[Path]:
    """The JSON files of a folder, the numbers in their names in order of their value."""

    def by_value(path: Path) -> list:
        parts = re.split(r"(\d+)", path.name)
        return [int(part) if i % 2 else part for i, part in enumerate(parts)]

    return sorted((p for p in folder.iterdir() if p.suffix.lower() == ".json"), key=by_value)


def _from_openpose(path: Path, frames: list[Path]) -> _People:
    people = _People("openpose")
    if not frames:
        raise ValueError(f"{path} holds no .json; give a folder of OpenPose's JSON files")
    names = [re.sub("_keypoints$", "", file.stem) for file in frames]
    numbers = [_number(name) for name in names]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(len(names)))
    for file, name, number in zip(frames, names, numbers, strict=True):
        content = _json(file)
        if _format(content) != "openpose":
            raise ValueError(
                f"{file} is not OpenPose's ({_describe(content)}); give a folder of OpenPose's "
                "JSON files alone, or one file of another format"
            )
        for i, person in enumerate(content["people"]):
            place = f"{file}, person {i}"
            people.add(_get(person, "pose_keypoints_2d", place), place, name, number, i)
    return people


def _from_results(content: list, form: str, path: Path) -> _People:
    people = _People(form)
    for i, entry in enumerate(content):
        place = f"{path}, entry {i}"
        image, keypoints = _get(entry, "image_id", place), _get(entry, "keypoints", place)
        person = _whole(entry.get("idx", entry.get("track_id")))
        people.add(keypoints, place, str(image), _whole(image), person)
    if people.keypoints and form == "coco-results":
        people.keypoints = _without_scores(people.keypoints)
    return people


def _without_scores(keypoints: list) -> list:
    """COCO's results need no scores, and some programs write zeros: those mean "not said"."""
    if not any(any(k[2::3]) for k in keypoints):
        return [
            [v for x, y in zip(k[0::3], k[1::3], strict=False) for v in (x, y, float(bool(x or y)))]
            for k in keypoints
        ]
    return keypoints


def _from_coco(content: dict, path: Path) -> _People:
    people = _People("coco")
    listed = [_objects(content, key, path) for key in ("categories", "images")]
    names = next((c["keypoints"] for c in listed[0] if c.get("keypoints")), None)
    if isinstance(names, list):
        same = [s.name for s in formats.FORMATS.values() if list(s.joints) == names]
        people.skeleton = same[0] if same else None
    images = {str(image.get("id")): (i, image) for i, image in enumerate(listed[1])}
    for i, entry in enumerate(content["annotations"]):
        place = f"{path}, annotation {i}"
        if not isinstance(entry, dict) or not entry.get("keypoints"):
            continue  # a box or a mask alone
        keypoints = np.array(_floats(entry["keypoints"], place), float)
        flag = np.nan_to_num(keypoints[2::3]).clip(0, 2).astype(int)
        if not flag.any():
            continue
        keypoints[2::3] = VISIBILITY[flag]
        frame, image = images.get(str(_get(entry, "image_id", place)), (None, {}))
        width, height = image.get("width"), image.get("height")
        size = (width, height) if width and height else None
        name = str(image.get("file_name", entry["image_id"]))
        people.add(keypoints, place, name, frame, size=size)
    return people


def _objects(content: dict, key: str, path: Path) -> list[dict]:
    """A list of objects of a file; none if it has no such list."""
    listed = content.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ValueError(f"{path}: {key} should be a list of objects; it is {_describe(listed)}")
    return listed


def _from_own(content: dict, path: Path) -> _People:
    skeleton = content.get("skeleton")
    people = _People("camerapose", skeleton=None if skeleton is None else str(skeleton))
    _get(content, "poses", str(path))
    for i, entry in enumerate(_objects(content, "poses", path)):
        place = f"{path}, pose {i}"
        points, score = _get(entry, "keypoints", place), entry.get("confidence") or None
        points = [p or (np.nan, np.nan) for p in points] if isinstance(points, list) else [points]
        score = score if isinstance(score, list) else [] if score else [1.0] * len(points)
        pairs = all(isinstance(p, (list, tuple)) and len(p) == 2 for p in points)
        if not pairs or len(score) != len(points):
            raise ValueError(
                f"{place}: got {len(points)} keypoints and {len(score)} confidences; give as many "
                "of each, a keypoint as [x, y] or null"
            )
        flat = [v for (x, y), c in zip(points, score, strict=True) for v in (x, y, c)]
        size = entry.get("image_size") or content.get("image_size")
        frame, person = _whole(entry.get("frame")), _whole(entry.get("person"))
        people.add(flat, place, str(entry.get("image") or ""), frame, person, size)
    return people


def _from_npz(path: Path, wanted: Skeleton | None, given: np.ndarray | None) -> Poses:
    poses = Poses.load(path)
    if wanted not in (None, poses.skeleton):
        raise ValueError(
            f"{path} is in {poses.skeleton.name}, not in {wanted.name}; leave the skeleton out"
        )
    for name, column in poses.columns().items():
        if (
            name not in ("pose2d", "confidence")
            and column.dtype.kind == "f"
            and not np.isfinite(column).all()
        ):
            raise ValueError(f"{path}: {name} holds values that are not finite")
    if poses.image_size is not None and not (poses.image_size > 0).all():
        raise ValueError(f"{path}: image_size holds sizes that are not positive")
    good = np.isfinite(poses.pose2d).all(axis=-1) & np.isfinite(poses.confidence)
    good &= (np.abs(poses.pose2d) < FARTHEST).all(axis=-1)
    poses = replace(
        poses,
        pose2d=np.where(good[..., None], poses.pose2d, 0).astype(np.float32),
        confidence=np.where(good, np.clip(poses.confidence, 0, 1), 0).astype(np.float32),
    )
    if poses.image_size is None and given is not None:
        poses = replace(poses, image_size=np.tile(given, (len(poses), 1)))
    return poses


def _get(entry: Any, key: str, place: str) -> Any:
    if not isinstance(entry, dict) or key not in entry:
        raise ValueError(f"{place}: there is no {key!r} but {_describe(entry)}")
    return entry[key]


# --- what they become ---------------------------------------------------------------------------


def _floats(keypoints: Any, place: str) -> list[float]:
    try:
        if not isinstance(keypoints, (list, np.ndarray)):
            raise TypeError(f"got {type(keypoints).__name__}")
        return [np.nan if v is None else float(v) for v in keypoints]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{place}: keypoints are not a flat list of numbers ({error}); give x, y, score of "
            "each joint, one after the other"
        ) from error


def _skeleton_of(people: _People, wanted: Skeleton | None, path: Path) -> Skeleton:
    """The joint format: the file's own, the user's, or what the number of joints means."""
    if people.skeleton is not None:
        try:
            own = formats.get(str(people.skeleton))
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"{path}: {error}") from error
        if wanted not in (None, own):
            raise ValueError(f"{path} is in {own.name}, not in {wanted.name}; leave it out")
        return own
    if wanted is not None:
        return wanted
    usual = [formats.get(name) for name in _USUAL[people.format]]
    joints = len(people.keypoints[0]) / 3
    for skeleton in usual:
        if joints == skeleton.n_joints or WHOLE_BODY.get(joints) == skeleton.name:
            return skeleton
    raise ValueError(_wrong_count(people, 0, usual))


def _wrong_count(people: _People, i: int, would_do: Iterable[Skeleton]) -> str:
    would_do = " or ".join(f"{3 * s.n_joints} ({s.name})" for s in would_do)
    return (
        f"{people.place[i]}: got {len(people.keypoints[i])} numbers where x, y and score of each "
        f"joint should stand; {would_do or 'a known format'} would do. If the joints are in "
        f"another format, name it with skeleton (known: {', '.join(formats.FORMATS)})"
    )


def _numbers(people: _People, skeleton: Skeleton) -> np.ndarray:
    """x, y, score (n, joints, 3) as in the file; NaN for null."""
    n = 3 * skeleton.n_joints
    for i, row in enumerate(people.keypoints):
        if len(row) != n and WHOLE_BODY.get(len(row) / 3) != skeleton.name:
            raise ValueError(_wrong_count(people, i, [skeleton]))
    return np.array([row[:n] for row in people.keypoints]).reshape(-1, skeleton.n_joints, 3)


def _sizes(
    known: list, points: np.ndarray, seen: np.ndarray, given: np.ndarray | None, path: Path
) -> np.ndarray:
    """Image sizes (n, 2): the file's, else the user's, else a guess."""
    unknown = np.array([size is None for size in known])
    if not unknown.any():
        return np.array(known, np.float32)
    if given is None:
        corner = points[unknown].max(axis=(0, 1), initial=0, where=seen[unknown][..., None])
        fitting = [size for size in COMMON_SIZES if (corner <= size).all()]
        given = np.array(fitting[0] if fitting else np.ceil(corner), np.float32)
        warnings.warn(
            f"{path} does not say how large its images are; taking {given[0]:.0f} x {given[1]:.0f}"
            " pixels, the smallest common size that holds all keypoints. Give image_size if that "
            "is wrong: the camera depends on it",
            stacklevel=3,
        )
    return np.array([given if size is None else size for size in known], np.float32)


def _labels(people: _People) -> dict[str, np.ndarray]:
    """frame, person, image; what a file does not number is counted."""
    images, frames = people.image, people.frame
    if any(frame is None for frame in frames):
        numbers = {name: _number(Path(name).stem) for name in images}
        if None in numbers.values() or len(set(numbers.values())) < len(numbers):
            numbers = {name: i for i, name in enumerate(dict.fromkeys(images))}
        frames = [numbers[name] for name in images]
    persons = people.person
    if any(person is None for person in persons):
        counts: dict[Any, Any] = {}
        persons = [next(counts.setdefault(key, itertools.count())) for key in frames]
    return {
        "frame": np.array(frames, np.int64),
        "person": np.array(persons, np.int64),
        "image": np.array(images, dtype=str),
    }


def _number(name: str) -> int | None:
    """The last number in a name: `walk_000012` is 12."""
    numbers = re.findall(r"\d+", name[-200:])
    return _whole(int(numbers[-1])) if numbers else None


def _whole(value: Any) -> int | None:
    """A whole number that can number a frame or a person, else None."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
    return value if is_whole else None
