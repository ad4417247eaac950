"""Tracks: the 3D joints of each person in evenly spaced frames, as motion files need them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Times that differ from a constant rate by more than this fraction of a frame are resampled.
UNEVEN = 0.25
#: Frame rate of frame numbers without times.
DEFAULT_FPS = 30.0
#: Tracks begin at time 0, unless the first pose is later than this (seconds).
MAX_LEAD = 60.0
#: Longest timeline that is written, frames: 4.6 hours at 60 frames per second.
MAX_FRAMES = 1_000_000
#: Labels of the probabilities that the feet are in contact.
CONTACTS = ("contact_left", "contact_right")


class Track(NamedTuple):
    """One person in evenly spaced frames. All tracks of a file have the same frames.

    Attributes:
        skeleton: joint format.
        points: metres, x right, y up, z towards the viewer; NaN in frames without the person.
        fps: frames per second.
        start: time of the first frame, seconds from the beginning of the video.
        filled: frames whose pose was interpolated over a gap (`camerapose.infer.clip.fill_gaps`);
            None if there are none.
        first_frame: number of the first frame in the video.
        frame_step: step between frame numbers.
        level: whether y is opposite to gravity, with y = 0 on the floor.
        std: predicted standard deviation of each joint per coordinate of its root-relative
            position, metres; NaN where unknown; None if the model does not predict it.
        contact: probability that the left and the right foot are in contact with the floor; NaN in
            frames without the person; None without a static camera.
    """

    skeleton: Skeleton
    points: Float[np.ndarray, "t j 3"]
    fps: float
    start: float
    filled: np.ndarray | None = None
    first_frame: int = 0
    frame_step: int = 1
    level: bool = False
    std: Float[np.ndarray, "t j"] | None = None
    contact: Float[np.ndarray, "t 2"] | None = None

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

    @property
    def frames(self) -> Int[np.ndarray, " t"]:
        """Number of every frame in the video; resampled frames are counted from 0."""
        return self.first_frame + np.arange(len(self.points)) * self.frame_step

    def interpolated(self) -> Float[np.ndarray, "t j 3"]:
        """Return points without NaN: linear over gaps, constant before and after the track."""
        present, frames = np.flatnonzero(self.present), np.arange(len(self.points))
        flat = self.points.reshape(len(self.points), -1)
        columns = [np.interp(frames, present, flat[present, i]) for i in range(flat.shape[1])]
        return np.stack(columns, axis=1).reshape(self.points.shape)


class _Timeline(NamedTuple):
    """Evenly spaced moments for all people.

    Attributes:
        start: first moment, seconds.
        period: seconds between moments.
        length: number of moments.
        uneven: whether poses have to be interpolated to the moments.
        first_frame: frame number of the first moment.
        frame_step: step between frame numbers.
    """

    start: float
    period: float
    length: int
    uneven: bool
    first_frame: int
    frame_step: int


def tracks(
    poses: Poses,
    fps: int | float | None = None,
    ground: Ground | None = None,
    start: int | float | None = None,
    end: int | float | None = None,
) -> dict[int, Track]:
    """Return the track of every person by identity, in the order of the identities.

    All tracks have the same frames: those of the whole video if `start` and `end` are given. Motion
    files have one frame rate. Where the times of a video are uneven, the rate is the median one and
    the poses are interpolated linearly.

    Args:
        poses: numpy, at least one; the labels frame, person and time are used if present. Without
            frame, poses are consecutive frames.
        fps: frame rate of the frame numbers; None: from the label time, else `DEFAULT_FPS`.
        ground: floor that people stand on; None: the frame of the camera, with y up.
        start: time of the first frame in seconds; None: 0, or that of the first pose if it is
            later than `MAX_LEAD` or the only one.
        end: time of the last frame in seconds; None: that of the last pose.

    Raises:
        ValueError: more than `MAX_FRAMES` frames.
    """
    if "frame" not in poses.labels:
        poses = replace(poses, labels={**poses.labels, "frame": np.arange(len(poses))})
    numbers, times, step = _clock(poses, fps)
    timeline = _timeline(numbers, times, step, fps, start, end)
    people = poses.labels.get("person", np.zeros(len(poses), int))
    identities = np.unique(people)
    result = {}
    for person in identities:
        rows = np.flatnonzero(people == person)
        rows = rows[np.argsort(poses.labels["frame"][rows], kind="stable")]
        own_frames = poses.labels["frame"][rows]
        own_times = times[np.searchsorted(numbers, own_frames)]
        filled = poses.labels.get("filled", np.zeros(len(poses), bool))[rows]
        place = _resampled if timeline.uneven else _spread
        values, filled = place(
            _values(poses, rows, ground), filled, own_frames // step, own_times, timeline
        )
        n = poses.skeleton.n_joints
        result[int(person)] = Track(
            poses.skeleton, values[:, :n, :3], 1 / timeline.period, timeline.start,
            filled if filled.any() else None, timeline.first_frame, timeline.frame_step,
            ground is not None, values[:, :n, 3] if poses.pose3d_std is not None else None,
            values[:, n, :2] if values.shape[1] > n else None,
        )  # fmt: skip
    return result


def _values(
    poses: Poses, rows: Int[np.ndarray, " n"], ground: Ground | None
) -> Float[np.ndarray, "n rows columns"]:
    """Return one row per joint, and one of the contacts if they are known, of some poses.

    The columns are x, y, z, and the standard deviation if the model predicts it.
    """
    has_contact = all(name in poses.labels for name in CONTACTS)
    n, joints = len(rows), poses.skeleton.n_joints
    has_std = poses.pose3d_std is not None
    values = np.zeros((n, joints + has_contact, 3 + has_std))
    points = np.asarray(poses.pose3d)[rows].astype(float)
    values[:, :joints, :3] = points * [1.0, -1.0, -1.0] if ground is None else ground.points(points)
    if poses.pose3d_std is not None:
        std = poses.pose3d_std[rows]
        values[:, :joints, 3] = np.where(std < np.inf, std, np.nan)
    if has_contact:
        values[:, joints, :2] = np.stack([poses.labels[name][rows] for name in CONTACTS], axis=1)
    return values


def _clock(poses: Poses, fps: int | float | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Return frame numbers, their increasing times, and the step between numbers."""
    frames, first = np.unique(poses.labels["frame"], return_index=True)
    gaps = np.diff(frames)
    step = int(np.gcd.reduce(gaps)) if len(gaps) else 1
    if fps is None and "time" in poses.labels and len(gaps):
        times = np.asarray(poses.labels["time"], float)[first]
        if times[-1] > times[0]:
            return frames, np.maximum.accumulate(times), step
    start = float(poses.labels["time"][0]) if "time" in poses.labels and not len(gaps) else None
    times = frames / (fps or DEFAULT_FPS)
    return frames, times if start is None else times - times[0] + start, step


def _timeline(
    numbers: np.ndarray,
    times: Float[np.ndarray, " f"],
    step: int,
    fps: int | float | None,
    start: int | float | None,
    end: int | float | None,
) -> _Timeline:
    """Return the moments of all tracks. Some moment is that of the first pose."""
    gaps = np.diff(times)
    pace = (times[-1] - times[0]) / max(numbers[-1] - numbers[0], 1)  # seconds per frame number
    even = times[0] + (numbers - numbers[0]) * pace
    period = float(pace * step) if len(gaps) else step / (fps or DEFAULT_FPS)
    uneven = False
    if len(gaps):
        usual = float(np.median(gaps / (np.diff(numbers) // step)))
        uneven = bool(np.abs(times - even).max() > UNEVEN * usual)
        period = usual if uneven else period
    if start is None:
        start = 0.0 if len(gaps) and times[0] <= MAX_LEAD else float(times[0])
    lead = max(round((times[0] - start) / period), 0)
    first = float(times[0]) - lead * period
    last = times[-1] if end is None else max(times[-1], end)
    length = int((last - first) / period + (1e-6 if uneven else 0.5)) + 1
    if length > MAX_FRAMES:
        raise ValueError(
            f"poses extend over {length} frames, at most {MAX_FRAMES} are exported; check the "
            "frame numbers and times, or export parts with start and end"
        )
    first_frame = 0 if uneven else int(numbers[0]) - lead * step
    return _Timeline(first, period, length, uneven, first_frame, 1 if uneven else step)


def _spread(
    points: np.ndarray, filled: np.ndarray, _: np.ndarray, times: np.ndarray, timeline: _Timeline
) -> tuple[np.ndarray, np.ndarray]:
    """Return points and marks in their rows of the timeline; NaN and False in the others."""
    rows = np.rint((times - timeline.start) / timeline.period).astype(int)
    rows = np.clip(rows, 0, timeline.length - 1)
    if len(rows) == timeline.length and (np.diff(rows) == 1).all():  # nothing is missing
        return points, filled
    whole = np.full((timeline.length, *points.shape[1:]), np.nan)
    marks = np.zeros(timeline.length, bool)
    whole[rows], marks[rows] = points, filled
    return whole, marks


def _resampled(
    points: np.ndarray,
    filled: np.ndarray,
    rows: np.ndarray,
    times: np.ndarray,
    timeline: _Timeline,
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate linearly between neighbouring frames; NaN where frames are missing."""
    moments = timeline.start + np.arange(timeline.length) * timeline.period
    # A person visible for less than a period gets the nearest moment.
    tolerance = 1e-6 if len(times) > 1 else timeline.period / 2
    outside = (moments < times[0] - tolerance) | (moments > times[-1] + tolerance)
    before = np.clip(np.searchsorted(times, moments + 1e-9, side="right") - 1, 0, len(times) - 1)
    after = np.minimum(before + 1, len(times) - 1)
    span = np.maximum(times[after] - times[before], 1e-9)
    weight = np.clip((moments - times[before]) / span, 0, 1)
    w = weight[:, None, None]
    values = (1 - w) * points[before] + w * points[after]
    absent = (rows[after] - rows[before] > 1) & (weight > 1e-6) & (weight < 1 - 1e-6)
    values[absent | outside] = np.nan
    marks = filled[before] | (filled[after] & (weight > 1e-6))
    return values, marks & ~outside
