"""Shares of frames in errors that are correlated over time."""

import numpy as np
from jaxtyping import Float


def steps(times: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Return the time that each frame stands for: half of both neighbouring steps."""
    if len(times) == 1:
        return np.ones(1)
    step = np.diff(times)
    return (np.append(step, step[-1]) + np.insert(step, 0, step[0])) / 2


def share(times: Float[np.ndarray, " t"], constant: float) -> Float[np.ndarray, " t"]:
    """Return the weight of each frame for errors that are correlated over `constant` seconds."""
    return np.minimum(steps(times) / constant, 1.0)


def stance_share(
    times: Float[np.ndarray, " t"], contact: Float[np.ndarray, " t"], constant: float
) -> Float[np.ndarray, " t"]:
    """Return the weight of each frame for errors that are constant during a stance."""
    stands = np.concatenate([[False], contact > 0.5, [False]])
    step, result = steps(times), np.zeros(len(times))
    edges = np.flatnonzero(np.diff(stands)).reshape(-1, 2)
    for start, end in edges:
        duration = step[start:end].sum()
        result[start:end] = step[start:end] / max(duration, constant)
    return result * contact
