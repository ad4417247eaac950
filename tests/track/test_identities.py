"""Identities of people over a video."""

import sys

import numpy as np
import pytest
from helpers.fakes import person

from camerapose.track import identities
from camerapose.track.boxes import iou
from camerapose.track.identities import SinglePersonTracker, Tracker, create_tracker


def crossing(frames=120, hidden=range(0), fps=30.0):
    """Two people who walk past each other: names, detections and time of each frame."""
    random = np.random.default_rng(0)
    for i in range(frames):
        places = {"left": 100 + 4 * i, "right": 100 + 4 * (frames - i)}
        people = [
            (name, person(x + random.normal(scale=2), scale=0.5))
            for name, x in places.items()
            if not (name == "right" and i in hidden)
        ]
        random.shuffle(people)
        yield [name for name, _ in people], [detection for _, detection in people], i / fps


class TestTracker:
    @pytest.mark.parametrize("hidden", [range(0), range(50, 70)], ids=["visible", "hidden"])
    def test_people_who_cross_keep_their_identities(self, hidden):
        tracker, given = Tracker(30.0), {}
        for names, people, time in crossing(hidden=hidden):
            for name, identity in zip(names, tracker(people, time), strict=True):
                given.setdefault(name, set()).add(identity)
        assert all(len(identities) == 1 for identities in given.values())
        assert given["left"] != given["right"]

    def test_a_changing_frame_rate(self):
        """Two of three frames are missing from frame 40 on; velocities bridge the gaps."""
        tracker, identities = Tracker(30.0), set()
        for i, (names, people, time) in enumerate(crossing()):
            if i < 40 or i % 3 == 0:
                identities |= set(zip(names, tracker(people, time), strict=True))
        assert len(identities) == 2

    def test_a_short_absence_keeps_the_identity_and_a_long_one_does_not(self):
        tracker = Tracker(30.0)
        assert [tracker([person()], i / 30) for i in range(5)] == [[0]] * 5
        for i in range(5, 35):
            assert tracker([], i / 30) == []
        assert tracker([person(325)], 35 / 30) == [0]
        for i in range(36, 136):
            tracker([], i / 30)
        assert tracker([person(325)], 136 / 30) == [1]
        assert tracker([person(325)], 137 / 30) == [1]

    def test_tracks_that_ended_long_ago_are_forgotten(self, monkeypatch):
        """Otherwise memory grows with everyone who passes a camera."""
        monkeypatch.setattr(identities, "MAX_TRACKS", 5)
        tracker = Tracker(10.0)
        for i in range(3000):  # a new person every three seconds
            people = [person()] if i % 30 < 3 else []
            assert tracker(people, i / 10) == [i // 30] * len(people)
        assert len(tracker._identities) < 50

    @pytest.mark.parametrize("absent", [{1}, {1, 2, 5, 8}, {2}])
    def test_an_absence_after_the_first_frame_keeps_the_identity(self, absent):
        """ByteTrack forgets a person who is missing in the frame after the first one."""
        tracker, identities = Tracker(30.0), set()
        for i in range(20):
            people = [person(500)] if i in absent else [person(100 + i), person(500)]
            found = tracker(people, i / 30)
            identities |= {(p.keypoints[0, 0] > 400, k) for p, k in zip(people, found, strict=True)}
        assert len(identities) == 2
        for i in range(20, 90):
            tracker([person(500)], i / 30)
        assert tracker([person(100), person(500)], 3.0)[0] not in {k for _, k in identities}

    def test_detections_of_low_score_continue_an_identity_but_start_none(self):
        tracker = Tracker(30.0)
        assert tracker([person(100, score=0.9), person(500, score=0.2)], 0.0) == [0, -1]
        assert tracker([person(101, score=0.2), person(500, score=0.2)], 1 / 30) == [0, -1]

    def test_repeated_timestamps(self):
        tracker = Tracker(30.0)
        assert [tracker([person()], 0.0) for _ in range(4)] == [[0]] * 4


def test_single_person_tracker():
    """The same person after an absence; another one at a cut, when the detector restarts."""
    tracker, a, b = SinglePersonTracker(), [person(number=0)], [person(number=1)]
    assert [tracker(people, 0.0) for people in (a, a, [], b, b)] == [[0], [0], [], [0], [0]]
    assert tracker([person(number=2)], 0.0) == [1]


def test_without_the_package_trackers(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.warns(UserWarning, match="camerapose.people"):
        assert create_tracker(2, 30.0) is None
    assert isinstance(create_tracker(1, 30.0), SinglePersonTracker)


def test_iou():
    assert iou(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])) == pytest.approx(1 / 3)
    assert iou(np.zeros(4), np.zeros(4)) == 0
