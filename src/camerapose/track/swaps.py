"""Correction of detections in which left and right are temporarily swapped."""

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core.skeleton import Skeleton

#: Joints whose sides a detector swaps together, by their names without side.
LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
#: Smallest mean displacement of a limb pair between frames that may be a swap, relative to the size
#: of the person.
MIN_JUMP = 0.1
#: It is a swap if the displacement with sides exchanged is below this share of that displacement.
MAX_SWAPPED_SHARE = 0.3
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
    jump onto each other, and back soon after. Arms and legs are corrected independently. A jump
    without a return within `MAX_DURATION` is not changed, since either side of it may be correct.

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
    size = np.linalg.norm(np.ptp(keypoints, axis=1), axis=-1)
    corrected = np.zeros(len(keypoints), bool)
    for names in LIMBS:
        left, right = ([f"{side}_{name}" for name in names] for side in ("left", "right"))
        if not set(left + right) <= set(skeleton.joints):
            continue
        own = [skeleton.index(joint) for joint in left + right]
        other = [skeleton.index(joint) for joint in right + left]
        swapped = np.zeros(len(keypoints), bool)
        for number in np.unique(person):
            rows = np.flatnonzero(person == number)
            rows = rows[np.argsort(time[rows], kind="stable")]
            points, visible = keypoints[rows], (confidence[rows][:, own] > 0).all(1)
            swapped[rows] = _swapped_frames(
                points[:, own], points[:, other], visible, size[rows], time[rows]
            )
        where = np.flatnonzero(swapped)[:, None]
        for column in (keypoints, confidence):
            column[where, own] = column[where, other]
        corrected |= swapped
    return keypoints, confidence, int(corrected.sum())


def _swapped_frames(
    own: Float[np.ndarray, "t j 2"],
    other: Float[np.ndarray, "t j 2"],
    visible: Bool[np.ndarray, " t"],
    size: Float[np.ndarray, " t"],
    time: Float[np.ndarray, " t"],
) -> Bool[np.ndarray, " t"]:
    """Return which frames of one person, in order, have left and right swapped.

    Args:
        own: joints of both sides.
        other: the same joints with sides exchanged.
        visible: whether all of these joints are visible.
        size: size of the person in the image.
    """
    swapped = np.zeros(len(own), bool)
    if len(own) < 2:
        return swapped
    scale = np.maximum(size[:-1], 1e-9)
    same = np.linalg.norm(own[1:] - own[:-1], axis=-1).mean(1) / scale
    exchanged = np.linalg.norm(other[1:] - own[:-1], axis=-1).mean(1) / scale
    jump = (same > MIN_JUMP) & (exchanged < MAX_SWAPPED_SHARE * same)
    jump &= visible[1:] & visible[:-1] & (np.diff(time) <= MAX_STEP)
    jumps = (np.flatnonzero(jump) + 1).tolist()
    while len(jumps) > 1:
        start, end = jumps[:2]
        if time[end] - time[start] <= MAX_DURATION:
            swapped[start:end] = True
            jumps = jumps[2:]
        else:
            jumps = jumps[1:]
    return swapped
