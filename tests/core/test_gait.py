"""Gait events and parameters of a walk with known ones."""

import numpy as np
import pytest
from helpers.clips import SPEED, STEP_TIME, WIDTH
from helpers.clips import WALK_FPS as FPS
from helpers.clips import steady_walk as walk

from camerapose.core import gait
from camerapose.core.joint_formats import COCO_17, H36M_16
from camerapose.core.skeleton import Skeleton

STEP = SPEED * STEP_TIME


@pytest.mark.parametrize("heading", [0.0, 2.0, -1.2])
def test_events_and_parameters(heading):
    found = gait.analyse(walk(heading), FPS, H36M_16)
    strikes = [event for event in found.events if event.kind == "heel_strike"]
    assert len(strikes) >= 9
    for event in strikes:
        first = STEP_TIME if event.side == "right" else 0.0
        off = (event.row / FPS - first + STEP_TIME) % (2 * STEP_TIME) - STEP_TIME
        assert off == pytest.approx(0, abs=0.04)
    lifts = [event for event in found.events if event.kind == "toe_off"]
    for event in lifts:
        first = (STEP_TIME if event.side == "right" else 0.0) + 0.6 * 2 * STEP_TIME
        off = (event.row / FPS - first + STEP_TIME) % (2 * STEP_TIME) - STEP_TIME
        assert off == pytest.approx(0, abs=0.04)
    assert [a.side == b.side for a, b in zip(strikes, strikes[1:], strict=False)].count(True) == 0
    for step in found.steps[1:]:
        assert step.length == pytest.approx(STEP, abs=0.04)
        assert step.width == pytest.approx(WIDTH, abs=0.01)
        assert step.cadence == pytest.approx(60 / STEP_TIME, rel=0.03)
        assert step.speed == pytest.approx(SPEED, rel=0.01)
    assert np.isnan(found.steps[0].speed)


def test_treadmill():
    """The steps are the same; the speed is that of the pelvis."""
    found = gait.analyse(walk(treadmill=True), FPS, H36M_16)
    assert len(found.steps) >= 8
    assert found.steps[2].length == pytest.approx(STEP, abs=0.04)
    assert found.steps[2].speed == pytest.approx(0, abs=0.01)


def test_no_steps_without_walking():
    """Standing, shuffling, and a single step cause no events."""
    for points in (walk()[:1].repeat(90, axis=0), walk(speed=0.2), walk(seconds=1.2)):
        assert gait.analyse(points, FPS, H36M_16) == gait.Gait([], [])
    assert gait.analyse(walk()[:0], FPS, H36M_16) == gait.Gait([], [])


@pytest.mark.parametrize("step", [2, 3, 4])
def test_low_frame_rates(step):
    """Parameters are interpolated between frames; below 7.5 per second there are none."""
    whole = gait.analyse(walk(seconds=8), FPS, H36M_16)
    coarse = gait.analyse(walk(seconds=8)[::step], FPS / step, H36M_16)
    assert abs(len(whole.steps) - len(coarse.steps)) <= 1
    for name in ("length", "time"):
        values = [np.mean([getattr(s, name) for s in found.steps]) for found in (whole, coarse)]
        assert values[1] == pytest.approx(values[0], rel=0.05)
    assert gait.analyse(walk(seconds=8)[::6], FPS / 6, H36M_16) == gait.Gait([], [])


def test_gaps():
    """A gap separates two walks; no step extends over it."""
    points = walk(seconds=12)
    points[170:200] = np.nan
    found = gait.analyse(points, FPS, H36M_16)
    rows = np.array([step.row for step in found.steps])
    assert not ((rows > 170) & (rows < 200)).any()
    assert (rows < 170).sum() >= 7 and (rows > 200).sum() >= 4
    whole = gait.analyse(walk(seconds=12)[200:], FPS, H36M_16)
    later = [step.row for step in found.steps if step.row > 200]
    np.testing.assert_allclose(later, [step.row + 200 for step in whole.steps])


def test_formats():
    assert gait.has_gait(COCO_17) and gait.has_gait(H36M_16)
    assert not gait.has_gait(Skeleton("bust", ("thorax", "head"), (None, "thorax")))
