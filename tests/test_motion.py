"""After lifting: heights, cameras and time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_human36m import REAL, needs_data

from camerapose import camera_net, motion
from camerapose.camera import Camera
from camerapose.datasets import human36m, synthetic
from camerapose.poses import Poses
from camerapose.skeleton import H36M_16
from camerapose.virtual_camera import VirtualCamera


@pytest.fixture(scope="module")
def people():
    """As a perfect predictor has them."""
    poses = synthetic.load(n=30, seed=2)
    camera = Camera(poses.camera.focal, poses.camera.center, poses.root_position)
    poses = replace(poses, camera=camera, pose2d=camera.project(poses.pose3d))
    return replace(poses, labels={"person": np.arange(30) % 3, "frame": np.arange(30)})


def walk(frames=90, fps=30.0, noise=0.0, seed=0):
    """Somebody who swings limbs and walks away from the camera; with their noisy prediction."""
    random = np.random.default_rng(seed)
    body = synthetic.load(n=1, seed=3)
    relative = (body.pose3d - body.root_position[:, None])[0].astype(float)
    bones = motion._bones(relative[None], H36M_16)[0]
    t = np.arange(frames) / fps
    angle = 0.5 * np.sin(2 * np.pi * 0.9 * t[:, None] + np.arange(len(bones)))
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    swing = np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1).reshape(
        frames, len(bones), 3, 3
    )
    turned = np.einsum("tbij,bj->tbi", swing, bones)
    root = np.stack([0.3 * np.sin(t), 0.1 * t, 4 + 0.8 * t], 1)
    truth = motion.from_bones(turned, H36M_16) + root[:, None]
    seen = truth + noise * random.normal(size=truth.shape)
    seen += root[:, None] * (0.02 * noise / 0.02 * random.normal(size=(frames, 1, 1)))
    focal = np.full((frames, 2), 2.0, np.float32)

    def poses(pose3d):
        camera = Camera(focal, np.zeros_like(focal), np.float32(pose3d[:, 0]))
        pose3d = np.float32(pose3d)
        return Poses(
            H36M_16, camera.project(pose3d), np.ones((frames, 16), np.float32), pose3d, camera,
            labels={"person": np.zeros(frames, int), "frame": np.arange(frames), "time": t},
        )  # fmt: skip

    return poses(truth), poses(seen)


def acceleration(poses):
    return np.linalg.norm(np.diff(poses.pose3d.astype(float), n=2, axis=0), axis=-1).mean()


class TestSmooth:
    def test_jitter_falls_and_people_stay_where_they_are(self):
        truth, seen = walk(noise=0.01)
        calm = motion.smooth(seen)
        assert acceleration(calm) < 0.3 * acceleration(seen)
        off = np.linalg.norm(calm.pose3d - truth.pose3d, axis=-1).mean()
        assert off < 0.6 * np.linalg.norm(seen.pose3d - truth.pose3d, axis=-1).mean()

    def test_what_is_smooth_already_is_hardly_moved(self):
        truth, _ = walk()
        calm = motion.smooth(truth)
        assert np.linalg.norm(calm.pose3d - truth.pose3d, axis=-1).mean() < 0.005

    def test_bones_have_one_length_and_left_is_like_right(self):
        _, seen = walk(noise=0.02)
        lengths = motion._lengths(motion.smooth(seen).pose3d, H36M_16)
        assert (lengths.std(0) < 1e-4).all()
        np.testing.assert_allclose(lengths, lengths[:, list(H36M_16.bone_mirror)], atol=1e-4)

    def test_what_the_image_shows_stays(self):
        """Cameras that wobble are calmed, and people with them: the 2D is still met."""
        truth, _ = walk()
        random = np.random.default_rng(0)
        focal = truth.camera.focal * np.exp(0.1 * random.normal(size=(90, 1)))
        seen = motion.refit(truth, focal, 0.05 * random.normal(size=(90, 2)))
        calm = motion.smooth(seen)
        wobble = [np.abs(np.diff(p.camera.focal[:, 0])).mean() for p in (seen, calm)]
        assert wobble[1] < 0.05 * wobble[0]
        off = np.linalg.norm(calm.reprojection - truth.pose2d, axis=-1)
        assert off.mean() < 0.005  # a 400th of the picture's width

    def test_people_are_kept_apart_and_rows_stay(self):
        _, a = walk(noise=0.02, seed=1)
        _, b = walk(noise=0.02, seed=2)
        b = replace(b, labels={**b.labels, "person": np.ones(len(b), int)})
        order = np.random.default_rng(0).permutation(2 * len(a))
        both = motion.smooth(Poses.cat([a, b])[order])
        alone = Poses.cat([motion.smooth(a), motion.smooth(b)])[order]
        np.testing.assert_allclose(both.pose3d, alone.pose3d, atol=1e-5)
        np.testing.assert_array_equal(both.labels["frame"], alone.labels["frame"])

    def test_a_long_absence_ends_a_movement(self):
        """Somebody who comes back elsewhere does not slide there."""
        truth, _ = walk()
        later = truth.labels["time"] + 5 * (truth.labels["frame"] >= 45)
        apart = np.where(later[:, None, None] > 4, np.float32([2, 0, 0]), np.float32(0))
        pose3d = truth.pose3d + apart
        camera = replace(truth.camera, translation=pose3d[:, 0])
        moved = replace(
            truth, pose3d=pose3d, camera=camera, pose2d=camera.project(pose3d),
            labels={**truth.labels, "time": later},
        )  # fmt: skip
        calm = motion.smooth(moved)
        assert np.abs(calm.pose3d - moved.pose3d).max() < 0.05

    def test_uncertain_frames_follow_the_others(self):
        truth, seen = walk()
        seen.pose3d[40] += np.float32(0.3) * np.sin(np.arange(48)).reshape(16, 3)
        confidence = seen.confidence.copy()
        sure = motion.smooth(seen)
        confidence[40] = 0
        unsure = motion.smooth(replace(seen, confidence=confidence))
        off = [np.abs(p.pose3d[40] - truth.pose3d[40]).mean() for p in (sure, unsure)]
        assert off[1] < 0.5 * off[0]

    def test_one_frame_none_and_strength_zero(self, people):
        one = people[:1]
        np.testing.assert_array_equal(motion.smooth(one).pose3d, one.pose3d)
        assert len(motion.smooth(people[:0])) == 0
        assert motion.smooth(people, strength=0.0) is people
        with pytest.raises(ValueError, match="strength is -1"):
            motion.smooth(people, strength=-1.0)

    def test_a_line_stays_a_line_and_fast_movement_goes(self):
        t = np.sort(np.random.default_rng(0).uniform(0, 4, 200))
        line = 3 + 2 * t[:, None]
        np.testing.assert_allclose(motion.smoothed(line, t, 2.0), line, atol=0.02)
        even = np.arange(200) / 50
        slow, fast = np.sin(2 * np.pi * 0.5 * even), np.sin(2 * np.pi * 12 * even)
        np.testing.assert_allclose(
            motion.smoothed(slow, even, 3.0)[10:-10], slow[10:-10], atol=0.05
        )
        assert np.abs(motion.smoothed(fast, even, 3.0)[10:-10]).max() < 0.1


class TestCameraAndHeight:
    def test_numpy_and_torch_agree(self, people):
        place = people.pose2d.mean(1)
        view = VirtualCamera(torch.tensor(place)[:, None], torch.ones(30, 1, 1))
        focal, center = people.camera.focal, people.camera.center
        expected = view.turn(torch.tensor(focal), torch.tensor(center))
        np.testing.assert_allclose(motion.turn(place, focal, center), expected, atol=1e-5)
        relative = people.pose3d - people.root_position[:, None]
        columns = (relative, people.pose2d, people.confidence, focal, center)
        expected = camera_net.fit_translation(*(torch.tensor(c) for c in columns))
        found = motion.fit_translation(*columns)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found, people.root_position, rtol=1e-2, atol=1e-2)

    def test_a_height_scales_everything_and_changes_no_picture(self, people):
        tall = motion.with_height(people, 1.9)
        for number in range(3):
            mine = tall[people.labels["person"] == number]
            assert np.median(motion.body_height(mine)) == pytest.approx(1.9, abs=1e-4)
        np.testing.assert_allclose(tall.reprojection, people.reprojection, atol=1e-4)
        ratio = np.linalg.norm(tall.root_position, axis=1) / np.linalg.norm(
            people.root_position, axis=1
        )
        assert len(np.unique(ratio.round(4))) == 3
        with pytest.raises(ValueError, match="give metres"):
            motion.with_height(people, 175.0)

    @needs_data
    def test_heights_of_real_people(self):
        poses = human36m.load(REAL, subjects=("S9",), frame_step=200)
        assert motion.body_height(poses).mean() == pytest.approx(1.78, abs=0.08)

    def test_a_known_camera_brings_people_back_where_they_are(self, people):
        """Predicted with a focal length half as long again, then told the true one."""
        focal, center = people.camera.focal * 1.5, people.camera.center + 0.05
        wrong = motion.refit(people, focal, center)
        width = people.image_size[:, :1]
        assert np.abs(wrong.root_position - people.root_position).max() > 0.5
        pixels = people.camera.in_pixels(people.image_size)
        right = motion.with_focal(wrong, pixels.focal, pixels.center)
        np.testing.assert_allclose(right.camera.focal, people.camera.focal, rtol=1e-5)
        np.testing.assert_allclose(right.pose3d, people.pose3d, atol=0.02)
        assert width.shape == (30, 1)

    def test_focal_is_checked(self, people):
        with pytest.raises(ValueError, match="give pixels above 0"):
            motion.with_focal(people, -3)
        with pytest.raises(ValueError, match="no image size"):
            motion.with_focal(replace(people, image_size=None), 1000)

    def test_a_static_camera_is_one_camera(self):
        truth, _ = walk()
        wobble = np.exp(0.2 * np.random.default_rng(0).normal(size=(len(truth), 1)))
        seen = motion.refit(truth, truth.camera.focal * wobble, truth.camera.center)
        still = motion.static_camera(seen)
        assert (still.camera.focal == still.camera.focal[0]).all()

        def unsteady(poses):
            return np.abs(np.diff(poses.root_position[:, 2], n=2)).mean()

        assert unsteady(still) < 0.05 * unsteady(seen)
        assert len(motion.static_camera(seen[:0])) == 0
