"""Images, videos and cameras in: RGB frames, one at a time, with their times and names."""

import glob
import math
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".gif"}
KEYPOINTS = {".json", ".npz"}
#: Of the 24 x 36 mm picture that equivalent focal lengths are told for, millimetres.
DIAGONAL_35MM = 43.27

#: A path; a pattern of images, such as `photos/*.jpg`; several images; a webcam's number.
Source = str | os.PathLike | Sequence[str | os.PathLike]


class Frame(NamedTuple):
    """One image.

    Attributes:
        index: number of the frame in the video or of the image in the folder, from 0.
        time: seconds since the video began; 0 for images, which have no clock.
        image: uint8, (height, width, 3), RGB, upright.
        name: the image's file name (of images in several folders, their path from the folder that
            holds all); of a video its name and the index, such as `walk_000012`.
    """

    index: int
    time: float
    image: np.ndarray
    name: str


class Info(NamedTuple):
    """What is known before reading: size of the first frame, frames per second, number of frames.

    `fps` is None for images; `count` is None where a video does not say.
    """

    width: int
    height: int
    fps: float | None
    count: int | None


class IncompleteInput(ValueError):
    """Part of the input could not be read.  All that can be read has been given before."""


def kind(source: Source) -> str:
    """What to read it as: "image", "video", "folder", "keypoints" or "camera".

    "folder" is any number of images: a folder, a pattern, several files. "keypoints" is a file, or
    a folder of JSON files. "camera" is a webcam, by its number. Goes by the file name's ending; of
    a folder, by the files in it.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: neither of these.
    """
    if is_camera(source):
        return "camera"
    if _several(source) is not None:
        return "folder"
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir():
        if _images_in(path):
            return "folder"
        if any(p.suffix.lower() in KEYPOINTS for p in path.iterdir()):
            return "keypoints"
        raise ValueError(
            f"The folder {path} holds no images ({_list(IMAGES)}) and no keypoints (.json). "
            "Folders inside it are not looked into."
        )
    for name, endings in (("image", IMAGES), ("video", VIDEOS), ("keypoints", KEYPOINTS)):
        if path.suffix.lower() in endings:
            return name
    raise ValueError(
        f"{path} ends with {path.suffix or 'nothing'}, which says neither image ({_list(IMAGES)}) "
        f"nor video ({_list(VIDEOS)}) nor keypoints ({_list(KEYPOINTS)})."
    )


def is_camera(source: Source) -> bool:
    """Whether a webcam is meant: a number such as 0 (and no file is called so), or its device."""
    text = str(source)
    return text.startswith("/dev/video") or (text.isdecimal() and not Path(text).exists())


def folder_of(source: Source) -> Path:
    """The folder from which the names of a source's frames are counted."""
    several = _several(source)
    if several is None:
        return Path(source) if Path(source).is_dir() else Path(source).parent
    parents = [file.absolute().parent for file in several]
    return Path(os.path.commonpath(parents))


def title_of(source: Source) -> str:
    """What a source is called."""
    if is_camera(source):
        return f"camera {source}"
    several = _several(source)
    if several is None:
        return Path(source).name
    return f"{len(several)} images" if len(several) != 1 else several[0].name


def probe(source: Source) -> Info:
    """Size, frames per second and number of frames of images or a video.

    Reads the first frame, so it finds most unusable input.  Raises as `frames` does.
    """
    first = next(frames(source, end=1))
    height, width = first.image.shape[:2]
    form = kind(source)
    if form == "image":
        return Info(width, height, None, 1)
    if form == "folder":
        return Info(width, height, None, len(_listed(source)))
    with _open_video(Path(source)) as container:
        stream = container.streams.video[0]
        return Info(width, height, _rate(stream), _declared_frames(container))


def frames(
    source: Source, *, start: int | None = None, end: int | None = None, stride: int = 1
) -> Iterator[Frame]:
    """Frames of images (a folder's sorted by name, numbers in it by value), a video or a webcam.

    One frame is in memory at a time.  A camera's turn of the image (EXIF, video metadata) is
    undone.  Grey, palette, 16-bit and transparent images (on white) become 8-bit RGB.  A webcam
    goes on until it is unplugged, or to `end`; what it sees while nobody asks may be lost, and
    times tell when each frame was.

    Args:
        start, end, stride: which frames, as in `range`: numbers of frames from 0, without `end`.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing in it can be read; a bad range.
        IncompleteInput: some images of a folder, or part of a video, cannot be read.  It comes
            after all frames that can.
    """
    form = kind(source)
    start = 0 if start is None else start
    if start < 0 or stride < 1 or (end is not None and end <= start):
        raise ValueError(
            f"No frames lie in start {start}, end {end}, stride {stride}: "
            "give 0 <= start < end and stride >= 1."
        )
    if form == "keypoints":
        raise ValueError(f"{source} holds keypoints, not images.")
    wanted = range(start, 2**62 if end is None else end, stride)
    if form == "camera":
        return _camera_frames(str(source), wanted)
    return _video_frames(Path(source), wanted) if form == "video" else _image_frames(source, wanted)


def read_image(path: str | Path) -> np.ndarray:
    """One image file as uint8 (height, width, 3) RGB, upright; see `frames`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no image file {path}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                return _rgb(ImageOps.exif_transpose(file))
    # Pillow's readers raise many kinds of errors on damaged files.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}.") from error


def focal_length(path: str | Path) -> float | None:
    """The focal length in pixels that a photo's EXIF tells, as its 35 mm equivalent; or None.

    The equivalent compares diagonals (CIPA DCG-001): of 43.27 mm there, of the image here. It is
    wrong for a photo that was cropped afterwards.
    """
    try:
        with Image.open(path) as image:
            value = (
                image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
            )
            diagonal = float(np.hypot(*image.size))
    except (OSError, ValueError):
        return None
    return float(value) / DIAGONAL_35MM * diagonal if value else None


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(np.asarray(image), image.mode)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _eight_bits(grey: np.ndarray, mode: str) -> np.ndarray:
    """Deep grey values: 16 bits by their range, real numbers by their own."""
    grey = grey.astype(np.float64)
    low, high = (np.nanmin(grey), np.nanmax(grey)) if mode == "F" else (0, 65535)
    grey = np.nan_to_num((grey - low) * (255 / max(high - low, 1e-12)))
    return np.repeat(grey.clip(0, 255).round().astype(np.uint8)[..., None], 3, axis=2)


def _images_in(folder: Path) -> list[Path]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGES and p.is_file()]
    return _sorted(p for p in files if not p.name.startswith("."))


def _sorted(files: Iterable[Path]) -> list[Path]:
    """In the order of their paths, numbers in them by value."""

    def key(path: Path) -> list:
        return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", path.as_posix())]

    return sorted(files, key=key)


def _several(source: Source) -> list[Path] | None:
    """The images meant by a pattern or a list of files; None where one path is meant."""
    if isinstance(source, str | os.PathLike):
        pattern = str(source)
        if not glob.has_magic(pattern) or Path(pattern).exists():
            return None
        files = _sorted(Path(name) for name in glob.glob(pattern, recursive=True))
        if not files:
            raise FileNotFoundError(f"No file is called {pattern}.")
    else:
        files = [Path(name) for name in source]
    others = [file for file in files if file.suffix.lower() not in IMAGES]
    if others or not files:
        raise ValueError(
            f"Several files at once have to be images ({_list(IMAGES)}), and "
            + (f"{others[0]} is none; give it alone." if others else "there is none.")
        )
    return files


def _listed(source: Source) -> list[Path]:
    """The image files of a source, in order."""
    several = _several(source)
    if several is not None:
        return several
    return _images_in(Path(source)) if Path(source).is_dir() else [Path(source)]


def _image_frames(source: Source, wanted: range) -> Iterator[Frame]:
    files, folder = _listed(source), folder_of(source)
    chosen = files[wanted.start : wanted.stop : wanted.step]
    if not chosen:
        raise ValueError(f"{source} has {len(files)} images; none is at {wanted.start} or after.")
    broken = []
    for index, file in zip(wanted, chosen, strict=False):
        try:
            image = read_image(file)
        except ValueError as error:
            broken.append(str(error))
            continue
        yield Frame(index, 0.0, image, _name(file, folder))
    if len(broken) == len(chosen):
        raise ValueError(
            broken[0] + (f" Nor any of the {len(chosen)} images." if broken[1:] else "")
        )
    if broken:
        raise IncompleteInput(
            f"{len(broken)} of {len(chosen)} images in {folder} cannot be read; "
            f"the others have been. The first: {broken[0]}"
        )


def _name(file: Path, folder: Path) -> str:
    """An image's path from a folder that holds it."""
    return file.name if file.parent == folder else file.absolute().relative_to(folder).as_posix()


def _video_frames(path: Path, wanted: range) -> Iterator[Frame]:
    with _open_video(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        fps = _rate(stream) or 25.0
        index, errors, began, time = 0, [], 0.0, -math.inf
        for picture in _decoded(container, errors):
            if index >= wanted.stop:
                return
            told = index / fps if picture.time is None else float(picture.time)
            time = told if told > time else time + 1 / fps
            began = time if index == 0 else began
            if index in wanted:
                yield Frame(index, time - began, _upright(picture), frame_name(path, index))
            index += 1
        if index == 0:
            why = f" ({errors[0]})" if errors else ""
            raise ValueError(f"{path} is a video without a single readable frame{why}.")
        declared = _declared_frames(container)
        cut = _is_cut(container, index, time, wanted.stop)
    if errors or cut:
        told = f", of {declared} that it announces" if declared else ""
        raise IncompleteInput(
            f"{path} is damaged or cut off: {index} frames could be read{told}"
            + (f" ({errors[0]})" if errors else "")
            + ". They have been used; get the whole file again for the rest."
        )
    if index <= wanted.start:
        raise ValueError(f"{path} has {index} frames; none is at {wanted.start} or after.")


def _is_cut(container, frames: int, time: float, stop: int) -> bool:
    """Whether a video that gave so many frames, the last at `time`, is shorter than it says.

    A few frames more or less are how containers count; a real cut is longer. Where no number of
    frames is told, their rate may change, so the time counts.
    """
    stream = container.streams.video[0]
    if stream.frames:
        return min(stream.frames, stop) - frames > max(2, 0.02 * frames)
    rate = _rate(stream) or 25.0
    seconds = _declared_seconds(container)
    return seconds is not None and seconds - time > max(3 / rate, 0.02 * seconds)


def frame_name(source: Source, index: int) -> str:
    """What a frame of a video or a webcam is called."""
    return f"{'camera' if is_camera(source) else Path(source).stem}_{index:06d}"


def _camera_frames(name: str, wanted: range) -> Iterator[Frame]:
    import av

    address, form, options = _camera(name)
    try:
        container = av.open(address, format=form, options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ValueError(
            f"Camera {name} can't be opened ({getattr(error, 'strerror', None) or error}). Is it "
            "plugged in, allowed to be used, and free? Another may have another number."
        ) from error
    began = None
    with container:
        for index, picture in enumerate(_decoded(container, [])):
            if index >= wanted.stop:
                return
            time = float(picture.time or 0.0)
            began = time if began is None else began
            if index in wanted:
                yield Frame(index, time - began, _upright(picture), frame_name(name, index))


def _camera(name: str) -> tuple[str, str, dict[str, str]]:
    """Address, format and options by which FFmpeg knows a webcam."""
    if sys.platform == "darwin":
        return name, "avfoundation", {"framerate": "30"}
    if sys.platform == "win32":
        raise ValueError(
            f"Camera {name} can't be opened: on Windows webcams have no numbers. Record a video, "
            "and give that."
        )
    return (name if name.startswith("/") else f"/dev/video{name}"), "v4l2", {}


def _open_video(path: Path):
    import av

    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        size = path.stat().st_size
        what = "It is empty" if size == 0 else f"FFmpeg says: {error.strerror or error}"
        raise ValueError(
            f"{path} cannot be read as a video ({what}). It is no video, or damaged or cut off "
            "before its index; convert it, or get the whole file again."
        ) from error
    if not container.streams.video:
        container.close()
        raise ValueError(
            f"{path} has no pictures in it, only {len(container.streams)} other streams."
        )
    return container


def _decoded(container, errors: list[str]) -> Iterator:
    """Pictures of the video, in order; what cannot be decoded is skipped and noted in `errors`."""
    import av

    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
        except av.error.FFmpegError as error:  # no way on from here
            errors.append(error.strerror or str(error))
            return
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            errors.append(error.strerror or str(error))


def _upright(picture) -> np.ndarray:
    image = picture.to_ndarray(format="rgb24")
    turns = round((getattr(picture, "rotation", 0) or 0) / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _declared_frames(container) -> int | None:
    """Number of frames as the container tells it, or as follows from the duration it tells."""
    stream = container.streams.video[0]
    if stream.frames:
        return stream.frames
    rate, seconds = _rate(stream), _declared_seconds(container)
    return None if rate is None or seconds is None else round(seconds * rate)


def _rate(stream) -> float | None:
    """Frames a second, by their times; by the codec where times are absurd (all alike, say)."""
    average, codec = stream.average_rate, stream.guessed_rate or stream.codec_context.framerate
    absurd = average and codec and average > 3 * codec
    rate = codec if absurd else average or codec
    return float(rate) if rate else None


def _declared_seconds(container) -> float | None:
    """The video's duration as the container tells it."""
    stream = container.streams.video[0]
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska and WebM: a tag, such as 00:00:07.666000000.
    if told := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = (float(v) for v in told.groups())
        return hours * 3600 + minutes * 60 + seconds
    if container.duration and len(container.streams) == 1:
        return container.duration / 1e6
    return None


def _list(endings: set[str]) -> str:
    return " ".join(sorted(endings))
