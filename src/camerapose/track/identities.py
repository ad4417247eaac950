"""Identities of people over the frames of a video, across occlusions and crossings."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.track.boxes import iou

#: A person who is not detected for longer (seconds) gets a new identity on return.
MAX_ABSENCE = 2.0
#: Number of tracks above which those of people who have been absent for longer (seconds) are
#: forgotten; ByteTrack drops them after about `MAX_ABSENCE`.
MAX_TRACKS, FORGOTTEN = 1000, 60 * MAX_ABSENCE
#: Smallest score of a detection that starts an identity; others only continue one.
MIN_SCORE = 0.4
#: Smallest overlap (IoU) of a detection with the predicted box of an identity.
MIN_OVERLAP = 0.1


class Tracker:
    """Assigns identities to several people over a video with ByteTrack.

    Boxes are matched with the predicted position of each identity, first those of high, then those
    of low confidence; lost identities are kept for `MAX_ABSENCE` (Zhang et al., ECCV 2022; package
    `trackers`).

    Args:
        fps: frames per second; None: 30.

    Raises:
        ModuleNotFoundError: the package trackers is not installed.
    """

    def __init__(self, fps: float | None = None):
        from trackers import ByteTrackTracker

        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(30 * MAX_ABSENCE),  # in frames of a video at 30 fps
            frame_rate=fps or 30.0,
            track_activation_threshold=MIN_SCORE,
            high_conf_det_threshold=MIN_SCORE,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=MIN_OVERLAP,
        )
        # Identity and time of the last detection by the track number of ByteTrack.
        self._identities: dict[int, tuple[int, float]] = {}
        # Last box and time of identities without a track: ByteTrack drops a new track that is not
        # detected in the next frame.
        self._untracked: dict[int, tuple[np.ndarray, float]] = {}
        self._next, self._time = 0, -np.inf

    def __call__(self, people: Sequence[Any], time: float) -> list[int]:
        """Return the identity of each person of the next frame, from 0.

        -1 for a person of low score who continues no identity; leave such people out.

        Args:
            people: detections with `keypoints` (joints, 2), and optionally `box` and `score`.
            time: seconds.
        """
        boxes = np.array([_box(person) for person in people], float).reshape(-1, 4)
        scores = np.array([getattr(person, "score", 1.0) for person in people], float)
        identities, seen = [-1] * len(people), {}
        for row, track in self._tracks(boxes, scores, time):
            if track not in self._identities:  # ByteTrack numbers a track from its second frame on
                self._identities[track] = self._identity_of(boxes[row]), time
            identities[row] = self._identities[track][0]
            self._identities[track] = identities[row], time
        for row, identity in enumerate(identities):
            if identity < 0 and scores[row] >= MIN_SCORE:
                identities[row] = self._identity_of(boxes[row])
                seen[identities[row]] = boxes[row], time
        self._untracked |= seen
        self._untracked = {
            identity: (box, last) for identity, (box, last) in self._untracked.items()
            if time - last <= MAX_ABSENCE
        }  # fmt: skip
        if len(self._identities) > MAX_TRACKS:
            self._identities = {
                track: (identity, last) for track, (identity, last) in self._identities.items()
                if time - last <= FORGOTTEN
            }  # fmt: skip
        return identities

    def _tracks(
        self, boxes: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], time: float
    ) -> list[tuple[int, int]]:
        """Return (row, track number) of the detections that ByteTrack assigned to a track."""
        import supervision

        self._time = max(time, self._time + 1e-3)  # the timestamps of a video may repeat
        detections = supervision.Detections(
            boxes, confidence=scores, data={"row": np.arange(len(boxes))}
        )
        result = self._tracker.update(detections, timestamp=self._time)
        rows = result.data.get("row", ())
        pairs = zip(rows, result.tracker_id, strict=True)
        return [(int(row), int(track)) for row, track in pairs if track >= 0]

    def _identity_of(self, box: Float[np.ndarray, "4"]) -> int:
        """Return the identity without a track that was last detected here, or a new one."""
        overlaps = {identity: iou(box, last) for identity, (last, _) in self._untracked.items()}
        best = max(overlaps, key=overlaps.__getitem__, default=None)
        if best is None or overlaps[best] < MIN_OVERLAP:
            self._next += 1
            return self._next - 1
        del self._untracked[best]
        return best


class SinglePersonTracker:
    """Assigns identities in a video in which one person at a time is detected.

    A person detected after an absence is the same person. If the detector's own identity changes
    from one frame to the next, there was a cut or another person was detected: a new identity.
    """

    def __init__(self) -> None:
        self._identity, self._detector_identity, self._present = -1, -1, False

    def __call__(self, people: Sequence[Any], time: float) -> list[int]:
        """Return the identity of each person of the next frame (see `Tracker`)."""
        if people:
            identity = getattr(people[0], "person", 0)
            if self._identity < 0 or (self._present and identity != self._detector_identity):
                self._identity += 1
            self._detector_identity = identity
        self._present = bool(people)
        return [self._identity] * len(people)


def create_tracker(max_people: int, fps: float | None) -> Tracker | SinglePersonTracker | None:
    """Return the tracker for a video.

    None if several people are expected but the package trackers is not installed; then the
    identities of the detector have to serve.

    Args:
        max_people: largest number of people per frame.
        fps: frames per second; None: 30.
    """
    if max_people == 1:
        return SinglePersonTracker()
    try:
        return Tracker(fps)
    except ModuleNotFoundError:
        warnings.warn(
            "the package trackers is not installed, so people who cross or hide each other may "
            'exchange identities; install it with pip install "camerapose[people]"',
            stacklevel=2,
        )
        return None


def _box(person: Any) -> Float[np.ndarray, "4"]:
    box = getattr(person, "box", None)
    if box is not None:
        return np.asarray(box, float)
    points = np.asarray(person.keypoints, float)
    return np.concatenate([points.min(0), points.max(0)])
