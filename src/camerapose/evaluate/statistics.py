"""Confidence intervals of means, and paired comparison of two models."""

from typing import NamedTuple

import numpy as np

from camerapose.core.poses import Poses

#: Bootstrap samples, seed and coverage of the intervals.
SAMPLES, SEED, COVERAGE = 2000, 0, 0.95


class Interval(NamedTuple):
    """A confidence interval of a mean."""

    low: float
    high: float


class Comparison(NamedTuple):
    """Differences of two models on the same poses, first minus second."""

    difference: float
    interval: Interval
    first_better: float  # share of the poses


def recordings(poses: Poses) -> tuple[np.ndarray, str]:
    """Return the recording of each pose as a number, and what is counted: "recordings" or "poses".

    A recording is one action of one subject, by all cameras. Errors of neighbouring frames are
    almost equal, so poses are not independent; without labels, poses are assumed to be.
    """
    labels = [poses.labels[n].astype(str) for n in ("subject", "action") if n in poses.labels]
    if labels:
        joined = (
            labels[0] if len(labels) == 1 else np.char.add(np.char.add(labels[0], "/"), labels[1])
        )
        names, numbers = np.unique(joined, return_inverse=True)
        if len(names) > 1:
            return numbers, "recordings"
    return np.arange(len(poses)), "poses"


def bootstrap(values: np.ndarray, groups: np.ndarray) -> Interval:
    """Return the 95% interval of the mean by resampling whole groups (percentile bootstrap).

    Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapters 6 and 13.

    Args:
        values: one value per pose; poses with NaN are left out.
        groups: number of the group of each pose, from 0.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return Interval(float("nan"), float("nan"))
    _, groups = np.unique(groups[finite], return_inverse=True)
    values, n = values[finite], int(groups.max()) + 1
    counts = np.bincount(groups).astype(float)
    sums = np.bincount(groups, weights=values)
    rng, means = np.random.default_rng(SEED), []
    for _ in range(SAMPLES):
        drawn = rng.integers(n, size=n)
        means.append(sums[drawn].sum() / counts[drawn].sum())
    tail = (1 - COVERAGE) / 2
    return Interval(*map(float, np.quantile(means, [tail, 1 - tail])))


def compare(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> Comparison:
    """Compare the errors of two models on the same poses.

    Args:
        first, second: one error per pose.
        groups: recordings of the poses, see `bootstrap`.
    """
    difference = first - second
    return Comparison(
        float(np.nanmean(difference)), bootstrap(difference, groups), float((difference < 0).mean())
    )
