"""The example files in docs/extending.md: each is installed as a plug-in and used."""

import dataclasses
import importlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from helpers.layouts import examples
from helpers.lifters import check_batch_sizes, check_dropout, check_shape_and_root
from helpers.mutations import mutate_bytes
from helpers.temporal import check_export, check_shapes, check_training, check_window

from camerapose.cli.main import main
from camerapose.cli.train import _assignment
from camerapose.core import plugins
from camerapose.core.joint_formats import COCO_17, H36M_16
from camerapose.data.check import check_poses
from camerapose.train.config import Config, DataConfig

DOCUMENT = (Path(__file__).parent.parent / "docs" / "extending.md").read_text()
#: Path within the package and content of each file.
FILES = dict(re.findall(r"`src/camerapose/([a-z_/]+\.py)`[^`]*```python\n(.*?)```", DOCUMENT, re.S))

#: Directory of each kind of plug-in within the package.
PLACES = {
    kind: package.removeprefix("camerapose.").replace(".", "/")
    for kind, package in plugins.KINDS.items()
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Write the example files, in the directory layout of the package."""
    folder = tmp_path_factory.mktemp("plugins")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def put(folder, monkeypatch):
    """Return a function that makes an example available as a plug-in."""

    def into_place(kind, name):
        package = importlib.import_module(plugins.KINDS[kind])
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder / PLACES[kind])])
        assert name in plugins.available(kind)
        return plugins.load(kind, name)

    return into_place


def blocks(language, start, end):
    section = DOCUMENT.split(start)[1].split(end)[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.S)


def test_there_is_one_example_of_each_kind():
    assert set(FILES) == {
        "models/lifters/plain.py", "models/temporal/average.py", "data/datasets/my_lab.py",
        "detect/movenet.py",
    }  # fmt: skip


# --- a lifter -----------------------------------------------------------------------------------


def test_the_lifter_fulfils_the_contract(put):
    put("lifters", "plain")
    check_shape_and_root("plain", COCO_17)
    check_batch_sizes("plain")
    check_dropout("plain")


def test_the_lifter_can_be_trained(put):
    """Uses the settings of the documented command."""
    put("lifters", "plain")
    from camerapose.data.datasets import synthetic
    from camerapose.models.camerapose import build
    from camerapose.train import config_io
    from camerapose.train.finetune import tune

    (command,) = re.findall(r"--set (model\.lifter=plain .*)", DOCUMENT)
    chosen = Config()
    for item in command.replace("'", "").split():
        differences, merge = _assignment(item)
        chosen = config_io.update(chosen, differences, "--set", merge=merge)
    model = build(H36M_16, **dataclasses.asdict(chosen.model))
    assert type(model.lifter).__module__ == "camerapose.models.lifters.plain"
    assert model.lifter.last.in_features == 256
    before = model.lifter.last.weight.clone()
    pairs = synthetic.load(n=64)
    people = replace(pairs, pose3d=None, camera=None).to_torch()
    tune(model, people, pairs.to_torch(), steps=2)
    assert not torch.equal(before, model.lifter.last.weight)
    assert all(p.isfinite().all() for p in model.parameters())


# --- a temporal model -----------------------------------------------------------------------------


def test_the_temporal_model_fulfils_the_contract(put, tmp_path):
    put("temporal", "average")
    check_shapes("average", 3)
    check_window("average")
    check_training("average")
    check_export("average", H36M_16, tmp_path / "model_temporal.onnx")


# --- a data set ---------------------------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Create the directory that the docstring of the example describes."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    look_along_y = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]  # z of the world is up
    calibration = {
        "width": 1280, "height": 720, "K": [[1400, 0, 640], [0, 1400, 350], [0, 0, 1]],
        "R": look_along_y, "t": [0.1, 1.0, 4.0],
    }  # fmt: skip
    (folder / "calibration.json").write_text(json.dumps(calibration))
    from camerapose.data.datasets import synthetic

    pairs = synthetic.load(n=16, pitch=(0, 0))
    body = (pairs.pose3d - pairs.root_position[:, None])[..., [0, 2, 1]] * [1, 1, -1] + [0, 0, 1]
    for i, name in enumerate(("walk", "run")):
        np.savez(folder / f"{name}.npz", joints=np.float32(body[8 * i : 8 * i + 8]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    return folder


def test_the_data_set_is_consistent(put, recordings):
    poses = put("datasets", "my_lab").load(recordings)
    assert len(poses) == 16 and poses.pose2d.dtype == np.float32
    assert (poses.reprojection_error < 1e-3).all()
    np.testing.assert_allclose(poses.root_position[:, 2], 4, atol=1e-5)
    assert check_poses(poses, {}).problems == []
    assert poses.labels["action"].tolist() == ["run"] * 8 + ["walk"] * 8


def test_the_data_set_reports_invalid_files(put, recordings):
    module = put("datasets", "my_lab")
    np.savez(recordings / "walk.npz", joints=np.zeros((5, 17, 3)))
    with pytest.raises(ValueError, match=r"walk\.npz has joints of shape \(5, 17, 3\)"):
        module.load(recordings)
    (recordings / "walk.npz").unlink()
    (recordings / "run.npz").unlink()
    with pytest.raises(FileNotFoundError, match="no .npz file in"):
        module.load(recordings)


def test_the_commands_on_the_data_set(put, recordings, capsys):
    put("datasets", "my_lab")
    prepare, *_ = blocks("bash", "Prepare, check and look at it", "`check` projects")
    commands = [line.split() for line in prepare.strip().splitlines()]
    assert [c[2] for c in commands] == ["prepare", "check", "show"]
    for command in commands:
        assert command[0] == "camerapose" and main(command[1:]) == 0
    output = capsys.readouterr().out
    assert "my_lab: 8 poses (h36m_16)" in output and "no problems" in output
    assert (recordings.parent / "poses.png").stat().st_size > 10_000
    assert main(["data", "list"]) == 0 and "my_lab" in capsys.readouterr().out


def test_the_data_set_is_used_for_training(put, recordings):
    put("datasets", "my_lab")
    from camerapose.train.data import load

    (setting,) = re.findall(r"data\.pairs\.my_lab=(\w+)", DOCUMENT)
    one = DataConfig(human36m=None, mpii=None, pairs={"my_lab": setting})
    result = load(Config(data=one), torch.device("cpu"))
    assert len(result.pairs) == 15 and len(result.validation) == 1 and result.unlabelled is None
    some = {"my_lab": {"root": setting, "frame_step": 2}}
    both = DataConfig(human36m=None, mpii=None, synthetic=32, pairs=some, unlabelled=some,
                      validation_share=0.0)  # fmt: skip
    result = load(Config(data=both), torch.device("cpu"))
    assert len(result.pairs) == 32 + 8
    assert (
        len(result.unlabelled) == 8
        and result.unlabelled.pose3d is None
        and result.unlabelled.camera is None
    )
    wrong = DataConfig(human36m=None, mpii=None, pairs={"my_lab": {"root": setting, "step": 2}})
    with pytest.raises(
        ValueError, match="data set my_lab has no option 'step'; accepted: root, .*held_out"
    ):
        load(Config(data=wrong), torch.device("cpu"))


def test_the_data_set_is_evaluated(put, recordings, capsys):
    put("datasets", "my_lab")
    (block,) = blocks("bash", "Measure a model on it", "## A detector")
    command = block.strip().replace("runs/mine", "human36m").split()
    assert main(command[1:]) == 0
    printed = capsys.readouterr().out
    assert "protocol my_lab: all poses" in printed and "bootstrap over 2 recordings" in printed
    assert (recordings.parent / "worst.png").stat().st_size > 10_000


def test_the_data_set_is_damaged(put, tmp_path):
    """As in the contract tests (test_fuzz.py), which find its example by themselves."""
    put("datasets", "my_lab")
    from test_fuzz import _check, _is_refused

    ((files, load),) = examples(["my_lab"]).values()
    rng, refused = np.random.default_rng(0), 0
    for i in range(32):
        root = tmp_path / str(i)
        root.mkdir()
        for name, (content, write) in files.items():
            write(root / name, content)
        if i == 0:
            _check(load(root))
        path = root / list(files)[i % len(files)]
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
        refused += _is_refused(f"my_lab, {i}", load, root)
    assert refused > 8


# --- a detector ---------------------------------------------------------------------------------


class Interpreter:
    """Replaces the interpreter of LiteRT; returns fixed joints in the square input image."""

    answer = np.full((17, 3), 0.5, np.float32)  # y, x, score

    def __init__(self, model, num_threads=None):
        self.image = None

    def allocate_tensors(self):
        pass

    def get_input_details(self):
        return [{"index": 0, "shape": np.array([1, 192, 192, 3]), "dtype": np.uint8}]

    def get_output_details(self):
        return [{"index": 1}]

    def set_tensor(self, index, tensor):
        assert tensor.shape == (1, 192, 192, 3) and tensor.dtype == np.uint8
        Interpreter.image = tensor[0]

    def invoke(self):
        pass

    def get_tensor(self, index):
        return self.answer[None, None]


@pytest.fixture
def movenet(put, tmp_path, monkeypatch):
    module = ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = Interpreter
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    (tmp_path / "movenet.tflite").write_bytes(b"model")
    return put("detectors", "movenet").Detector(str(tmp_path / "movenet.tflite"))


def test_the_detector_returns_pixels(movenet, monkeypatch):
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 150:] = 255
    corners = np.array([[0.25, 0.0, 0.9], [0.75, 1.0, 0.9]], np.float32)  # of the image
    monkeypatch.setattr(Interpreter, "answer", np.resize(corners, (17, 3)))
    (person,) = movenet(image, track=True)
    np.testing.assert_allclose(person.keypoints[:2], [[0, 0], [200, 100]], atol=1e-4)
    assert person.confidence.shape == (17,) and person.score == pytest.approx(0.9)
    assert person.box.tolist() == pytest.approx([0, 0, 200, 100])
    image = Interpreter.image
    assert (image[:48] == 0).all() and (image[50:140, 150:] == 255).all()  # letterboxed
    monkeypatch.setattr(Interpreter, "answer", np.zeros((17, 3), np.float32))
    assert movenet(image) == []
    movenet.reset()


def test_the_detector_reports_invalid_arguments(movenet, tmp_path):
    detector = type(movenet)
    with pytest.raises(FileNotFoundError, match="no model file .*nothing.tflite"):
        detector(str(tmp_path / "nothing.tflite"))
    with pytest.raises(ValueError, match="one person, got max_people=2"):
        detector(str(tmp_path / "movenet.tflite"), max_people=2)


def test_the_detector_predicts(movenet, tmp_path, graph, monkeypatch):
    from PIL import Image

    rows = [[0.2 + 0.03 * i, 0.4 + 0.05 * (i % 3), 0.8] for i in range(17)]
    monkeypatch.setattr(Interpreter, "answer", np.array(rows, np.float32))
    Image.new("RGB", (320, 240)).save(tmp_path / "photo.jpg")
    arguments = ["predict", str(tmp_path / "photo.jpg"), "--out", str(tmp_path / "out")]
    arguments += ["--weights", str(graph), "--detector", "movenet"]
    assert main([*arguments, "--model", str(tmp_path / "movenet.tflite")]) == 0
    assert (tmp_path / "out" / "poses.json").is_file()
