"""Lifting keypoints with `Predictor`: results, invalid keypoints, weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from helpers.fakes import PERSON, SIZE

from camerapose import Predictor
from camerapose.core import joint_formats
from camerapose.core.camera import denormalize
from camerapose.infer.keypoint_checks import PoseWarning
from camerapose.io.runtime import DEVICES
from camerapose.io.weights import DEFAULT, SHIPPED


@pytest.fixture(scope="module")
def predictor(graph):
    return Predictor(graph, threads=1)


class TestPredictor:
    def test_columns(self, predictor):
        poses = predictor(PERSON[None], image_size=SIZE)
        assert poses.skeleton == joint_formats.H36M_16
        assert poses.pose3d.shape == (1, 16, 3) and poses.pose3d.dtype == np.float32
        assert poses.camera.in_pixels(poses.image_size).focal == pytest.approx(np.full((1, 2), 640))
        np.testing.assert_allclose(poses.root_position, poses.camera.translation)
        assert poses.reprojection_error == pytest.approx(0, abs=0.01)

    def test_2d_is_unchanged(self, predictor):
        poses = predictor(PERSON[None], image_size=SIZE)
        given = denormalize(poses.pose2d, poses.image_size)[0]
        for joint in ("left_wrist", "right_knee"):
            np.testing.assert_allclose(
                given[poses.skeleton.index(joint)],
                PERSON[joint_formats.COCO_17.index(joint)],
                atol=1e-3,
            )

    def test_weights_by_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        given = np.random.default_rng(0).uniform((0, 0), SIZE, (3, 17, 2))
        (tmp_path / "research").mkdir()  # a folder of this name is given as ./research
        named = [Predictor(name, threads=1) for name in ("research", "human36m", "open")]
        assert ["non-commercial" in p.metadata["license"] for p in named] == [True, True, False]
        assert named[0].skeleton == named[2].skeleton
        one, other = (p(given, image_size=SIZE).pose3d for p in (named[0], named[2]))
        difference = one - other
        assert 1e-3 < np.abs(difference).mean() < 10
        with pytest.raises(FileNotFoundError, match="contains no model.onnx"):
            Predictor("./research")

    def test_flip_averaging_is_symmetric(self):
        given = np.random.default_rng(0).uniform((0, 0), SIZE, (3, 17, 2))
        flipped = given[:, list(joint_formats.COCO_17.mirror)] * (-1, 1) + (SIZE[0], 0)
        for flip in (True, False):  # the weights are not symmetric
            predictor = Predictor(threads=1, flip_averaging=flip)
            original = predictor(given, image_size=SIZE)
            mirrored = predictor(flipped, image_size=SIZE).mirror()
            difference = np.abs(original.pose3d - mirrored.pose3d).max()
            assert difference < 1e-4 if flip else difference > 1e-3
            for name in ("focal", "center"):
                columns = getattr(original.camera, name), getattr(mirrored.camera, name)
                difference = np.abs(columns[0] - columns[1]).max()
                assert difference < 1e-4 if flip else name == "center" or difference > 1e-5
        alone = Predictor(threads=1, flip_averaging=False)
        both = alone(given, image_size=SIZE), alone(flipped, image_size=SIZE).mirror()
        mean = (both[0].pose3d + both[1].pose3d) / 2
        np.testing.assert_allclose(Predictor(threads=1)(given, image_size=SIZE).pose3d, mean,
                                   atol=1e-4)  # fmt: skip

    def test_one_person_without_batch_axis(self, predictor):
        one = predictor(PERSON, np.ones(17), image_size=SIZE)
        np.testing.assert_array_equal(one.pose3d, predictor(PERSON[None], image_size=SIZE).pose3d)

    def test_takes_torch_and_returns_numpy(self, predictor):
        torch = pytest.importorskip("torch")
        keypoints = torch.tensor(PERSON[None], requires_grad=True)
        poses = predictor(keypoints, torch.ones(1, 17), image_size=torch.tensor(SIZE))
        np.testing.assert_array_equal(poses.pose3d, predictor(PERSON[None], image_size=SIZE).pose3d)

    def test_calibrated_camera(self, predictor):
        """With twice the focal length, the same image is seen from twice the distance."""
        known = {"focal": (1280, 1300), "center": (310, 250)}
        poses = predictor(PERSON[None], image_size=SIZE, **known)
        camera = poses.camera.in_pixels(poses.image_size)
        np.testing.assert_allclose(camera.focal, [known["focal"]], rtol=1e-5)
        np.testing.assert_allclose(camera.center, [known["center"]], rtol=1e-5)
        assert poses.reprojection_error < 5
        estimated = predictor(PERSON[None], image_size=SIZE)
        far = predictor(PERSON[None], image_size=SIZE, focal=1280)
        assert far.root_position[0, 2] / estimated.root_position[0, 2] == pytest.approx(2, abs=0.1)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"center": (320, 240)}, "without focal"),
            ({"focal": 0}, "give pixels above 0"),
            ({"focal": [1000, 1000, 1000]}, r"focal has shape \(3,\).*one row for each of 1"),
            ({"focal": 1000, "center": [[1, 2], [3, 4]]}, r"center has shape \(2, 2\)"),
            ({"focal": 1000, "center": (np.nan, 2)}, "center is .*nan"),
        ],
    )
    def test_invalid_camera(self, predictor, given, message):
        with pytest.raises(ValueError, match=message):
            predictor(PERSON[None], image_size=SIZE, **given)

    def test_people_are_lifted_independently(self, predictor, monkeypatch):
        many = PERSON + np.arange(7)[:, None, None]
        sizes = np.tile(SIZE, (7, 1))
        together = predictor(many, image_size=sizes)
        monkeypatch.setattr("camerapose.infer.predictor.CHUNK", 3)
        np.testing.assert_allclose(predictor(many, image_size=sizes).pose3d, together.pose3d)
        alone = predictor(many[4:5], image_size=SIZE)
        np.testing.assert_allclose(alone.pose3d, together.pose3d[4:5], rtol=1e-5)

    def test_no_people(self, predictor):
        poses = predictor(np.zeros((0, 17, 2)), image_size=SIZE)
        assert len(poses) == 0 and poses.pose3d.shape == (0, 16, 3)
        assert poses.reprojection_error.shape == (0,)

    @pytest.mark.parametrize("missing", ["nan", "confidence 0", "confidence nan"])
    def test_missing_joints_are_ignored(self, predictor, missing):
        keypoints, confidence = PERSON[None].copy(), np.ones((1, 17))
        wrist = joint_formats.COCO_17.index("left_wrist")
        if missing == "nan":
            keypoints[0, wrist] = np.nan
        else:
            keypoints[0, wrist] = 1e6
            confidence[0, wrist] = 0 if missing == "confidence 0" else np.nan
        poses = predictor(keypoints, confidence, image_size=SIZE)
        assert poses.confidence[0, poses.skeleton.index("left_wrist")] == 0
        other = PERSON[None].copy()
        other[0, wrist] = 0
        confidence[0, wrist] = 0
        same = predictor(other, confidence, image_size=SIZE)
        np.testing.assert_array_equal(poses.pose3d, same.pose3d)
        assert np.isfinite(poses.pose2d).all() and poses.reprojection_error < 0.01

    def test_warning_of_infinite_keypoints(self, predictor):
        keypoints = PERSON[None].copy()
        keypoints[0, 9, 1] = np.inf
        with pytest.warns(PoseWarning, match="infinite coordinates in pose 0"):
            poses = predictor(keypoints, image_size=SIZE)
        assert poses.confidence[0, poses.skeleton.index("left_wrist")] == 0

    def test_scores_slightly_above_one_are_clipped(self, predictor):
        assert predictor(PERSON, np.full(17, 1.04), image_size=SIZE).confidence.max() == 1

    def test_warning_of_people_outside_the_image(self, predictor):
        with pytest.warns(PoseWarning, match="pose 1 completely outside"):
            poses = predictor(np.stack([PERSON, PERSON + 1000, PERSON]), image_size=SIZE)
        assert np.isfinite(poses.pose3d).all() and poses.reprojection_error[1] < 0.01

    def test_warning_of_normalised_coordinates(self, predictor):
        with pytest.warns(PoseWarning, match="expected pixels"):
            predictor(PERSON / 640, image_size=SIZE)

    def test_usable(self, predictor):
        confidence = np.ones((3, 17))
        confidence[0], confidence[1, :14] = 0, 0
        np.testing.assert_array_equal(
            predictor.usable(np.stack([PERSON] * 3), confidence), [False, False, True]
        )


class TestDevice:
    @pytest.mark.parametrize("weights", list(SHIPPED))
    @pytest.mark.parametrize("device", [name for name in DEVICES if name != "cpu"])
    def test_equals_the_cpu(self, device, weights):
        """Poses of all shipped weights; devices that are not installed are skipped."""
        if DEVICES[device][0] not in onnxruntime.get_available_providers():
            pytest.skip(f"{DEVICES[device][2]} is not installed")
        keypoints = PERSON + np.random.default_rng(0).normal(scale=5, size=(20, 17, 2))
        expected = Predictor(weights, threads=1)(keypoints, image_size=SIZE)
        poses = Predictor(weights, threads=1, device=device)(keypoints, image_size=SIZE)
        np.testing.assert_allclose(poses.pose3d, expected.pose3d, atol=1e-4)
        np.testing.assert_allclose(poses.camera.focal, expected.camera.focal, rtol=1e-5)

    def test_not_installed(self, graph, monkeypatch):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [DEVICES["cpu"][0]])
        with pytest.raises(ValueError, match="'openvino' requires .*onnxruntime-openvino"):
            Predictor(graph, device="openvino")


class TestBadKeypoints:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"keypoints": PERSON[None, :16]}, "16 joints, but coco_17 has 17.*h36m_16, mpii_16"),
            ({"keypoints": PERSON[None, :14]}, "14 joints, but coco_17 has 17.*'lsp_14'"),
            ({"skeleton": "coco_18"}, "unknown skeleton 'coco_18'.*did you mean 'coco_17'"),
            ({"keypoints": np.zeros((1, 17, 3))}, "three values per joint"),
            ({"keypoints": np.zeros(17)}, "expected \\(people, joints, 2\\)"),
            ({"confidence": np.ones((1, 16))}, "expected one value per joint"),
            ({"confidence": np.full((1, 17), 87.0)}, "divide percentages by 100"),
            ({"confidence": np.full((1, 17), -1.0)}, "expected 0 .missing. to 1"),
            ({"confidence": np.zeros((1, 17))}, "pose 0: no visible joint"),
            ({"keypoints": np.full((1, 17, 2), np.nan)}, "pose 0: no visible joint"),
            ({"keypoints": np.full((1, 17, 2), 7.0)}, "all joints at one point"),
            ({"image_size": 640}, "expected .width, height."),
            ({"image_size": (0, 480)}, "expected .width, height."),
            ({"image_size": np.ones((3, 2))}, "one row for each of the 1 people"),
        ],
    )
    def test_error_states_received_and_accepted(self, predictor, change, message):
        arguments = {"keypoints": PERSON[None], "confidence": np.ones((1, 17)),
                     "image_size": SIZE, "skeleton": "coco_17"} | change  # fmt: skip
        with pytest.raises(ValueError, match=message):
            predictor(arguments.pop("keypoints"), arguments.pop("confidence"), **arguments)

    def test_too_few_joints(self, predictor):
        confidence = np.ones((2, 17))
        confidence[1, :14] = 0
        with pytest.raises(ValueError, match="pose 1: fewer than 4 visible joints of h36m_16"):
            predictor(np.stack([PERSON] * 2), confidence, image_size=SIZE)


class TestWeights:
    def test_run_and_checkpoint_folders(self, graph, tmp_path):
        folder = tmp_path / "run" / "checkpoint"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(graph.read_bytes())
        for path in (tmp_path / "run", folder, str(folder / "model.onnx")):
            assert Predictor(path, threads=1).path == folder / "model.onnx"

    def test_missing_in_the_package(self, monkeypatch):
        monkeypatch.setitem(SHIPPED, DEFAULT, "absent")
        with pytest.raises(FileNotFoundError, match="contains no weights.*camerapose train"):
            Predictor()

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no weights at"):
            Predictor(tmp_path / "absent.onnx")
        with pytest.raises(FileNotFoundError, match="contains no model.onnx; give a run"):
            Predictor(tmp_path)

    def test_checkpoint_instead_of_a_graph(self, tmp_path):
        (tmp_path / "model.safetensors").write_bytes(b"x")
        with pytest.raises(ValueError, match="camerapose export"):
            Predictor(tmp_path / "model.safetensors")

    def test_not_onnx(self, tmp_path):
        (tmp_path / "a.onnx").write_text("no graph at all")
        with pytest.raises(ValueError, match="cannot be read as an ONNX graph"):
            Predictor(tmp_path / "a.onnx")

    def test_foreign_graph(self, make_graph):
        text = """
            <ir_version: 8, opset_import: ["": 17]>
            other (float[n,16,2] image) => (float[n,16,2] heat) { heat = Identity (image) }"""
        with pytest.raises(
            ValueError, match="not a graph of camerapose: it lacks center, confidence"
        ):
            Predictor(make_graph(text))

    def test_graph_of_another_skeleton(self, make_graph):
        with pytest.raises(ValueError, match="has 16 joints, but its skeleton coco_17 has 17"):
            Predictor(make_graph(skeleton="coco_17"))
        with pytest.raises(ValueError, match="unknown skeleton 'hand_21'"):
            Predictor(make_graph(skeleton="hand_21"))


def test_example_runs(graph):
    example = Path(__file__).parents[2] / "examples" / "predict_keypoints.py"
    done = subprocess.run(
        [sys.executable, str(example), str(graph)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "m from the camera" in done.stdout


def test_joints_that_a_detector_guesses_outside_the_image_are_not_used():
    """A portrait cut at the hips, legs below the image: as if they were missing."""
    predictor = Predictor("open")
    people = np.array([[
        [300, 80], [310, 70], [290, 70], [325, 80], [275, 80], [370, 180], [230, 180], [400, 300],
        [200, 300], [380, 400], [220, 400], [340, 420], [260, 420], [345, 900], [255, 900],
        [350, 1400], [250, 1400],
    ]], float)  # fmt: skip
    confidence = np.full((1, 17), 0.95)
    confidence[:, 13:] = 0.1
    guessed = predictor(people, confidence, image_size=(600, 450))
    confidence[:, 13:] = 0
    missing = predictor(people, confidence, image_size=(600, 450))
    np.testing.assert_allclose(guessed.pose3d, missing.pose3d)
    assert (guessed.confidence[0, [guessed.skeleton.index("left_ankle")]] == 0).all()
    confidence[:, 13:] = 0.9
    annotated = predictor(people, confidence, image_size=(600, 450))
    assert np.abs(annotated.pose3d - missing.pose3d).max() > 0.05
    few = np.zeros((1, 17))
    few[:, 13:] = 0.1
    assert (predictor(people, few, image_size=(600, 450)).confidence > 0).sum() >= 4
