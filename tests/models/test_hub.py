"""Repositories in the layout of the Hugging Face Hub, and the list of weights."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from helpers.fakes import PERSON, SIZE
from helpers.models import SIZES
from helpers.temporal import write_temporal_model

from camerapose import Predictor
from camerapose import weights as listed
from camerapose.cli.main import main
from camerapose.core.joint_formats import H36M_16
from camerapose.models.body_checkpoint import find_body_checkpoint
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import load_model, save_model
from camerapose.models.temporal_export import copy_temporal


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    model = build(H36M_16, *(getattr(SIZES, name) for name in vars(SIZES)))
    card = {"validation": {"mpjpe": 41.5}}
    save_model(model, folder / "model.safetensors", SIZES, card, license="MIT")
    assert main(["export", str(folder), "--hub", str(folder / "repository")]) == 0
    return folder / "repository"


def test_files(repository):
    names = {path.name for path in repository.iterdir()}
    assert names == {"README.md", "config.json", "model.onnx", "model.safetensors"}
    description = json.loads((repository / "config.json").read_text())
    assert description["skeleton"] == "h36m_16" and len(description["joints"]) == 16
    assert description["model"]["lifter"] == SIZES.lifter
    card = (repository / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: camerapose\nlicense: mit\n") and "mpjpe 41.5" in card


def test_predictor_of_a_folder(repository):
    poses = Predictor.from_pretrained(repository, flip_averaging=False)(
        PERSON[None], image_size=SIZE
    )
    lifted = load_model(repository)(torch.tensor(poses.pose2d), torch.tensor(poses.confidence))
    np.testing.assert_allclose(poses.pose3d, lifted.pose3d.detach().numpy(), atol=1e-4)


def test_repository_of_the_open_weights(tmp_path):
    """Every file of the repository follows from the name; skipped without the checkpoint."""
    if find_body_checkpoint("open") is None:
        pytest.skip("the package contains the graph only")
    assert main(["export", "open", "--hub", str(tmp_path), "--half"]) == 0
    description = json.loads((tmp_path / "config.json").read_text())
    assert description["skeleton"] == "body_46" and description["model"]["lifter"] == "body_model"
    assert description["license"] == "CC-BY-4.0"
    assert description["card"]["config"]["data"]["human36m"] is False
    assert "\nlicense: cc-by-4.0\n" in (tmp_path / "README.md").read_text()
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 50e6 and (tmp_path / "model.onnx").stat().st_size <= 25e6
    expected = Predictor()(PERSON[None], image_size=SIZE)
    poses = Predictor.from_pretrained(tmp_path)(PERSON[None], image_size=SIZE)
    np.testing.assert_allclose(poses.pose3d, expected.pose3d, atol=5e-3)  # rounded twice
    assert poses.pose3d_std.shape == (1, 46)


def test_a_temporal_model_belongs_to_the_exported_graph(tmp_path, repository, monkeypatch, capsys):
    """`export` and `export --hub` write it next to the graph, where the predictor accepts it."""
    source = shutil.copytree(repository, tmp_path / "run")
    write_temporal_model(source / "model.onnx", H36M_16)

    def exported(checkpoint, out, *arguments, **options):  # the export itself takes long
        graph = onnx.load(repository / "model.onnx")
        graph.producer_name = "exported again"
        onnx.save(graph, out)
        weights = shutil.copyfile(repository / "model.safetensors", out.with_suffix(".safetensors"))
        return out, weights

    for module in ("hub", "onnx_export"):
        monkeypatch.setattr(f"camerapose.models.{module}.export_checkpoint", exported)
    assert main(["export", str(source), "--hub", str(tmp_path / "hub")]) == 0
    assert main(["export", str(source), "-o", str(tmp_path / "other.onnx")]) == 0
    assert "other_temporal.onnx" in capsys.readouterr().out
    for weights in (tmp_path / "hub", tmp_path / "other.onnx"):
        model = Predictor(weights).temporal
        assert model is not None and model.skeleton == H36M_16
    assert copy_temporal(tmp_path / "nothing", tmp_path / "other.onnx") == ()
    shutil.copyfile(tmp_path / "other_temporal.onnx", source / "model_temporal.onnx")
    with pytest.raises(ValueError, match="trained on another lifter than model.onnx"):
        copy_temporal(source, tmp_path / "other.onnx")
    (source / "model_temporal.onnx").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="model_temporal.onnx is not an .onnx file"):
        copy_temporal(source, tmp_path / "other.onnx")


def test_weights_that_do_not_exist():
    with pytest.raises(FileNotFoundError, match="no weights at nothing; give a folder"):
        Predictor.from_pretrained("nothing")


def test_out_or_hub(repository, capsys):
    assert main(["export", str(repository)]) == 2
    assert "either --out FILE.onnx or --hub DIR" in capsys.readouterr().err


def test_list_of_weights(capsys):
    entries = listed.available()
    lifters = " ".join(entry.lifter for entry in entries)
    for name in ("videopose", "mlp", "semgcn", "stgcn", "parts"):
        for method in ("alone", "PoseAug", "CameraPose"):
            assert any(name in e.lifter and method in e.lifter for e in entries), (name, method)
    assert entries[0].name == "open" and entries[0].path.is_file() and lifters
    assert all(e.path is not None or e.command for e in entries)
    assert main(["weights"]) == 0
    printed = capsys.readouterr().out
    assert "gt-videopose-poseaug" in printed and "in the package" in printed
    assert "Model card" in listed.model_card() and "CMU" in listed.model_card("open")
