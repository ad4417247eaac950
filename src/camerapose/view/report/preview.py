"""Small copy of a video for the report, encoded while the video is read."""

import io
from fractions import Fraction
from typing import Any

import numpy as np

from camerapose.view.encoder import VideoEncoder, even_size

#: Longer side in pixels, intended size in bytes, and lowest and highest bit rate.
MAX_SIDE, MAX_BYTES = 640, 1_400_000
MIN_RATE, MAX_RATE = 80_000, 800_000
#: Longest video, seconds, of which a copy is made.
MAX_SECONDS = 600.0
#: Frames between key frames, which bound the time of a jump.
KEY_FRAMES = 24
DEFAULT_FPS = 30.0


class Preview:
    """Encode the frames of a video at low resolution, in memory.

    Args:
        fps: nominal frames per second; None if unknown.
        seconds: expected length, which determines the quality; None if unknown.
        slowmo: slow-motion factor, by which times are divided.
    """

    def __init__(self, fps: float | None, seconds: float | None = None, slowmo: float = 1.0):
        self._fps = Fraction((fps or DEFAULT_FPS) * slowmo).limit_denominator(60000)
        wanted = 8 * MAX_BYTES / max(seconds / slowmo if seconds else 60.0, 1.0)
        self._rate = round(min(max(wanted, MIN_RATE), MAX_RATE))
        self._slowmo = slowmo
        self._last, self._start = -1, 0.0
        self._too_long = False
        self._buffer = io.BytesIO()
        self._file: Any = None
        self._encoder: VideoEncoder | None = None

    def add(self, image: np.ndarray, index: int, time: float) -> None:
        """Encode a frame; one that is not later than the previous one starts again.

        Args:
            image: uint8 (height, width, 3) RGB.
            index: number of the frame.
            time: seconds.
        """
        import av

        if index <= self._last or self._encoder is None:
            self._open(time)
        self._last = index
        self._too_long |= time - self._start > MAX_SECONDS
        if not self._too_long:
            assert self._encoder is not None
            size = even_size(image.shape[1], image.shape[0], MAX_SIDE)
            # Without a copy of the frame.
            frame = av.VideoFrame.from_numpy_buffer(np.require(image, requirements="CW"), "rgb24")
            small = frame.reformat(*size, format="yuv420p", interpolation="FAST_BILINEAR")
            self._encoder.write(small, time / self._slowmo)

    def finish(self) -> tuple[bytes, float] | None:
        """Return the MP4 file and the time of its first frame; None for none or a too long one."""
        if self._encoder is None:
            return None
        self._encoder.finish()
        self._file.close()
        self._encoder = None
        return None if self._too_long else (self._buffer.getvalue(), self._start / self._slowmo)

    def _open(self, time: float) -> None:
        import av

        if self._file is not None:
            self._file.close()
        self._buffer, self._start, self._too_long = io.BytesIO(), time, False
        self._file = av.open(self._buffer, "w", format="mp4")
        options = {
            "preset": "veryfast", "crf": "27", "maxrate": str(self._rate),
            "bufsize": str(2 * self._rate), "g": str(KEY_FRAMES), "bf": "0", "threads": "1",
        }  # fmt: skip
        self._encoder = VideoEncoder(self._file, self._fps, options)
