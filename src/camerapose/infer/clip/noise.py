"""Noise of detections, estimated from rapid changes that the lifted pose does not explain."""

import numpy as np
from jaxtyping import Bool, Float

#: Time over which changes are measured, seconds.
DURATION = 0.1
#: Rapid changes of exact 2D relative to the person's spread, per second of this time, and their
#: largest value.
EXACT, MAX_EXACT = 0.03, 0.015
#: Standard deviation of detections with confidences relative to their rapid changes, of which the
#: lifted pose follows a part: simulated errors with a time constant of 0.1 s.
FACTOR = 2.0
#: The same without confidences, of which no other error is known: errors of Stacked Hourglass on
#: training subjects of Human3.6M are 7 times the changes, and their time constant is 0.5 s.
FACTOR_WITHOUT_CONFIDENCES = 18.0
#: Largest ratio of changes over `DURATION` and between neighbouring frames, of noise.
GROWTH = 1.5
#: Confidences that differ by less than this are equal; at most this many different ones are flags:
#: visible, occluded, and the means of some of them in joints that are computed from others.
SAME, MAX_FLAGS = 1e-3, 8
#: Number of values of all joints with which those of a joint are averaged.
POOLED = 5.0
#: Median of the squared length of a vector with two standard normal coordinates.
MEDIAN_SQUARE = 2 * np.log(2)


def noise_level(
    points: Float[np.ndarray, "t joints 2"],
    projected: Float[np.ndarray, "t joints 2"],
    confidence: Float[np.ndarray, "t joints"],
    times: Float[np.ndarray, " t"],
) -> Float[np.ndarray, " joints"]:
    """Return the standard deviation of the noise of each joint's detections.

    Noise varies rapidly, in the detections and in their distance from the lifted pose. Movements
    vary the former only, errors of the lifter the latter. Exact 2D and fewer than three frames give
    0.

    Args:
        points: detections relative to the person's spread.
        projected: image positions of the lifted pose, likewise.
        confidence: of the detections; 0: not detected. At most `MAX_FLAGS` different values: flags,
            which say nothing about the errors.
        times: seconds.
    """
    visible = confidence > 0
    if len(times) < 3:
        return np.zeros(points.shape[1])
    step = float(np.median(np.diff(times)))
    lag = max(1, min(round(DURATION / step), (len(times) - 1) // 2))
    change = np.minimum(
        _change(points - projected, visible, times, lag),
        GROWTH**2 * _change(points, visible, times, 1),
    )
    exact = min(EXACT * lag * step, MAX_EXACT)
    values = len(np.unique(np.round(confidence[visible] / SAME)))
    factor = FACTOR if values > MAX_FLAGS else FACTOR_WITHOUT_CONFIDENCES
    return factor * np.sqrt(np.maximum(change - exact**2, 0))


def _change(
    values: Float[np.ndarray, "t joints 2"],
    visible: Bool[np.ndarray, "t joints"],
    times: Float[np.ndarray, " t"],
    lag: int,
) -> Float[np.ndarray, " joints"]:
    """Return the variance per coordinate of the rapid changes of each joint.

    Changes are distances from the line between the values `lag` frames before and after, scaled
    such that white noise has its own variance; the median is robust against outliers.
    """
    before, middle, after = slice(None, -2 * lag), slice(lag, -lag), slice(2 * lag, None)
    share = ((times[middle] - times[before]) / (times[after] - times[before]))[:, None]
    line = (1 - share[..., None]) * values[before] + share[..., None] * values[after]
    squared = ((values[middle] - line) ** 2).sum(-1) / (1 + share**2 + (1 - share) ** 2)
    seen = visible[before] & visible[middle] & visible[after]
    if not seen.any():
        return np.zeros(values.shape[1])
    pooled = float(np.median(squared[seen]))
    medians = np.array(
        [np.median(squared[on, joint]) if on.any() else 0.0 for joint, on in enumerate(seen.T)]
    )
    count = seen.sum(0) / lag
    return (count * medians + POOLED * pooled) / (count + POOLED) / MEDIAN_SQUARE
