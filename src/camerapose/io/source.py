"""Recognise an input once and read its frames: images, video, webcam, keypoints or an array."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from camerapose.core.limits import DEFAULT, Limits
from camerapose.io import animation, images, keypoints, recognise, video, webcam
from camerapose.io.frames import Frame, IncompleteInput, Log, SourceInfo, ignore, once
from camerapose.io.recognise import (
    IMAGE_SUFFIXES,
    KEYPOINT_SUFFIXES,
    VIDEO_SUFFIXES,
    list_suffixes,
)

Kind = Literal["image", "images", "video", "webcam", "keypoints", "array"]
#: What `Source.open` accepts.
Input = Any


@dataclass(frozen=True)
class Source:
    """An input that has been recognised; construct it with `Source.open`.

    Attributes:
        kind: "image", "images" (a folder, a pattern, several files), "video", "webcam",
            "keypoints" (a file, or a folder of JSON files) or "array".
        title: a short name, such as the file name.
        path: the file, the folder or the first of several images.
        folder: folder to which the names of images are relative.
    """

    kind: Kind
    title: str
    path: Path
    folder: Path
    _files: tuple[Path, ...] = field(default=(), repr=False)
    _array: np.ndarray | None = field(default=None, repr=False, compare=False)
    _animated: bool = field(default=False, repr=False)
    _limits: Limits = field(default=DEFAULT, repr=False)
    _log: Log = field(default=ignore, repr=False, compare=False)

    @staticmethod
    def open(source: Input, *, limits: Limits = DEFAULT, log: Log = ignore) -> "Source":
        """Recognise an input.

        Args:
            source: a path; a pattern of images, such as `photos/*.jpg`; several image files; the
                number of a webcam or /dev/videoN; an image as an array (`images.array_to_rgb`) or
                a Pillow image; or a `Source`, whose limits are kept.
            limits: largest input that is read; checked before anything is decoded.
            log: receives messages about how the input is read, such as "only the first page".

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the input is of no known kind.
        """
        if isinstance(source, Source):
            return source if log is ignore else replace(source, _log=once(log))
        log = once(log)
        if isinstance(source, Image.Image):
            source = images.to_rgb(source)
        if isinstance(source, np.ndarray):
            opened = Source("array", "image array", Path(), Path())
            opened = replace(opened, _array=images.array_to_rgb(source))
        elif webcam.is_webcam(source):
            opened = Source("webcam", f"webcam {source}", Path(str(source)), Path())
        elif isinstance(source, str | os.PathLike):
            opened = _open_path(Path(source).expanduser(), log)
        elif isinstance(source, Sequence):
            opened = _open_several([Path(file).expanduser() for file in source], log)
        else:
            raise ValueError(
                f"got an input of type {type(source).__name__}; pass a path, a list of image "
                "files, the number of a webcam or an image array"
            )
        limits.check_frames(opened.title, len(opened._files))
        return replace(opened, _limits=limits, _log=log)

    @property
    def is_video(self) -> bool:
        """Whether frames follow each other in time: a video or a webcam."""
        return self.kind in ("video", "webcam")

    def info(self) -> SourceInfo | None:
        """Return size, frame rate and frame count; None for webcams and keypoints.

        The first frame is read, which detects most unusable inputs; raises as `frames`.
        """
        if self.kind in ("webcam", "keypoints"):
            return None
        first = next(self.frames(end=1))
        height, width = first.image.shape[:2]
        if self.kind == "video":
            reader = animation.rate_and_count if self._animated else video.rate_and_count
            return SourceInfo(width, height, *reader(self.path))
        return SourceInfo(width, height, None, len(self._files) or 1)

    def frames(
        self, start: int | None = None, end: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Iterate over frames; images are in natural order, one frame is in memory at a time.

        Orientation (EXIF, video metadata) is applied. A webcam continues until it is disconnected.

        Args:
            start: index of the first frame.
            end: index after the last frame; None: all frames.
            stride: keep every n-th frame.

        Raises:
            FileNotFoundError, ValueError: nothing can be read, or the range is empty.
            IncompleteInput: after all readable frames, if others of the range cannot be read.
        """
        start = 0 if start is None else start
        if start < 0 or stride < 1 or (end is not None and end <= start):
            raise ValueError(
                f"got start {start}, end {end}, stride {stride}, which selects no frames; "
                "pass 0 <= start < end and stride >= 1"
            )
        if self.kind == "keypoints":
            raise ValueError(f"{self.path} contains keypoints, not images")
        wanted = range(start, 2**62 if end is None else end, stride)
        if self.kind == "webcam":
            return webcam.webcam_frames(str(self.path), wanted)
        if self.kind == "video":
            if self._animated:
                return animation.animation_frames(self.path, wanted, self._limits)
            return video.video_frames(self.path, wanted, self._limits, self._log)
        if self._array is not None:
            return iter([Frame(0, 0.0, self._array, self.frame_name(0))][start:end:stride])
        return self._image_frames(wanted)

    def frame_name(self, index: int) -> str:
        """Return the name of a frame, as in `Frame.name`."""
        if self.kind == "array":
            return "image"
        if self._files:
            return self._name(self._files[index])
        return f"{'webcam' if self.kind == 'webcam' else self.path.stem}_{index:06d}"

    def read(self, name: str) -> np.ndarray:
        """Read an image by its name in `Frame.name`; not for videos.

        Raises:
            FileNotFoundError, ValueError: the image is absent or cannot be read.
        """
        if self._array is not None:
            return self._array
        return images.read_image(self.folder / name, self._limits)

    def focal_length(self, name: str) -> float | None:
        """Return the focal length in pixels from the EXIF data of an image, if it has one."""
        return images.focal_length(self.folder / name) if self._files else None

    def _name(self, file: Path) -> str:
        if file.parent == self.folder:
            return file.name
        return Path(os.path.relpath(file, self.folder)).as_posix()

    def _image_frames(self, wanted: range) -> Iterator[Frame]:
        files = self._files
        chosen = files[wanted.start : wanted.stop : wanted.step]
        if not chosen:
            raise ValueError(
                f"{self.title} has {len(files)} images; start {wanted.start} is beyond the last"
            )
        broken: list[str] = []
        for index, file in zip(wanted, chosen, strict=False):
            try:
                image = images.read_image(file, self._limits, self._log)
            except ValueError as error:
                broken.append(str(error))
                continue
            yield Frame(index, 0.0, image, self._name(file))
        if len(broken) == len(chosen):
            others = f"; none of the {len(chosen)} images can be read" if broken[1:] else ""
            raise ValueError(broken[0] + others)
        if broken:
            raise IncompleteInput(
                f"{len(broken)} of {len(chosen)} images in {self.folder} cannot be read and were "
                f"skipped; the first: {broken[0]}"
            )


def _open_path(path: Path, log: Log) -> Source:
    if not path.exists() and glob.has_magic(str(path)):
        files = images.natural_sort(Path(name) for name in glob.glob(str(path), recursive=True))
        if not files:
            raise FileNotFoundError(f"no file matches {path}")
        return _open_several(files, log)
    if not path.exists():
        remote = re.match(r"[a-z]+:/", str(path))
        raise FileNotFoundError(
            f"no file or folder {path}" + ("; download it first" if remote else "")
        )
    if path.is_dir():
        return _open_folder(path, log)
    form = recognise.recognise(path)
    kind: Kind = "video" if form == "animation" else form
    shown = (path,) if kind == "image" else ()
    return Source(kind, path.name, path, path.parent, shown, _animated=form == "animation")


def _open_folder(folder: Path, log: Log) -> Source:
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    image_files = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    n_keypoints = sum(p.suffix.lower() in KEYPOINT_SUFFIXES for p in files)
    if not image_files and not n_keypoints and not keypoints.recognise(folder):
        image_files = [p for p in files if recognise.is_image_file(p)]
    if image_files and n_keypoints:
        log(
            f"{folder} contains {len(image_files)} images and {n_keypoints} keypoint files; the "
            "images are used: to use the keypoints, move them to a folder of their own"
        )
    if image_files:
        return Source(
            "images", folder.name, folder, folder, tuple(images.natural_sort(image_files))
        )
    if n_keypoints or keypoints.recognise(folder):
        return Source("keypoints", folder.name, folder, folder)
    if videos := [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES]:
        raise ValueError(
            f"the folder {folder} contains {len(videos)} videos; pass them one by one, or all as "
            f"the pattern '{folder}/*{videos[0].suffix}' with --engine"
        )
    raise ValueError(
        f"the folder {folder} contains neither images ({list_suffixes(IMAGE_SUFFIXES)}) nor "
        "keypoints in a known format; folders inside it are not searched"
    )


def _open_several(files: list[Path], log: Log) -> Source:
    others = [file for file in files if not recognise.is_image_file(file)]
    if len(files) == 1 and others:
        return _open_path(files[0], log)
    if others or not files:
        raise ValueError(
            "several files must all be images, got "
            + (f"{others[0]}; pass it alone" if others else "none")
        )
    title = files[0].name if len(files) == 1 else f"{len(files)} images"
    folder = Path(os.path.commonpath([file.absolute().parent for file in files]))
    return Source("images", title, files[0], folder, tuple(file.absolute() for file in files))
