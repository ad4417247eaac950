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
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from camerapose.core import formats, plugins
from camerapose.core.poses import Poses
from camerapose.io.keypoints._assemble import assemble, checked_size
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People

__all__ = ["files", "read", "recognise"]


def read(
    path: str | Path,
    skeleton: str | None = None,
    image_size: Any = None,
) -> Poses:
    """Read 2D keypoints from a file or a folder of files in any known format.

    The format is recognised by the content. A joint that is missing, NaN or infinite has
    confidence 0; scores are clipped to [0, 1].

    Args:
        path: a file or a folder.
        skeleton: joint format, if the file does not define it and it is not the usual one.
        image_size: width and height in pixels, if the file does not contain them. Without it, the
            smallest common size with all joints inside is assumed, with a warning.

    Returns:
        Poses with the labels frame, person, image ("" if unknown), and time if the file has times.
        Frames are the numbers in the names of the images if all differ, otherwise counted.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: the format is unknown, the file is damaged or has no people, or the joint
            format is not known.
    """
    path = Path(path).expanduser()
    given = None if image_size is None else checked_size(image_size)
    wanted = None if skeleton is None else formats.get(skeleton)
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}; pass a file with keypoints")
    result = _read(path)
    if isinstance(result, Poses):
        return _complete(result, path, wanted, given)
    poses, messages = assemble(result, path, wanted, given)
    for message in messages:
        warnings.warn(message, stacklevel=2)
    return poses


def recognise(path: str | Path) -> str | None:
    """Return the name of the format of a file or folder; None if it has no known format."""
    path = Path(path).expanduser()
    try:
        content = Content(path)
        if content.files is not None:
            content = Content(content.files[0])
            return name if (name := _format(content)) and _per_frame(name) else None
        return _format(content)
    except (OSError, ValueError, IndexError):
        return None


def files(path: str | Path) -> list[Path]:
    """Return the files that `read` reads."""
    path = Path(path).expanduser()
    return (Content(path).files or []) if path.is_dir() else [path]


def _format(content: Content) -> str | None:
    return next(
        (name for name in plugins.available("keypoints") if _module(name).matches(content)), None
    )


def _module(name: str) -> ModuleType:
    return plugins.load("keypoints", name)


def _per_frame(name: str) -> bool:
    return getattr(_module(name), "PER_FRAME", False)


def _descriptions() -> str:
    return "; ".join(_module(name).DESCRIPTION for name in plugins.available("keypoints"))


def _read(path: Path) -> People | Poses:
    content = Content(path)
    if content.files is not None:
        return _read_folder(path, content.files)
    try:
        name = _format(content)
    except ValueError as error:
        raise ValueError(f"{error}; expected one of: {_descriptions()}") from error
    if name is None:
        raise ValueError(
            f"{path} has no readable keypoints but {content.describe()}; expected one of: "
            f"{_descriptions()}"
        )
    return _parsed(name, content)


def _parsed(name: str, content: Content) -> Any:
    """Read a file; whatever is wrong with its content is a ValueError that names it."""
    try:
        return _module(name).read(content)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, ValueError) and str(content.path) in str(error):
            raise
        raise ValueError(
            f"{content.path} looks like {_module(name).DESCRIPTION} but is damaged "
            f"({type(error).__name__}: {error})"
        ) from error


def _read_folder(path: Path, paths: list[Path]) -> People:
    """Read one frame per file."""
    if not paths:
        raise ValueError(f"{path} contains no keypoint files, such as .json; pass another folder")
    name, parts = None, []
    for file in paths:
        content = Content(file)
        name = name or _format(content)
        if name is None or not _per_frame(name) or not _module(name).matches(content):
            expected = _module(name).DESCRIPTION if name else "one file per frame"
            raise ValueError(
                f"{file} is {content.describe()}, expected {expected} as in the other files of "
                "the folder; pass one file, or a folder without other files"
            )
        parts.append(_parsed(name, content))
    return _joined(parts)


def _joined(parts: list[People]) -> People:
    """Return the people of all files of a folder."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return parts[0]
    places = [part.place(i) for part in filled for i in range(len(part))]
    shape = filled[0].keypoints.shape[1:]
    odd = next((part for part in filled if part.keypoints.shape[1:] != shape), None)
    if odd is not None:
        raise ValueError(
            f"{odd.place(0)}: got {odd.keypoints.shape[1]} joints, expected {shape[0]} as in the "
            "other files of the folder"
        )
    reasons = dict.fromkeys(reason for part in parts for reason in part.skipped)
    return replace(
        filled[0],
        keypoints=np.concatenate([part.keypoints for part in filled]),
        place=places.__getitem__,
        image=[name for part in filled for name in part.image],
        skipped={r: sum(part.skipped.get(r, 0) for part in parts) for r in reasons},
    )


def _complete(poses: Poses, path: Path, wanted: Any, size: np.ndarray | None) -> Poses:
    """Add the image size to poses that have none, and check their joint format."""
    if wanted not in (None, poses.skeleton):
        raise ValueError(
            f"{path} is in {poses.skeleton.name}, not in {wanted.name}; omit the skeleton"
        )
    if poses.image_size is None and size is not None:
        return replace(poses, image_size=np.tile(size, (len(poses), 1)))
    return poses
