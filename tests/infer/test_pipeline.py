"""Prediction of images, video, keypoints and arrays; invalid and damaged input."""

import json
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.fakes import PERSON, SIZE, Detector, write_video
from helpers.prediction import NoisyDetector, run
from PIL import Image

from camerapose import Poses, Predictor
from camerapose.core import joint_formats
from camerapose.core.anatomy import DEFAULT_HEIGHT, body_height
from camerapose.io import results
from camerapose.io.frames import IncompleteInput


@pytest.fixture(scope="module")
def predictor(graph):
    return Predictor(graph, threads=1)


class TestSources:
    def test_image(self, detector, graph, tmp_path):
        Image.new("RGB", SIZE, "white").save(tmp_path / "man.jpg")
        lines = []
        poses = run(tmp_path / "man.jpg", tmp_path / "out", graph, figure=True, log=lines.append)
        assert len(poses) == 1 and poses.labels["image"][0] == "man.jpg"
        written = {path.name for path in (tmp_path / "out").iterdir()}
        assert written == {"poses.npz", "poses.json", "man_poses.png"}
        assert "man_poses.png" in lines[-1] and "1 pose" in lines[0]
        assert Image.open(tmp_path / "out" / "man_poses.png").width > 1000

    def test_video(self, detector, graph, tmp_path):
        video = write_video(tmp_path / "walk.mp4", black=(3, 4))
        poses = run(video, tmp_path / "out", graph, figure=True, max_people=2)
        assert len(poses) == 36
        assert sorted(set(range(20)) - set(poses.labels["frame"])) == [3, 4]
        np.testing.assert_allclose(poses.labels["time"], poses.labels["frame"] / 10, atol=1e-6)
        assert (tmp_path / "out" / "poses.png").exists()
        back = Poses.load(tmp_path / "out" / "poses.npz")
        np.testing.assert_array_equal(back.pose3d, poses.pose3d)
        with np.load(tmp_path / "out" / "poses.npz") as file:
            assert file["detected_keypoints"].shape == (36, 17, 2)
            assert file["detected_skeleton"] == "coco_17"

    def test_part_of_a_video(self, detector, graph, tmp_path):
        video = write_video(tmp_path / "walk.mp4")
        poses = run(video, tmp_path / "out", graph, start=4, end=12, stride=3)
        np.testing.assert_array_equal(poses.labels["frame"], [4, 7, 10])

    def test_images_are_not_overwritten(self, detector, graph, tmp_path):
        for name in ("a.png", "b.png"):
            Image.new("RGB", SIZE, "white").save(tmp_path / name)
        before = (tmp_path / "a.png").read_bytes()
        poses = run(tmp_path, tmp_path, graph, figure=True)
        assert list(poses.labels["image"]) == ["a.png", "b.png"]
        assert (tmp_path / "a.png").read_bytes() == before
        assert (tmp_path / "b_poses.png").exists()

    def test_chunks_do_not_affect_results(self, detector, graph, tmp_path, monkeypatch):
        video = write_video(tmp_path / "walk.mp4")
        whole = run(video, tmp_path / "a", graph)
        monkeypatch.setattr("camerapose.infer.predictor.CHUNK", 3)
        np.testing.assert_allclose(run(video, tmp_path / "b", graph).pose3d, whole.pose3d)

    def test_keypoints_from_npz(self, predictor, graph, tmp_path):
        given = predictor(np.stack([PERSON, PERSON + 5]), image_size=SIZE)
        given.save(tmp_path / "k.npz")
        poses = run(tmp_path / "k.npz", tmp_path / "out", graph, figure=True)
        np.testing.assert_allclose(poses.pose3d, given.pose3d, rtol=1e-4)
        assert (tmp_path / "out" / "poses.png").exists()

    def test_keypoints_from_own_json(self, predictor, graph, tmp_path):
        given = predictor(np.stack([PERSON, PERSON + 5]), image_size=SIZE)
        results.write_json(given, tmp_path / "k.json")
        poses = run(tmp_path / "k.json", tmp_path / "out", graph)
        np.testing.assert_allclose(poses.pose3d, given.pose3d, atol=0.01)

    def test_no_person(self, detector, graph, tmp_path):
        Image.new("RGB", SIZE, "black").save(tmp_path / "night.png")
        lines = []
        poses = run(tmp_path / "night.png", tmp_path / "out", graph, figure=True, log=lines.append)
        assert len(poses) == 0 and any("no person detected" in line for line in lines)
        assert json.loads((tmp_path / "out" / "poses.json").read_text())["poses"] == []
        assert len(Poses.load(tmp_path / "out" / "poses.npz")) == 0

    def test_people_with_few_visible_joints_are_skipped(
        self, detector, graph, tmp_path, monkeypatch
    ):
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        find = Detector.__call__

        def faint(self, image, *, track=False):
            (result,) = find(self, image)
            return [result, SimpleNamespace(keypoints=PERSON, confidence=np.zeros(17), person=1)]

        monkeypatch.setattr(Detector, "__call__", faint)
        lines = []
        poses = run(tmp_path / "a.png", tmp_path / "out", graph, log=lines.append)
        assert len(poses) == 1 and any("skipped 1 person" in line for line in lines)


class TestProcessing:
    def test_default_height(self, predictor, graph, tmp_path):
        """All people are scaled by the same factor, which is logged."""
        given = predictor(np.stack([PERSON, 1.3 * PERSON, PERSON[::-1]]), image_size=SIZE)
        labels = {"frame": np.zeros(3, int), "person": np.arange(3)}
        replace(given, labels=labels).save(tmp_path / "k.npz")
        network, lines = run(tmp_path / "k.npz", tmp_path / "network", graph), []
        poses = run(tmp_path / "k.npz", tmp_path / "out", graph, height=None, log=lines.append)
        heights = body_height(poses.pose3d, poses.skeleton)
        assert np.median(heights) == pytest.approx(DEFAULT_HEIGHT)
        median = np.median(body_height(network.pose3d, network.skeleton))
        scale = DEFAULT_HEIGHT / median
        np.testing.assert_allclose(poses.pose3d, scale * network.pose3d, rtol=1e-4)
        np.testing.assert_allclose(poses.reprojection, network.reprojection, atol=1e-4)
        (line,) = [line for line in lines if "median height" in line]
        assert "1.70 m" in line and f"network: {median:.2f} m" in line

    def test_known_height_and_camera(self, predictor, graph, tmp_path):
        given = predictor(np.stack([PERSON, PERSON + 5]), image_size=SIZE)
        given.save(tmp_path / "k.npz")
        tall = run(tmp_path / "k.npz", tmp_path / "tall", graph, height=2.0)
        assert np.median(body_height(tall.pose3d, tall.skeleton)) == pytest.approx(2.0, abs=0.02)
        near = run(tmp_path / "k.npz", tmp_path / "near", graph, focal=320.0)
        assert near.camera.in_pixels(near.image_size).focal == pytest.approx(np.full((2, 2), 320))
        assert (near.root_position[:, 2] < 0.6 * given.root_position[:, 2]).all()
        static = run(tmp_path / "k.npz", tmp_path / "static", graph, static_camera=True)
        assert (static.camera.focal == static.camera.focal[0]).all()

    def test_focal_length_from_exif(self, detector, graph, tmp_path):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.jpg", exif=exif)
        Image.new("RGB", SIZE, "white").save(tmp_path / "b.jpg")
        lines = []
        poses = run(tmp_path, tmp_path / "out", graph, log=lines.append)
        focal = poses.camera.in_pixels(poses.image_size).focal
        np.testing.assert_allclose(focal[0], 28 / 43.27 * 800, rtol=1e-4)
        np.testing.assert_allclose(focal[1], 640, rtol=1e-4)
        assert any("EXIF in 1 image: a.jpg 518 px" in line for line in lines)
        given = run(tmp_path, tmp_path / "out", graph, focal=700.0)
        np.testing.assert_allclose(given.camera.in_pixels(given.image_size).focal, 700, rtol=1e-4)

    def test_smoothing_of_video(self, detector, graph, tmp_path, monkeypatch):
        monkeypatch.setattr("helpers.fakes.Detector", NoisyDetector)
        video = write_video(tmp_path / "walk.mp4")
        acceleration = []
        for strength in (0.0, 1.0):
            poses = run(video, tmp_path / str(strength), graph, smooth=strength)
            assert len(poses) == 20
            steps = np.diff(poses.pose3d - poses.root_position[:, None], n=2, axis=0)
            acceleration.append(np.linalg.norm(steps, axis=-1).mean())
        assert acceleration[1] < 0.7 * acceleration[0]  # at 10 frames a second much of it is slow

    def test_smoothing_of_keypoints(self, predictor, graph, tmp_path):
        given = predictor(PERSON + 40 * np.random.default_rng(0).random((9, 1, 1)), image_size=SIZE)
        given = replace(given, labels={"frame": np.arange(9), "person": np.zeros(9, int)})
        given.save(tmp_path / "k.npz")
        default = run(tmp_path / "k.npz", tmp_path / "a", graph)
        np.testing.assert_allclose(default.pose3d, given.pose3d, rtol=1e-3, atol=1e-3)
        smooth = run(tmp_path / "k.npz", tmp_path / "b", graph, smooth=1.0)
        replace(given, labels=given.labels | {"time": np.arange(9) / 30}).save(tmp_path / "t.npz")
        timed = run(tmp_path / "t.npz", tmp_path / "c", graph)
        np.testing.assert_allclose(smooth.pose3d, timed.pose3d, atol=1e-5)
        assert np.abs(smooth.pose3d - default.pose3d).max() > 0.01


class TestImages:
    """Images of every kind, with a fake detector."""

    @pytest.mark.parametrize(
        "size", [(1, 1), (5, 3), (9000, 300), (300, 9000)], ids=["dot", "tiny", "wide", "high"]
    )
    def test_sizes(self, detector, graph, tmp_path, size):
        Image.new("RGB", size, "white").save(tmp_path / "a.png")
        poses = run(tmp_path / "a.png", tmp_path / "out", graph, figure=True)
        assert len(poses) == 1 and tuple(poses.image_size[0]) == size
        assert np.isfinite(poses.pose3d).all()
        assert (tmp_path / "out" / "a_poses.png").exists()

    def test_huge_images_are_shrunk_for_the_detector(self, detector, graph, tmp_path, monkeypatch):
        """Keypoints are scaled back to the image."""
        Image.new("RGB", (9000, 300), "white").save(tmp_path / "a.png")
        whole = run(tmp_path / "a.png", tmp_path / "out", graph)
        monkeypatch.setattr("camerapose.infer.detection.MAX_DETECTOR_SIDE", 9000)
        np.testing.assert_allclose(run(tmp_path / "a.png", tmp_path / "b", graph).pose2d,
                                   whole.pose2d, rtol=0.02, atol=1e-3)  # fmt: skip

    @pytest.mark.parametrize("mode", ["L", "I;16", "RGBA", "P", "1", "CMYK"])
    def test_modes(self, detector, graph, tmp_path, mode):
        if mode == "I;16":
            image = Image.fromarray(np.full(SIZE[::-1], 60000, np.uint16))
        else:
            image = Image.new("RGB", SIZE, "white").convert(mode)
        path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
        image.save(path)
        assert len(run(path, tmp_path / "out", graph)) == 1

    def test_rotated_by_exif(self, detector, graph, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.jpg", exif=exif)
        poses = run(tmp_path / "a.jpg", tmp_path / "out", graph)
        assert tuple(poses.image_size[0]) == SIZE[::-1]

    def test_images_of_several_folders(self, detector, graph, tmp_path):
        for place in ("a/one.png", "b/one.png"):
            (tmp_path / place).parent.mkdir()
            Image.new("RGB", SIZE, "white").save(tmp_path / place)
        poses = run(str(tmp_path / "*" / "one.png"), tmp_path / "out", graph, figure=True)
        assert list(poses.labels["image"]) == ["a/one.png", "b/one.png"]
        assert {"a_one_poses.png", "b_one_poses.png"} <= {
            path.name for path in (tmp_path / "out").iterdir()
        }


class TestInvalidInput:
    def test_text_named_mp4(self, graph, tmp_path):
        (tmp_path / "a.mp4").write_text("this is no video\n" * 50)
        with pytest.raises(ValueError, match="cannot be read as a video"):
            run(tmp_path / "a.mp4", tmp_path / "out", graph)
        assert not (tmp_path / "out").exists()

    def test_empty_video(self, graph, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"")
        with pytest.raises(ValueError, match="empty"):
            run(tmp_path / "a.mp4", tmp_path / "out", graph)

    def test_truncated_video_keeps_results(self, detector, graph, tmp_path):
        whole = write_video(tmp_path / "walk.mkv", 40).read_bytes()
        (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(IncompleteInput):
            run(tmp_path / "cut.mkv", tmp_path / "out", graph)
        done = Poses.load(tmp_path / "out" / "poses.npz")
        assert 0 < len(done) < 40
        assert len(json.loads((tmp_path / "out" / "poses.json").read_text())["poses"]) == len(done)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_interrupted(self, detector, graph, tmp_path, monkeypatch, error):
        video, find, images = write_video(tmp_path / "walk.mp4"), Detector.__call__, []

        def interrupted(self, image, *, track=False):
            images.append(image)
            if len(images) == 8:
                raise error
            return find(self, image)

        monkeypatch.setattr(Detector, "__call__", interrupted)
        with pytest.raises(error):
            run(video, tmp_path / "out", graph, figure=True)
        assert len(Poses.load(tmp_path / "out" / "poses.npz")) == 7
        assert (tmp_path / "out" / "poses.png").exists()

    def test_corrupt_npz(self, graph, tmp_path):
        np.savez(tmp_path / "a.npz", x=np.zeros(100))
        content = (tmp_path / "a.npz").read_bytes()
        (tmp_path / "a.npz").write_bytes(content[:150])
        with pytest.raises(ValueError, match="a.npz"):
            run(tmp_path / "a.npz", tmp_path / "out", graph)
        assert not (tmp_path / "out").exists()
        (tmp_path / "out").mkdir()
        with pytest.raises(ValueError, match="a.npz"):
            run(tmp_path / "a.npz", tmp_path / "out", graph)
        assert (tmp_path / "out").exists()

    def test_unrelated_pickle(self, graph, tmp_path):
        for name in ("a.npz", "a.pkl"):
            (tmp_path / name).write_bytes(pickle.dumps({"some": "thing"}))
            with pytest.raises(ValueError, match=name):
                run(tmp_path / name, tmp_path / "out", graph)

    def test_keypoints_without_image_size(self, graph, tmp_path):
        poses = Poses(joint_formats.COCO_17, PERSON[None] / 320 - 1, np.ones((1, 17)))
        poses.save(tmp_path / "a.npz")
        with pytest.raises(ValueError, match="image.size"):
            run(tmp_path / "a.npz", tmp_path / "out", graph)

    def test_output_folder_is_a_file(self, detector, graph, tmp_path):
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        (tmp_path / "out").write_text("a file")
        with pytest.raises(OSError, match="as the output folder.*is a file.*choose another"):
            run(tmp_path / "a.png", tmp_path / "out", graph)
