"""The floor where people stand on several levels."""

import numpy as np
from jaxtyping import Bool, Float

#: Heights that differ by more than this (metres) belong to different levels, of which those with a
#: smaller share of the weight are not considered.
LEVEL_GAP, LEVEL_SHARE = 0.3, 0.03
#: Smaller probabilities of contact are not considered.
MIN_CONTACT = 1e-3
#: Largest share of the feet that may be below the floor by more than `LEVEL_GAP`, and the quantile
#: of the feet that is on the floor where no foot is in contact.
LOW = 0.05


def lowest_level(
    heights: Float[np.ndarray, "n feet"], weight: Float[np.ndarray, "n feet"]
) -> tuple[Bool[np.ndarray, "n feet"], float]:
    """Return the lowest level on which people stand: the ground and not a roof or a ledge.

    Args:
        heights: of the camera above feet, metres.
        weight: of each foot, the probability that it is in contact.

    Returns:
        Which feet are on the level, and its height, the weighted median. Without contacts on a
        level below which there are no people: those near the quantile `LOW` of the feet, and this
        quantile.
    """
    weight = np.where(weight > MIN_CONTACT, weight, 0.0)
    order = np.argsort(-heights, axis=None)
    order = order[weight.ravel()[order] > 0]
    values, amounts = heights.ravel()[order], weight.ravel()[order]
    cuts = np.flatnonzero(-np.diff(values) > LEVEL_GAP) + 1
    for rows in np.split(np.arange(len(order)), cuts):
        total = np.cumsum(amounts[rows])
        if not len(rows) or np.mean(heights > values[rows[0]] + LEVEL_GAP) > LOW:
            break
        if total[-1] >= LEVEL_SHARE * amounts.sum():
            on = np.zeros(heights.shape, bool)
            on.ravel()[order[rows]] = True
            return on, float(values[rows][np.searchsorted(total, total[-1] / 2)])
    height = float(np.quantile(heights, 1 - LOW, method="higher"))
    return np.abs(heights - height) < LEVEL_GAP, height
