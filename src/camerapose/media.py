"""Images and videos in: RGB frames, one at a time, with their times and names."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".gif"}
KEYPOINTS = {".json", ".npz"}
#: Of the 24 x 36 mm picture that equivalent focal lengths are told for, millimetres.
DIAGONAL_35MM = 43.27


class Frame(NamedTuple):
    """One image.

    Attributes:
        index: number of the frame in the video or of the image in the folder, from 0.
        time: seconds since the video began; 0 for images, which have no clock.
        image: uint8, (height, width, 3), RGB, upright.
        name: the image's file name; of a video its name and the index, such as `walk_000012`.
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


def kind(path: str | Path) -> str:
    """ "image", "video", "folder" (of images) or "keypoints" (a file, or a folder of JSON files).

    Goes by the file name's ending; of a folder, by the files in it.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: neither of these.
    """
    path = Path(path)
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


def probe(path: str | Path) -> Info:
    """Size, frames per second and number of frames of an image, a folder of images or a video.

    Reads the first frame, so it finds most unusable input.  Raises as `frames` does.
    """
    first = next(frames(path, end=1))
    height, width = first.image.shape[:2]
    match kind(path):
        case "image":
            return Info(width, height, None, 1)
        case "folder":
            return Info(width, height, None, len(_images_in(Path(path))))
    with _open_video(Path(path)) as container:
        stream = container.streams.video[0]
        fps = stream.average_rate or stream.guessed_rate
        return Info(width, height, float(fps) if fps else None, _declared_frames(container))


def frames(
    path: str | Path, *, start: int | None = None, end: int | None = None, stride: int = 1
) -> Iterator[Frame]:
    """Frames of an image, a folder of images (sorted by name, numbers in it by value) or a video.

    One frame is in memory at a time.  A camera's turn of the image (EXIF, video metadata) is
    undone.  Grey, palette, 16-bit and transparent images (on white) become 8-bit RGB.

    Args:
        start, end, stride: which frames, as in `range`: numbers of frames from 0, without `end`.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing in it can be read; a bad range.
        IncompleteInput: some images of a folder, or part of a video, cannot be read.  It comes
            after all frames that can.
    """
    path, form = Path(path), kind(path)
    start = 0 if start is None else start
    if start < 0 or stride < 1 or (end is not None and end <= start):
        raise ValueError(
            f"No frames lie in start {start}, end {end}, stride {stride}: "
            "give 0 <= start < end and stride >= 1."
        )
    if form == "keypoints":
        raise ValueError(f"{path} holds keypoints, not images.")
    wanted = range(start, 2**62 if end is None else end, stride)
    return _video_frames(path, wanted) if form == "video" else _image_frames(path, wanted)


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
    return sorted(
        (p for p in files if not p.name.startswith(".")),
        key=lambda p: [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", p.name)],
    )


def _image_frames(path: Path, wanted: range) -> Iterator[Frame]:
    files = _images_in(path) if path.is_dir() else [path]
    chosen = files[wanted.start : wanted.stop : wanted.step]
    if not chosen:
        raise ValueError(f"{path} has {len(files)} images; none is at {wanted.start} or after.")
    broken = []
    for index, file in zip(wanted, chosen, strict=False):
        try:
            image = read_image(file)
        except ValueError as error:
            broken.append(str(error))
            continue
        yield Frame(index, 0.0, image, file.name)
    if len(broken) == len(chosen):
        raise ValueError(
            broken[0] + (f" Nor any of the {len(chosen)} images." if broken[1:] else "")
        )
    if broken:
        raise IncompleteInput(
            f"{len(broken)} of {len(chosen)} images in {path} cannot be read; "
            f"the others have been. The first: {broken[0]}"
        )


def _video_frames(path: Path, wanted: range) -> Iterator[Frame]:
    with _open_video(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        index, errors = 0, []
        for picture in _decoded(container, errors):
            if index >= wanted.stop:
                return
            if index in wanted:
                time = index / fps if picture.time is None else float(picture.time)
                yield Frame(index, time, _upright(picture), f"{path.stem}_{index:06d}")
            index += 1
        if index == 0:
            why = f" ({errors[0]})" if errors else ""
            raise ValueError(f"{path} is a video without a single readable frame{why}.")
        declared = _declared_frames(container)
    # A few frames more or less are how containers count; a real cut is longer.
    missing = max(0, min(declared or 0, wanted.stop) - index)
    if errors or missing > max(2, 0.02 * index):
        told = f", of {declared} that it announces" if declared else ""
        raise IncompleteInput(
            f"{path} is damaged or cut off: {index} frames could be read{told}"
            + (f" ({errors[0]})" if errors else "")
            + ". They have been used; get the whole file again for the rest."
        )
    if index <= wanted.start:
        raise ValueError(f"{path} has {index} frames; none is at {wanted.start} or after.")


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
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        return None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    # Matroska and WebM: a tag, such as 00:00:07.666000000.
    if told := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = (float(v) for v in told.groups())
        return round((hours * 3600 + minutes * 60 + seconds) * float(rate))
    if container.duration and len(container.streams) == 1:
        return round(container.duration / 1e6 * float(rate))
    return None


def _list(endings: set[str]) -> str:
    return " ".join(sorted(endings))
