"""Read animated images: WebP, PNG and AVIF with several frames."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from camerapose.core.limits import Limits
from camerapose.io import containers, images
from camerapose.io.frames import Frame, IncompleteInput

#: Formats whose frames are a sequence in time; pages of TIFF and MPO are not.
FORMATS = {"WEBP", "PNG", "AVIF", "GIF"}
#: Seconds that a frame without duration is shown, as by web browsers.
DEFAULT_DURATION = 0.1


def is_animated(path: Path) -> bool:
    """Whether a file is an image with several frames in time."""
    try:
        with images.open_image(path) as image:
            if image.format not in FORMATS:
                return False
            try:
                return _count(path, image) > 1
            except ValueError:  # reported when the frames are read
                return True
    except ValueError:
        return False


def _count(path: Path, image: Image.Image) -> int:
    """Return the number of frames; raise ValueError if the file is damaged."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception as error:  # Pillow's readers raise any kind on damaged files
        raise ValueError(f"{path} is damaged: its frames cannot be counted ({error})") from error


def animation_frames(path: Path, wanted: range, limits: Limits) -> Iterator[Frame]:
    """Iterate over the frames of an animated image whose indices are in `wanted`.

    Raises:
        ValueError: the file cannot be decoded, or has no frame in the range.
        IncompleteInput: after all readable frames, if the file is truncated.
    """
    with images.open_image(path) as image:
        limits.check_pixels(path, *image.size)
        count = _count(path, image)
        limits.check_frames(path, len(range(count)[: wanted.stop]))
        if count <= wanted.start:
            raise ValueError(f"{path} has {count} frames; start {wanted.start} is beyond the last")
        time = 0.0
        for index in range(min(count, wanted.stop)):
            try:
                image.seek(index)
                image.load()
            except Exception as error:  # Pillow's readers raise any kind on damaged files
                message = f"{path} is damaged or truncated: {index} of {count} frames could be read"
                kind = IncompleteInput if index else ValueError
                raise kind(f"{message} and were used ({error})") from error
            if index in wanted:
                yield Frame(index, time, images.to_rgb(image), f"{path.stem}_{index:06d}")
            time += _duration(image)
    if wanted.stop >= count and (reason := containers.damage(path)):
        raise IncompleteInput(f"{path} is damaged: {count} frames were read ({reason})")


def rate_and_count(path: Path) -> tuple[float | None, int | None]:
    """Return the mean frame rate of the first frames, and the number of frames."""
    with images.open_image(path) as image, warnings.catch_warnings():
        count = _count(path, image)
        durations = []
        for index in range(min(count, 10)):
            try:
                image.seek(index)
                image.load()
            except Exception:  # as above
                break
            durations.append(_duration(image))
    return (len(durations) / sum(durations) if durations else None), count


def _duration(image: Image.Image) -> float:
    milliseconds = float(image.info.get("duration") or 0)
    return milliseconds / 1000 if milliseconds > 0 else DEFAULT_DURATION
