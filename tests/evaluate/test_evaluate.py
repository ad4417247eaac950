"""Evaluation: errors of known models, means, tables and the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import miniatures
from helpers.human36m import tree_2d, tree_3d, write_2d
from helpers.models import SIZES
from helpers.mpii import person, write_json
from torch import nn

from camerapose.cli.main import main
from camerapose.core.anatomy import body_height
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import BODY_46, H36M_16, MPII_16, SMPL_24
from camerapose.core.poses import Poses
from camerapose.data.datasets import human36m, synthetic
from camerapose.evaluate import protocols
from camerapose.evaluate.measure import METRICS, STD_METRICS, lift, measure
from camerapose.evaluate.metrics import implausible_bones
from camerapose.evaluate.models import OnnxModel, load_for_evaluation
from camerapose.evaluate.run import evaluate
from camerapose.evaluate.tables import COLUMNS, table
from camerapose.infer import clip
from camerapose.io.weights import find_weights
from camerapose.models.body_model import AbsoluteBodyModel
from camerapose.models.camerapose import CameraPose, Lifted, build
from camerapose.models.checkpoint import load_model, save_model


class Perfect(CameraPose):
    """Returns the ground truth of each 2D pose, mirrored or not."""

    def __init__(self, poses):
        nn.Module.__init__(self)
        self.skeleton, self.known = poses.skeleton, Poses.cat([poses, poses.mirror()])
        self.modes = []

    def forward(self, pose2d, confidence):
        self.modes.append(self.training)
        distance = (pose2d[:, None] - self.known.pose2d[None]).abs().amax((2, 3))
        assert distance.amin(1).max() < 1e-6, "unknown pose"
        answer = self.known[distance.argmin(1)]
        camera = answer.camera
        return Lifted(
            answer.pose2d, answer.pose3d, camera.focal, camera.center, camera.translation
        )  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMERAPOSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def poses():
    return synthetic.load(n=24, seed=1).to_torch()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = build(H36M_16, *(getattr(SIZES, name) for name in vars(SIZES)))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    return model


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(model, path, SIZES)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A miniature Human3.6M with detections, and three people of MPII."""
    root = tmp_path_factory.mktemp("data")
    np.savez_compressed(root / "data_3d_h36m.npz", positions_3d=tree_3d())
    write_2d(root, tree_2d())
    people = [person(f"{i}.jpg", i, missing=(0,) if i == 2 else ()) for i in range(4)]
    write_json(root, people, "valid")
    return write_json(root, people, "train")


class TestLift:
    def test_input_columns_are_kept(self, poses):
        measured = lift(Perfect(poses), poses)
        assert torch.equal(measured.pose2d, poses.pose2d)
        assert torch.equal(measured.image_size, poses.image_size)
        assert measured.labels["action"].tolist() == poses.labels["action"].tolist()

    def test_batch_size_does_not_affect_results(self, model, poses):
        whole, parts = lift(model, poses), lift(model, poses, batch=7)
        torch.testing.assert_close(whole.pose3d, parts.pose3d, atol=1e-5, rtol=1e-5)
        assert parts.labels["action"].tolist() == poses.labels["action"].tolist()

    @pytest.mark.parametrize("training", [True, False])
    def test_in_eval_mode_without_gradient(self, poses, training):
        model = Perfect(poses).train(training)
        measured = lift(model, poses)
        assert model.modes == [False] and model.training == training
        assert not measured.pose3d.requires_grad

    def test_mirroring_a_symmetric_model_changes_nothing(self, poses):
        once, twice = (lift(Perfect(poses), poses, flip_averaging=m) for m in (False, True))
        for name in ("pose3d", "refined2d"):
            torch.testing.assert_close(getattr(twice, name), getattr(once, name))
        torch.testing.assert_close(twice.camera.translation, once.camera.translation)
        torch.testing.assert_close(twice.reprojection, once.reprojection)

    def test_mirroring_averages(self, model, poses):
        once = lift(model, poses).pose3d
        sign, order = torch.tensor([-1.0, 1, 1]), list(H36M_16.mirror)
        mirrored = Poses(H36M_16, poses.pose2d[:, order] * sign[:2], poses.confidence)
        other = lift(model, mirrored).pose3d[:, order] * sign
        assert (once - other).abs().max() > 1e-3
        measured = lift(model, poses, flip_averaging=True).pose3d
        torch.testing.assert_close(measured, (once + other) / 2, atol=1e-5, rtol=1e-5)


class TestMeasure:
    @pytest.mark.parametrize("flip_averaging", [False, True])
    def test_perfect_model(self, poses, flip_averaging):
        measured = measure(Perfect(poses), poses, flip_averaging=flip_averaging)
        assert tuple(measured) == METRICS and tuple(COLUMNS) == METRICS + STD_METRICS
        assert all(value.shape == (24,) for value in measured.values())
        assert (measured.pop("pck") == 1).all()
        # of its 31 thresholds the first is 0 mm, which nothing is below
        torch.testing.assert_close(measured.pop("auc"), torch.full((24,), 30 / 31))
        assert measured.pop("reprojection_error").max() < 1e-2  # pixels
        torch.testing.assert_close(measured.pop("height"), body_height(poses.pose3d, H36M_16))
        assert all(value.max() < 1e-5 for value in measured.values())

    def test_errors_are_root_relative_except_the_root_error(self, poses):
        """The model predicts all people 0.3 m too far away."""
        offset = torch.tensor([0.0, 0.0, 0.3])
        farther = replace(poses, pose3d=poses.pose3d - offset)
        measured = measure(Perfect(poses), farther)
        assert measured["mpjpe"].max() < 1e-5
        torch.testing.assert_close(
            measured["root_error"], torch.full((24,), 0.3), atol=1e-5, rtol=0
        )

    def test_a_known_camera_corrects_the_root(self, poses):
        """The model overestimates the focal length by a tenth, and with it the distance."""
        calibrated = poses.to_numpy()
        wrong = clip.replace_camera(
            calibrated, calibrated.camera.focal * 1.1, calibrated.camera.center
        ).to_torch()
        measured = measure(Perfect(wrong), poses)
        assert measured["root_error"].min() > 0.1
        assert measured["root_error_calibrated"].max() < 1e-4

    def test_error_of_one_joint(self, poses):
        moved = poses.pose3d.clone()
        moved[:, 3] += torch.tensor([0.0, 0.32, 0.0])
        measured = measure(Perfect(poses), replace(poses, pose3d=moved))
        torch.testing.assert_close(measured["mpjpe"], torch.full((24,), 0.02), atol=1e-5, rtol=0)
        assert (measured["pck"] == 15 / 16).all()

    def test_reprojection_is_in_pixels_if_the_size_is_known(self, poses):
        target = poses.pose2d + 0.01
        pixels = measure(Perfect(poses), poses, target2d=target)["reprojection_error"]
        expected = 0.01 * 2**0.5 * poses.image_size[:, 0] / 2
        torch.testing.assert_close(pixels, expected, atol=1e-2, rtol=1e-3)
        sizeless = replace(poses, image_size=None)
        units = measure(Perfect(poses), sizeless, target2d=target)["reprojection_error"]
        torch.testing.assert_close(units, torch.full((24,), 0.01 * 2**0.5), atol=1e-5, rtol=0)

    def test_joints_are_compared_in_their_definition(self, body_graph, poses):
        """Also the share of errors within the standard deviations."""
        model, _ = load_for_evaluation(body_graph)
        values = measure(model, poses)
        predicted = lift(model, poses.to(BODY_46))
        rows = [BODY_46.index(f"{joint}_h36m") for joint in H36M_16.joints]
        body = predicted.pose3d[:, rows] - predicted.pose3d[:, rows[:1]]
        target = poses.pose3d - poses.pose3d[:, :1]
        torch.testing.assert_close(values["mpjpe"], (body - target).norm(dim=-1).mean(1))
        inside = (body - target).abs()[:, 1:] <= predicted.pose3d_std[:, rows[1:], None]
        torch.testing.assert_close(values["within_1_std"], inside.float().mean((1, 2)))
        assert (values["within_2_std"] >= values["within_1_std"]).all()

    def test_selected_joints(self, poses):
        """Two of four joints are displaced by 0.3 m, the root is correct."""
        moved, scored = poses.pose3d.clone(), ("left_wrist", "head", "left_knee", "right_knee")
        for joint in ("left_wrist", "head", "spine"):
            moved[:, H36M_16.index(joint)] += torch.tensor([0.0, 0.3, 0.0])
        measured = measure(Perfect(poses), replace(poses, pose3d=moved), scored=scored)
        torch.testing.assert_close(measured["mpjpe"], torch.full((24,), 0.15), atol=1e-5, rtol=0)
        assert (measured["pck"] == 0.5).all() and measured["root_error"].max() < 1e-5
        assert (measured["pa_mpjpe"] < measured["mpjpe"]).all()

    def test_joints_that_the_model_lacks(self, poses):
        body = replace(poses, pose2d=poses.pose2d[:, :1].repeat(1, 24, 1), skeleton=SMPL_24,
                       pose3d=poses.pose3d[:, :1].repeat(1, 24, 1),
                       confidence=torch.ones(24, 24))  # fmt: skip
        with pytest.raises(ValueError, match=r"h36m_16, which does not .*left_hand.*smpl_24"):
            measure(Perfect(poses), body)

    def test_2d_only(self, poses):
        flat = Poses(H36M_16, poses.pose2d, poses.confidence, image_size=poses.image_size)
        measured = measure(Perfect(poses), flat)
        assert list(measured) == ["reprojection_error", "implausible_bones", "asymmetry", "height"]


class TestHuman36m:
    def test_means_by_frame_and_by_action(self, weights, root):
        """In the test set of the miniature Walking has 8 frames and Directions 6; there is one
        more Directions of S11, whose recording is damaged."""
        result = evaluate(weights, "human36m", root)
        model = load_model(weights)
        poses = human36m.load(root, subjects=("S9", "S11"))
        error = 1000 * measure(model, poses.to_torch())["mpjpe"].double().numpy()
        walking = np.array([a.startswith("Walking") for a in poses.labels["action"]])
        assert walking.sum() == 4 * 8 and (~walking).sum() == 4 * 6 and result["poses"] == 4 * 14
        rows = {name: row["mpjpe"] for name, row in result["by_action"].items()}
        assert rows == pytest.approx(
            {"Walking": error[walking].mean(), "Directions": error[~walking].mean()}, rel=1e-5
        )
        assert result["frame_wise"]["mpjpe"] == pytest.approx(error.mean(), rel=1e-5)
        expected = (error[walking].mean() + error[~walking].mean()) / 2
        assert result["action_wise"]["mpjpe"] == pytest.approx(expected, rel=1e-5)
        assert set(result["frame_wise"]) == set(result["action_wise"]) == set(METRICS)

    def test_table_states_the_protocol(self, weights, root, capsys):
        result = evaluate(weights, "human36m", root, subjects=("S9",))
        output = capsys.readouterr().out
        assert output.startswith(table(result)) and "95% intervals" in output
        for part in ("h36m_16 (16)", "Human3.6M, S9, all cameras", "root included",
                     "2D: ground truth", "poses: 32", "MPJPE mm", "PA-MPJPE mm", "reproj. px",
                     "PCK@150 %", str(weights), "Walking", "all, action-wise"):  # fmt: skip
            assert part in output, part
        assert "flip averaging" not in output and "1 frame in" not in output

    def test_table_contains_the_means(self, weights, root, capsys):
        result = evaluate(weights, "human36m", root)
        rows = {
            line[:16].strip(): line[16:].split() for line in capsys.readouterr().out.splitlines()
        }
        for name, row in (("all, frame-wise", "frame_wise"), ("all, action-wise", "action_wise")):
            numbers = [f"{value:.2f}" for value in result[row].values()]
            assert rows[name] == numbers

    def test_table_states_the_options(self, weights, root, capsys):
        result = evaluate(weights, "human36m", root, frame_step=2, flip_averaging=True)
        output = capsys.readouterr().out
        assert "poses: 28 (1 frame in 2)" in output
        assert "flip averaging" in output and result["flip_averaging"] is True

    def test_detections(self, weights, root, capsys):
        clean = evaluate(weights, "human36m", root)
        measured = evaluate(weights, "human36m", root, detections="det")
        assert measured["source2d"] == "detections det"
        assert "2D: detections det" in capsys.readouterr().out
        assert measured["frame_wise"]["mpjpe"] != clean["frame_wise"]["mpjpe"]

    def test_json(self, weights, root, tmp_path):
        path = tmp_path / "new" / "numbers.json"
        result = evaluate(weights, "human36m", root, json_file=path)
        assert json.loads(path.read_text()) == result
        assert "S9 + S11" in result["protocol"] and result["dataset"] == "human36m"


class TestNamedProtocols:
    @pytest.mark.parametrize(
        "name, expected",
        [
            ("mpi_inf_3dhp", "MPI-INF-3DHP, TS1 to TS6, 30 valid frames"),
            ("mpi_inf_3dhp_14", "errors over 14 joints (right_hip, right_knee"),
            ("pw3d_16", "3DPW, test, 2 sequences of 24 published"),
            ("pw3d_14", "errors over 14 joints"),
            ("ski_pose", "Ski-Pose PTZ, test, 6 images"),
        ],
    )
    def test_each_is_printed_with_its_name(self, weights, others, capsys, name, expected):
        result = evaluate(weights, name, others)
        printed = capsys.readouterr().out
        assert f"protocol {name}: " in printed and expected in printed
        assert (
            "P1 is MPJPE, P2 is PA-MPJPE; frame-wise" in printed and "action-wise: mean" in printed
        )
        assert set(result["frame_wise"]) == set(METRICS)
        assert all(np.isfinite(value) for value in result["frame_wise"].values())

    def test_from_the_command_line(self, weights, others, capsys):
        arguments = ["evaluate", str(weights), "--root", str(others), "--dataset", "pw3d_16"]
        assert main([*arguments, "--detections", "poses2d"]) == 0
        assert "2D: poses2d (OpenPose)" in capsys.readouterr().out

    def test_official_measure_of_mpi_inf_3dhp(self, weights, others):
        """PCK@150 and AUC as its evaluation counts them: over joints and frames alike."""
        result = evaluate(weights, "mpi_inf_3dhp_14", others)
        model = load_model(weights)
        poses = protocols.load("mpi_inf_3dhp_14", others).poses
        predicted = lift(model, poses.to_torch()).pose3d.numpy()
        errors = []  # millimetres, as a list
        for row in range(len(poses)):
            for joint in miniatures.JOINTS_17[:14]:
                i = H36M_16.index({"neck": "thorax", "head_top": "head"}.get(joint, joint))
                off = predicted[row, i] - predicted[row, 0] - poses.pose3d[row, i]
                errors.append(1000 * float(np.linalg.norm(off + poses.pose3d[row, 0])))
        pck = 100 * sum(e < 150 for e in errors) / len(errors)
        auc = np.mean([100 * sum(e < t for e in errors) / len(errors) for t in range(0, 151, 5)])
        assert result["frame_wise"]["pck"] == pytest.approx(pck, abs=1e-3)
        assert result["frame_wise"]["auc"] == pytest.approx(auc, abs=1e-2)
        by_hand = np.mean(errors)
        assert result["frame_wise"]["mpjpe"] == pytest.approx(by_hand, rel=1e-4)
        assert set(result["by_action"]) == {
            "Standing/Walking", "Sitting", "Reaching/Crouching", "On The Floor", "Sports",
        }  # fmt: skip

    def test_all_smpl_joints_require_a_model_with_them(self, weights, others, tmp_path):
        with pytest.raises(ValueError, match="does not determine .*left_collar.*model of smpl_24"):
            evaluate(weights, "pw3d_24", others)
        model = build(SMPL_24, *(getattr(SIZES, name) for name in vars(SIZES)))
        path = tmp_path / "smpl.safetensors"
        save_model(model, path, SIZES)
        result = evaluate(path, "pw3d_24", others)
        assert result["skeleton"] == "smpl_24" and result["joints"] == 24


class TestMpii:
    def test_reprojection_of_people_with_all_joints(self, weights, root, capsys):
        result = evaluate(weights, "mpii", root)
        names = ["reprojection_error", "implausible_bones", "asymmetry", "height"]
        assert list(result["frame_wise"]) == names
        assert result["poses"] == 3 and result["source2d"] == "annotation"
        assert "by_action" not in result and "action_wise" not in result
        assert "MPII valid" in capsys.readouterr().out

    def test_models_of_several_joint_definitions(self, body_graph, root):
        """The same people, in MPII's joints; bones are those of Human3.6M."""
        result = evaluate(body_graph, "mpii", root)
        assert result["poses"] == 3 and result["skeleton"] == "mpii_16"
        assert np.isfinite(list(result["frame_wise"].values())).all()
        model, _ = load_for_evaluation(body_graph)
        people = protocols.load("mpii", root, skeleton="body_46").poses.to_torch()
        predicted = lift(model, people.to(model.skeleton))
        bones = predicted.to(H36M_16).pose3d
        expected = 100 * implausible_bones(bones, H36M_16).mean()
        assert result["frame_wise"]["implausible_bones"] == pytest.approx(float(expected))
        error = (denormalize(predicted.to(MPII_16).reprojection, people.image_size)
                 - denormalize(people.pose2d, people.image_size)).norm(dim=-1).mean()  # fmt: skip
        assert result["frame_wise"]["reprojection_error"] == pytest.approx(float(error), rel=1e-4)

    def test_detections_are_refused(self, weights, root):
        with pytest.raises(ValueError, match="mpii has no detections"):
            evaluate(weights, "mpii", root, detections="det")


class TestDevice:
    """A name or folder stands for its checkpoint; a file is used as given."""

    def test_names_and_files(self, weights, root, tmp_path):
        named, path = load_for_evaluation("human36m")
        assert isinstance(named, CameraPose) and path.suffix == ".onnx"
        graph, _ = load_for_evaluation(path)
        assert isinstance(graph, OnnxModel)
        poses = synthetic.load(n=8, seed=2).to_torch()
        one, other = (lift(model, poses).pose3d for model in (named, graph))
        torch.testing.assert_close(one, other, atol=2e-5, rtol=0)
        assert isinstance(load_for_evaluation("open")[0], AbsoluteBodyModel)
        result = evaluate(weights, "human36m", root, device="cpu")
        assert result["runtime"] == "PyTorch on cpu"

    @pytest.mark.skipif(torch.cuda.is_available(), reason="the device can be used")
    @pytest.mark.parametrize(
        ("name", "device", "message"),
        [
            ("human36m", "cuda", "PyTorch found no GPU"),
            ("human36m", "tpu", "accepted: 'cpu', 'cuda'"),
            (find_weights("open"), "cuda", "onnxruntime-gpu"),
            (find_weights("open"), "tpu", "unknown device 'tpu'"),
        ],
    )
    def test_devices_that_cannot_be_used(self, name, device, message, root, capsys):
        arguments = ["evaluate", str(name), "--root", str(root), "--device", device]
        assert main(arguments) == 2
        assert message in capsys.readouterr().err

    def test_graphs_report_that_they_run_on_the_cpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        with pytest.warns(UserWarning, match="ONNX Runtime runs on the CPU"):
            load_for_evaluation(find_weights("open"), "auto")


class TestInvalidInput:
    def test_unknown_data_set(self, weights, root):
        with pytest.raises(ValueError, match="unknown data set 'kitti'; known are human36m"):
            evaluate(weights, "kitti", root)

    def test_no_weights(self, root, tmp_path):
        with pytest.raises(FileNotFoundError, match="no weights at"):
            evaluate(tmp_path / "absent", "human36m", root)

    @pytest.mark.parametrize(("dataset", "file"), [("human36m", "data_3d_h36m"), ("mpii", "annot")])
    def test_missing_root(self, weights, tmp_path, dataset, file):
        with pytest.raises(FileNotFoundError, match=file) as error:
            evaluate(weights, dataset, tmp_path / "nowhere")
        assert "nowhere" in str(error.value)

    def test_no_complete_poses(self, weights, tmp_path):
        write_json(tmp_path, [person(missing=(0,))], "valid")
        with pytest.raises(ValueError, match="no poses with all joints"):
            evaluate(weights, "mpii", tmp_path)


class TestCommand:
    def test_human36m(self, weights, root, tmp_path, capsys):
        path = tmp_path / "a.json"
        arguments = ["evaluate", str(weights), "--root", str(root), "--json", str(path)]
        assert main([*arguments, "--subjects", "S11", "--flip-averaging"]) == 0
        result = json.loads(path.read_text())
        assert result["poses"] == 4 * 6 and result["flip_averaging"]
        assert table(result) in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"--root": "nowhere"}, "data_3d_h36m"),
            ({"--dataset": "kitti"}, "unknown data set 'kitti'"),
            ({"--detections": "cpn"}, "cpn"),
            ({"--subjects": "S3"}, "S3"),
            ({"--frame-step": "0"}, "frame_step"),
        ],
    )
    def test_errors(self, weights, root, tmp_path, capsys, monkeypatch, changes, expected):
        monkeypatch.chdir(tmp_path)
        options = {"--root": str(root)} | changes
        arguments = [item for pair in options.items() for item in pair]
        assert main(["evaluate", str(weights), *arguments]) == 2
        error = capsys.readouterr().err
        assert expected in error and "error: " in error and "Traceback" not in error

    def test_no_weights(self, root, tmp_path, capsys):
        assert main(["evaluate", str(tmp_path / "absent"), "--root", str(root)]) == 2
        assert "error: no weights at" in capsys.readouterr().err
