"""Tracks: the 3D joints of one person in evenly spaced frames, as motion files need them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Times that differ from a constant rate by more than this fraction of a frame are resampled.
UNEVEN = 0.25
#: Frame rate of frame numbers without times.
DEFAULT_FPS = 30.0
#: Tracks begin at time 0, unless the first pose is later than this (seconds).
MAX_LEAD = 60.0


class Track(NamedTuple):
    """One person in evenly spaced frames.

    Attributes:
        skeleton: joint format.
        points: metres, x right, y up, z towards the viewer; NaN in frames without the person.
        fps: frames per second.
        start: time of the first frame, seconds from the beginning of the video.
        filled: frames whose pose was interpolated over a gap (`camerapose.infer.clip.fill_gaps`);
            None if there are none.
    """

    skeleton: Skeleton
    points: Float[np.ndarray, "t j 3"]
    fps: float
    start: float
    filled: np.ndarray | None = None

    @property
    def present(self) -> Bool[np.ndarray, " t"]:
        """Frames that have a pose, detected or filled in."""
        return np.isfinite(self.points).all((1, 2))

    @property
    def detected(self) -> Bool[np.ndarray, " t"]:
        """Frames in which the person was detected."""
        return self.present if self.filled is None else self.present & ~self.filled

    @property
    def times(self) -> Float[np.ndarray, " t"]:
        """Time of every frame, seconds."""
        return self.start + np.arange(len(self.points)) / self.fps

    def interpolated(self) -> Float[np.ndarray, "t j 3"]:
        """Return points without NaN: linear over gaps, constant before and after the track."""
        present, frames = np.flatnonzero(self.present), np.arange(len(self.points))
        flat = self.points.reshape(len(self.points), -1)
        columns = [np.interp(frames, present, flat[present, i]) for i in range(flat.shape[1])]
        return np.stack(columns, axis=1).reshape(self.points.shape)


def tracks(
    poses: Poses,
    fps: int | float | None = None,
    ground: Ground | None = None,
    start: int | float | None = None,
) -> dict[int, Track]:
    """Return the track of every person, by identity. All begin at the same time.

    Motion files have one frame rate. Where the times of a video are uneven, the rate is the median
    one and the poses are interpolated linearly.

    Args:
        poses: numpy; the labels frame, person and time are used if present. Without frame, poses
            are consecutive frames.
        fps: frame rate of the frame numbers; None: from the label time, else `DEFAULT_FPS`.
        ground: floor that people stand on; None: the frame of the camera, with y up.
        start: time of the first frame in seconds; None: 0, or that of the first pose if it is
            later than `MAX_LEAD` or the only one.
    """
    if "frame" not in poses.labels:
        poses = replace(poses, labels={**poses.labels, "frame": np.arange(len(poses))})
    people = poses.labels.get("person", np.zeros(len(poses), int))
    frames, times, step = _clock(poses, fps)
    gaps = np.diff(times)
    period = float(np.median(gaps)) if len(gaps) else step / (fps or DEFAULT_FPS)
    pace = (times[-1] - times[0]) / max(frames[-1] - frames[0], 1)  # seconds per frame number
    even = times[0] + (frames - frames[0]) * pace
    uneven = bool(np.abs(times - even).max() > UNEVEN * period)
    if not uneven and len(gaps):
        period = float(pace * step)
    if start is None:
        start = 0.0 if len(gaps) and times[0] <= MAX_LEAD else float(times[0])
    result = {}
    for person in np.unique(people):
        own = poses[np.flatnonzero(people == person)]
        own = own[np.argsort(own.labels["frame"], kind="stable")]
        points = np.asarray(own.pose3d, float)
        points = points * [1.0, -1.0, -1.0] if ground is None else ground.points(points)
        filled = np.asarray(own.labels.get("filled", np.zeros(len(own), bool)))
        rows = (own.labels["frame"] - own.labels["frame"].min()) // step
        own_times = times[np.searchsorted(frames, own.labels["frame"])]
        if uneven:
            points, filled = _resampled(points, filled, rows, own_times, period)
        else:
            points, filled = _spread(points, np.nan, rows), _spread(filled, False, rows)
        lead = max(round((own_times[0] - start) / period), 0)
        points = np.concatenate([np.full((lead, *points.shape[1:]), np.nan), points])
        filled = np.concatenate([np.zeros(lead, bool), filled])
        result[int(person)] = Track(
            own.skeleton, points, 1 / period, float(own_times[0] - lead * period),
            filled if filled.any() else None,
        )  # fmt: skip
    return result


def _spread(column: np.ndarray, empty: float | bool, rows: np.ndarray) -> np.ndarray:
    """Return values in their rows, and `empty` in the others."""
    spread = np.full((rows.max() + 1, *column.shape[1:]), empty, column.dtype)
    spread[rows] = column
    return spread


def _resampled(
    points: np.ndarray, filled: np.ndarray, rows: np.ndarray, times: np.ndarray, period: float
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate linearly between neighbouring frames; NaN where frames are missing."""
    moments = times[0] + np.arange(int((times[-1] - times[0]) / period + 1e-6) + 1) * period
    before = np.clip(np.searchsorted(times, moments + 1e-9, side="right") - 1, 0, len(times) - 1)
    after = np.minimum(before + 1, len(times) - 1)
    span = np.maximum(times[after] - times[before], 1e-9)
    weight = np.clip((moments - times[before]) / span, 0, 1)
    w = weight[:, None, None]
    values = (1 - w) * points[before] + w * points[after]
    absent = (rows[after] - rows[before] > 1) & (weight > 1e-6) & (weight < 1 - 1e-6)
    values[absent] = np.nan
    return values, filled[before] | (filled[after] & (weight > 1e-6))


def _clock(poses: Poses, fps: int | float | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Return frame numbers, their increasing times, and the usual step between numbers."""
    frames, first = np.unique(poses.labels["frame"], return_index=True)
    gaps = np.diff(frames)
    step = int(gaps.min()) if len(gaps) else 1
    if fps is None and "time" in poses.labels and len(gaps):
        times = np.asarray(poses.labels["time"], float)[first]
        if times[-1] > times[0]:
            return frames, np.maximum.accumulate(times), step
    start = float(poses.labels["time"][0]) if "time" in poses.labels and not len(gaps) else None
    times = frames / (fps or DEFAULT_FPS)
    return frames, times if start is None else times - times[0] + start, step
