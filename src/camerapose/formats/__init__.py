"""Files that other programs read: one format a file, named as it is called.

A plug-in is a module with

    EXTENSION = ".trc"
    def write(path, movement: Movement) -> None

that writes one person's movement. All of them stand upright as those programs have it: x to the
right, y up, z towards the viewer, metres, the camera at the origin looking along -z. "Up" is the
image's: a camera that looks down sees a floor that rises.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.poses import Poses
from camerapose.skeleton import Skeleton


class Movement(NamedTuple):
    """One person over evenly spaced frames.

    Attributes:
        skeleton: names the joints.
        points: metres, y up; NaN in frames in which the person was not seen.
        fps: frames a second.
        start: seconds from the beginning of the video to the first frame.
    """

    skeleton: Skeleton
    points: Float[np.ndarray, "t j 3"]
    fps: float
    start: float

    @property
    def seen(self) -> np.ndarray:
        """(t,) whether the person was seen in each frame."""
        return np.isfinite(self.points).all((1, 2))

    def filled(self) -> Float[np.ndarray, "t j 3"]:
        """The points, straight lines through the frames where nothing was seen."""
        seen, frames = np.flatnonzero(self.seen), np.arange(len(self.points))
        flat = self.points.reshape(len(self.points), -1)
        columns = [np.interp(frames, seen, flat[seen, i]) for i in range(flat.shape[1])]
        return np.stack(columns, axis=1).reshape(self.points.shape)


def movements(poses: Poses, fps: float | None = None) -> dict[int, Movement]:
    """Each person's movement, by their number.

    Args:
        poses: numpy, with labels frame and, where they come from video, time; person.
        fps: frames a second of the frame numbers; None: what label time says, else 30.
    """
    people = poses.labels.get("person", np.zeros(len(poses), int))
    step, rate = _clock(poses, fps)
    found = {}
    for person in np.unique(people):
        mine = poses[np.flatnonzero(people == person)]
        frames = mine.labels["frame"]
        rows = (frames - frames.min()) // step
        points = np.full((rows.max() + 1, *mine.pose3d.shape[1:]), np.nan)
        points[rows] = mine.pose3d * np.array([1.0, -1.0, -1.0])
        times = mine.labels.get("time")
        start = float(frames.min() / rate / step if times is None else times.min())
        found[int(person)] = Movement(mine.skeleton, points, rate, start)
    return found


def _clock(poses: Poses, fps: float | None) -> tuple[int, float]:
    """Frame numbers from one row to the next, and rows a second."""
    frames, first = np.unique(poses.labels["frame"], return_index=True)
    gaps = np.diff(frames)
    step = int(gaps.min()) if len(gaps) else 1
    if fps is None and "time" in poses.labels and len(gaps):
        times = np.asarray(poses.labels["time"], float)[first]
        fps = float((frames[-1] - frames[0]) / max(times[-1] - times[0], 1e-9))
    return step, (fps or 30.0) / step
