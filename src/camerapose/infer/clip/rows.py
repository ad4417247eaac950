"""Assignment of rows of `Poses` to people, frames and times."""

from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Bool, Float, Int

from camerapose.core.poses import Poses

#: Frames per second where neither times nor a rate are given.
DEFAULT_FPS = 30.0
#: A longer absence of a person (seconds) separates two movements.
MAX_GAP = 1.0
#: Displacement in the image relative to the spread of the joints, and logarithm of the ratio of
#: spreads, that are a cut: constants, and additions per second. The spread of a standing adult is
#: 0.4 m, so that people may move at 10 m/s.
JUMP, SCALING = (1.0, 25.0), (0.25, 3.0)
#: Fewest common joints that show a cut.
MIN_JOINTS = 4


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
    followed by a gap longer than `MAX_GAP`, or by a lasting jump of all shared people.
    """
    frames, first, frame = np.unique(frame_numbers(poses), return_index=True, return_inverse=True)
    continues = np.zeros(len(frames) - 1, bool)
    for rows in rows_by_person(poses):
        rows = rows[np.argsort(frame[rows], kind="stable")]
        steady = (np.diff(frame[rows]) == 1) & ~_jumps(poses, rows, seconds)
        continues[frame[rows[:-1]][steady]] = True
    cuts = ~continues | (np.diff(increasing(seconds[first])) > MAX_GAP)
    shot = np.concatenate([[0], np.cumsum(cuts)])[frame]
    return [np.flatnonzero(shot == number) for number in range(int(shot.max()) + 1)]


def _jumps(
    poses: Poses, rows: Int[np.ndarray, " n"], seconds: Float[np.ndarray, " all"]
) -> Bool[np.ndarray, " steps"]:
    """Return after which rows of a person the 2D jumps for at least two frames, as in a cut."""
    n = len(rows)
    result = np.zeros(n - 1, bool)
    if n < 4:
        return result
    result[1:-1] = True
    # A single wrong detection differs from one of its neighbours only.
    for before, after in ((1, 2), (0, 2), (1, 3)):
        a, b = rows[before : n - 3 + before], rows[after : n - 3 + after]
        result[1:-1] &= _differ(poses, a, b, np.maximum(seconds[b] - seconds[a], 0))
    return result


def _differ(
    poses: Poses, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " m"], step: Float[np.ndarray, " m"]
) -> Bool[np.ndarray, " m"]:
    """Return where a person cannot have moved from one pose to another in some seconds."""
    both = (np.asarray(poses.confidence)[a] > 0) & (np.asarray(poses.confidence)[b] > 0)
    count = np.maximum(both.sum(1), 1)[:, None]
    centers, spreads = [], []
    for rows in (a, b):
        points = np.asarray(poses.pose2d)[rows]
        center = (points * both[..., None]).sum(1) / count
        squared = ((points - center[:, None]) ** 2).sum(-1)
        centers.append(center)
        spreads.append(np.maximum(np.sqrt((squared * both).sum(1) / count[:, 0]), 1e-6))
    moved = np.linalg.norm(centers[1] - centers[0], axis=1) / np.minimum(*spreads)
    scaled = np.abs(np.log(spreads[1] / spreads[0]))
    differs = (moved > JUMP[0] + JUMP[1] * step) | (scaled > SCALING[0] + SCALING[1] * step)
    return differs & (both.sum(1) >= MIN_JOINTS)
