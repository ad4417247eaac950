"""Causal smoothing of a live stream."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import acceleration, walk

from camerapose.core.poses import Poses
from camerapose.infer import live_smoothing
from camerapose.infer.live_smoothing import LiveSmoother, OneEuroFilter


def test_reduces_jitter_with_little_delay():
    ground_truth, noisy = walk(frames=150, noise=0.01)
    live = LiveSmoother()
    smoothed = Poses.cat([live(noisy[[i]], i / 30) for i in range(len(noisy))])
    assert acceleration(smoothed) < 0.5 * acceleration(noisy)
    late = LiveSmoother()
    still = Poses.cat([late(ground_truth[[i]], i / 30) for i in range(len(ground_truth))])
    off = np.linalg.norm(still.pose3d - ground_truth.pose3d, axis=-1)
    assert off.mean() < 0.04  # 0.05 s at 0.8 m per second


def test_is_causal():
    _, noisy = walk(frames=40, noise=0.01)
    runs = []
    for n in (20, 40):
        live = LiveSmoother()
        runs.append([live(noisy[[i]], i / 30).pose3d for i in range(n)][:20])
    np.testing.assert_array_equal(*runs)


def test_filters_restart_after_a_long_absence():
    ground_truth, _ = walk(frames=40)
    live = LiveSmoother()
    live(ground_truth[[0]], 0.0)
    again = live(ground_truth[[39]], 5.0)
    np.testing.assert_allclose(again.pose3d, ground_truth.pose3d[[39]], atol=1e-3)
    assert (
        live(ground_truth[:0], 6.0) is not None
        and LiveSmoother(0.0)(ground_truth, 0.0) is ground_truth
    )
    with pytest.raises(ValueError, match="strength is -1"):
        LiveSmoother(-1.0)


def test_people_who_have_left_are_forgotten(monkeypatch):
    """Otherwise memory grows with everyone who passes a camera."""
    monkeypatch.setattr(live_smoothing, "MAX_PEOPLE", 5)
    poses, _ = walk(frames=1)
    live = LiveSmoother()
    for i in range(40):
        live(replace(poses, labels=dict(poses.labels, person=np.array([i]))), 0.4 * i)
        assert len(live._people) <= 6
    assert len(live._people) >= 2, "those of the last second are kept"


def test_one_euro_filter():
    """Noise is reduced, a ramp is followed, and repeated times are accepted."""
    random, time = np.random.default_rng(0), np.arange(300) / 60
    smoothed = OneEuroFilter(1.0)
    still = np.array(
        [smoothed(v, t) for v, t in zip(random.normal(size=(300, 1)), time, strict=True)]
    )
    assert still[60:].std() < 0.35
    follow, slow = OneEuroFilter(1.0, speed=5.0), OneEuroFilter(1.0)
    for t in time:
        quick, lazy = follow(np.array([4 * t]), t), slow(np.array([4 * t]), t)
    assert abs(quick - 4 * time[-1]) < 0.2 * abs(lazy - 4 * time[-1])
    assert follow(np.array([9.0]), time[-1]) == quick
