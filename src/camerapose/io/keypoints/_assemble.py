"""Convert what a reader returned to `Poses`: units, joints, image sizes, frames, identities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.camera import normalize
from camerapose.core.limits import DEFAULT
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.keypoints import _units
from camerapose.io.keypoints._identity import frame_numbers, identities
from camerapose.io.keypoints._order import resolve
from camerapose.io.keypoints._people import People

#: Joints farther away than this (pixels) are not part of the image.
MAX_DISTANCE = 1e6
#: Image sizes to choose from, where neither the file nor the caller gives one.
COMMON_SIZES = [
    size
    for w, h in ((640, 480), (1280, 720), (1920, 1080), (3840, 2160), (7680, 4320))
    for size in ((w, h), (h, w))
]
#: Number of MediaPipe's landmarks, which are fractions of the image.
N_MEDIAPIPE = 33
#: Number of people of whom the unit is determined.
MAX_SAMPLE = 1 << 16
#: Number of people that are converted at once; their coordinates fit into the cache.
BATCH = 1 << 13


@dataclass(frozen=True)
class Recording:
    """Everything that was read from a keypoint file or folder.

    Attributes:
        poses: 2D poses with the labels frame, person and image, and time if known.
        frames: increasing numbers of all frames, including those without people.
        identified: whether identities come from the file; otherwise person counts the people of
            each frame.
        messages: what was skipped, converted or assumed; one line each.
        format: name of the format, a module of `camerapose.io.keypoints`.
    """

    poses: Poses
    frames: np.ndarray
    identified: bool
    messages: tuple[str, ...]
    format: str


def assemble(
    people: People,
    path: Path,
    skeleton: Skeleton | None,
    image_size: np.ndarray | None,
    fps: float | None,
    name: str,
    unit: str | None = None,
) -> Recording:
    """Return the poses of a file.

    Args:
        name: of the format.
        unit: of the coordinates, "pixel" or a key of `_units.NAMES`; None: recognised.

    Raises:
        ValueError: there are no people, or units, joint order or image size are not known.
    """
    skipped = ", ".join(f"{n} {reason}" for reason, n in people.skipped.items() if n)
    if not len(people):
        raise ValueError(
            f"{path} contains no people" + (f" (skipped: {skipped})" if skipped else "")
        )
    _check_sizes(people, path)
    messages = list(people.notes)
    if skipped:
        messages.append(f"{path}: skipped {skipped}")
    visible = _visible(people.keypoints)
    known = _known_sizes(people, image_size)
    if people.keypoints.shape[1] == N_MEDIAPIPE:
        people.usual_unit = "unit"
    people.unit = unit or people.unit
    messages += _convert_units(people, visible, known, path, given=unit is not None)
    found, more = resolve(people, visible, skeleton, path)
    messages += more
    size, more = _complete_sizes(known, people.keypoints, visible, path)
    messages += more
    poses = _poses(people, found.skeleton, found.columns, visible, size)
    images = people.image if len(people.image) else [""] * len(people)
    frame = frame_numbers(people.frame, images)
    person, identified = identities(people.person, frame)
    labels: dict[str, Any] = {
        "frame": frame,
        "person": person,
        "image": np.asarray(images, dtype=str),
    }
    if fps is not None:
        labels["time"] = frame / fps
    elif people.time is not None:
        labels["time"] = _checked_times(people, path)
    try:
        numbers = np.asarray(people.frames or (), np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: a frame number is not a whole number ({error})") from error
    frames = np.unique(np.concatenate([frame, numbers]))
    complete = Poses(**poses, image_size=size, labels=labels)
    return Recording(complete, frames, identified, tuple(messages), name)


def checked_size(size: Any) -> np.ndarray:
    """Return a width and height as an array. ValueError if they are not positive numbers."""
    array = np.asarray(size, np.float32)
    if array.shape != (2,) or not ((array >= 1) & (array <= DEFAULT.max_side)).all():
        raise ValueError(
            f"image_size is {array.tolist()}, expected width and height of 1 to "
            f"{DEFAULT.max_side} pixels"
        )
    return array


def _check_sizes(people: People, path: Path) -> None:
    """Raise ValueError if an image size in the file is not plausible."""
    sizes = np.zeros((0, 2)) if people.size is None else people.size
    wrong = ~(np.isnan(sizes) | ((sizes >= 1) & (sizes <= DEFAULT.max_side))).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        width, height = sizes[row]
        raise ValueError(
            f"{path}, {people.place(row).removeprefix(f'{path}, ')}: the image size is "
            f"{width:g} x {height:g}, expected 1 to {DEFAULT.max_side} pixels; correct it"
        )


def _checked_times(people: People, path: Path) -> np.ndarray:
    """Return times in seconds; ValueError if one is not a plausible number."""
    times = np.asarray(people.time, np.float64)
    wrong = ~(np.abs(times) <= DEFAULT.max_seconds)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{path}, {people.place(row).removeprefix(f'{path}, ')}: the time is {times[row]}, "
            "expected seconds; correct it"
        )
    return times


def _visible(keypoints: np.ndarray) -> np.ndarray:
    """Return (n, joints) which joints have finite coordinates and a positive score."""
    visible = np.empty(keypoints.shape[:2], bool)
    for first in range(0, len(keypoints), BATCH):
        part = keypoints[first : first + BATCH]
        with np.errstate(invalid="ignore"):
            visible[first : first + BATCH] = (
                np.isfinite(part).all(axis=-1)
                & (part[..., 2] > 0)
                & (np.abs(part[..., :2]) < MAX_DISTANCE).all(axis=-1)
            )
    return visible


def _known_sizes(people: People, given: np.ndarray | None) -> np.ndarray:
    """Return image sizes (n, 2): the file's, else the caller's, else NaN."""
    size = np.full((len(people), 2), np.nan, np.float32) if people.size is None else people.size
    unknown = np.isnan(size[:, 0]) | np.isnan(size[:, 1])
    return size if given is None else np.where(unknown[:, None], given, size).astype(np.float32)


def _convert_units(
    people: People, visible: np.ndarray, size: np.ndarray, path: Path, given: bool
) -> list[str]:
    """Convert coordinates to pixels in place; return messages.

    Raises:
        ValueError: the unit is not pixels and the image size is not known, or it is ambiguous.
    """
    unit = people.unit
    if unit is None:
        step = -(-len(people) // MAX_SAMPLE) or 1
        unit = _units.recognise(
            people.keypoints[::step, :, :2], visible[::step], size[::step], people.usual_unit
        )
    if unit in ("pixel", "unit", "percent"):
        for first in range(0, len(people), BATCH):
            part = slice(first, first + BATCH)
            visible[part] &= (people.keypoints[part, :, :2] != 0).any(axis=-1)
    if unit == "pixel":
        return []
    if unit is None:
        names = ", ".join(f"{name} for {text}" for name, text in _units.NAMES.items())
        raise ValueError(
            f"{path}: the unit of the coordinates is ambiguous; pass unit=NAME or --unit NAME: "
            f"{names}, or pixel"
        )
    if np.isnan(size).any():
        raise ValueError(
            f"{path}: coordinates are {_units.NAMES[unit]}, and the image size is not known; pass "
            "image_size=(WIDTH, HEIGHT) or --image-size WIDTH HEIGHT"
        )
    for first in range(0, len(people), BATCH):
        part = slice(first, first + BATCH)
        points = people.keypoints[part, :, :2]
        people.keypoints[part, :, :2] = _units.to_pixels(points, unit, size[part])
    if people.unit is not None and not given:
        return []
    return [f"{path}: coordinates are {_units.NAMES[unit]}; converted to pixels"]


def _complete_sizes(
    size: np.ndarray, keypoints: np.ndarray, visible: np.ndarray, path: Path
) -> tuple[np.ndarray, list[str]]:
    """Return image sizes (n, 2) without NaN, with a message if one had to be assumed."""
    unknown: np.ndarray = np.isnan(size[:, 0]) | np.isnan(size[:, 1])
    if not unknown.any():
        return size, []
    corner = np.zeros(2)
    for first in range(0, len(size), BATCH):
        part = slice(first, first + BATCH)
        seen = (visible[part] & unknown[part, None])[..., None]
        points = keypoints[part, :, :2]
        corner = np.maximum(corner, points.max(axis=(0, 1), initial=0, where=seen))
    fitting = [common for common in COMMON_SIZES if (corner <= common).all()]
    assumed = np.array(fitting[0] if fitting else np.ceil(corner), np.float32)
    size = np.where(unknown[:, None], assumed, size).astype(np.float32)
    return size, [
        f"{path} does not contain the image size; assuming {assumed[0]:.0f} x {assumed[1]:.0f} "
        "pixels, the smallest common size with all keypoints inside; the camera depends on it, so "
        "pass image_size=(WIDTH, HEIGHT) or --image-size WIDTH HEIGHT if it is wrong"
    ]


def _poses(
    people: People,
    skeleton: Skeleton,
    columns: np.ndarray,
    visible: np.ndarray,
    size: np.ndarray,
) -> dict[str, Any]:
    """Return the joints of a format, normalised, as columns of `Poses`."""
    n, present = len(people), np.flatnonzero(columns >= 0)
    taken = columns[present]
    pose2d = np.zeros((n, skeleton.n_joints, 2), np.float32)
    confidence = np.zeros((n, skeleton.n_joints), np.float32)
    for first in range(0, n, BATCH):
        part = slice(first, first + BATCH)
        keypoints, seen = people.keypoints[part][:, taken], visible[part][:, taken]
        points = normalize(np.where(seen[..., None], keypoints[..., :2], 0), size[part])
        pose2d[part, present] = np.where(seen[..., None], points, 0)
        confidence[part, present] = np.where(seen, np.clip(keypoints[..., 2], 0, 1), 0)
    return {"skeleton": skeleton, "pose2d": pose2d, "confidence": confidence}
