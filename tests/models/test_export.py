"""Model files: round trips of safetensors checkpoints and ONNX graphs."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import camerapose
from camerapose import Predictor
from camerapose.cli.main import main
from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.data.datasets import synthetic
from camerapose.io.weights import find_weights
from camerapose.models.camerapose import CameraPose, build
from camerapose.models.checkpoint import load_model, save_model
from camerapose.models.config import ModelConfig
from camerapose.models.onnx_export import UNITS, export_checkpoint, export_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZES = ModelConfig("mlp", {"width": 96, "dropout": 0.1}, 64, 64, 1)
CARD = {"data": "synthetic poses", "numbers": {"mpjpe": 41.5}, "people": ["é"]}
OUTPUTS = ("refined2d", "pose3d", "focal", "center", "translation", "reprojection")


def make(skeleton=H36M_16, sizes=SIZES, seed=0):
    """Return a model like a trained one: no zero weights, and batch norm with statistics."""
    torch.manual_seed(seed)
    model = build(skeleton, *(getattr(sizes, name) for name in vars(sizes)))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif value.is_floating_point():
                value.add_(0.01 * torch.randn_like(value))
    return model.eval()


def observed(n, seed=1):
    """Return poses as from a detector; some joints are missing."""
    pose2d = torch.tensor(synthetic.load(n=n, seed=seed).pose2d)
    confidence = torch.rand(n, 16, generator=torch.Generator().manual_seed(seed))
    return pose2d, torch.where(confidence < 0.3, 0.0, confidence)


def run(path, pose2d, confidence):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    result = session.run(OUTPUTS, {"pose2d": pose2d.numpy(), "confidence": confidence.numpy()})
    return dict(zip(OUTPUTS, result, strict=True))


def lifted(model, pose2d, confidence):
    with torch.no_grad():
        result = model(pose2d, confidence)
    return result._asdict() | {"reprojection": result.reprojection}


def metadata(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """Write the files of a run folder that are read: checkpoint and graph."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "checkpoint").mkdir()
    save_model(
        model, folder / "checkpoint" / "model.safetensors", SIZES, CARD, license="CC BY-NC 4.0"
    )
    export_model(model, folder / "checkpoint" / "model.onnx", CARD, license="CC BY-NC 4.0")
    return folder


@pytest.fixture(scope="module")
def half(folder, tmp_path_factory):
    """Write both files in half precision."""
    out = tmp_path_factory.mktemp("half") / "new" / "small.onnx"
    return export_checkpoint(folder, out, half=True)


class TestCheckpoint:
    def test_round_trip_is_exact(self, model, folder):
        again = load_model(folder / "checkpoint" / "model.safetensors")
        assert isinstance(again, CameraPose) and not again.training
        assert again.skeleton == H36M_16
        assert again.state_dict().keys() == model.state_dict().keys()
        for name, value in model.state_dict().items():
            assert torch.equal(again.state_dict()[name], value), name

    def test_folders_of_run_and_checkpoint_are_accepted(self, folder):
        path = folder / "checkpoint" / "model.safetensors"
        assert {
            find_weights(p, (".safetensors",)) for p in (folder, folder / "checkpoint", path)
        } == {path}

    def test_half_precision_is_accurate(self, model, folder, half):
        weights, whole = half[1], folder / "checkpoint" / "model.safetensors"
        assert weights.stat().st_size < 0.6 * whole.stat().st_size
        again = load_model(weights)
        assert {v.dtype for v in again.parameters()} == {torch.float32}
        pose2d, confidence = observed(9)
        expected, result = (lifted(m, pose2d, confidence) for m in (model, again))
        for name in OUTPUTS:
            torch.testing.assert_close(result[name], expected[name], atol=1e-2, rtol=1e-2)

    @pytest.mark.parametrize("lifter", ["mlp", "semgcn", "stgcn", "videopose"])
    @pytest.mark.parametrize("refiner", [0, 16])
    def test_every_lifter_with_and_without_refiner(self, lifter, refiner, tmp_path):
        sizes = ModelConfig(lifter, {}, refiner, 16, 1)
        if lifter in ("mlp", "videopose"):
            sizes.lifter_arguments["width"] = 16
        model = make(sizes=sizes)
        save_model(model, tmp_path / "model.safetensors", sizes)
        again = load_model(tmp_path)
        assert (again.refiner is None) == (refiner == 0)
        expected, result = (lifted(m, *observed(3)) for m in (model, again))
        assert all(torch.equal(expected[name], result[name]) for name in OUTPUTS)

    def test_no_other_files_remain(self, folder):
        names = {path.name for path in (folder / "checkpoint").iterdir()}
        assert names == {"model.safetensors", "model.onnx"}


class TestInvalidFiles:
    def test_missing_files(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no weights at .*absent; give"):
            load_model(tmp_path / "absent")

    def test_unfinished_run(self, tmp_path):
        (tmp_path / "training.pt").touch()
        with pytest.raises(FileNotFoundError, match="unfinished run; repeat its"):
            load_model(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"no weights at all\n" * 20, b"\x80\x02}q\x00."])
    def test_file_that_is_not_safetensors(self, content, tmp_path):
        path = tmp_path / "a.safetensors"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.safetensors is not a camerapose checkpoint"):
            load_model(path)

    def test_truncated_file(self, folder, tmp_path):
        whole = (folder / "checkpoint" / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match="is not a camerapose checkpoint"):
            load_model(tmp_path)

    @pytest.mark.parametrize(
        "notes",
        [
            None,
            {"skeleton": "h36m_16"},
            {"skeleton": "h36m_16", "model": "{"},
            {"skeleton": "h36m_99", "model": "{}"},
            {"skeleton": "h36m_16", "model": '{"lifter": "magic"}'},
            {"skeleton": "h36m_16", "model": '{"lifter_arguments": {"magic": 1}}'},
        ],
    )
    def test_foreign_safetensors(self, notes, tmp_path):
        """Of another program, or with metadata that describe no model."""
        save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors", notes)
        with pytest.raises(
            ValueError, match="model.safetensors is not a camerapose checkpoint"
        ) as error:
            load_model(tmp_path)
        assert len(str(error.value)) < 500

    def test_weights_of_another_model(self, model, tmp_path):
        sizes = ModelConfig("mlp", {"width": 32, "dropout": 0.1}, 64, 64, 1)
        save_model(model, tmp_path / "model.safetensors", sizes)
        with pytest.raises(ValueError, match="model.safetensors is not a camerapose checkpoint"):
            load_model(tmp_path)

    def test_another_skeleton(self, folder):
        with pytest.raises(ValueError, match=r"trained on h36m_16 \(16 joints\), not on h36m_17"):
            load_model(folder, skeleton="h36m_17")
        assert load_model(folder, skeleton="h36m_16").skeleton == H36M_16

    def test_another_skeleton_is_kept(self, tmp_path):
        save_model(make(H36M_17), tmp_path / "model.safetensors", SIZES)
        assert load_model(tmp_path).skeleton == H36M_17

    def test_graph_does_not_overwrite_that_of_the_checkpoint(self, folder):
        with pytest.raises(ValueError, match="cannot write to"):
            export_checkpoint(folder, folder / "checkpoint" / "model.onnx")

    def test_graph_with_another_suffix(self, folder, tmp_path):
        with pytest.raises(ValueError, match=r"ends in \.onnx"):
            export_checkpoint(folder, tmp_path / "model.pt")

    def test_on_the_command_line(self, tmp_path, capsys):
        status = main(["export", str(tmp_path), "--out", str(tmp_path / "a.onnx")])
        assert status == 2 and "contains no model.safetensors" in capsys.readouterr().err


class TestGraph:
    @pytest.mark.parametrize("n", [1, 7])
    def test_equals_torch(self, model, folder, n):
        pose2d, confidence = observed(n, seed=n)
        assert (confidence == 0).any()
        expected = lifted(model, pose2d, confidence)
        result = run(folder / "checkpoint" / "model.onnx", pose2d, confidence)
        for name in OUTPUTS:
            np.testing.assert_allclose(result[name], expected[name], atol=1e-5, rtol=1e-5)

    def test_coordinates_of_missing_joints_are_ignored(self, folder):
        pose2d, confidence = observed(4)
        moved = torch.where((confidence == 0)[..., None], 77.0, pose2d)
        path = folder / "checkpoint" / "model.onnx"
        one, other = run(path, pose2d, confidence), run(path, moved, confidence)
        assert all((one[name] == other[name]).all() for name in OUTPUTS)

    def test_no_visible_joints(self, folder):
        """With all confidences zero, the result is finite."""
        result = run(
            folder / "checkpoint" / "model.onnx", torch.zeros(2, 16, 2), torch.zeros(2, 16)
        )
        assert all(np.isfinite(value).all() for value in result.values())

    def test_shapes_are_as_documented(self, folder):
        graph = onnx.load(folder / "checkpoint" / "model.onnx").graph

        def shapes(values):
            return {
                v.name: [d.dim_value or "n" for d in v.type.tensor_type.shape.dim] for v in values
            }

        assert shapes(graph.input) == {"pose2d": ["n", 16, 2], "confidence": ["n", 16]}
        assert shapes(graph.output) == {
            "refined2d": ["n", 16, 2], "pose3d": ["n", 16, 3], "focal": ["n", 2],
            "center": ["n", 2], "translation": ["n", 3], "reprojection": ["n", 16, 2],
        }  # fmt: skip

    def test_metadata(self, folder):
        result = metadata(folder / "checkpoint" / "model.onnx")
        assert json.loads(result.pop("card")) == CARD
        assert result == {
            "camerapose_version": camerapose.__version__,
            "skeleton": "h36m_16",
            "units": UNITS,
            "license": "CC BY-NC 4.0",
        }

    def test_predictor_runs_it(self, folder):
        predictor = Predictor(folder)
        assert predictor.skeleton == H36M_16
        keypoints = np.random.default_rng(0).uniform(100, 400, (2, 17, 2))
        assert np.isfinite(predictor(keypoints, image_size=(640, 480)).pose3d).all()

    def test_no_paths_of_this_machine(self, folder, half):
        for path in (folder / "checkpoint" / "model.onnx", half[0]):
            content = path.read_bytes()
            places = [b"site-packages", b".py", b"Traceback", str(Path.home()).encode() + b"/"]
            places += [str(Path(camerapose.__file__).parent).encode(), str(Path.cwd()).encode()]
            assert [place for place in places if place in content] == []

    def test_half_precision(self, model, folder, half):
        graph, whole = half[0], folder / "checkpoint" / "model.onnx"
        assert graph.stat().st_size < 0.6 * whole.stat().st_size
        pose2d, confidence = observed(7)
        expected = lifted(model, pose2d, confidence)
        result = run(graph, pose2d, confidence)
        for name in OUTPUTS:
            np.testing.assert_allclose(result[name], expected[name], atol=1e-2, rtol=1e-2)
        assert metadata(graph) == metadata(whole)

    def test_half_graph_and_half_checkpoint_agree(self, half):
        pose2d, confidence = observed(7)
        result = run(half[0], pose2d, confidence)
        expected = lifted(load_model(half[1]), pose2d, confidence)
        for name in OUTPUTS:
            np.testing.assert_allclose(result[name], expected[name], atol=1e-2, rtol=1e-2)

    def test_batch_norm_is_folded(self, tmp_path):
        """For every lifter with batch norm directly after a linear layer."""
        for lifter in ("mlp", "parts", "videopose"):
            model = make(sizes=ModelConfig(lifter, {"width": 32, "blocks": 1}, 0, 16, 1))
            export_model(model, tmp_path / "folded.onnx")
            kinds = {node.op_type for node in onnx.load(tmp_path / "folded.onnx").graph.node}
            assert "BatchNormalization" not in kinds, lifter
            pose2d, confidence = observed(5)
            expected, result = (
                lifted(model, pose2d, confidence),
                run(tmp_path / "folded.onnx", pose2d, confidence),
            )
            for name in OUTPUTS:
                np.testing.assert_allclose(result[name], expected[name], atol=1e-5, rtol=1e-5)

    def test_int8_is_accurate(self, tmp_path):
        sizes = ModelConfig("parts", {"width": 160, "blocks": 1}, 256, 256, 1)
        model = make(sizes=sizes)
        save_model(model, tmp_path / "model.safetensors", sizes, CARD)
        whole, small = tmp_path / "whole.onnx", tmp_path / "small.onnx"
        export_model(model, whole, CARD)
        assert main(["export", str(tmp_path), "--out", str(small), "--int8"]) == 0
        assert small.stat().st_size < 0.5 * whole.stat().st_size
        kinds = [node.op_type for node in onnx.load(small).graph.node]
        assert kinds.count("MatMulInteger") >= 10
        pose2d, confidence = observed(64)
        expected, result = (run(path, pose2d, confidence) for path in (whole, small))
        for name in OUTPUTS:
            assert not np.array_equal(result[name], expected[name]), name
            off = np.abs(result[name] - expected[name])
            assert off.max() < 0.1 * np.abs(expected[name]).max(), name
        assert metadata(small) == metadata(whole) | {"weights": "int8", "license": ""}
        assert np.isfinite(
            Predictor(small)(np.random.rand(2, 17, 2), image_size=(1, 1)).pose3d
        ).all()

    def test_int8_and_half_exclude_each_other(self, folder, tmp_path):
        with pytest.raises(ValueError, match="exclude each other"):
            export_checkpoint(folder, tmp_path / "a.onnx", half=True, int8=True)

    def test_evaluation_of_graph_and_model_agree(self, model, folder):
        from camerapose.evaluate.measure import measure
        from camerapose.evaluate.models import OnnxModel

        poses = synthetic.load(n=30, seed=2).to_torch()
        expected = measure(model, poses, flip_averaging=True)
        result = measure(
            OnnxModel(folder / "checkpoint" / "model.onnx"), poses, flip_averaging=True
        )
        assert result.keys() == expected.keys()
        for name in result:
            torch.testing.assert_close(result[name], expected[name], atol=1e-3, rtol=1e-3)

    def test_model_is_not_changed(self, monkeypatch, tmp_path):
        """Also if the export fails."""

        def fail(*_, **__):
            raise RuntimeError("no export today")

        monkeypatch.setattr(torch.onnx, "export", fail)
        level = logging.getLogger("torch.onnx").level
        model = make().train()
        with pytest.raises(RuntimeError, match="no export today"):
            export_model(model, tmp_path / "a.onnx")
        assert model.training and not list(tmp_path.iterdir())
        assert logging.getLogger("torch.onnx").level == level
