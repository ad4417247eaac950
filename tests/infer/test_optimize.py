"""Optimisation of clips: trajectories, bone lengths, cameras and contacts."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import acceleration, three_people, walk, with_definitions

from camerapose.core.bones import bone_lengths, unit
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.clip import shot, solver
from camerapose.infer.clip.body import Body
from camerapose.infer.clip.measurements import PersonRows, initial_motion, window_of
from camerapose.infer.clip.subset import Subset
from camerapose.infer.clip.term_weights import Weights
from camerapose.infer.clip.variables import Shared
from camerapose.infer.clip.vertical import Vertical
from camerapose.infer.live_smoothing import LiveSmoother
from camerapose.infer.predictor import Predictor


def optimized(poses, **options):
    """Return the optimised poses with the network's size."""
    return clip.optimize(poses, **{"height": 0.0, **options})[0]


@pytest.fixture(scope="module")
def people():
    return three_people()


def error(poses, ground_truth):
    """Return the mean joint error of root-relative poses, metres."""
    a, b = (np.asarray(p.pose3d, float) - p.root_position[:, None] for p in (poses, ground_truth))
    return np.linalg.norm(a - b, axis=-1).mean()


class TestTrajectories:
    def test_reduces_jitter_and_error(self):
        ground_truth, noisy = walk(noise=0.03)
        smoothed = optimized(noisy, focal_known=True)
        assert acceleration(smoothed) < 0.3 * acceleration(noisy)
        assert error(smoothed, ground_truth) < 0.9 * error(noisy, ground_truth)

    def test_exact_poses_hardly_change(self):
        ground_truth, _ = walk()
        smoothed = optimized(ground_truth, focal_known=True)
        assert error(smoothed, ground_truth) < 0.02

    def test_bone_lengths_are_constant_and_symmetric(self):
        _, noisy = walk(noise=0.02)
        lengths = bone_lengths(optimized(noisy).pose3d, H36M_16)
        assert (lengths.std(0) < 1e-4).all()
        np.testing.assert_allclose(lengths, lengths[:, list(H36M_16.bone_mirror)], atol=1e-4)

    def test_cameras_are_constant_and_the_reprojection_matches_the_2d(self):
        ground_truth, _ = walk()
        random = np.random.default_rng(0)
        focal = ground_truth.camera.focal * np.exp(0.1 * random.normal(size=(90, 1)))
        noisy = clip.replace_camera(ground_truth, focal, 0.05 * random.normal(size=(90, 2)))
        smoothed = optimized(noisy)
        assert np.ptp(smoothed.camera.focal) < 1e-6 and np.abs(smoothed.camera.center).max() == 0
        off = np.linalg.norm(smoothed.reprojection - ground_truth.pose2d, axis=-1)
        assert off.mean() < 0.01  # a 200th of the image width

    def test_windows_of_long_clips_join_smoothly(self, monkeypatch):
        _, noisy = walk(frames=150, noise=0.01)
        whole = optimized(noisy, focal_known=True)
        monkeypatch.setattr(shot, "WINDOW", 60)
        monkeypatch.setattr(shot, "OVERLAP", 20)
        parts = optimized(noisy, focal_known=True)
        assert error(parts, whole) < 0.01
        assert acceleration(parts) < 1.2 * acceleration(whole)

    @pytest.mark.parametrize("fps", [12.0, 240.0])
    def test_frame_rates(self, fps):
        frames = int(2 * fps)
        ground_truth, noisy = walk(frames=frames, fps=fps, noise=0.01)
        smoothed = optimized(noisy, focal_known=True)
        assert error(smoothed, ground_truth) < 0.04
        assert acceleration(smoothed) < acceleration(noisy)

    def test_variable_frame_rate(self):
        """Dropped frames change the others little."""
        _, noisy = walk(noise=0.005)
        rows = np.flatnonzero(np.random.default_rng(0).uniform(size=90) < 0.7)
        some, all_rows = (
            optimized(noisy[rows], focal_known=True),
            optimized(noisy, focal_known=True),
        )
        assert error(some, all_rows[rows]) < 0.02

    def test_frames_without_confidence_follow_their_neighbours(self):
        ground_truth, noisy = walk()
        noisy.pose3d[40] += np.float32(0.3) * np.sin(np.arange(48)).reshape(16, 3)
        confidence = noisy.confidence.copy()
        confidence[40] = 0
        uncertain = optimized(replace(noisy, confidence=confidence), focal_known=True)
        assert error(uncertain[40], ground_truth[40]) < 0.2 * error(noisy[40], ground_truth[40])


class TestPeople:
    def test_rows_keep_their_order(self):
        _, a = walk(noise=0.02, seed=1)
        _, b = walk(noise=0.02, seed=2)
        b = replace(b, labels={**b.labels, "person": np.ones(len(b), int)})
        order = np.random.default_rng(0).permutation(2 * len(a))
        both = optimized(Poses.cat([a, b])[order], focal_known=True)
        alone = Poses.cat([optimized(p, focal_known=True) for p in (a, b)])[order]
        np.testing.assert_allclose(both.pose3d, alone.pose3d, atol=0.02)
        np.testing.assert_array_equal(both.labels["frame"], alone.labels["frame"])

    def test_a_long_absence_separates_movements(self):
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
        smoothed = optimized(moved, focal_known=True)
        assert np.abs(smoothed.root_position - moved.root_position).max() < 0.3

    def test_each_shot_has_its_own_focal_length(self):
        """No person of one frame appears in the next: a cut."""
        ground_truth, _ = walk()
        after = ground_truth.labels["frame"] >= 45
        focal = ground_truth.camera.focal * np.where(after, 2.0, 1.0)[:, None]
        noisy = clip.replace_camera(ground_truth, focal, ground_truth.camera.center)
        cut = replace(noisy, labels={**noisy.labels, "person": after.astype(int)})
        result, cameras = clip.optimize(cut, height=0.0)
        assert [camera.frames for camera in cameras] == [(0, 44), (45, 89)]
        assert cameras[1].focal > 1.4 * cameras[0].focal
        assert len(clip.optimize(noisy)[1]) == 1

    def test_single_frames_no_poses_and_zero_strength(self, people):
        one = people[:1]
        np.testing.assert_array_equal(optimized(one).pose3d, one.pose3d)
        assert len(optimized(people[:0])) == 0
        assert optimized(people, strength=0.0) is people
        with pytest.raises(ValueError, match="strength is -1"):
            optimized(people, strength=-1.0)

    @pytest.mark.parametrize("frames", [2, 3])
    def test_a_person_in_few_frames(self, frames):
        ground_truth, noisy = walk(noise=0.01)
        result = optimized(noisy[:frames], static=True)
        assert error(result, ground_truth[:frames]) < 0.05

    def test_poses_without_labels_are_one_person_in_consecutive_frames(self):
        _, noisy = walk(noise=0.01)
        expected = optimized(noisy)
        bare = replace(noisy, labels={})
        np.testing.assert_allclose(optimized(bare, fps=30.0).pose3d, expected.pose3d, atol=1e-5)
        by_time = optimized(bare, times=noisy.labels["time"])
        np.testing.assert_array_equal(by_time.pose3d, expected.pose3d)
        assert optimized(bare, fps=30.0).labels == {}


class TestDerivatives:
    """Gradients agree with differences of the cost."""

    @pytest.fixture(scope="class", params=["h36m_16", "body_46"])
    def problem(self, request):
        _, noisy = walk(frames=8, noise=0.02)
        if request.param == "body_46":
            noisy = with_definitions(noisy)
            soles = np.array([j.endswith(("heel", "toe")) for j in noisy.skeleton.joints])
            noisy = replace(noisy, confidence=np.maximum(noisy.confidence, np.float32(soles)))
        noisy = Subset.of(noisy.skeleton, noisy.confidence[0] > 0).select(noisy)
        body, rows = Body.of(noisy.skeleton), np.arange(8)
        lengths = np.full(body.path.shape[1], 0.3)
        movement = PersonRows(0, rows, noisy.labels["time"])
        indicated = Vertical(unit(np.random.default_rng(0).normal(size=(8, 3))), np.full(8, 0.5))
        window = window_of(noisy, movement, lengths, lengths, 1.7, indicated, True)
        window = window.with_contact(np.random.default_rng(0).uniform(0.3, 1, (8, 2)))
        lengths = np.log(np.full(body.group.max() + 1, 0.3))
        up = np.array([0.1, -0.9, -0.42]) / np.linalg.norm([0.1, 0.9, 0.42])
        shared = Shared(0.8, up, 1.3, [lengths])
        prior = solver.Prior(
            log_focal=0.7, log_focal_deviation=0.3, log_length=[lengths + 0.1],
            log_length_deviation=0.05, size_share=[np.full(len(lengths), 1 / len(lengths))],
            log_size_deviation=[0.05], up=np.array([0.0, -1.0, 0.0]), up_deviation=np.ones(3),
        )  # fmt: skip
        problem = solver.Problem(body, Weights(), prior, [window])
        return problem, [initial_motion(noisy, window, shared, body)], shared

    def test_frames(self, problem):
        """Also with fixed shared variables; trial steps have the cost only."""
        problem, motions, shared = problem
        for n_shared in (problem.n_shared, 0):
            (system,), cost = solver._linearise(problem, motions, shared, n_shared)
            step = np.random.default_rng(1).normal(size=system.gradient.shape)
            costs = [
                solver._linearise(problem, [m], shared, n_shared, only_cost=True)[1]
                for m in (motions[0], *(solver._moved(motions[0], s * step) for s in (1e-6, -1e-6)))
            ]
            assert costs[0] == cost
            expected = (costs[1] - costs[2]) / 2e-6
            assert (system.gradient * step).sum() == pytest.approx(expected, rel=1e-4)

    def test_shared_variables(self, problem):
        problem, motions, shared = problem
        (system,), _ = solver._linearise(problem, motions, shared, problem.n_shared)
        residual, jacobian = solver._prior_residuals(problem, shared)
        gradient = system.shared_gradient + jacobian.T @ residual
        expected = []
        for step in np.eye(len(gradient)) * 1e-6:
            moved = [solver._moved_shared(problem, shared, s) for s in (step, -step)]
            costs = [solver._linearise(problem, motions, s, 0)[1] for s in moved]
            expected.append((costs[0] - costs[1]) / 2e-6)
        np.testing.assert_allclose(gradient, expected, rtol=0.02, atol=0.15)


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
        optimized(noisy, **options)


def test_invalid_poses():
    _, noisy = walk()
    twice = replace(noisy, labels={"frame": np.arange(90) // 2})
    with pytest.raises(ValueError, match="frame 0 has 2 poses without a label person"):
        optimized(twice)
    with pytest.raises(ValueError, match="no pose3d and no camera"):
        optimized(replace(noisy, pose3d=None, camera=None))
    with pytest.raises(ValueError, match="to_numpy"):
        optimized(noisy.to_torch())


def test_result_of_a_predictor(graph):
    """Poses without labels go through every function of clip."""
    ground_truth, _ = walk(frames=20)
    keypoints = denormalize(ground_truth.pose2d, (640, 480)).astype(float)
    poses = Predictor(graph)(keypoints, image_size=(640, 480), skeleton="h36m_16")
    assert poses.labels == {}
    for changed in (
        optimized(poses, fps=25.0),
        optimized(poses, times=np.arange(20) / 25, static=True),
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
