"""Who is who over a video."""

import sys

import numpy as np
import pytest
from helpers.fakes import person

from camerapose.core import formats
from camerapose.track.tracking import Identities, OneAtATime, identities, overlap, unmirrored


def crossing(frames=120, hidden=range(0), fps=30.0):
    """Two people who walk past each other; for each frame their names, themselves, the time."""
    random = np.random.default_rng(0)
    for i in range(frames):
        places = {"left": 100 + 4 * i, "right": 100 + 4 * (frames - i)}
        people = [
            (name, person(x + random.normal(scale=2), scale=0.5))
            for name, x in places.items()
            if not (name == "right" and i in hidden)
        ]
        random.shuffle(people)
        yield [name for name, _ in people], [someone for _, someone in people], i / fps


class TestIdentities:
    @pytest.mark.parametrize("hidden", [range(0), range(50, 70)], ids=["seen", "hidden"])
    def test_people_who_cross_keep_their_numbers(self, hidden):
        who, given = Identities(30.0), {}
        for names, people, time in crossing(hidden=hidden):
            for name, number in zip(names, who(people, time), strict=True):
                given.setdefault(name, set()).add(number)
        assert all(len(numbers) == 1 for numbers in given.values())
        assert given["left"] != given["right"]

    def test_a_changing_frame_rate(self):
        """Half of the frames are missing at times; people are where their speed takes them."""
        who, numbers = Identities(30.0), set()
        for i, (names, people, time) in enumerate(crossing()):
            if i < 40 or i % 3 == 0:
                numbers |= set(zip(names, who(people, time), strict=True))
        assert len(numbers) == 2

    def test_who_comes_back_soon_is_the_same_and_late_another(self):
        who = Identities(30.0)
        assert [who([person()], i / 30) for i in range(5)] == [[0]] * 5
        for i in range(5, 35):
            assert who([], i / 30) == []
        assert who([person(325)], 35 / 30) == [0]
        for i in range(36, 136):
            who([], i / 30)
        assert who([person(325)], 136 / 30) == [1]
        assert who([person(325)], 137 / 30) == [1]

    def test_unsure_people_go_on_but_do_not_begin(self):
        who = Identities(30.0)
        assert who([person(100, score=0.9), person(500, score=0.2)], 0.0) == [0, -1]
        assert who([person(101, score=0.2), person(500, score=0.2)], 1 / 30) == [0, -1]

    def test_a_clock_that_stands_still(self):
        who = Identities(30.0)
        assert [who([person()], 0.0) for _ in range(4)] == [[0]] * 4


def test_one_at_a_time():
    """After an absence it is the same person; at a cut, when the detector begins anew, another."""
    who, a, b = OneAtATime(), [person(number=0)], [person(number=1)]
    assert [who(people, 0.0) for people in (a, a, [], b, b)] == [[0], [0], [], [0], [0]]
    assert who([person(number=2)], 0.0) == [1]


def test_without_the_tracker(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.warns(UserWarning, match="camerapose.people"):
        assert identities(2, 30.0) is None
    assert isinstance(identities(1, 30.0), OneAtATime)


def test_overlap():
    assert overlap(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])) == pytest.approx(1 / 3)
    assert overlap(np.zeros(4), np.zeros(4)) == 0


class TestUnmirrored:
    @pytest.fixture
    def walk(self):
        """40 frames of somebody who walks to the right and swings the arms; 30 a second."""
        points = np.stack([person(100 + 3 * i).keypoints for i in range(40)])
        wrist = formats.COCO_17.index("left_wrist")
        points[:, wrist, 1] += 40 * np.sin(np.arange(40) / 5)
        return points, np.tile(np.linspace(0.5, 1, 17), (40, 1)), np.arange(40) / 30

    def mend(self, points, confidence, time, who=None):
        who = np.zeros(len(points), int) if who is None else who
        return unmirrored(points, confidence, who, time, formats.COCO_17)

    def test_frames_in_which_the_body_is_turned_round(self, walk):
        points, confidence, time = walk
        wrong, unsure = points.copy(), confidence.copy()
        mirror = list(formats.COCO_17.mirror)
        body = slice(5, 17)  # the face tells nothing
        for frames in (slice(12, 20), slice(25, 26)):
            wrong[frames, body] = wrong[frames][:, mirror][:, body]
            unsure[frames, body] = unsure[frames][:, mirror][:, body]
        mended, sure, count = self.mend(wrong, unsure, time)
        np.testing.assert_array_equal(mended, points)
        np.testing.assert_array_equal(sure, confidence)
        assert count == 9

    def test_legs_alone_and_other_people(self, walk):
        points, confidence, time = walk
        wrong, mirror = points.copy(), list(formats.COCO_17.mirror)
        wrong[5:9, 11:] = wrong[5:9][:, mirror][:, 11:]
        who = np.repeat([0, 1], 40)
        order = np.random.default_rng(0).permutation(80)
        both = np.concatenate([wrong, points + 200])[order]
        mended, _, count = self.mend(
            both, np.tile(confidence, (2, 1))[order], np.tile(time, 2)[order], who[order]
        )
        assert count == 4
        np.testing.assert_array_equal(mended, np.concatenate([points, points + 200])[order])

    def test_what_is_right_stays(self, walk):
        """Also where the sides pass each other, and who turns round while out of sight."""
        points, confidence, time = walk
        turning = points.copy()
        middle = turning.mean(1)[:, None, :1]
        turn = np.cos(np.linspace(0, np.pi, 40))[:, None, None]
        turning[..., :1] = middle + (turning[..., :1] - middle) * turn
        for given, when in ((points, time), (turning, time)):
            mended, _, count = self.mend(given, confidence, when)
            assert count == 0 and mended is not given
            np.testing.assert_array_equal(mended, given)
        turned = points.copy()
        turned[20:] = turned[20:, list(formats.COCO_17.mirror)]
        assert self.mend(turned, confidence, time)[2] == 0  # for good, so who knows
        assert self.mend(points[:1], confidence[:1], time[:1])[2] == 0
