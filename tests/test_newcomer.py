"""A user adds a lifter with docs/extending.md alone, and trains, evaluates and exports it."""

import importlib
import json

import numpy as np
import pytest
import torch
from helpers.fakes import PERSON, SIZE
from helpers.lifters import check_batch_sizes, check_dropout, check_shape_and_root
from helpers.training import SMALL, SMOKE, one_thread
from helpers.transformer import SOURCE

from camerapose import Predictor
from camerapose.cli.main import main
from camerapose.core import plugins
from camerapose.core.joint_formats import COCO_17


@pytest.fixture(scope="module", autouse=True)
def transformer(tmp_path_factory):
    """Add the file to the directory of the lifters."""
    folder = tmp_path_factory.mktemp("lifters")
    (folder / "transformer.py").write_text(SOURCE)
    package = importlib.import_module(plugins.KINDS["lifters"])
    with pytest.MonkeyPatch.context() as patch, one_thread(tmp_path_factory.mktemp("cache")):
        patch.setattr(package, "__path__", [*package.__path__, str(folder)])
        yield


def test_contract():
    check_shape_and_root("transformer", COCO_17)
    check_batch_sizes("transformer")
    check_dropout("transformer")


def test_training_evaluation_and_export(tmp_path, capsys):
    run, table = tmp_path / "run", tmp_path / "errors.json"
    settings = ["figures=0", "data.synthetic=256", "model.lifter=transformer"]
    settings += ["model.lifter_arguments={width=16, blocks=1}", "ema=0.9"]
    settings += [f"{stage}.{k}={v}" for stage in ("refine", "warmup", "joint")
                 for k, v in (("epochs", 1), ("batch", 128))]  # fmt: skip
    settings += [f"adversarial.batch={SMALL['adversarial']['batch']}"]
    assert main(["train", str(SMOKE), "-o", str(run), "--set", *settings]) == 0
    assert main(["evaluate", str(run), "--dataset", "synthetic", "--json", str(table)]) == 0
    assert np.isfinite(json.loads(table.read_text())["frame_wise"]["mpjpe"])
    again = ["--init", str(run), "--init-components", "lifter"]
    assert main(["train", str(SMOKE), "-o", str(tmp_path / "b"), *again, "--set", *settings]) == 0
    assert f"from {run}: lifter" in (tmp_path / "b" / "log.txt").read_text()
    graph = tmp_path / "model.onnx"
    assert main(["export", str(run), "-o", str(graph)]) == 0
    poses = Predictor(graph, flip_averaging=False)(PERSON[None], image_size=SIZE)
    from camerapose.models.checkpoint import load_model

    model = load_model(run)
    assert type(model.lifter).__module__ == "camerapose.models.lifters.transformer"
    with torch.inference_mode():
        expected = model(torch.tensor(poses.pose2d), torch.tensor(poses.confidence)).pose3d
    np.testing.assert_allclose(poses.pose3d, expected.numpy(), atol=1e-4)
