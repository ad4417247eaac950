"""Assignment of rows of `Poses` to people, frames and times."""

from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Float, Int

from camerapose.core.poses import Poses

#: Frames per second where neither times nor a rate are given.
DEFAULT_FPS = 30.0
#: A longer absence of a person (seconds) separates two movements.
MAX_GAP = 1.0


def check_poses(poses: Poses, *columns: str) -> None:
    """Raise ValueError unless poses are numpy and have the given columns."""
    missing = [name for name in columns if getattr(poses, name) is None]
    if missing:
        raise ValueError(f"poses have no {' and no '.join(missing)}; pass the result of Predictor")
    if is_torch_array(poses.pose2d):
        raise ValueError("poses are torch tensors; pass poses.to_numpy()")


def check_strength(strength: float) -> None:
    """Raise ValueError unless a smoothing strength is 0 or more."""
    if not 0 <= strength < np.inf:
        raise ValueError(f"strength is {strength}; give 0 (no smoothing) or more")


def person_numbers(poses: Poses) -> np.ndarray:
    """Return the person label of each row; without it, all rows are one person."""
    return poses.labels.get("person", np.zeros(len(poses), int))


def frame_numbers(poses: Poses) -> np.ndarray:
    """Return the frame label of each row; without it, each person's rows are consecutive frames."""
    if "frame" in poses.labels:
        return poses.labels["frame"]
    frames = np.zeros(len(poses), int)
    for rows in rows_by_person(poses):
        frames[rows] = np.arange(len(rows))
    return frames


def rows_by_person(poses: Poses) -> list[Int[np.ndarray, " rows"]]:
    """Return the rows of each person, by increasing person label."""
    person = person_numbers(poses)
    return [np.flatnonzero(person == number) for number in np.unique(person)]


def check_one_row_per_frame(poses: Poses) -> None:
    """Raise ValueError if frames have several rows but no label distinguishes the people."""
    if "person" not in poses.labels:
        frames, count = np.unique(frame_numbers(poses), return_counts=True)
        if (count > 1).any():
            raise ValueError(
                f"frame {frames[count > 1][0]} has {count.max()} poses without a label person; "
                "add the label person, or pass one person at a time"
            )


def row_times(poses: Poses, fps: float | None = None, times: Any = None) -> Float[np.ndarray, " n"]:
    """Return the time of each row, seconds.

    Args:
        fps: frames per second, for poses without the label time; None: `DEFAULT_FPS`.
        times: time of each row, seconds; takes precedence over the label.

    Raises:
        ValueError: the rate is not positive, or times are not one finite number per row.
    """
    if fps is not None and not 0 < fps < np.inf:
        raise ValueError(f"fps is {fps}; give frames per second above 0")
    if times is None:
        times = poses.labels.get("time")
    if times is None:
        return np.asarray(frame_numbers(poses), float) / (fps or DEFAULT_FPS)
    times = np.asarray(times, float)
    if times.shape != (len(poses),) or not np.isfinite(times).all():
        raise ValueError(
            f"times have shape {times.shape}; give one finite number of seconds for each of "
            f"{len(poses)} poses"
        )
    return times


def spread(n: int, count: int) -> Int[np.ndarray, " rows"]:
    """Return evenly spaced rows of n, at most `count`."""
    return np.linspace(0, n - 1, min(n, count)).round().astype(int)


def increasing(times: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Return times that strictly increase, even where the timestamps of a video repeat."""
    steps = np.diff(times)
    median = np.median(steps[steps > 0]) if (steps > 0).any() else 1 / DEFAULT_FPS
    return times[0] + np.concatenate([[0], np.cumsum(np.maximum(steps, median / 10))])


def shots(poses: Poses, seconds: Float[np.ndarray, " n"]) -> list[Int[np.ndarray, " rows"]]:
    """Return the rows of each shot, in order of time.

    A frame that shares no person with the next one is the last before a cut, and so is one that is
    followed by a gap longer than `MAX_GAP`.
    """
    frames, first, frame = np.unique(frame_numbers(poses), return_index=True, return_inverse=True)
    _, person = np.unique(person_numbers(poses), return_inverse=True)
    pairs = np.unique(np.stack([person, frame], axis=1), axis=0)
    same = (pairs[1:, 0] == pairs[:-1, 0]) & (pairs[1:, 1] == pairs[:-1, 1] + 1)
    continues = np.zeros(len(frames) - 1, bool)
    continues[pairs[:-1][same][:, 1]] = True
    cuts = ~continues | (np.diff(increasing(seconds[first])) > MAX_GAP)
    shot = np.concatenate([[0], np.cumsum(cuts)])[frame]
    return [np.flatnonzero(shot == number) for number in range(int(shot.max()) + 1)]
