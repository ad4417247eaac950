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
#: The same for a limb pair while another one is swapped.
MAX_COUPLED_SHARE = 0.7
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
    jump onto each other, and back soon after. A jump without a return within `MAX_DURATION` is not
    changed, since either side of it may be correct. Detectors mostly swap the whole body: while the
    arms are swapped, legs are exchanged too if that clearly makes both transitions smoother, even
    if they are too close to each other to jump, and vice versa.

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
    pairs = _limb_columns(skeleton)
    swapped = np.zeros((len(pairs), len(keypoints)), bool)
    for number in np.unique(person):
        rows = np.flatnonzero(person == number)
        rows = rows[np.argsort(time[rows], kind="stable")]
        points, visible = keypoints[rows], confidence[rows] > 0
        limbs = [(points[:, own], points[:, other], visible[:, own].all(1)) for own, other in pairs]
        found = [_swapped_frames(*limb, size[rows], time[rows]) for limb in limbs]
        for i, limb in enumerate(limbs):
            elsewhere = np.any([one for j, one in enumerate(found) if j != i], axis=0)
            swapped[i, rows] = found[i] | _swapped_together(*limb, found[i], elsewhere)
    for (own, other), one in zip(pairs, swapped, strict=True):
        where = np.flatnonzero(one)[:, None]
        for column in (keypoints, confidence):
            column[where, own] = column[where, other]
    return keypoints, confidence, int(swapped.any(axis=0).sum())


def _limb_columns(skeleton: Skeleton) -> list[tuple[list[int], list[int]]]:
    """Return the columns of each pair of limbs, and those with sides exchanged."""
    pairs = []
    for names in LIMBS:
        left, right = ([f"{side}_{name}" for name in names] for side in ("left", "right"))
        if set(left + right) <= set(skeleton.joints):
            pairs.append(
                (
                    [skeleton.index(joint) for joint in left + right],
                    [skeleton.index(joint) for joint in right + left],
                )
            )
    return pairs


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


def _swapped_together(
    own: Float[np.ndarray, "t j 2"],
    other: Float[np.ndarray, "t j 2"],
    visible: Bool[np.ndarray, " t"],
    found: Bool[np.ndarray, " t"],
    elsewhere: Bool[np.ndarray, " t"],
) -> Bool[np.ndarray, " t"]:
    """Return frames in which a limb pair is swapped because the others are.

    Args:
        own: joints of both sides.
        other: the same joints with sides exchanged.
        visible: whether all of these joints are visible.
        found: frames in which this pair is known to be swapped.
        elsewhere: frames in which another pair is.
    """
    points = np.where(found[:, None, None], other, own)
    exchanged = np.where(found[:, None, None], own, other)
    swapped = np.zeros(len(own), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], elsewhere & ~found, [False]])))
    for start, end in edges.reshape(-1, 2).tolist():
        if start == 0 or end == len(own) or not visible[start - 1 : end + 1].all():
            continue
        outside, inside = points[[start - 1, end]], [start, end - 1]
        same = np.linalg.norm(points[inside] - outside, axis=-1).mean()
        changed = np.linalg.norm(exchanged[inside] - outside, axis=-1).mean()
        swapped[start:end] = changed < MAX_COUPLED_SHARE * same
    return swapped
