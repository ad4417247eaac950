"""After lifting: heights, cameras and time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.clips import walk
from helpers.paths import HUMAN36M, needs_human36m

from camerapose.core.camera import Camera
from camerapose.core.formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets import human36m, synthetic
from camerapose.infer.clip import motion
from camerapose.models import camera_branch as camera_net
from camerapose.models.crop import VirtualCamera


@pytest.fixture(scope="module")
def people():
    """As a perfect predictor has them."""
    poses = synthetic.load(n=30, seed=2)
    camera = Camera(poses.camera.focal, poses.camera.center, poses.root_position)
    poses = replace(poses, camera=camera, pose2d=camera.project(poses.pose3d))
    return replace(poses, labels={"person": np.arange(30) % 3, "frame": np.arange(30)})


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

    def test_two_people_share_the_camera_that_is_calmed(self):
        truth, _ = walk()
        random = np.random.default_rng(0)
        wobbles = [np.exp(0.1 * random.normal(size=(90, 1))) for _ in range(2)]
        seen = [motion.refit(truth, truth.camera.focal * w, truth.camera.center) for w in wobbles]
        other = {**seen[1].labels, "person": np.ones(90, int)}
        calm = motion.smooth(Poses.cat([seen[0], replace(seen[1], labels=other)]))
        np.testing.assert_allclose(calm.camera.focal[:90], calm.camera.focal[90:], atol=1e-6)
        np.testing.assert_allclose(calm.pose3d[:90], calm.pose3d[90:], atol=0.02)

    def test_a_cut_begins_another_camera(self):
        """From one frame to the next everybody is somebody else."""
        truth, _ = walk()
        after = truth.labels["frame"] >= 45
        focal = truth.camera.focal * np.where(after, 2.0, 1.0)[:, None]
        seen = motion.refit(truth, focal, truth.camera.center)
        cut = replace(seen, labels={**seen.labels, "person": after.astype(int)})
        np.testing.assert_allclose(motion.smooth(cut).camera.focal, focal, rtol=1e-5)
        assert np.abs(motion.smooth(seen).camera.focal / focal - 1).max() > 0.2


class TestGaps:
    @pytest.fixture(scope="class")
    def gappy(self):
        """Frames 30 to 41 and 60 to 89 are missing, 0.4 and 1 s long."""
        truth, _ = walk(frames=120)
        return truth, truth[np.r_[0:30, 42:60, 90:120]]

    def test_short_ones_are_filled_and_marked(self, gappy):
        truth, seen = gappy
        whole = motion.filled(seen, 0.5)
        assert len(whole) == 90 and whole.labels["filled"].sum() == 12
        np.testing.assert_array_equal(np.flatnonzero(whole.labels["filled"]), np.arange(30, 42))
        np.testing.assert_array_equal(whole.labels["frame"][28:44], np.arange(28, 44))
        np.testing.assert_allclose(whole.labels["time"][28:44], np.arange(28, 44) / 30)
        assert (whole.confidence[30:42] == 0).all() and (whole.confidence[:30] == 1).all()
        off = np.linalg.norm(whole.pose3d[:60] - truth.pose3d[:60], axis=-1)
        assert off[30:42].max() < 0.3 and off[30:42].mean() < 0.09 and off[:30].max() == 0
        lengths = motion._lengths(whole.pose3d, H36M_16)
        np.testing.assert_allclose(lengths[35], lengths[0], atol=1e-4)

    def test_all_if_asked_and_rounded_by_smoothing(self, gappy):
        _, seen = gappy
        whole = motion.filled(seen, 2.0)
        assert len(whole) == 120
        calm = motion.smooth(whole)
        assert np.isfinite(calm.pose3d).all()
        straight, rounded = (
            np.linalg.norm(np.diff(p.pose3d[25:45].astype(float), n=2, axis=0), axis=-1).max()
            for p in (whole, calm)
        )
        assert rounded < 0.7 * straight

    def test_by_the_videos_clock(self, gappy):
        """Frames that were not looked at, or whose times are uneven, are no gaps."""
        _, seen = gappy
        even = seen[seen.labels["frame"] % 2 == 0]
        assert motion.filled(even, 0.5).labels["filled"].sum() == 6
        frames = np.r_[0:30, 36, 42:120]
        whole = motion.filled(seen, 0.5, (frames, frames / 30))
        np.testing.assert_array_equal(whole.labels["frame"][whole.labels["filled"]], [36])
        assert motion.filled(seen, 0.2).labels["filled"].sum() == 0
        assert len(motion.filled(seen[:0], 1.0)) == 0

    def test_each_person_by_itself(self, gappy):
        truth, seen = gappy
        other = replace(truth, labels={**truth.labels, "person": np.ones(len(truth), int)})
        whole = motion.filled(Poses.cat([seen, other]), 0.5)
        assert whole.labels["filled"].sum() == 12
        assert (whole.labels["person"][whole.labels["filled"]] == 0).all()
        assert (np.diff(whole.labels["frame"]) >= 0).all()


class TestLive:
    def test_jitter_falls_and_it_keeps_up(self):
        truth, seen = walk(frames=150, noise=0.01)
        live = motion.Live()
        calm = Poses.cat([live(seen[[i]], i / 30) for i in range(len(seen))])
        assert acceleration(calm) < 0.5 * acceleration(seen)
        late = motion.Live()
        still = Poses.cat([late(truth[[i]], i / 30) for i in range(len(truth))])
        off = np.linalg.norm(still.pose3d - truth.pose3d, axis=-1)
        assert off.mean() < 0.04  # at 0.8 m a second, a 20th of a second

    def test_the_past_is_not_changed_by_the_future(self):
        _, seen = walk(frames=40, noise=0.01)
        runs = []
        for n in (20, 40):
            live = motion.Live()
            runs.append([live(seen[[i]], i / 30).pose3d for i in range(n)][:20])
        np.testing.assert_array_equal(*runs)

    def test_who_comes_back_later_begins_anew(self):
        truth, _ = walk(frames=40)
        live = motion.Live()
        live(truth[[0]], 0.0)
        again = live(truth[[39]], 5.0)
        np.testing.assert_allclose(again.pose3d, truth.pose3d[[39]], atol=1e-3)
        assert live(truth[:0], 6.0) is not None and motion.Live(0.0)(truth, 0.0) is truth
        with pytest.raises(ValueError, match="strength is -1"):
            motion.Live(-1.0)

    def test_one_euro(self):
        """Still values come to rest, a ramp is followed, a clock that stands still is borne."""
        random, time = np.random.default_rng(0), np.arange(300) / 60
        calm = motion.OneEuro(1.0)
        still = np.array(
            [calm(v, t) for v, t in zip(random.normal(size=(300, 1)), time, strict=True)]
        )
        assert still[60:].std() < 0.35
        follow, slow = motion.OneEuro(1.0, speed=5.0), motion.OneEuro(1.0)
        for t in time:
            quick, lazy = follow(np.array([4 * t]), t), slow(np.array([4 * t]), t)
        assert abs(quick - 4 * time[-1]) < 0.2 * abs(lazy - 4 * time[-1])
        assert follow(np.array([9.0]), time[-1]) == quick


class TestCameraAndHeight:
    def test_one_camera_for_the_people_of_a_frame(self, people):
        """Their own cameras disagree; in the common one each still meets its 2D."""
        trio = replace(people, labels={"frame": np.arange(30) // 3, "person": np.arange(30) % 3})
        common = motion.common_camera(trio)
        for column in (common.camera.focal, common.camera.center):
            assert (np.ptp(column.reshape(10, 3, 2), axis=1) == 0).all()
        low, high = (f(trio.camera.focal.reshape(10, 3, 2), axis=1) for f in (np.min, np.max))
        middle = common.camera.focal.reshape(10, 3, 2)[:, 0]
        assert (middle > low - 1e-6).all() and (middle < high + 1e-6).all()
        assert np.linalg.norm(common.reprojection - trio.pose2d, axis=-1).mean() < 0.02
        np.testing.assert_allclose(common.root_position, common.camera.translation)
        assert motion.common_camera(people) is people  # one in each frame
        mixed = replace(trio, labels={"frame": np.r_[0, 0, 2:30], "person": np.arange(30) % 3})
        np.testing.assert_array_equal(motion.common_camera(mixed).pose3d[2:], trio.pose3d[2:])

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

    def test_the_usual_height_keeps_who_is_taller(self, people):
        usual, before = motion.with_usual_height(people), motion.middle_height(people)
        assert motion.middle_height(usual) == pytest.approx(motion.USUAL_HEIGHT)
        scale = motion.USUAL_HEIGHT / before
        np.testing.assert_allclose(usual.pose3d, scale * people.pose3d, rtol=1e-4)
        np.testing.assert_allclose(usual.reprojection, people.reprojection, atol=1e-4)
        bust = people.to(Skeleton("bust", ("thorax", "head"), (None, "thorax")))
        assert motion.with_usual_height(bust) is bust and np.isnan(motion.middle_height(bust))
        assert len(motion.with_usual_height(people[:0])) == 0

    @needs_human36m
    def test_heights_of_real_people(self):
        poses = human36m.load(HUMAN36M, subjects=("S9",), frame_step=200)
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
