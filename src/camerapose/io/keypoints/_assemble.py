"""Convert what a reader found to `Poses`: joint format, image sizes, frame numbers, identities."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import formats
from camerapose.core.camera import normalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.keypoints._people import People, whole

#: The body at the beginning of formats with face and hands, by their number of joints.
WHOLE_BODY = {133: "coco_17", 136: "halpe_26"}
#: Joints farther away than this (pixels) are not part of the image.
MAX_DISTANCE = 1e6
#: Image sizes to choose from, where neither the file nor the caller gives one.
COMMON_SIZES = [
    size
    for w, h in ((640, 480), (1280, 720), (1920, 1080), (3840, 2160), (7680, 4320))
    for size in ((w, h), (h, w))
]
#: Number of people that are converted at once.
BATCH = 1 << 16


def assemble(
    people: People, path: Path, skeleton: Skeleton | None, image_size: np.ndarray | None
) -> tuple[Poses, list[str]]:
    """Return the poses of a file, and messages about what was skipped or assumed.

    Raises:
        ValueError: the file has no people, or their joint format is not known.
    """
    if not len(people):
        raise ValueError(f"{path} contains no people; pass a file with at least one")
    target = _skeleton(people, skeleton, path)
    messages = list(people.notes)
    visible = _visible(people.keypoints[:, : target.n_joints])
    size, message = _sizes(people, visible, image_size, target.n_joints, path)
    messages += [message] if message else []
    pose2d = np.zeros((*visible.shape, 2), np.float32)
    confidence = np.zeros(visible.shape, np.float32)
    for first in range(0, len(people), BATCH):
        part = slice(first, first + BATCH)
        keypoints, seen = people.keypoints[part, : target.n_joints], visible[part]
        points = np.where(seen[..., None], keypoints[..., :2], 0)
        points = normalize(points, size[part])
        pose2d[part] = np.where(seen[..., None], points, 0)
        confidence[part] = np.where(seen, np.clip(keypoints[..., 2], 0, 1), 0)
    for reason, count in people.skipped.items():
        if count:
            messages.append(f"{path}: skipped {count} entries {reason}")
    poses = Poses(
        skeleton=target,
        pose2d=pose2d,
        confidence=confidence,
        image_size=size,
        labels=_labels(people),
    )
    return poses, messages


def checked_size(size: Any) -> np.ndarray:
    """Return a width and height as an array. ValueError if they are not positive numbers."""
    array = np.asarray(size, np.float32)
    if array.shape != (2,) or not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(
            f"image_size is {array.tolist()}, expected a positive width and height in pixels"
        )
    return array


def _visible(keypoints: np.ndarray) -> np.ndarray:
    """Return (n, joints) which joints have finite coordinates and a positive score."""
    visible = np.isfinite(keypoints).all(axis=-1)
    with np.errstate(invalid="ignore"):
        visible &= keypoints[..., 2] > 0
        visible &= (np.abs(keypoints[..., :2]) < MAX_DISTANCE).all(axis=-1)
    return visible


def _skeleton(people: People, wanted: Skeleton | None, path: Path) -> Skeleton:
    """Return the joint format: the file's, the caller's, or what the number of joints means."""
    joints = people.keypoints.shape[1]
    if people.skeleton is not None:
        try:
            own = formats.get(str(people.skeleton))
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"{path}: {error}") from error
        if wanted not in (None, own):
            raise ValueError(
                f"{path} is in {own.name}, not in {wanted.name}; omit the skeleton"  # type: ignore[union-attr]
            )
        wanted = own
    usual = [wanted] if wanted else [formats.get(name) for name in people.usual]
    for skeleton in usual:
        if joints == skeleton.n_joints or WHOLE_BODY.get(joints) == skeleton.name:
            return skeleton
    accepted = " or ".join(f"{s.n_joints} ({s.name})" for s in usual) or "a known format"
    raise ValueError(
        f"{people.place(0)}: got {joints} joints, expected {accepted}; if the joints are in "
        f"another format, name it with skeleton (known: {', '.join(formats.FORMATS)})"
    )


def _sizes(
    people: People, visible: np.ndarray, given: np.ndarray | None, joints: int, path: Path
) -> tuple[np.ndarray, str]:
    """Return image sizes (n, 2): the file's, else the caller's, else a guess with a message."""
    n, message = len(people), ""
    size = np.full((n, 2), np.nan, np.float32) if people.size is None else people.size.copy()
    unknown: np.ndarray = np.isnan(size[:, 0]) | np.isnan(size[:, 1])
    if unknown.any() and given is None:
        corner = np.zeros(2)
        for first in range(0, n, BATCH):
            part = slice(first, first + BATCH)
            seen = (visible[part] & unknown[part, None])[..., None]
            points = people.keypoints[part, :joints, :2]
            corner = np.maximum(corner, points.max(axis=(0, 1), initial=0, where=seen))
        fitting = [common for common in COMMON_SIZES if (corner <= common).all()]
        given = np.array(fitting[0] if fitting else np.ceil(corner), np.float32)
        message = (
            f"{path} does not contain the image size; assuming {given[0]:.0f} x {given[1]:.0f} "
            "pixels, the smallest common size with all keypoints inside; the camera depends on "
            "it, so pass image_size if it is wrong"
        )
    size[unknown] = given
    return size, message


def _labels(people: People) -> dict[str, np.ndarray]:
    """Return frame, person, image and time; frames and people without a number are counted."""
    images = list(people.image) or [""] * len(people)
    frames = people.frame
    if frames is None or any(frame is None for frame in frames):
        numbers = image_numbers(images)
        frames = [numbers[name] for name in images]
    frame = np.asarray(frames, np.int64)
    persons: Any = people.person
    if persons is None or any(person is None for person in persons):
        persons = _count_within(frame)
    labels = {
        "frame": frame,
        "person": np.asarray(persons, np.int64),
        "image": np.array(images, dtype=str),
    }
    if people.time is not None:
        labels["time"] = np.asarray(people.time, np.float64)
    return labels


def image_numbers(images: Sequence[str]) -> dict[str, int]:
    """Return frame numbers of images: those in their names if all differ, else their order."""
    names = dict.fromkeys(images)
    numbers = {name: _number(Path(name).stem) for name in names}
    found = [number for number in numbers.values() if number is not None]
    if len(found) < len(names) or len(set(found)) < len(names):
        return {name: i for i, name in enumerate(names)}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(name: str) -> int | None:
    """Return the last number in a name: `walk_000012` is 12."""
    numbers = re.findall(r"\d+", name[-200:])
    return whole(int(numbers[-1])) if numbers else None


def _count_within(groups: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... for the entries of each group, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(groups) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(groups)), 0))
    counts = np.empty(len(groups), np.int64)
    counts[order] = np.arange(len(groups)) - first
    return counts
