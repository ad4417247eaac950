"""Interpolation over gaps."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import walk

from camerapose.core.bones import bone_lengths
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer import clip


@pytest.fixture(scope="class")
def with_gaps():
    """Frames 30 to 41 and 60 to 89 are missing: 0.4 and 1 s."""
    ground_truth, _ = walk(frames=120)
    return ground_truth, ground_truth[np.r_[0:30, 42:60, 90:120]]


def test_short_gaps_are_filled_and_labelled(with_gaps):
    ground_truth, noisy = with_gaps
    whole = clip.fill_gaps(noisy, 0.5)
    assert len(whole) == 90 and whole.labels["filled"].sum() == 12
    np.testing.assert_array_equal(np.flatnonzero(whole.labels["filled"]), np.arange(30, 42))
    np.testing.assert_array_equal(whole.labels["frame"][28:44], np.arange(28, 44))
    np.testing.assert_allclose(whole.labels["time"][28:44], np.arange(28, 44) / 30)
    assert (whole.confidence[30:42] == 0).all() and (whole.confidence[:30] == 1).all()
    off = np.linalg.norm(whole.pose3d[:60] - ground_truth.pose3d[:60], axis=-1)
    assert off[30:42].max() < 0.3 and off[30:42].mean() < 0.09 and off[:30].max() == 0
    lengths = bone_lengths(whole.pose3d, H36M_16)
    np.testing.assert_allclose(lengths[35], lengths[0], atol=1e-4)


def test_long_gaps_are_filled_on_request_and_rounded_by_smoothing(with_gaps):
    _, noisy = with_gaps
    whole = clip.fill_gaps(noisy, 2.0)
    assert len(whole) == 120
    smoothed = clip.optimize(whole)[0]
    assert np.isfinite(smoothed.pose3d).all()
    straight, rounded = (
        np.linalg.norm(np.diff(p.pose3d[25:45].astype(float), n=2, axis=0), axis=-1).max()
        for p in (whole, smoothed)
    )
    assert rounded < 0.7 * straight


def test_frame_numbers_and_times_of_the_video(with_gaps):
    """Skipped frames, and frames at uneven times, are not gaps."""
    _, noisy = with_gaps
    even = noisy[noisy.labels["frame"] % 2 == 0]
    assert clip.fill_gaps(even, 0.5).labels["filled"].sum() == 6
    frames = np.r_[0:30, 36, 42:120]
    whole = clip.fill_gaps(noisy, 0.5, clock=(frames, frames / 30))
    np.testing.assert_array_equal(whole.labels["frame"][whole.labels["filled"]], [36])
    assert clip.fill_gaps(noisy, 0.2).labels["filled"].sum() == 0
    assert len(clip.fill_gaps(noisy[:0], 1.0)) == 0


def test_each_person_separately(with_gaps):
    ground_truth, noisy = with_gaps
    other = replace(
        ground_truth, labels={**ground_truth.labels, "person": np.ones(len(ground_truth), int)}
    )
    whole = clip.fill_gaps(Poses.cat([noisy, other]), 0.5)
    assert whole.labels["filled"].sum() == 12
    assert (whole.labels["person"][whole.labels["filled"]] == 0).all()
    assert (np.diff(whole.labels["frame"]) >= 0).all()


def test_poses_without_labels_have_no_gaps(with_gaps):
    _, noisy = with_gaps
    whole = clip.fill_gaps(replace(noisy, labels={}), 0.5, fps=30.0)
    assert not whole.labels["filled"].any()
    np.testing.assert_array_equal(whole.pose3d, noisy.pose3d)


def test_frame_rate_without_times(with_gaps):
    _, noisy = with_gaps
    frames = replace(noisy, labels={"frame": noisy.labels["frame"]})
    assert clip.fill_gaps(frames, 0.3, fps=60.0).labels["filled"].sum() == 12
    assert clip.fill_gaps(frames, 0.3, fps=30.0).labels["filled"].sum() == 0
    with pytest.raises(ValueError, match="max_gap is -1.0"):
        clip.fill_gaps(frames, -1.0)


def test_standard_deviations_of_filled_rows_are_those_of_the_less_certain_end():
    ground_truth, _ = walk(frames=10)
    std = np.tile(np.float32([[0.1], [0.1], [0.3]]), (1, 16))
    filled = clip.fill_gaps(replace(ground_truth[[0, 1, 9]], pose3d_std=std), 10.0)
    assert len(filled) == 10
    np.testing.assert_allclose(filled.pose3d_std[2:], 0.3)
