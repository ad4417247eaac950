"""Temporal smoothing of clips."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import acceleration, three_people, walk

from camerapose.core.bones import bone_lengths
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.clip.rts_smoother import rts_smooth
from camerapose.infer.live_smoothing import LiveSmoother
from camerapose.infer.predictor import Predictor


@pytest.fixture(scope="module")
def people():
    return three_people()


def test_reduces_jitter_and_error():
    ground_truth, noisy = walk(noise=0.01)
    smoothed = clip.smooth(noisy)
    assert acceleration(smoothed) < 0.3 * acceleration(noisy)
    off = np.linalg.norm(smoothed.pose3d - ground_truth.pose3d, axis=-1).mean()
    assert off < 0.6 * np.linalg.norm(noisy.pose3d - ground_truth.pose3d, axis=-1).mean()


def test_smooth_motion_hardly_changes():
    ground_truth, _ = walk()
    smoothed = clip.smooth(ground_truth)
    assert np.linalg.norm(smoothed.pose3d - ground_truth.pose3d, axis=-1).mean() < 0.005


def test_bone_lengths_are_constant_and_symmetric():
    _, noisy = walk(noise=0.02)
    lengths = bone_lengths(clip.smooth(noisy).pose3d, H36M_16)
    assert (lengths.std(0) < 1e-4).all()
    np.testing.assert_allclose(lengths, lengths[:, list(H36M_16.bone_mirror)], atol=1e-4)


def test_reprojection_still_matches_the_2d_after_camera_smoothing():
    """Varying cameras become steady, and people move with them."""
    ground_truth, _ = walk()
    random = np.random.default_rng(0)
    focal = ground_truth.camera.focal * np.exp(0.1 * random.normal(size=(90, 1)))
    noisy = clip.replace_camera(ground_truth, focal, 0.05 * random.normal(size=(90, 2)))
    smoothed = clip.smooth(noisy)
    wobble = [np.abs(np.diff(p.camera.focal[:, 0])).mean() for p in (noisy, smoothed)]
    assert wobble[1] < 0.05 * wobble[0]
    off = np.linalg.norm(smoothed.reprojection - ground_truth.pose2d, axis=-1)
    assert off.mean() < 0.005  # a 400th of the image width


def test_people_are_smoothed_separately_and_rows_keep_their_order():
    _, a = walk(noise=0.02, seed=1)
    _, b = walk(noise=0.02, seed=2)
    b = replace(b, labels={**b.labels, "person": np.ones(len(b), int)})
    order = np.random.default_rng(0).permutation(2 * len(a))
    both = clip.smooth(Poses.cat([a, b])[order])
    alone = Poses.cat([clip.smooth(a), clip.smooth(b)])[order]
    np.testing.assert_allclose(both.pose3d, alone.pose3d, atol=1e-5)
    np.testing.assert_array_equal(both.labels["frame"], alone.labels["frame"])


def test_a_long_absence_separates_movements():
    """A person who reappears elsewhere is not interpolated between the two places."""
    ground_truth, _ = walk()
    later = ground_truth.labels["time"] + 5 * (ground_truth.labels["frame"] >= 45)
    apart = np.where(later[:, None, None] > 4, np.float32([2, 0, 0]), np.float32(0))
    pose3d = ground_truth.pose3d + apart
    camera = replace(ground_truth.camera, translation=pose3d[:, 0])
    moved = replace(
        ground_truth, pose3d=pose3d, camera=camera, pose2d=camera.project(pose3d),
        labels={**ground_truth.labels, "time": later},
    )  # fmt: skip
    smoothed = clip.smooth(moved)
    assert np.abs(smoothed.pose3d - moved.pose3d).max() < 0.05


def test_frames_without_confidence_follow_their_neighbours():
    ground_truth, noisy = walk()
    noisy.pose3d[40] += np.float32(0.3) * np.sin(np.arange(48)).reshape(16, 3)
    confidence = noisy.confidence.copy()
    certain = clip.smooth(noisy)
    confidence[40] = 0
    uncertain = clip.smooth(replace(noisy, confidence=confidence))
    off = [np.abs(p.pose3d[40] - ground_truth.pose3d[40]).mean() for p in (certain, uncertain)]
    assert off[1] < 0.5 * off[0]


def test_single_frames_no_poses_and_zero_strength(people):
    one = people[:1]
    np.testing.assert_array_equal(clip.smooth(one).pose3d, one.pose3d)
    assert len(clip.smooth(people[:0])) == 0
    assert clip.smooth(people, strength=0.0) is people
    with pytest.raises(ValueError, match="strength is -1"):
        clip.smooth(people, strength=-1.0)


def test_rts_keeps_lines_and_slow_changes_and_removes_fast_ones():
    t = np.sort(np.random.default_rng(0).uniform(0, 4, 200))
    line = 3 + 2 * t[:, None]
    np.testing.assert_allclose(rts_smooth(line, t, 2.0), line, atol=0.02)
    even = np.arange(200) / 50
    slow, fast = np.sin(2 * np.pi * 0.5 * even), np.sin(2 * np.pi * 12 * even)
    np.testing.assert_allclose(rts_smooth(slow, even, 3.0)[10:-10], slow[10:-10], atol=0.05)
    assert np.abs(rts_smooth(fast, even, 3.0)[10:-10]).max() < 0.1


def test_people_of_a_frame_share_the_smoothed_camera():
    ground_truth, _ = walk()
    random = np.random.default_rng(0)
    wobbles = [np.exp(0.1 * random.normal(size=(90, 1))) for _ in range(2)]
    noisy = [
        clip.replace_camera(ground_truth, ground_truth.camera.focal * w, ground_truth.camera.center)
        for w in wobbles
    ]
    other = {**noisy[1].labels, "person": np.ones(90, int)}
    smoothed = clip.smooth(Poses.cat([noisy[0], replace(noisy[1], labels=other)]))
    np.testing.assert_allclose(smoothed.camera.focal[:90], smoothed.camera.focal[90:], atol=1e-6)
    np.testing.assert_allclose(smoothed.pose3d[:90], smoothed.pose3d[90:], atol=0.02)


def test_camera_smoothing_restarts_at_a_cut():
    """No person of one frame appears in the next."""
    ground_truth, _ = walk()
    after = ground_truth.labels["frame"] >= 45
    focal = ground_truth.camera.focal * np.where(after, 2.0, 1.0)[:, None]
    noisy = clip.replace_camera(ground_truth, focal, ground_truth.camera.center)
    cut = replace(noisy, labels={**noisy.labels, "person": after.astype(int)})
    np.testing.assert_allclose(clip.smooth(cut).camera.focal, focal, rtol=1e-5)
    assert np.abs(clip.smooth(noisy).camera.focal / focal - 1).max() > 0.2


def test_poses_without_labels_are_one_person_in_consecutive_frames():
    _, noisy = walk(noise=0.01)
    expected = clip.smooth(noisy)
    bare = replace(noisy, labels={})
    np.testing.assert_allclose(clip.smooth(bare, fps=30.0).pose3d, expected.pose3d, atol=1e-6)
    by_time = clip.smooth(bare, times=noisy.labels["time"])
    np.testing.assert_array_equal(by_time.pose3d, expected.pose3d)
    assert clip.smooth(bare, fps=30.0).labels == {}


def test_frames_without_labels_are_counted_per_person():
    _, a = walk(noise=0.02, seed=1)
    person = np.arange(2 * len(a)) % 2
    both = Poses.cat([a, a])[np.argsort(np.tile(np.arange(len(a)), 2), kind="stable")]
    smoothed = clip.smooth(replace(both, labels={"person": person}))
    np.testing.assert_allclose(smoothed.pose3d[::2], clip.smooth(a).pose3d, atol=1e-6)
    np.testing.assert_allclose(smoothed.pose3d[1::2], clip.smooth(a).pose3d, atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"fps": 0.0}, "fps is 0.0; give"),
        ({"times": np.zeros(3)}, r"times have shape \(3,\)"),
        ({"times": np.full(90, np.nan)}, "one finite number"),
        ({"strength": np.nan}, "strength is nan"),
    ],
)
def test_invalid_options(options, message):
    noisy = replace(walk()[1], labels={})
    with pytest.raises(ValueError, match=message):
        clip.smooth(noisy, **options)


def test_invalid_poses():
    _, noisy = walk()
    twice = replace(noisy, labels={"frame": np.arange(90) // 2})
    with pytest.raises(ValueError, match="frame 0 has 2 poses without a label person"):
        clip.smooth(twice)
    with pytest.raises(ValueError, match="no pose3d and no camera"):
        clip.smooth(replace(noisy, pose3d=None, camera=None))
    with pytest.raises(ValueError, match="to_numpy"):
        clip.smooth(noisy.to_torch())


def test_result_of_a_predictor(graph):
    """Poses without labels go through every function of clip."""
    ground_truth, _ = walk(frames=20)
    keypoints = denormalize(ground_truth.pose2d, (640, 480)).astype(float)
    poses = Predictor(graph)(keypoints, image_size=(640, 480), skeleton="h36m_16")
    assert poses.labels == {}
    for changed in (
        clip.smooth(poses, fps=25.0),
        clip.smooth(poses, times=np.arange(20) / 25),
        clip.fill_gaps(poses, 1.0),
        clip.average_camera(poses),
        clip.static_camera(poses),
        clip.set_height(poses, 1.8),
        clip.set_median_height(poses),
        clip.set_focal_length(poses, 500),
    ):
        assert len(changed) == 20 and np.isfinite(changed.pose3d).all()
    assert np.isfinite(clip.estimate_ground(poses).camera_height)
    live = LiveSmoother()
    assert len(Poses.cat([live(pose, i / 25) for i, pose in enumerate(poses)])) == 20
