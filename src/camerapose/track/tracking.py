"""Who is who in a video, and which side is which.

Numbers stay with people, across occlusions and crossings.

By ByteTrack (Zhang et al., ECCV 2022) as the package `trackers` has it: boxes are matched with
where each person's movement leads, sure detections first, then unsure ones; somebody lost is
remembered for a while.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from camerapose.core.skeleton import Skeleton

#: Somebody unseen for longer (seconds) is somebody new.
REMEMBERED = 2.0
#: A detection of less score continues somebody who was seen before, but begins nobody.
SURE = 0.4
#: Overlap (IoU) with where a person should be from which a box may be theirs.
LEAST_OVERLAP = 0.1


class Identities:
    """Numbers of several people over a video.

    Args:
        fps: frames a second.

    Raises:
        ModuleNotFoundError: the package trackers is missing.
    """

    def __init__(self, fps: float | None = None):
        from trackers import ByteTrackTracker

        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(30 * REMEMBERED), frame_rate=fps or 30.0,
            track_activation_threshold=SURE, high_conf_det_threshold=SURE,
            minimum_consecutive_frames=1, minimum_iou_threshold=LEAST_OVERLAP,
        )  # fmt: skip
        self._numbers: dict[int, int] = {}  # the tracker's number to ours
        self._fresh: dict[int, np.ndarray] = {}  # boxes of those seen first in the frame before
        self._next, self._time = 0, -np.inf

    def __call__(self, people: Sequence[Any], time: float) -> list[int]:
        """A number for each person of the next frame, at this time (seconds).

        -1 for those who are neither sure nor anybody seen before: better left out.
        """
        import supervision

        time = max(time, self._time + 1e-3)  # a video's clock may stand still
        self._time = time
        boxes = np.array([_box(person) for person in people], float).reshape(-1, 4)
        scores = np.array([getattr(person, "score", 1.0) for person in people], float)
        places = {"place": np.arange(len(people))}
        found = self._tracker.update(
            supervision.Detections(boxes, confidence=scores, data=places), timestamp=time
        )
        numbers, fresh = [-1] * len(people), {}
        places = found.data.get("place", ())
        for place, track in zip(places, found.tracker_id, strict=True):
            if track >= 0:
                if track not in self._numbers:  # the tracker numbers from the second frame on
                    self._numbers[int(track)] = self._begun(boxes[place])
                numbers[int(place)] = self._numbers[int(track)]
        for place, number in enumerate(numbers):
            if number < 0 and scores[place] >= SURE:
                numbers[place] = self._new()
                fresh[numbers[place]] = boxes[place]
        self._fresh = fresh
        return numbers

    def _begun(self, box: np.ndarray) -> int:
        """The number that this person was given in the frame before, or a new one."""
        near = {number: overlap(box, other) for number, other in self._fresh.items()}
        best = max(near, key=near.__getitem__, default=None)
        if best is None or near[best] <= 0:
            return self._new()
        del self._fresh[best]
        return best

    def _new(self) -> int:
        self._next += 1
        return self._next - 1


class OneAtATime:
    """Numbers of a video in which one person is looked for.

    Whoever comes after nobody was there is who was there before. If the detector's number changes
    from one frame to the next, it is another person: the picture was cut, or the first was lost
    and somebody else taken.
    """

    def __init__(self) -> None:
        self._number, self._theirs, self._there = -1, None, False

    def __call__(self, people: Sequence[Any], time: float) -> list[int]:
        if people:
            theirs = getattr(people[0], "person", 0)
            if self._number < 0 or (self._there and theirs != self._theirs):
                self._number += 1
            self._theirs = theirs
        self._there = bool(people)
        return [self._number] * len(people)


def identities(max_people: int, fps: float | None) -> Any:
    """What numbers the people of a video; None where the detector's own numbers have to do."""
    if max_people == 1:
        return OneAtATime()
    try:
        return Identities(fps)
    except ModuleNotFoundError:
        warnings.warn(
            "people who cross or hide each other may change their numbers; to keep these, install "
            'the tracker with pip install "camerapose[people]"',
            stacklevel=2,
        )
        return None


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.clip(high - low, 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common
    return float(common / union) if union > 0 else 0.0


def _box(person: Any) -> np.ndarray:
    box = getattr(person, "box", None)
    if box is not None:
        return np.asarray(box, float)
    points = np.asarray(person.keypoints, float)
    return np.concatenate([points.min(0), points.max(0)])


#: Joints whose sides a detector confuses together: by their names without side.
LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
#: From one frame to the next joints of a body of size one move farther than FAR_APART, but less
#: than `LIKE_MIRRORED` of that if left and right are exchanged: they have been.
FAR_APART, LIKE_MIRRORED = 0.1, 0.3
#: Seconds after which they have to be exchanged back; what lasts longer may be right. And seconds
#: between two frames from which nothing is concluded.
LONGEST_MIRRORED, LONG_AGO = 1.0, 0.3


def unmirrored(
    keypoints: Float[np.ndarray, "n j 2"],
    confidence: Float[np.ndarray, "n j"],
    person: Int[np.ndarray, " n"],
    time: Float[np.ndarray, " n"],
    skeleton: Skeleton,
) -> tuple[Float[np.ndarray, "n j 2"], Float[np.ndarray, "n j"], int]:
    """Detections of a video in which left and right stay what they are, and how many were mended.

    Detectors take a person's front for the back now and then, for some frames: left and right
    jump onto each other, and soon back. Arms and legs are looked at by themselves. A jump without
    one back is left alone: nothing tells which side of it is right.

    Args:
        person, time: whose each row is, and when (seconds).
    """
    keypoints, confidence = keypoints.copy(), confidence.copy()
    size = np.linalg.norm(np.ptp(keypoints, axis=1), axis=-1)
    mended = np.zeros(len(keypoints), bool)
    for names in LIMBS:
        sides = [[f"{side}_{name}" for name in names] for side in ("left", "right")]
        if not set(sum(sides, [])) <= set(skeleton.joints):
            continue
        own, other = ([skeleton.index(j) for j in order] for order in (sum(sides, []),
                      sum(sides[::-1], [])))  # fmt: skip
        swapped = np.zeros(len(keypoints), bool)
        for number in np.unique(person):
            rows = np.flatnonzero(person == number)
            rows = rows[np.argsort(time[rows], kind="stable")]
            swapped[rows] = _exchanged(
                keypoints[rows][:, own], keypoints[rows][:, other],
                (confidence[rows][:, own] > 0).all(1), size[rows], time[rows],
            )  # fmt: skip
        which = np.flatnonzero(swapped)[:, None]
        for column in (keypoints, confidence):
            column[which, own] = column[which, other]
        mended |= swapped
    return keypoints, confidence, int(mended.sum())


def _exchanged(
    own: np.ndarray, other: np.ndarray, seen: np.ndarray, size: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Of one person's frames in order, those in which left and right are to be exchanged."""
    if len(own) < 2:
        return np.zeros(len(own), bool)
    same = np.linalg.norm(own[1:] - own[:-1], axis=-1).mean(1) / size[:-1]
    across = np.linalg.norm(other[1:] - own[:-1], axis=-1).mean(1) / size[:-1]
    jump = (same > FAR_APART) & (across < LIKE_MIRRORED * same) & seen[1:] & seen[:-1]
    jump &= np.diff(time) <= LONG_AGO
    found, places = np.zeros(len(own), bool), (np.flatnonzero(jump) + 1).tolist()
    while len(places) > 1:
        there, back = places[:2]
        if time[back] - time[there] <= LONGEST_MIRRORED:
            found[there:back] = True
            places = places[2:]
        else:
            places = places[1:]
    return found
