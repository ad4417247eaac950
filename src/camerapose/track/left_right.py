"""Correction of detections in which left and right are temporarily swapped."""

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core.skeleton import Skeleton

#: Joints whose sides a detector swaps together, by their names without side.
LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
#: Joints that are exchanged with each of them, as far as the format has them.
ENDS = (
    ("hand", "pinky", "index", "thumb"),
    ("heel", "foot", "foot_index", "toe", "big_toe", "small_toe"),
)
#: Standard deviation of a joint's distance from its predicted position, relative to the size of the
#: person.
DEVIATION = 0.02
#: Share of the previous displacement with which the position is predicted.
MOMENTUM = 0.7
#: Costs (negative logarithms of probabilities) of a change between swapped and not swapped, of each
#: limb pair that differs from the others, per frame, and of a swap, per second.
CHANGE, DIFFERENCE, SWAPPED = 4.0, 0.3, 3.0
#: Longest duration of a swap, seconds: longer ones may be a real turn.
MAX_DURATION = 1.0
#: Longest time between two frames that are compared, seconds.
MAX_STEP = 0.3


def fix_left_right_swaps(
    keypoints: Float[np.ndarray, "n j 2"],
    confidence: Float[np.ndarray, "n j"],
    person: Int[np.ndarray, " n"],
    time: Float[np.ndarray, " n"],
    skeleton: Skeleton,
) -> tuple[Float[np.ndarray, "n j 2"], Float[np.ndarray, "n j"], int]:
    """Undo temporary swaps of left and right in the detections of a video.

    Detectors sometimes confuse a person's front and back for a few frames: left and right limbs
    jump onto each other, and back soon after. The most probable sequence of swaps of arms and legs
    over all frames of a person is that with the smoothest movement of the joints, where changes are
    rare and arms and legs are mostly swapped together (Viterbi algorithm). Hands and feet follow
    them. A swap that is not undone within `MAX_DURATION` is not corrected, since either side of it
    may be correct.

    Args:
        keypoints: any unit.
        confidence: 0 (not visible) to 1.
        person: identity of each row.
        time: time of each row, seconds.
        skeleton: joint format; limbs that it lacks are not checked.

    Returns:
        Corrected copies of keypoints and confidence, and the number of corrected rows.
    """
    keypoints, confidence = keypoints.copy(), confidence.copy()
    pairs = _limb_columns(skeleton)
    swapped = np.zeros((len(pairs), len(keypoints)), bool)
    for number in np.unique(person) if pairs else ():
        rows = np.flatnonzero(person == number)
        rows = rows[np.argsort(time[rows], kind="stable")]
        points, visible = keypoints[rows], confidence[rows] > 0
        size = np.linalg.norm(np.ptp(points, axis=1), axis=-1)
        costs = [
            _movement(points[:, own], points[:, other], visible[:, own], size, time[rows])
            for own, other in pairs
        ]
        for i, states in enumerate(_most_probable(np.stack(costs), time[rows]).T):
            swapped[i, rows] = _short(states, time[rows])
    for (own, other), one in zip(_limb_columns(skeleton, ends=True), swapped, strict=True):
        where = np.flatnonzero(one)[:, None]
        for column in (keypoints, confidence):
            column[where, own] = column[where, other]
    return keypoints, confidence, int(swapped.any(axis=0).sum())


def _limb_columns(skeleton: Skeleton, *, ends: bool = False) -> list[tuple[list[int], list[int]]]:
    """Return the columns of each pair of limbs, and those with sides exchanged.

    Args:
        ends: include hands and feet.
    """
    pairs = []
    for names, more in zip(LIMBS, ENDS, strict=True):
        if {f"{side}_{name}" for side in ("left", "right") for name in names} <= set(
            skeleton.joints
        ):
            known = [name for name in more if f"left_{name}" in skeleton.joints] if ends else []
            left, right = (
                [skeleton.index(f"{side}_{name}") for name in (*names, *known)]
                for side in ("left", "right")
            )
            pairs.append((left + right, right + left))
    return pairs


def _movement(
    own: Float[np.ndarray, "t j 2"],
    other: Float[np.ndarray, "t j 2"],
    visible: Bool[np.ndarray, "t j"],
    size: Float[np.ndarray, " t"],
    time: Float[np.ndarray, " t"],
) -> Float[np.ndarray, "t 2 2"]:
    """Return the cost of the movement to each frame.

    Args:
        own: joints of both sides.
        other: the same joints with sides exchanged.
        visible: whether these joints are visible.
        size: size of the person in the image.

    Returns:
        Costs by whether the previous frame and the one before it differ in being swapped, and by
        whether the frame and the previous one do. Zero in frames without a neighbour.
    """
    costs = np.zeros((len(own), 2, 2))
    near = np.diff(time) <= MAX_STEP
    scale = DEVIATION * np.maximum(size[:-1], 1e-9)[:, None]
    visible = visible & np.roll(visible, visible.shape[1] // 2, axis=1)  # on both sides
    both = visible[1:] & visible[:-1] & near[:, None]
    ratio = np.minimum(np.diff(time)[1:] / np.maximum(np.diff(time)[:-1], 1e-6), 1.0)
    for before, earlier in enumerate((own, other)):
        velocity = np.zeros_like(own[1:])  # relative to the step
        velocity[1:] = (own[1:-1] - earlier[:-2]) * (ratio[:, None] * both[:-1])[..., None]
        for now, current in enumerate((own, other)):
            off = np.linalg.norm(current[1:] - own[:-1] - MOMENTUM * velocity, axis=-1) / scale
            costs[1:, before, now] = (np.log1p(off**2 / 2) * both).sum(1)
    return costs


def _most_probable(
    costs: Float[np.ndarray, "pairs t 2 2"], time: Float[np.ndarray, " t"]
) -> Bool[np.ndarray, "t pairs"]:
    """Return the most probable states (Viterbi over pairs of successive states)."""
    pairs, frames = costs.shape[:2]
    states = np.indices((2,) * pairs).reshape(pairs, -1)  # whether each pair of limbs is swapped
    n = states.shape[1]
    changes = (states[:, :, None] != states[:, None, :]).astype(int)  # pairs, from, to
    step = np.diff(time, prepend=time[0])
    change = CHANGE * changes.any(0)
    different = DIFFERENCE * (states != states[:1]).any(0)
    total = np.zeros((n, n))  # smallest cost by the two last states
    origin = np.zeros((frames, n, n), np.int8)
    for t in range(frames):
        # By the state two frames before, one frame before, and now.
        new = total[:, :, None] + change * (step[t] <= MAX_STEP)
        for i in range(pairs):
            new = new + costs[i, t][changes[i][:, :, None], changes[i][None]]
        new += different + SWAPPED * min(step[t], MAX_STEP) * states.any(0)
        origin[t] = new.argmin(0)
        total = new.min(0)
    result = np.zeros((frames, pairs), bool)
    before, now = np.unravel_index(total.argmin(), total.shape)
    for t in range(frames - 1, -1, -1):
        result[t] = states[:, now]
        before, now = origin[t, before, now], before
    return result


def _short(
    swapped: Bool[np.ndarray, " t"], time: Float[np.ndarray, " t"]
) -> Bool[np.ndarray, " t"]:
    """Return the swaps that begin and end, and last no longer than `MAX_DURATION`."""
    result = np.zeros(len(swapped), bool)
    edges = np.flatnonzero(np.diff(swapped)) + 1
    for start, end in zip(edges, edges[1:], strict=False):
        result[start:end] = swapped[start] and time[end] - time[start] <= MAX_DURATION
    return result
