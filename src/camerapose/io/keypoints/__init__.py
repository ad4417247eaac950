"""2D keypoints written by other programs: one file per format.

A format is a module in this package with

- `DESCRIPTION`, a few words for error messages,
- `SOURCES`, the programs that write it (`Source`), for the documentation,
- `matches(content) -> bool`, which recognises it by its content, not by its name, and
- `read(content) -> People`.

A module with `PER_FRAME = True` describes one frame per file, and is also used for folders.
"""

import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from camerapose.core import joint_formats, plugins
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.keypoints import _units
from camerapose.io.keypoints._assemble import Recording, assemble, checked_size
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._identity import count_within
from camerapose.io.keypoints._join import join
from camerapose.io.keypoints._people import People

__all__ = ["Recording", "count_within", "files", "read", "read_recording", "recognise"]


def read(
    path: str | PathLike[str],
    skeleton: str | None = None,
    image_size: Any = None,
    fps: int | float | None = None,
    unit: str | None = None,
) -> Poses:
    """Read 2D keypoints from a file or a folder of files in any known format.

    The format is recognised by the content. Joints are matched by name where the file names them;
    otherwise the joint format is the one in which the people look human. Coordinates are converted
    to pixels. A joint that is missing, NaN or infinite has confidence 0; scores are clipped to
    [0, 1]. Whatever is skipped, converted or assumed is reported with a warning.

    Args:
        path: a file or a folder.
        skeleton: joint format, if the file does not define it.
        image_size: width and height in pixels, if the file does not contain them. Without it, the
            smallest common size with all joints inside is assumed.
        fps: frames per second, for the label time; None: the times in the file, if there are any.
        unit: of the coordinates: "pixel", "unit" (0 to 1), "percent", "symmetric" (-1 to 1 over
            the width) or "corners" (-1 to 1 in both directions); None: recognised.

    Returns:
        Poses with the labels frame, person, image ("" if unknown), and time if known.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: the format or `unit` is unknown, the file is damaged or has no people, or joint
            format, unit or image size cannot be determined. The message says what to pass or to
            export.
    """
    recording = read_recording(path, skeleton, image_size, fps, unit)
    for message in recording.messages:
        warnings.warn(message, stacklevel=2)
    return recording.poses


def read_recording(
    path: str | PathLike[str],
    skeleton: str | None = None,
    image_size: Any = None,
    fps: int | float | None = None,
    unit: str | None = None,
) -> Recording:
    """Read keypoints like `read`, with messages instead of warnings, and the empty frames."""
    path = Path(path).expanduser()
    given = None if image_size is None else checked_size(image_size)
    wanted = None if skeleton is None else joint_formats.get(skeleton)
    _units.check(unit)
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}; pass a file with keypoints")
    name, result = _read(path)
    if isinstance(result, Poses):
        poses = _complete(result, path, wanted, given, fps)
        frames = np.unique(poses.labels.get("frame", np.arange(len(poses))))
        return Recording(poses, frames, "person" in poses.labels, (), name)
    rate = None if fps is None else float(fps)
    return assemble(result, path, wanted, given, rate, name, unit)


def recognise(path: str | PathLike[str]) -> str | None:
    """Return the name of the format of a file or folder; None if it has no known format."""
    content = Content(Path(path).expanduser())
    try:
        if (name := _format(content)) is None and content.files:
            name = _format(Content(content.files[0]))
            return name if name and (_per_frame(name) or len(content.files) == 1) else None
        return name
    except (OSError, ValueError):
        return None


def files(path: str | PathLike[str]) -> list[Path]:
    """Return the files that `read` reads."""
    path = Path(path).expanduser()
    return (Content(path).files or []) if path.is_dir() else [path]


def _format(content: Content) -> str | None:
    return next((name for name in plugins.available("keypoints") if _matches(name, content)), None)


def _matches(name: str, content: Content) -> bool:
    """Return whether a file has a format; a damaged one has not what its beginning promises."""
    try:
        return bool(_module(name).matches(content))
    except OSError:
        raise
    except Exception:
        return False


def _module(name: str) -> ModuleType:
    return plugins.load("keypoints", name)


def _per_frame(name: str) -> bool:
    return getattr(_module(name), "PER_FRAME", False)


def _descriptions() -> str:
    return "; ".join(_module(name).DESCRIPTION for name in plugins.available("keypoints"))


def _read(path: Path) -> tuple[str, People | Poses]:
    content = Content(path)
    name = _format(content)
    if name is not None:
        return name, _parsed(name, content)
    if content.files is not None:
        return _read_folder(path, content.files)
    try:
        problem = f"{path} has no readable keypoints but {content.describe()}"
    except ValueError as error:
        if content.kind == "npz":  # damaged or too large
            raise
        problem = str(error)
    raise ValueError(f"{problem}; expected one of: {_descriptions()}")


def _parsed(name: str, content: Content) -> Any:
    """Read a file; whatever is wrong with its content is a ValueError that names it."""
    try:
        return _module(name).read(content)
    except OSError:
        raise
    except Exception as error:  # libraries raise many kinds on damaged files
        if isinstance(error, ValueError) and str(content.path) in str(error):
            raise
        raise ValueError(
            f"{content.path} looks like {_module(name).DESCRIPTION} but is damaged "
            f"({type(error).__name__}: {error})"
        ) from error


def _read_folder(path: Path, paths: list[Path]) -> tuple[str, People | Poses]:
    """Read one frame per file, or the only file of a folder."""
    if not paths:
        raise ValueError(f"{path} contains no keypoint files, such as .json; pass another folder")
    name, parts = None, []
    for file in paths:
        content = Content(file)
        name = name or _format(content)
        if len(paths) == 1 and name and not _per_frame(name):
            return name, _parsed(name, content)
        if name is None or not _per_frame(name) or not _matches(name, content):
            expected = _module(name).DESCRIPTION if name else "one file per frame"
            raise ValueError(
                f"{file} is {content.describe()}, expected {expected} as in the other files of "
                "the folder; pass one file, or a folder without other files"
            )
        parts.append(_parsed(name, content))
    images = [part.image[0] if len(part.image) else _stem(file) for part, file in
              zip(parts, paths, strict=True)]  # fmt: skip
    return str(name), join(parts, images)


def _stem(path: Path) -> str:
    return path.stem.removesuffix("_keypoints")


def _complete(
    poses: Poses, path: Path, wanted: Skeleton | None, size: Any, fps: int | float | None
) -> Poses:
    """Add image size and times to poses that have none, and check their joint format."""
    if wanted not in (None, poses.skeleton):
        raise ValueError(
            f"{path} is in {poses.skeleton.name}, not in {wanted.name}; omit the skeleton"  # type: ignore[union-attr]
        )
    if poses.image_size is None and size is not None:
        poses = replace(poses, image_size=np.tile(size, (len(poses), 1)))
    if fps is not None and "frame" in poses.labels:
        poses = replace(poses, labels={**poses.labels, "time": poses.labels["frame"] / fps})
    return poses
