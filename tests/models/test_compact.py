"""Compact graphs: weights of ten bits, and the checkpoint in the same file."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from camerapose import Predictor, weights
from camerapose.cli.main import main
from camerapose.core.joint_formats import H36M_16
from camerapose.data.datasets import synthetic
from camerapose.io.weights import DEFAULT, DEFAULT_CAMERAPOSE, SHIPPED, find_weights
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import load_model, read_header, save_model
from camerapose.models.config import ModelConfig
from camerapose.models.onnx_compact import export_compact
from camerapose.models.packing import CHECKPOINT, pack, unpack

onnx = pytest.importorskip("onnx")

LIFTERS = ("mlp", "parts", "videopose")


def make(lifter, refiner=16):
    """Return a model with statistics of batch norm, and its sizes."""
    torch.manual_seed(0)
    width = {"width": 64} if lifter in ("mlp", "parts", "videopose") else {}
    sizes = ModelConfig(lifter, width, refiner, 64, 1)
    model = build(H36M_16, **dataclasses.asdict(sizes)).eval()
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.add_(0.02 * torch.randn_like(value))
    return model, sizes


def results(model, graph):
    """Return the 3D poses of a model and of a graph."""
    poses = synthetic.load(n=20, seed=1)
    with torch.no_grad():
        lifted = model(torch.tensor(poses.pose2d), torch.tensor(poses.confidence))
    return lifted.pose3d.numpy(), Predictor(graph).run(poses.pose2d, poses.confidence)["pose3d"]


def test_packing_is_exact():
    codes = np.arange(-512, 512).astype(np.float32)
    assert np.array_equal(unpack(*pack(codes)), codes)


@pytest.mark.parametrize("lifter", LIFTERS)
def test_graph_and_its_checkpoint_agree(lifter, tmp_path):
    """The checkpoint has all arrays, and rounding changes a weight by less than a thousandth."""
    model, sizes = make(lifter)
    path = tmp_path / "compact.onnx"
    export_compact(model, path, sizes, {"data": "é"}, "CC BY-NC 4.0")
    again = load_model(path)
    assert read_header(path) == (sizes, {"data": "é"}, "CC BY-NC 4.0")
    expected = model.state_dict()
    assert again.state_dict().keys() == expected.keys()
    for name, value in again.state_dict().items():
        atol = 1e-3 * float(expected[name].abs().max()) if value.ndim > 1 else 0
        torch.testing.assert_close(value, expected[name], atol=atol, rtol=0)
    from_checkpoint, from_graph = results(again, path)
    np.testing.assert_allclose(from_graph, from_checkpoint, atol=2e-4, rtol=1e-4)


def test_size_and_commands(tmp_path):
    """A compact graph is smaller than one in half precision, and is exported like a checkpoint."""
    model, sizes = make("mlp", refiner=256)
    save_model(model, tmp_path / "model.safetensors", sizes)
    for option in ("--half", "--compact"):
        out = tmp_path / f"a{option}.onnx"
        assert main(["export", str(tmp_path), "-o", str(out), option]) == 0
    half, compact = (tmp_path / f"a{option}.onnx" for option in ("--half", "--compact"))
    assert compact.stat().st_size < 0.85 * half.stat().st_size
    assert not compact.with_suffix(".safetensors").exists()
    assert main(["export", str(compact), "-o", str(tmp_path / "whole.onnx")]) == 0
    first, second = load_model(compact), load_model(tmp_path / "whole.safetensors")
    arrays = second.state_dict()
    assert all(torch.equal(value, arrays[name]) for name, value in first.state_dict().items())


def test_graphs_with_other_matrices_are_refused(tmp_path):
    """Products of joints are exported with transposed matrices."""
    model, sizes = make("semgcn")
    with pytest.raises(ValueError, match="no matrix model.lifter.*half precision instead"):
        export_compact(model, tmp_path / "compact.onnx", sizes)


def test_refusals(tmp_path, capsys):
    model, sizes = make("mlp")
    path = tmp_path / "compact.onnx"
    export_compact(model, path, sizes)
    assert main(["export", str(path), "-o", str(path)]) != 0
    assert "cannot write" in capsys.readouterr().err
    assert main(["export", str(path), "-o", str(tmp_path / "b.onnx"), "--half", "--compact"]) != 0
    assert "exclude each other" in capsys.readouterr().err
    graph = onnx.load(path)
    entry = next(entry for entry in graph.metadata_props if entry.key == CHECKPOINT)
    entry.value = entry.value[: len(entry.value) // 2]
    onnx.save(graph, path)
    with pytest.raises(ValueError, match="not a camerapose checkpoint") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_weights_in_the_package_contain_their_checkpoint():
    name = DEFAULT_CAMERAPOSE
    path = find_weights(name, (".safetensors",))
    assert path.suffix == ".onnx"
    from_checkpoint, from_graph = results(load_model(name), path)
    np.testing.assert_allclose(from_graph, from_checkpoint, atol=2e-4, rtol=1e-4)
    assert "Human3.6M" in json.dumps(read_header(name)[2])


def test_size_of_the_weights_in_the_package():
    files = {entry.path for entry in weights.available() if entry.path is not None}
    assert files == {find_weights(name) for name in SHIPPED}
    everything = [*find_weights(DEFAULT).parent.iterdir()]
    assert sum(path.stat().st_size for path in everything if path.is_file()) <= 25e6
