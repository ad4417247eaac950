"""Files that other programs read: one format a file, named as it is called.

A plug-in is a module with

    EXTENSION = ".trc"
    def write(path, movement: Movement) -> None

that writes one person's movement. All of them stand upright as those programs have it: x to the
right, y up, z towards the viewer, metres, the camera at the origin looking along -z. "Up" is the
image's: a camera that looks down sees a floor that rises. With a `Ground` it is gravity's, and the
origin lies on the floor below the camera.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton


class Movement(NamedTuple):
    """One person over evenly spaced frames.

    Attributes:
        skeleton: names the joints.
        points: metres, y up; NaN in frames in which the person was not seen.
        fps: frames a second.
        start: seconds from the beginning of the video to the first frame.
        guessed: (t,) frames in which the person was not seen and the points were filled in
            (`camerapose.infer.clip.fill_gaps`); None: none.
    """

    skeleton: Skeleton
    points: Float[np.ndarray, "t j 3"]
    fps: float
    start: float
    guessed: np.ndarray | None = None

    @property
    def measured(self) -> np.ndarray:
        """(t,) whether the person was seen in each frame, and nothing filled in."""
        return self.seen if self.guessed is None else self.seen & ~self.guessed

    @property
    def seen(self) -> np.ndarray:
        """(t,) whether there are points in each frame."""
        return np.isfinite(self.points).all((1, 2))

    def filled(self) -> Float[np.ndarray, "t j 3"]:
        """The points, straight lines through the frames where nothing was seen."""
        seen, frames = np.flatnonzero(self.seen), np.arange(len(self.points))
        flat = self.points.reshape(len(self.points), -1)
        columns = [np.interp(frames, seen, flat[seen, i]) for i in range(flat.shape[1])]
        return np.stack(columns, axis=1).reshape(self.points.shape)


#: Times that are off an even clock by more than this share of a frame are brought to one.
UNEVEN = 0.25


def movements(
    poses: Poses, fps: float | None = None, ground: Ground | None = None
) -> dict[int, Movement]:
    """Each person's movement, by their number.

    Files have one frame rate. Where a video's changes (times are not even), it is the usual one,
    and poses are interpolated to its moments by their true times.

    Args:
        poses: numpy, with labels frame and, where they come from video, time; person.
        fps: frames a second of the frame numbers; None: what label time says, else 30.
        ground: the floor they are to stand on; None: as the camera sees them.
    """
    people = poses.labels.get("person", np.zeros(len(poses), int))
    frames, times, step = _clock(poses, fps)
    gaps = np.diff(times)
    period = float(np.median(gaps)) if len(gaps) else step / (fps or 30.0)
    pace = (times[-1] - times[0]) / max(frames[-1] - frames[0], 1)  # seconds a frame number
    even = times[0] + (frames - frames[0]) * pace
    uneven = np.abs(times - even).max() > UNEVEN * period
    if not uneven and len(gaps):
        period = float(pace * step)
    found = {}
    for person in np.unique(people):
        mine = poses[np.flatnonzero(people == person)]
        mine = mine[np.argsort(mine.labels["frame"], kind="stable")]
        rows = (mine.labels["frame"] - mine.labels["frame"].min()) // step
        points = np.asarray(mine.pose3d, float)
        points = points * [1.0, -1.0, -1.0] if ground is None else ground.points(points)
        guessed = np.asarray(mine.labels.get("filled", np.zeros(len(mine), bool)))
        when = times[np.searchsorted(frames, mine.labels["frame"])]
        if uneven:
            points, guessed = _resampled(points, guessed, rows, when, period)
        else:
            points, guessed = _spread(points, np.nan, rows), _spread(guessed, False, rows)
        kept = guessed if guessed.any() else None
        found[int(person)] = Movement(mine.skeleton, points, 1 / period, float(when[0]), kept)
    return found


def _spread(column: np.ndarray, empty: float | bool, rows: np.ndarray) -> np.ndarray:
    """Values in their rows, something empty in the others."""
    whole = np.full((rows.max() + 1, *column.shape[1:]), empty, column.dtype)
    whole[rows] = column
    return whole


def _resampled(
    points: np.ndarray, guessed: np.ndarray, rows: np.ndarray, when: np.ndarray, period: float
) -> tuple[np.ndarray, np.ndarray]:
    """At even moments, straight lines between neighbouring frames; NaN where frames lack."""
    moments = when[0] + np.arange(int((when[-1] - when[0]) / period + 1e-6) + 1) * period
    before = np.clip(np.searchsorted(when, moments + 1e-9, side="right") - 1, 0, len(when) - 1)
    after = np.minimum(before + 1, len(when) - 1)
    span = np.maximum(when[after] - when[before], 1e-9)
    share = np.clip((moments - when[before]) / span, 0, 1)
    at = share[:, None, None]
    found = (1 - at) * points[before] + at * points[after]
    absent = (rows[after] - rows[before] > 1) & (share > 1e-6) & (share < 1 - 1e-6)
    found[absent] = np.nan
    return found, guessed[before] | (guessed[after] & (share > 1e-6))


def _clock(poses: Poses, fps: float | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Frame numbers, their times (rising), and the usual step from one number to the next."""
    frames, first = np.unique(poses.labels["frame"], return_index=True)
    gaps = np.diff(frames)
    step = int(gaps.min()) if len(gaps) else 1
    if fps is None and "time" in poses.labels and len(gaps):
        times = np.asarray(poses.labels["time"], float)[first]
        if times[-1] > times[0]:
            return frames, np.maximum.accumulate(times), step
    start = float(poses.labels["time"][0]) if "time" in poses.labels and not len(gaps) else None
    times = frames / (fps or 30.0)
    return frames, times if start is None else times - times[0] + start, step
