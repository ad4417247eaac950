"""Noise of detections that the clip optimiser estimates from their rapid changes."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import WALK_FPS, steady_walk

from camerapose.core.bones import bone_lengths, bone_vectors, pose_from_bones, unit
from camerapose.core.camera import Camera
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.clip import noise


def seen(noise_px=0.0, fps=WALK_FPS, confidence=1.0, seconds=4.0):
    """Return a walk, and the same with noisy 2D, of which the lifter follows a part.

    Args:
        noise_px: standard deviation of the 2D for a person 500 px tall; its time constant is 0.1 s.
    """
    points = steady_walk(seconds=seconds) * (1, -1, -1) + np.array([-1.5, 1.2, 5.0])
    points = points[:: round(WALK_FPS / fps)]
    n, random = len(points), np.random.default_rng(0)
    times = np.arange(n) / fps
    focal = np.full((n, 2), 2.0, np.float32)
    true2d = points[..., :2] / points[..., 2:] * 2.0
    keep, errors = np.exp(-1 / fps / 0.1), random.normal(size=true2d.shape)
    for i in range(1, n):
        errors[i] = keep * errors[i - 1] + np.sqrt(1 - keep**2) * errors[i]
    tall = 2.0 * 1.7 / 5.0
    errors *= noise_px / 500 * tall
    # The lifter follows two fifths of the error, and has a slow one of its own.
    wrong = 0.4 * errors * points[..., 2:] / 2.0
    lifted = points + np.concatenate([wrong, 0 * wrong[..., :1]], axis=-1)
    bones = bone_vectors(lifted, H36M_16)
    slow = 0.1 * np.sin(2 * times[:, None, None] + random.uniform(0, 6, (1, *bones.shape[1:])))
    length = np.linalg.norm(bone_vectors(points, H36M_16), axis=-1, keepdims=True)
    lifted = pose_from_bones(unit(unit(bones) + slow) * length, H36M_16) + lifted[:, :1]

    def poses(pose3d, pose2d):
        camera = Camera(focal, np.zeros_like(focal), np.float32(pose3d[:, 0]))
        labels = {"person": np.zeros(n, int), "frame": np.arange(n), "time": times}
        score = np.full(points.shape[:2], confidence, np.float32)
        return Poses(H36M_16, np.float32(pose2d), score, np.float32(pose3d), camera, labels=labels)

    return poses(points, true2d), poses(lifted, true2d + errors)


def error(poses, ground_truth):
    """Return the mean joint error of root-relative poses, metres."""
    a, b = (np.asarray(p.pose3d, float) - p.root_position[:, None] for p in (poses, ground_truth))
    return np.linalg.norm(a - b, axis=-1).mean()


def jitter(poses):
    """Return the mean second difference of root-relative poses, metres."""
    relative = np.asarray(poses.pose3d, float) - poses.root_position[:, None]
    return np.linalg.norm(np.diff(relative, 2, axis=0), axis=-1).mean()


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_noisy_keypoints_without_confidences_are_not_taken_as_certain(fps):
    ground_truth, noisy = seen(noise_px=20.0, fps=fps)
    result = clip.optimize(noisy, height=0.0, focal_known=True)[0]
    assert error(result, ground_truth) < error(noisy, ground_truth)
    assert jitter(result) < 0.7 * jitter(noisy)


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_exact_keypoints_are_certain(fps):
    """They correct the lifter's errors across the line of sight."""
    ground_truth, lifted = seen(fps=fps)
    result = clip.optimize(lifted, height=0.0, focal_known=True)[0]
    off = np.linalg.norm(result.reprojection - ground_truth.pose2d, axis=-1)
    before = np.linalg.norm(lifted.reprojection - ground_truth.pose2d, axis=-1)
    assert off.mean() < 0.25 * before.mean()


def level(poses, **changes):
    """Return the noise of each joint for a person of spread 1."""
    given = {"points": poses.pose2d, "projected": poses.reprojection}
    given |= {"confidence": poses.confidence, "times": poses.labels["time"]}
    return noise.noise_level(**{**given, **changes})


def test_noise_level():
    """Joints are told apart, movements and errors of the lifter are no noise."""
    _, exact = seen()
    assert level(exact).max() < 0.01
    random = np.random.default_rng(1)
    points = np.array(exact.pose2d, float)
    points[:, 3] += 0.05 * random.normal(size=points[:, 3].shape)
    values = level(exact, points=points)
    assert values[3] > 5 * np.delete(values, 3).max()
    assert level(exact, projected=points).max() < 0.01  # the lifter's noise


@pytest.mark.parametrize("frames", ["vary", "are constant"])
def test_confidences_leave_less_to_the_noise(frames):
    _, noisy = seen(noise_px=20.0)
    scores = np.random.default_rng(0).uniform(0.7, 1, noisy.confidence.shape)
    if frames == "are constant":
        scores = np.tile(scores[0], (len(scores), 1))
    ratio = level(noisy) / level(noisy, confidence=scores)
    np.testing.assert_allclose(ratio, noise.FACTOR_WITHOUT_CONFIDENCES / noise.FACTOR)


@pytest.mark.parametrize("kind", ["joints computed from others", "visibility flags"])
def test_flags_are_not_confidences(kind):
    """A few different values do not say how large the errors are."""
    ground_truth, noisy = seen(noise_px=20.0)
    score = np.array(noisy.confidence)
    if kind == "visibility flags":
        score[np.random.default_rng(0).random(score.shape) < 0.1] = 0.7
    else:
        score[:, [0, 8]] = 0.5, 0.8
    np.testing.assert_allclose(level(noisy, confidence=score), level(noisy))
    result = clip.optimize(replace(noisy, confidence=score), height=0.0, focal_known=True)[0]
    assert error(result, ground_truth) < error(noisy, ground_truth)


@pytest.mark.parametrize("frames", [1, 2])
def test_too_few_frames_have_no_noise(frames):
    _, noisy = seen(noise_px=20.0)
    assert (level(noisy[:frames]) == 0).all()


def test_missing_joints_and_outliers():
    """Frames in which a joint is missing, and single wrong detections, are not counted."""
    _, exact = seen()
    points, confidence = np.array(exact.pose2d), np.array(exact.confidence)
    points[::7, 5], confidence[::7, 5] = 0.0, 0.0
    points[::25, 8] += 1.0
    confidence[:, 10] = 0.0
    values = level(exact, points=points, confidence=confidence)
    assert np.isfinite(values).all() and values.max() < 0.02


def test_three_noisy_frames():
    ground_truth, noisy = (p[:3] for p in seen(noise_px=20.0))
    result = clip.optimize(noisy, height=0.0, focal_known=True)[0]
    assert error(result, ground_truth) < 1.1 * error(noisy, ground_truth)
    lengths = bone_lengths(result.pose3d, H36M_16)
    np.testing.assert_allclose(lengths, lengths[:1].repeat(3, 0), rtol=1e-4)
