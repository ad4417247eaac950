"""Prediction from Python and from files, with a detector that needs no files of its own."""

import errno
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.fakes import PERSON, SIZE, Detector, person, write_video
from PIL import Image

from camerapose import Poses, Predictor
from camerapose.core import formats
from camerapose.core.anatomy import DEFAULT_HEIGHT, body_height
from camerapose.core.camera import denormalize
from camerapose.infer import clip
from camerapose.infer import pipeline as prediction
from camerapose.infer.pipeline import predict
from camerapose.infer.predictor import PoseWarning
from camerapose.io import results, webcam
from camerapose.io.frames import IncompleteInput
from camerapose.io.source import Source
from camerapose.io.weights import SHIPPED


@pytest.fixture(scope="module")
def predictor(graph):
    return Predictor(graph, threads=1)


def run(path, out, graph, **options):
    """Without pictures, and as tall as the network says, unless a test is about them."""
    usual = {"picture": False, "height": 0.0, "say": lambda line: None}
    return predict(path, out, weights=graph, progress=False, threads=1, **usual | options)


class TestPredictor:
    def test_columns(self, predictor):
        poses = predictor(PERSON[None], image_size=SIZE)
        assert poses.skeleton == formats.H36M_16
        assert poses.pose3d.shape == (1, 16, 3) and poses.pose3d.dtype == np.float32
        assert poses.camera.in_pixels(poses.image_size).focal == pytest.approx(np.full((1, 2), 640))
        np.testing.assert_allclose(poses.root_position, poses.camera.translation)
        assert poses.reprojection_error == pytest.approx(0, abs=0.01)

    def test_2d_is_what_was_given(self, predictor):
        poses = predictor(PERSON[None], image_size=SIZE)
        given = denormalize(poses.pose2d, poses.image_size)[0]
        for joint in ("left_wrist", "right_knee"):
            np.testing.assert_allclose(
                given[poses.skeleton.index(joint)],
                PERSON[formats.COCO_17.index(joint)],
                atol=1e-3,
            )

    def test_weights_for_clean_2d(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        given = np.random.default_rng(0).uniform((0, 0), SIZE, (3, 17, 2))
        (tmp_path / "clean").mkdir()  # a folder of this name is given as ./clean
        clean, default = Predictor("clean", threads=1), Predictor(threads=1)
        assert clean.path != default.path and clean.skeleton == default.skeleton
        assert "non-commercial" in clean.metadata["license"]
        difference = clean(given, image_size=SIZE).pose3d - default(given, image_size=SIZE).pose3d
        assert 1e-3 < np.abs(difference).mean() < 10
        with pytest.raises(FileNotFoundError, match="contains no model.onnx"):
            Predictor("./clean")

    def test_left_and_right_are_alike_with_mirroring(self):
        given = np.random.default_rng(0).uniform((0, 0), SIZE, (3, 17, 2))
        flipped = given[:, list(formats.COCO_17.mirror)] * (-1, 1) + (SIZE[0], 0)
        for mirror in (True, False):  # the weights themselves know left from right
            predictor = Predictor(threads=1, flip_averaging=mirror)
            there = predictor(given, image_size=SIZE)
            back = predictor(flipped, image_size=SIZE).mirror()
            apart = np.abs(there.pose3d - back.pose3d).max()
            assert apart < 1e-4 if mirror else apart > 1e-3
            for name in ("focal", "center"):
                found = np.abs(getattr(there.camera, name) - getattr(back.camera, name)).max()
                assert found < 1e-4 if mirror else found > 1e-5
        alone = Predictor(threads=1, flip_averaging=False)
        both = alone(given, image_size=SIZE), alone(flipped, image_size=SIZE).mirror()
        middle = (both[0].pose3d + both[1].pose3d) / 2
        np.testing.assert_allclose(Predictor(threads=1)(given, image_size=SIZE).pose3d, middle,
                                   atol=1e-4)  # fmt: skip

    def test_one_person_needs_no_first_axis(self, predictor):
        one = predictor(PERSON, np.ones(17), image_size=SIZE)
        np.testing.assert_array_equal(one.pose3d, predictor(PERSON[None], image_size=SIZE).pose3d)

    def test_takes_torch_and_returns_numpy(self, predictor):
        torch = pytest.importorskip("torch")
        keypoints = torch.tensor(PERSON[None], requires_grad=True)
        poses = predictor(keypoints, torch.ones(1, 17), image_size=torch.tensor(SIZE))
        np.testing.assert_array_equal(poses.pose3d, predictor(PERSON[None], image_size=SIZE).pose3d)

    def test_a_calibrated_camera_is_kept_to(self, predictor):
        """Twice the focal length: the same picture from twice as far."""
        told = {"focal": (1280, 1300), "center": (310, 250)}
        poses = predictor(PERSON[None], image_size=SIZE, **told)
        camera = poses.camera.in_pixels(poses.image_size)
        np.testing.assert_allclose(camera.focal, [told["focal"]], rtol=1e-5)
        np.testing.assert_allclose(camera.center, [told["center"]], rtol=1e-5)
        assert poses.reprojection_error < 5
        usual = predictor(PERSON[None], image_size=SIZE)
        far = predictor(PERSON[None], image_size=SIZE, focal=1280)
        assert far.root_position[0, 2] / usual.root_position[0, 2] == pytest.approx(2, abs=0.1)

    @pytest.mark.parametrize(
        ("told", "message"),
        [
            ({"center": (320, 240)}, "no focal length"),
            ({"focal": 0}, "give pixels above 0"),
            ({"focal": [1000, 1000, 1000]}, r"focal has shape \(3,\).*row for each of 1"),
            ({"focal": 1000, "center": [[1, 2], [3, 4]]}, r"center has shape \(2, 2\)"),
            ({"focal": 1000, "center": (np.nan, 2)}, "center is .*nan"),
        ],
    )
    def test_a_camera_that_cannot_be(self, predictor, told, message):
        with pytest.raises(ValueError, match=message):
            predictor(PERSON[None], image_size=SIZE, **told)

    def test_people_are_lifted_each_by_itself(self, predictor, monkeypatch):
        many = PERSON + np.arange(7)[:, None, None]
        sizes = np.tile(SIZE, (7, 1))
        together = predictor(many, image_size=sizes)
        monkeypatch.setattr("camerapose.infer.predictor.CHUNK", 3)
        np.testing.assert_allclose(predictor(many, image_size=sizes).pose3d, together.pose3d)
        alone = predictor(many[4:5], image_size=SIZE)
        np.testing.assert_allclose(alone.pose3d, together.pose3d[4:5], rtol=1e-5)

    def test_nobody(self, predictor):
        poses = predictor(np.zeros((0, 17, 2)), image_size=SIZE)
        assert len(poses) == 0 and poses.pose3d.shape == (0, 16, 3)
        assert poses.reprojection_error.shape == (0,)

    @pytest.mark.parametrize("way", ["nan", "confidence 0", "confidence nan"])
    def test_missing_joints_are_not_read(self, predictor, way):
        keypoints, confidence = PERSON[None].copy(), np.ones((1, 17))
        wrist = formats.COCO_17.index("left_wrist")
        if way == "nan":
            keypoints[0, wrist] = np.nan
        else:
            keypoints[0, wrist] = 1e6
            confidence[0, wrist] = 0 if way == "confidence 0" else np.nan
        poses = predictor(keypoints, confidence, image_size=SIZE)
        assert poses.confidence[0, poses.skeleton.index("left_wrist")] == 0
        other = PERSON[None].copy()
        other[0, wrist] = 0
        confidence[0, wrist] = 0
        same = predictor(other, confidence, image_size=SIZE)
        np.testing.assert_array_equal(poses.pose3d, same.pose3d)
        assert np.isfinite(poses.pose2d).all() and poses.reprojection_error < 0.01

    def test_infinite_keypoints_count_as_missing_with_a_warning(self, predictor):
        keypoints = PERSON[None].copy()
        keypoints[0, 9, 1] = np.inf
        with pytest.warns(PoseWarning, match="infinite coordinates in pose 0"):
            poses = predictor(keypoints, image_size=SIZE)
        assert poses.confidence[0, poses.skeleton.index("left_wrist")] == 0

    def test_scores_a_little_above_one_are_clipped(self, predictor):
        assert predictor(PERSON, np.full(17, 1.04), image_size=SIZE).confidence.max() == 1

    def test_person_outside_the_image_is_lifted_with_a_warning(self, predictor):
        with pytest.warns(PoseWarning, match="pose 1 lies wholly outside"):
            poses = predictor(np.stack([PERSON, PERSON + 1000, PERSON]), image_size=SIZE)
        assert np.isfinite(poses.pose3d).all() and poses.reprojection_error[1] < 0.01

    def test_normalised_coordinates_are_noticed(self, predictor):
        with pytest.warns(PoseWarning, match="wants pixels"):
            predictor(PERSON / 640, image_size=SIZE)

    def test_usable_tells_who_can_be_lifted(self, predictor):
        confidence = np.ones((3, 17))
        confidence[0], confidence[1, :14] = 0, 0
        np.testing.assert_array_equal(
            predictor.usable(np.stack([PERSON] * 3), confidence), [False, False, True]
        )


class TestBadKeypoints:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"keypoints": PERSON[None, :16]}, "16 joints but coco_17 has 17.*h36m_16 and mpii_16"),
            ({"keypoints": PERSON[None, :14]}, "14 joints but coco_17 has 17.*Known formats"),
            ({"skeleton": "coco_18"}, "unknown skeleton 'coco_18'.*did you mean 'coco_17'"),
            ({"keypoints": np.zeros((1, 17, 3))}, "three numbers a joint"),
            ({"keypoints": np.zeros(17)}, "give \\(people, joints, 2\\)"),
            ({"confidence": np.ones((1, 16))}, "give one number a joint"),
            ({"confidence": np.full((1, 17), 87.0)}, "divided by 100"),
            ({"confidence": np.full((1, 17), -1.0)}, "give 0 .not seen. to 1"),
            ({"confidence": np.zeros((1, 17))}, "Of pose 0 no joint is seen"),
            ({"keypoints": np.full((1, 17, 2), np.nan)}, "Of pose 0 no joint is seen"),
            ({"keypoints": np.full((1, 17, 2), 7.0)}, "all joints stand in one place"),
            ({"image_size": 640}, "give .width, height."),
            ({"image_size": (0, 480)}, "is no .width, height."),
            ({"image_size": np.ones((3, 2))}, "one row for each of the 1 people"),
        ],
    )
    def test_says_what_came_and_what_would_do(self, predictor, change, message):
        arguments = {"keypoints": PERSON[None], "confidence": np.ones((1, 17)),
                     "image_size": SIZE, "skeleton": "coco_17"} | change  # fmt: skip
        with pytest.raises(ValueError, match=message):
            predictor(arguments.pop("keypoints"), arguments.pop("confidence"), **arguments)

    def test_too_few_joints(self, predictor):
        confidence = np.ones((2, 17))
        confidence[1, :14] = 0
        with pytest.raises(ValueError, match="Of pose 1 fewer than 4 joints of h36m_16"):
            predictor(np.stack([PERSON] * 2), confidence, image_size=SIZE)


class TestWeights:
    def test_run_and_checkpoint_folders(self, graph, tmp_path):
        folder = tmp_path / "run" / "checkpoint"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(graph.read_bytes())
        for path in (tmp_path / "run", folder, str(folder / "model.onnx")):
            assert Predictor(path, threads=1).path == folder / "model.onnx"

    def test_none_in_the_package(self, monkeypatch):
        monkeypatch.setitem(SHIPPED, "default", "absent")
        with pytest.raises(FileNotFoundError, match="contains no weights.*camerapose train"):
            Predictor()

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no weights at"):
            Predictor(tmp_path / "absent.onnx")
        with pytest.raises(FileNotFoundError, match="contains no model.onnx; give a run"):
            Predictor(tmp_path)

    def test_checkpoint_instead_of_a_graph(self, tmp_path):
        (tmp_path / "model.safetensors").write_bytes(b"x")
        with pytest.raises(ValueError, match="camerapose export"):
            Predictor(tmp_path / "model.safetensors")

    def test_no_onnx(self, tmp_path):
        (tmp_path / "a.onnx").write_text("no graph at all")
        with pytest.raises(ValueError, match="can't be read as an ONNX graph"):
            Predictor(tmp_path / "a.onnx")

    def test_foreign_graph(self, make_graph):
        text = """
            <ir_version: 8, opset_import: ["": 17]>
            other (float[n,16,2] image) => (float[n,16,2] heat) { heat = Identity (image) }"""
        with pytest.raises(ValueError, match="none of camerapose: it lacks center, confidence"):
            Predictor(make_graph(text))

    def test_graph_of_another_skeleton(self, make_graph):
        with pytest.raises(ValueError, match="takes 16 joints but names .* coco_17, which has 17"):
            Predictor(make_graph(skeleton="coco_17"))
        with pytest.raises(ValueError, match="unknown skeleton 'hand_21'"):
            Predictor(make_graph(skeleton="hand_21"))


class TestFiles:
    def test_image(self, detector, graph, tmp_path):
        Image.new("RGB", SIZE, "white").save(tmp_path / "man.jpg")
        lines = []
        poses = run(tmp_path / "man.jpg", tmp_path / "out", graph, picture=True, say=lines.append)
        assert len(poses) == 1 and poses.labels["image"][0] == "man.jpg"
        written = {path.name for path in (tmp_path / "out").iterdir()}
        assert written == {"poses.npz", "poses.json", "man_poses.png"}
        assert "man_poses.png" in lines[-1] and "1 pose" in lines[0]
        assert Image.open(tmp_path / "out" / "man_poses.png").width > 1000

    def test_video(self, detector, graph, tmp_path):
        video = write_video(tmp_path / "walk.mp4", black=(3, 4))
        poses = run(video, tmp_path / "out", graph, picture=True, max_people=2)
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

    def test_folder_writes_nothing_over_its_images(self, detector, graph, tmp_path):
        for name in ("a.png", "b.png"):
            Image.new("RGB", SIZE, "white").save(tmp_path / name)
        before = (tmp_path / "a.png").read_bytes()
        poses = run(tmp_path, tmp_path, graph, picture=True)
        assert list(poses.labels["image"]) == ["a.png", "b.png"]
        assert (tmp_path / "a.png").read_bytes() == before
        assert (tmp_path / "b_poses.png").exists()

    def test_batches_change_nothing(self, detector, graph, tmp_path, monkeypatch):
        video = write_video(tmp_path / "walk.mp4")
        whole = run(video, tmp_path / "a", graph)
        monkeypatch.setattr(prediction, "BATCH", 3)
        np.testing.assert_allclose(run(video, tmp_path / "b", graph).pose3d, whole.pose3d)

    def test_keypoints_of_our_own(self, predictor, graph, tmp_path):
        given = predictor(np.stack([PERSON, PERSON + 5]), image_size=SIZE)
        given.save(tmp_path / "k.npz")
        poses = run(tmp_path / "k.npz", tmp_path / "out", graph, picture=True)
        np.testing.assert_allclose(poses.pose3d, given.pose3d, rtol=1e-4)
        assert (tmp_path / "out" / "poses.png").exists()

    def test_people_of_unknown_height(self, predictor, graph, tmp_path):
        """All scaled alike, and it is said; who is taller than whom stays."""
        given = predictor(np.stack([PERSON, 1.3 * PERSON, PERSON[::-1]]), image_size=SIZE)
        labels = {"frame": np.zeros(3, int), "person": np.arange(3)}
        replace(given, labels=labels).save(tmp_path / "k.npz")
        guess, lines = run(tmp_path / "k.npz", tmp_path / "guess", graph), []
        poses = run(tmp_path / "k.npz", tmp_path / "out", graph, height=None, say=lines.append)
        heights = body_height(poses.pose3d, poses.skeleton)
        assert np.median(heights) == pytest.approx(DEFAULT_HEIGHT)
        middle = np.median(body_height(guess.pose3d, guess.skeleton))
        scale = DEFAULT_HEIGHT / middle
        np.testing.assert_allclose(poses.pose3d, scale * guess.pose3d, rtol=1e-4)
        np.testing.assert_allclose(poses.reprojection, guess.reprojection, atol=1e-4)
        (said,) = [line for line in lines if "how tall" in line]
        assert "1.70 m" in said and f"guess is {middle:.2f} m" in said

    def test_what_the_user_knows_is_used(self, predictor, graph, tmp_path):
        given = predictor(np.stack([PERSON, PERSON + 5]), image_size=SIZE)
        given.save(tmp_path / "k.npz")
        tall = run(tmp_path / "k.npz", tmp_path / "tall", graph, height=2.0)
        assert np.median(body_height(tall.pose3d, tall.skeleton)) == pytest.approx(2.0, abs=0.02)
        near = run(tmp_path / "k.npz", tmp_path / "near", graph, focal=320.0)
        assert near.camera.in_pixels(near.image_size).focal == pytest.approx(np.full((2, 2), 320))
        assert (near.root_position[:, 2] < 0.6 * given.root_position[:, 2]).all()
        still = run(tmp_path / "k.npz", tmp_path / "still", graph, static_camera=True)
        assert (still.camera.focal == still.camera.focal[0]).all()

    def test_a_photo_tells_its_focal_length(self, detector, graph, tmp_path):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.jpg", exif=exif)
        Image.new("RGB", SIZE, "white").save(tmp_path / "b.jpg")
        lines = []
        poses = run(tmp_path, tmp_path / "out", graph, say=lines.append)
        focal = poses.camera.in_pixels(poses.image_size).focal
        np.testing.assert_allclose(focal[0], 28 / 43.27 * 800, rtol=1e-4)
        np.testing.assert_allclose(focal[1], 640, rtol=1e-4)
        assert any("EXIF of 1 image: a.jpg 518 pixels" in line for line in lines)
        given = run(tmp_path, tmp_path / "out", graph, focal=700.0)
        np.testing.assert_allclose(given.camera.in_pixels(given.image_size).focal, 700, rtol=1e-4)

    def test_a_video_is_smoothed_unless_not_wanted(self, detector, graph, tmp_path, monkeypatch):
        class Nervous(Detector):
            count = 0

            def __call__(self, image, *, track=False):
                Nervous.count += 1
                found = super().__call__(image, track=track)
                shake = np.random.default_rng(Nervous.count).normal(size=(17, 2))
                return [
                    SimpleNamespace(**vars(p) | {"keypoints": p.keypoints + shake}) for p in found
                ]

        monkeypatch.setattr("helpers.fakes.Detector", Nervous)
        video = write_video(tmp_path / "walk.mp4")
        shaking = []
        for strength in (0.0, 1.0):
            poses = run(video, tmp_path / str(strength), graph, smooth=strength)
            assert len(poses) == 20
            steps = np.diff(poses.pose3d - poses.root_position[:, None], n=2, axis=0)
            shaking.append(np.linalg.norm(steps, axis=-1).mean())
        assert shaking[1] < 0.7 * shaking[0]  # at 10 frames a second much of it is slow

    def test_keypoints_are_smoothed_only_as_one_movement(self, predictor, graph, tmp_path):
        given = predictor(PERSON + 40 * np.random.default_rng(0).random((9, 1, 1)), image_size=SIZE)
        given = replace(given, labels={"frame": np.arange(9), "person": np.zeros(9, int)})
        given.save(tmp_path / "k.npz")
        alone = run(tmp_path / "k.npz", tmp_path / "a", graph)
        np.testing.assert_allclose(alone.pose3d, given.pose3d, rtol=1e-3, atol=1e-3)
        asked = run(tmp_path / "k.npz", tmp_path / "b", graph, smooth=1.0)
        replace(given, labels=given.labels | {"time": np.arange(9) / 30}).save(tmp_path / "t.npz")
        timed = run(tmp_path / "t.npz", tmp_path / "c", graph)
        np.testing.assert_allclose(asked.pose3d, timed.pose3d, atol=1e-5)
        assert np.abs(asked.pose3d - alone.pose3d).max() > 0.01

    def test_exports(self, detector, graph, tmp_path):
        video = write_video(tmp_path / "walk.mp4")
        run(video, tmp_path / "one", graph, export=("trc", "bvh", "csv"))
        assert {"poses.trc", "poses.bvh", "poses.csv"} <= {
            path.name for path in (tmp_path / "one").iterdir()
        }
        frames = (tmp_path / "one" / "poses.trc").read_text().splitlines()[2].split("\t")[2]
        assert frames == "20"
        with pytest.raises(ValueError, match="unknown export 'fbx'; available: bvh, c3d, csv"):
            run(video, tmp_path / "two", graph, export=("fbx",))
        with pytest.raises(ValueError, match="ground says how files .* export some"):
            run(video, tmp_path / "two", graph, ground=True)
        assert not (tmp_path / "two").exists()

    def test_exports_stand_on_a_floor(self, detector, graph, tmp_path):
        """What is said of the camera is what the file's points were turned by."""
        video, lines = write_video(tmp_path / "walk.mp4"), []
        poses = run(video, tmp_path, graph, export=("csv",), ground=True, say=lines.append)
        floor = clip.estimate_ground(poses)
        (said,) = [line for line in lines if "upright" in line]
        assert f"by {abs(round(floor.pitch))} degrees" in said and "above the floor" in said
        written = np.genfromtxt(tmp_path / "poses.csv", delimiter=",", names=True)
        expected = floor.points(poses.pose3d)[:, poses.skeleton.index("left_ankle"), 1]
        np.testing.assert_allclose(written["left_ankle_y"], expected, atol=1e-3)

    def test_overlay(self, detector, graph, tmp_path):
        """As many frames as were looked at; drawn on where somebody is, and only there."""
        video = write_video(tmp_path / "walk.mp4", black=(3, 4))
        run(video, tmp_path / "out", graph, overlay=True, start=2, end=12, stride=2)
        source = Source.open(tmp_path / "out" / "overlay.mp4")
        shots = list(source.frames())
        assert len(shots) == 5 and source.info().fps == 5
        drawn = [np.ptp(shot.image.astype(int), axis=(0, 1)).max() > 60 for shot in shots]
        assert drawn == [True, False, True, True, True]  # frame 4 is black
        assert not list((tmp_path / "out").glob("*.part"))
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        with pytest.raises(ValueError, match="an overlay is made of a video"):
            run(tmp_path / "a.png", tmp_path / "out", graph, overlay=True)

    def test_json_goes_in_again(self, predictor, graph, tmp_path):
        given = predictor(np.stack([PERSON, PERSON + 5]), image_size=SIZE)
        results.write_json(given, tmp_path / "k.json")
        poses = run(tmp_path / "k.json", tmp_path / "out", graph)
        np.testing.assert_allclose(poses.pose3d, given.pose3d, atol=0.01)

    def test_nobody_found(self, detector, graph, tmp_path):
        Image.new("RGB", SIZE, "black").save(tmp_path / "night.png")
        lines = []
        poses = run(tmp_path / "night.png", tmp_path / "out", graph, picture=True, say=lines.append)
        assert len(poses) == 0 and any("nobody was found" in line for line in lines)
        assert json.loads((tmp_path / "out" / "poses.json").read_text())["poses"] == []
        assert len(Poses.load(tmp_path / "out" / "poses.npz")) == 0

    def test_people_hardly_seen_are_left_out(self, detector, graph, tmp_path, monkeypatch):
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        find = Detector.__call__

        def faint(self, image, *, track=False):
            (found,) = find(self, image)
            return [found, SimpleNamespace(keypoints=PERSON, confidence=np.zeros(17), person=1)]

        monkeypatch.setattr(Detector, "__call__", faint)
        lines = []
        poses = run(tmp_path / "a.png", tmp_path / "out", graph, say=lines.append)
        assert len(poses) == 1 and any("1 person left out" in line for line in lines)


class Scripted(Detector):
    """Finds, in each frame of a video, the people that a list tells."""

    people = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.frame = -1

    def __call__(self, image, *, track=False):
        self.frame += 1
        return list(self.people[self.frame])


class TestPeople:
    @pytest.fixture
    def watch(self, detector, graph, tmp_path, monkeypatch):
        """A video in whose frames these people are found."""

        def watch(people, **options):
            monkeypatch.setattr("helpers.fakes.Detector", Scripted)
            monkeypatch.setattr(Scripted, "people", people)
            video = write_video(tmp_path / "street.mp4", len(people))
            return run(video, tmp_path / "out", graph, **options)

        return watch

    def test_who_leaves_and_comes_back_is_one_person(self, watch, tmp_path):
        """Of one person that is looked for: three frames without anybody, then another place."""
        there, back = [person(200, number=0)], [person(420, number=1)]
        poses = watch([there] * 8 + [[]] * 3 + [back] * 8, export=("trc", "csv"))
        assert set(poses.labels["person"]) == {0} and len(poses) == 16
        rows = (tmp_path / "out" / "poses.csv").read_text().splitlines()[1:]
        assert [i for i, row in enumerate(rows) if ",,," in row] == [8, 9, 10]

    def test_gaps_are_filled_if_asked(self, watch, tmp_path):
        there, back = [person(200, number=0)], [person(230, number=1)]
        lines = []
        people = [there] * 8 + [[]] * 3 + [back] * 8
        poses = watch(people, fill_gaps=0.5, export=("csv",), say=lines.append)
        assert len(poses) == 19 and any("3 poses filled in" in line for line in lines)
        np.testing.assert_array_equal(np.flatnonzero(poses.labels["filled"]), [8, 9, 10])
        assert poses.labels["image"][9] == "street_000009"
        content = json.loads((tmp_path / "out" / "poses.json").read_text())["poses"]
        assert [row["filled"] for row in content[7:12]] == [False, True, True, True, False]
        assert content[9]["keypoints"] == [None] * 16 and content[9]["refinement"] is None
        with np.load(tmp_path / "out" / "poses.npz") as file:
            seen = file["detected_confidence"].max(axis=1) > 0
            np.testing.assert_array_equal(seen, ~file["label_filled"])
        rows = (tmp_path / "out" / "poses.csv").read_text().splitlines()[1:]
        assert [row.split(",")[1] for row in rows] == ["0"] * 8 + ["1"] * 3 + ["0"] * 8
        assert (np.abs(np.diff(poses.root_position[:, 0])) < 0.5).all()

    def test_two_people_who_cross(self, watch, tmp_path):
        """One hides the other; each keeps a number, and both stand before one camera."""
        people = []
        for i in range(40):
            both = [person(60 + 12 * i, scale=0.5), person(540 - 12 * i, scale=0.4, score=0.8)]
            hidden = 17 <= i <= 22
            people.append(both[:1] if hidden else both[:: 1 if i % 2 else -1])
        poses = watch(people, max_people=2, export=("trc",))
        for number in (0, 1):
            mine = poses[poses.labels["person"] == number]
            steps = np.diff(mine.root_position[:, 0])
            assert (steps > 0).all() or (steps < 0).all()
        assert (tmp_path / "out" / "poses_1.trc").exists()
        frames, count = np.unique(poses.labels["frame"], return_counts=True)
        assert len(frames) == 40 and (count == 2).sum() == 34
        for frame in frames[count == 2]:
            assert np.ptp(poses.camera.focal[poses.labels["frame"] == frame], axis=0).max() == 0

    def test_nobody_in_a_whole_video(self, watch, tmp_path):
        poses = watch([[]] * 6, overlay=True, report=True, export=("trc",), picture=True)
        assert len(poses) == 0
        written = {path.name for path in (tmp_path / "out").iterdir()}
        assert written == {"poses.npz", "poses.json", "overlay.mp4"}

    def test_a_changing_frame_rate_in_all_files(self, detector, graph, tmp_path):
        times = np.r_[0:1:0.1, 1:3:0.2]
        video = write_video(tmp_path / "phone.mp4", 20, times=times)
        poses = run(video, tmp_path / "out", graph, overlay=True, export=("csv",))
        np.testing.assert_allclose(poses.labels["time"], times, atol=2e-3)
        shown = [shot.time for shot in Source.open(tmp_path / "out" / "overlay.mp4").frames()]
        np.testing.assert_allclose(shown, times, atol=2e-3)
        rows = (tmp_path / "out" / "poses.csv").read_text().splitlines()[1:]
        assert float(rows[-1].split(",")[0]) == pytest.approx(times[-1], abs=0.2)

    def test_refinement_is_reported(self, watch, tmp_path):
        lines = []
        watch([[person(300)]] * 3, say=lines.append)
        assert "no refinement: these weights take the 2D as it is" in lines
        run(tmp_path / "street.mp4", tmp_path / "again", "default", say=lines.append)
        assert any(line.startswith("refinement moved joints by") for line in lines)


class TestWebcam:
    @pytest.fixture(autouse=True)
    def test_pattern(self, monkeypatch):
        address = "testsrc2=size=96x64:rate=10", "lavfi", {}
        monkeypatch.setattr(webcam, "device", lambda name: address)

    def test_lines_come_while_it_runs(self, detector, graph, tmp_path, monkeypatch):
        """Ctrl-C is how it ends; no error."""
        find, seen = Detector.__call__, []

        def until_enough(self, image, *, track=False):
            live = tmp_path / "out" / "poses.jsonl"
            seen.append(len(live.read_text().splitlines()))
            if len(seen) == 8:
                raise KeyboardInterrupt
            return find(self, image)

        monkeypatch.setattr(Detector, "__call__", until_enough)
        poses = run("0", tmp_path / "out", graph, export=("trc",), picture=True)
        assert seen == list(range(8)) and len(poses) == 7
        lines = (tmp_path / "out" / "poses.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        assert [row["frame"] for row in rows] == list(range(7))
        np.testing.assert_allclose([row["time"] for row in rows], np.arange(7) / 10, atol=1e-6)
        assert {"poses.npz", "poses.json", "poses.trc", "poses.png"} <= {
            path.name for path in (tmp_path / "out").iterdir()
        }

    def test_so_many_frames(self, detector, graph, tmp_path):
        assert len(run("0", tmp_path / "out", graph, end=4)) == 4
        with pytest.raises(ValueError, match="webcam 0 is none"):
            run("0", tmp_path / "out", graph, overlay=True)


class TestPictures:
    """Images of every kind, through the whole path but the detector's networks."""

    @pytest.mark.parametrize(
        "size", [(1, 1), (5, 3), (9000, 300), (300, 9000)], ids=["dot", "tiny", "wide", "high"]
    )
    def test_sizes(self, detector, graph, tmp_path, size):
        Image.new("RGB", size, "white").save(tmp_path / "a.png")
        poses = run(tmp_path / "a.png", tmp_path / "out", graph, picture=True)
        assert len(poses) == 1 and tuple(poses.image_size[0]) == size
        assert np.isfinite(poses.pose3d).all()
        assert (tmp_path / "out" / "a_poses.png").exists()

    def test_detectors_see_huge_images_smaller(self, detector, graph, tmp_path, monkeypatch):
        """And what they find stands where it is in the image."""
        Image.new("RGB", (9000, 300), "white").save(tmp_path / "a.png")
        whole = run(tmp_path / "a.png", tmp_path / "out", graph)
        monkeypatch.setattr(prediction, "LARGEST", 9000)
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

    def test_turned(self, detector, graph, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.jpg", exif=exif)
        poses = run(tmp_path / "a.jpg", tmp_path / "out", graph)
        assert tuple(poses.image_size[0]) == SIZE[::-1]

    def test_images_of_several_folders(self, detector, graph, tmp_path):
        for place in ("a/one.png", "b/one.png"):
            (tmp_path / place).parent.mkdir()
            Image.new("RGB", SIZE, "white").save(tmp_path / place)
        poses = run(str(tmp_path / "*" / "one.png"), tmp_path / "out", graph, picture=True)
        assert list(poses.labels["image"]) == ["a/one.png", "b/one.png"]
        assert {"a_one_poses.png", "b_one_poses.png"} <= {
            path.name for path in (tmp_path / "out").iterdir()
        }


class TestJson:
    def test_content(self, predictor):
        keypoints, confidence = PERSON[None], np.ones((1, 17))
        confidence[0, 9] = 0
        poses = predictor(keypoints, confidence, image_size=SIZE)
        content = results.to_dict(poses)
        assert content["format"] == "camerapose" and content["skeleton"] == "h36m_16"
        (row,) = content["poses"]
        wrist = content["joints"].index("left_wrist")
        assert row["keypoints"][wrist] is None and row["confidence"][wrist] == 0
        assert row["image_size"] == [640, 480]
        np.testing.assert_allclose(row["pose3d"], poses.pose3d[0], atol=1e-4)
        np.testing.assert_allclose(row["camera"]["focal"], [640, 640])
        np.testing.assert_allclose(row["camera"]["center"], [320, 240])
        np.testing.assert_allclose(row["camera"]["translation"], row["pose3d"][0])
        assert {"frame", "time", "person", "image"} <= set(row)

    def test_camera_and_3d_give_the_reprojection(self, predictor):
        (row,) = results.rows(predictor(PERSON, image_size=SIZE))
        points, camera = np.array(row["pose3d"]), row["camera"]
        pixels = points[:, :2] / points[:, 2:] * camera["focal"] + camera["center"]
        np.testing.assert_allclose(pixels, row["reprojection"], atol=0.1)


class TestBadInput:
    def test_text_named_mp4(self, graph, tmp_path):
        (tmp_path / "a.mp4").write_text("this is no video\n" * 50)
        with pytest.raises(ValueError, match="cannot be read as a video"):
            run(tmp_path / "a.mp4", tmp_path / "out", graph)
        assert not (tmp_path / "out").exists()

    def test_empty_video(self, graph, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"")
        with pytest.raises(ValueError, match="the file is empty"):
            run(tmp_path / "a.mp4", tmp_path / "out", graph)

    def test_truncated_video_leaves_what_was_done(self, detector, graph, tmp_path):
        whole = write_video(tmp_path / "walk.mkv", 40).read_bytes()
        (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(IncompleteInput):
            run(tmp_path / "cut.mkv", tmp_path / "out", graph)
        done = Poses.load(tmp_path / "out" / "poses.npz")
        assert 0 < len(done) < 40
        assert len(json.loads((tmp_path / "out" / "poses.json").read_text())["poses"]) == len(done)

    @pytest.mark.parametrize("trouble", [KeyboardInterrupt, RuntimeError])
    def test_interrupted(self, detector, graph, tmp_path, monkeypatch, trouble):
        video, find, seen = write_video(tmp_path / "walk.mp4"), Detector.__call__, []

        def interrupted(self, image, *, track=False):
            seen.append(image)
            if len(seen) == 8:
                raise trouble
            return find(self, image)

        monkeypatch.setattr(Detector, "__call__", interrupted)
        with pytest.raises(trouble):
            run(video, tmp_path / "out", graph, picture=True)
        assert len(Poses.load(tmp_path / "out" / "poses.npz")) == 7
        assert (tmp_path / "out" / "poses.png").exists()

    def test_corrupt_npz(self, graph, tmp_path):
        np.savez(tmp_path / "a.npz", x=np.zeros(100))
        content = (tmp_path / "a.npz").read_bytes()
        (tmp_path / "a.npz").write_bytes(content[:150])
        with pytest.raises(ValueError, match="a.npz"):
            run(tmp_path / "a.npz", tmp_path / "out", graph)

    def test_pickle_that_is_no_data_set(self, graph, tmp_path):
        for name in ("a.npz", "a.pkl"):
            (tmp_path / name).write_bytes(pickle.dumps({"some": "thing"}))
            with pytest.raises(ValueError, match=name):
                run(tmp_path / name, tmp_path / "out", graph)

    def test_keypoints_without_image_size(self, graph, tmp_path):
        poses = Poses(formats.COCO_17, PERSON[None] / 320 - 1, np.ones((1, 17)))
        poses.save(tmp_path / "a.npz")
        with pytest.raises(ValueError, match="image.size"):
            run(tmp_path / "a.npz", tmp_path / "out", graph)

    def test_output_folder_that_is_a_file(self, detector, graph, tmp_path):
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        (tmp_path / "out").write_text("a file")
        with pytest.raises(OSError, match="can't be used as the output folder.*--out"):
            run(tmp_path / "a.png", tmp_path / "out", graph)

    @pytest.mark.parametrize("full_from", ["poses.npz", "poses.json", "a_poses.png"])
    def test_full_disk(self, detector, graph, tmp_path, monkeypatch, full_from):
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        replace_file = os.replace

        def full(source, target):
            if Path(target).name == full_from:
                raise OSError(errno.ENOSPC, "No space left on device", str(target))
            replace_file(source, target)

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(OSError, match=f"{full_from}.*[nN]o space left"):
            run(tmp_path / "a.png", tmp_path / "out", graph, picture=True)
        written = {path.name for path in (tmp_path / "out").iterdir()}
        order = ["poses.npz", "poses.json", "a_poses.png"]
        assert written == set(order[: order.index(full_from)])


def test_torch_is_not_imported():
    code = (
        "import sys, camerapose; from camerapose import Predictor; "
        "import camerapose.infer.pipeline, "
        "camerapose.view.plot, camerapose.cli; from camerapose.core import plugins; "
        "[plugins.load('detectors', n) for n in plugins.available('detectors')]; "
        "plugins.load('datasets', 'keypoints'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_example_runs(graph):
    example = Path(__file__).parents[2] / "examples" / "predict_keypoints.py"
    done = subprocess.run(
        [sys.executable, str(example), str(graph)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "m from the camera" in done.stdout
