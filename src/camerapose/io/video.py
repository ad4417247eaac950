"""Read the frames of a video file with their times."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.io.frames import Frame, IncompleteInput

#: Frame rate that is assumed where a video declares none.
DEFAULT_FPS = 25.0


def video_frames(path: Path, wanted: range) -> Iterator[Frame]:
    """Iterate over the frames of a video whose indices are in `wanted`.

    Raises:
        ValueError: the file cannot be decoded, or has no frame in the range.
        IncompleteInput: after all readable frames, if the file is damaged or truncated.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        period = 1 / (_rate(stream) or DEFAULT_FPS)
        errors: list[str] = []
        index, start, time = 0, 0.0, -math.inf
        for picture in decode(container, errors):
            if index >= wanted.stop:
                return
            declared = index * period if picture.time is None else float(picture.time)
            time = declared if declared > time else time + period
            start = time if index == 0 else start
            if index in wanted:
                yield Frame(index, time - start, upright(picture), f"{path.stem}_{index:06d}")
            index += 1
        if index == 0:
            reason = f" ({errors[0]})" if errors else ""
            raise ValueError(f"{path} is a video without a single readable frame{reason}")
        expected = _declared_count(container)
        truncated = _is_truncated(container, index, time, wanted.stop)
    if errors or truncated:
        of = f" of {expected} declared" if expected else ""
        reason = f" ({errors[0]})" if errors else ""
        raise IncompleteInput(
            f"{path} is damaged or truncated: {index}{of} frames could be read{reason} and were "
            "used; get the complete file for the rest"
        )
    if index <= wanted.start:
        raise ValueError(f"{path} has {index} frames; start {wanted.start} is beyond the last")


def rate_and_count(path: Path) -> tuple[float | None, int | None]:
    """Return the frame rate and the number of frames that a video declares."""
    with _open(path) as container:
        return _rate(container.streams.video[0]), _declared_count(container)


def decode(container: Any, errors: list[str]) -> Iterator[Any]:
    """Iterate over decoded frames; what cannot be decoded is skipped and noted in `errors`."""
    import av

    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
        except av.error.FFmpegError as error:  # the demuxer cannot continue
            errors.append(error.strerror or str(error))
            return
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            errors.append(error.strerror or str(error))


def upright(picture: Any) -> np.ndarray:
    """Convert a decoded frame to RGB and apply the rotation of its display matrix."""
    image = picture.to_ndarray(format="rgb24")
    turns = round((getattr(picture, "rotation", 0) or 0) / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _open(path: Path) -> Any:
    import av

    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        empty = path.stat().st_size == 0
        reason = "the file is empty" if empty else f"FFmpeg: {error.strerror or error}"
        raise ValueError(
            f"{path} cannot be read as a video ({reason}); it is not a video, or it is damaged or "
            "truncated before its index: convert it or get the complete file"
        ) from error
    if not container.streams.video:
        n_streams = len(container.streams)
        container.close()
        raise ValueError(f"{path} has no video stream, only {n_streams} other streams")
    return container


def _is_truncated(container: Any, n_frames: int, time: float, stop: int) -> bool:
    """Whether a video is shorter than declared; `time` is that of its last frame.

    Containers may miscount by a few frames; real truncation is larger. Where no number of frames
    is declared, the frame rate may vary, so the duration is compared.
    """
    stream = container.streams.video[0]
    if stream.frames:
        return min(stream.frames, stop) - n_frames > max(2, 0.02 * n_frames)
    seconds = _declared_seconds(container)
    period = 1 / (_rate(stream) or DEFAULT_FPS)
    return seconds is not None and seconds - time > max(3 * period, 0.02 * seconds)


def _declared_count(container: Any) -> int | None:
    """Return the declared number of frames, or the one that follows from the duration."""
    stream = container.streams.video[0]
    if stream.frames:
        return int(stream.frames)
    rate, seconds = _rate(stream), _declared_seconds(container)
    return None if rate is None or seconds is None else round(seconds * rate)


def _rate(stream: Any) -> float | None:
    """Return frames per second by the time stamps, or by the codec where those are absurd."""
    average, codec = stream.average_rate, stream.guessed_rate or stream.codec_context.framerate
    absurd = average and codec and average > 3 * codec
    rate = codec if absurd else average or codec
    return float(rate) if rate else None


def _declared_seconds(container: Any) -> float | None:
    stream = container.streams.video[0]
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska and WebM have a tag such as 00:00:07.666000000.
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = (float(v) for v in tag.groups())
        return hours * 3600 + minutes * 60 + seconds
    if container.duration and len(container.streams) == 1:
        return float(container.duration / 1e6)
    return None
