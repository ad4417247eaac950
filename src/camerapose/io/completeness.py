"""Compare the decoded frames of a video with what its container declares."""

import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.io import containers

#: Frames and share of the video by which containers may miscount.
TOLERATED_FRAMES, TOLERATED_SHARE = 2, 0.02
#: Seconds to which the share is limited.
TOLERATED_SECONDS = 2.0
#: Share of intervals that are alike in videos with a constant frame rate, and how much they differ.
CONSTANT_SHARE, CONSTANT_SPREAD = 0.95, 0.25
#: Multiple of the frame interval that counts as a gap in such a video.
GAP = 4.5
#: The same of a gap of few frames, in containers without pauses between frames.
SMALL_GAP = 1.5
PAUSING = {"gif", "apng", "webp", "webp_anim", "jpegxl_anim"}
#: Containers that declare the duration of all streams together.
DECLARING = {"matroska,webm", "flv", "live_flv", "asf", "nut"}


def declared_seconds(stream: Any) -> float | None:
    """Return the duration that a container declares for a stream."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska and WebM have a tag such as 00:00:07.666000000.
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = (float(v) for v in tag.groups())
        return hours * 3600 + minutes * 60 + seconds
    return None


class Completeness:
    """Collects evidence that a video is truncated, damaged or lacks frames.

    Args:
        period: seconds per frame as declared.
    """

    def __init__(self, period: float):
        self.errors: list[str] = []
        self._period = period
        self._times = array("d")
        self._end = 0.0  # of the video, by the durations of packets
        self._last = 0.0  # of all streams
        self._corrupt = 0
        self._clean = False
        self._leading = 0  # damaged frames before the first clean one

    def add_error(self, message: str) -> None:
        """Note an error of the decoder; the first is reported."""
        if not self.errors:
            self.errors.append(message)

    def add_packet(self, packet: Any) -> None:
        """Note an undecoded packet."""
        video = packet.stream.type == "video"
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._last = max(self._last, end)
            self._end = max(self._end, end) if video else self._end
        if video and packet.size and packet.is_corrupt:
            self._corrupt += self._clean

    def add_frame(self, time: float, decoded: Any) -> None:
        """Note a decoded frame.

        Damaged ones before the first clean one belong to an earlier key frame, which was cut off,
        unless one of them is a key frame itself.
        """
        corrupt = bool(getattr(decoded, "is_corrupt", False))
        self._clean = self._clean or not corrupt or bool(getattr(decoded, "key_frame", False))
        self._corrupt += corrupt and self._clean
        self._leading += corrupt and not self._clean
        self._times.append(time)

    def missing(self, path: Path, container: Any, stream: Any, stop: int) -> str | None:
        """Return what is damaged or missing at the end of the file, or None.

        Args:
            stop: index at which reading ended.
        """
        if self.errors:
            return self.errors[0]
        if self._corrupt or not self._clean:
            return f"{self._corrupt + self._leading} damaged frames"
        if reason := containers.damage(path, container.format.name):
            return reason
        if self._is_short(container, stream, stop):
            return "it ends before the declared length"
        return self._gap() if not stream.frames else None

    def _is_short(self, container: Any, stream: Any, stop: int) -> bool:
        """Whether frames lack by count or by time, as far as these are declared.

        In MP4 files by both: edit lists reduce the count of complete videos, and a long last frame
        their time.
        """
        n = len(self._times)
        evidence = []
        if stream.frames:
            slack = max(TOLERATED_FRAMES, TOLERATED_SHARE * n)
            evidence.append(min(stream.frames, stop) - n > slack)
        seconds, end = declared_seconds(stream), max(self._times[-1] + self._period, self._end)
        if seconds is None and container.format.name in DECLARING and container.duration:
            seconds, end = container.duration / 1e6, max(end, self._last)
        elif stream.duration:  # counted from the first frame
            end -= float((stream.start_time or 0) * (stream.time_base or 0))
        if seconds is not None:
            slack = max((TOLERATED_FRAMES + 0.5) * self._period, TOLERATED_SHARE * seconds)
            evidence.append(seconds - end > min(slack, TOLERATED_SECONDS))
        edited = "mov" in container.format.name
        return bool(evidence) and (all(evidence) if edited else any(evidence))

    def small_gaps(self, container: Any) -> str | None:
        """Describe frames that lack in a video whose frame rate is constant otherwise, or None.

        Recorders drop single frames: the video is complete, and its times are right.
        """
        intervals, period = self._constant_intervals()
        if period is None or container.format.name in PAUSING:
            return None
        gaps = np.flatnonzero((intervals > SMALL_GAP * period) & (intervals < GAP * period))
        if not len(gaps):
            return None
        lacking = int(np.round(intervals[gaps] / period - 1).clip(1).sum())
        place = f"after {self._times[gaps[0]] - self._times[0]:.2f} s"
        frames = "1 frame is" if lacking == 1 else f"{lacking} frames are"
        where = place if len(gaps) == 1 else f"at {len(gaps)} places, first {place}"
        return f"{frames} missing {where}"

    def _constant_intervals(self) -> tuple[np.ndarray, float | None]:
        """Return the times between frames, and the usual one; None if that is not constant."""
        intervals = np.diff(np.frombuffer(self._times))
        if len(intervals) < 10:
            return intervals, None
        period = float(np.median(intervals))
        constant = np.mean(np.abs(intervals - period) <= CONSTANT_SPREAD * period)
        return intervals, period if constant >= CONSTANT_SHARE else None

    def _gap(self) -> str | None:
        """Describe the longest gap in a video whose frame rate is constant otherwise."""
        intervals, period = self._constant_intervals()
        if period is None:
            return None
        longest = int(intervals.argmax())
        if intervals[longest] < GAP * period:
            return None
        time = self._times[longest] - self._times[0]
        return f"frames are missing after {time:.2f} s for {intervals[longest]:.2f} s"
