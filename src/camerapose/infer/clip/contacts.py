"""Detection of feet that stand on the floor."""

import numpy as np
from jaxtyping import Float

from camerapose.infer.clip.body import Body
from camerapose.infer.clip.floor import LEVEL_GAP
from camerapose.infer.clip.timing import steps
from camerapose.infer.clip.variables import Motion, Shared, Window, geometry

#: Speed of a foot across the line of sight (m/s) at which contact has the probability 0.5; the
#: width of the transition is `WIDTH` of it.
ACROSS = 0.25
#: The same along the line of sight, where positions are less accurate, in each pass: feet in
#: contact become slower with every pass.
ALONG = (0.8, 0.5, 0.4)
WIDTH = 0.16
#: The same for the height of the ankle above its standing height, metres.
HEIGHT, HEIGHT_WIDTH = 0.12, 0.03
#: Time over which the speed is measured, seconds.
DURATION = 0.12
#: Time that slow feet are on a roof or a ledge on which a person stands, seconds.
LEDGE_TIME = 0.3


def detect_contacts(
    window: Window,
    motion: Motion,
    shared: Shared,
    body: Body,
    *,
    floor_known: bool,
    ledges: bool = False,
    number: int = 0,
) -> Float[np.ndarray, "t 2"]:
    """Return the probability that each foot stands, from low speed and height.

    The height is that above the floor, or above the lower foot: before the floor is known, and on a
    ledge.

    Args:
        ledges: people may stand on something higher than the floor.
        number: of the pass, from 0.
    """
    t = len(window.times)
    if t < 3 or not body.ankles:
        return np.zeros((t, 2))
    shape = geometry(window, motion, shared, body)
    feet = shape.joints[:, list(body.ankles)]
    velocity = _velocity(feet, window.times)
    ray = feet / np.linalg.norm(feet, axis=-1, keepdims=True)
    along = (velocity * ray).sum(-1)
    across = np.linalg.norm(velocity - along[..., None] * ray, axis=-1)
    height = feet @ shared.up
    above = height + shared.floor - window.ankle if floor_known else height - height.min(1)[:, None]
    limit = ALONG[min(number, len(ALONG) - 1)]
    slow = _falling(across, ACROSS, WIDTH * ACROSS) * _falling(abs(along), limit, WIDTH * limit)
    if ledges and (ledge := _ledge(above, slow, window.times)):
        lower = above.min(1)[:, None]
        above = np.where(np.abs(lower - ledge) < LEVEL_GAP, above - lower, above)
    return slow * _falling(above, HEIGHT, HEIGHT_WIDTH)


def _ledge(
    above: Float[np.ndarray, "t 2"], slow: Float[np.ndarray, "t 2"], times: Float[np.ndarray, " t"]
) -> float:
    """Return the height above the floor at which the lower foot rests most of the time, or 0."""
    lower = above.argmin(1)[:, None]
    height, weight = (np.take_along_axis(v, lower, axis=1)[:, 0] for v in (above, slow))
    weight = weight * steps(times) * (height > LEVEL_GAP)
    order = np.argsort(height)
    total = np.cumsum(weight[order])
    if total[-1] < LEDGE_TIME:
        return 0.0
    return float(height[order][np.searchsorted(total, total[-1] / 2)])


def _velocity(
    feet: Float[np.ndarray, "t feet 3"], times: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "t feet 3"]:
    """Return velocities over `DURATION`, m/s."""
    half = DURATION / 2
    before = np.searchsorted(times, times - half - 1e-9)
    after = np.minimum(
        np.searchsorted(times, times + half + 1e-9, side="right") - 1, len(times) - 1
    )
    before = np.where(before == after, np.maximum(before - 1, 0), before)
    after = np.where(before == after, np.minimum(after + 1, len(times) - 1), after)
    span = np.maximum(times[after] - times[before], 1e-6)
    return (feet[after] - feet[before]) / span[:, None, None]


def _falling(values: np.ndarray, half: float, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip((values - half) / width, -50, 50)))
