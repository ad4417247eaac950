"""Encode images with their times as H.264 video."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

#: Clock ticks per second, as in MPEG.
CLOCK = 90000


class VideoEncoder:
    """Encode images with their times; the first one is at time 0 of the video.

    Args:
        file: PyAV container.
        fps: nominal frame rate.
        options: of the codec libx264.
    """

    def __init__(self, file: Any, fps: Fraction, options: Mapping[str, str]):
        self._file, self._fps, self._options = file, fps, dict(options)
        self._stream: Any = None
        self._start, self._last = 0.0, -1

    def write(self, frame: Any, time: float) -> None:
        """Encode a PyAV frame with even sides; `time` is in seconds."""
        if self._stream is None:
            self._open_stream((frame.width, frame.height))
            self._start = time
        width, height = self._stream.width, self._stream.height
        if (frame.width, frame.height) != (width, height):  # the video changes its size
            frame = frame.reformat(width, height)
        self._last = max(self._last + 1, round((time - self._start) * CLOCK))
        frame.pts, frame.time_base = self._last, Fraction(1, CLOCK)
        self._file.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write the frames that the codec has kept back."""
        if self._stream is not None:
            self._file.mux(self._stream.encode())

    def _open_stream(self, size: tuple[int, int]) -> None:
        self._stream = self._file.add_stream("libx264", rate=self._fps, options=self._options)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, CLOCK)


def even_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return the size of an image with sides of at most `max_side`, even as H.264 requires."""
    scale = min(1.0, max_side / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
