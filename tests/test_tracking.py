"""Who is who over a video."""

import sys

import numpy as np
import pytest
from fakes import person

from camerapose.tracking import Identities, OneAtATime, identities, overlap


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
