"""Beginning with given weights, extending runs, averages of weights, early stopping and splits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.golden import settings, start
from torch import nn

from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.data.datasets import synthetic
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import load_model, save_model
from camerapose.models.config import ModelConfig
from camerapose.train import config_io, trainer
from camerapose.train.average import WeightAverage, averaged
from camerapose.train.checkpoint import prepare_folder
from camerapose.train.initialise import initialise
from camerapose.train.logging import validation_text
from camerapose.train.progress import Progress
from camerapose.train.resume import check_settings
from camerapose.train.split import split
from camerapose.train.summary import duration_text

SIZES = ModelConfig("mlp", {"width": 16, "dropout": 0.0}, 16, 16)


def model(seed, skeleton=H36M_16, **changes):
    torch.manual_seed(seed)
    sizes = {**vars(SIZES), **changes}
    result = build(skeleton, **sizes)
    with torch.no_grad():
        for parameter in result.parameters():
            parameter += 0.1
    return result


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(model(1), path, SIZES)
    return path


def equal(a, b):
    first, second = a.state_dict(), b.state_dict()
    return all(torch.equal(value, second[name]) for name, value in first.items())


class TestInitialise:
    def test_all_components(self, weights):
        target = model(2)
        assert initialise(target, weights) == ["refiner", "lifter", "camera_branch"]
        assert equal(target, load_model(weights))

    def test_one_component(self, weights):
        target, other = model(2), model(2)
        assert initialise(target, weights, ["lifter"]) == ["lifter"]
        assert equal(target.lifter, load_model(weights).lifter)
        assert equal(target.camera_branch, other.camera_branch)

    def test_other_sizes_are_named(self, weights):
        with pytest.raises(ValueError, match=r"lifter of .* has the shape \(16,.*has \(24,"):
            initialise(model(2, lifter_arguments={"width": 24}), weights)

    def test_another_joint_format(self, weights):
        target = model(2, skeleton=H36M_17)
        names = initialise(target, weights, ["lifter"])
        old, new = load_model(weights).lifter.state_dict(), target.lifter.state_dict()
        same = [name for name in old if old[name].shape == new[name].shape]
        assert 0 < len(same) < len(old)
        assert all(torch.equal(old[name], new[name]) for name in same)
        assert names == [f"lifter ({len(same)} of {len(old)} tensors, from h36m_16)"]

    def test_another_joint_format_and_other_sizes(self, weights):
        target = model(2, skeleton=H36M_17, lifter_arguments={"width": 24})
        with pytest.raises(ValueError, match="no layer has the size of one"):
            initialise(target, weights, ["lifter"])

    def test_components_that_do_not_exist(self, weights):
        with pytest.raises(ValueError, match="'head'; accepted: refiner, lifter"):
            initialise(model(2), weights, ["head"])
        with pytest.raises(ValueError, match="the model to train has no refiner"):
            initialise(model(2, refiner_hidden=0), weights, ["refiner"])

    def test_a_training_begins_with_them(self, tmp_path, monkeypatch):
        monkeypatch.setattr(trainer, "export_model", lambda *_, **__: None)
        first = trainer.train(settings("mlp"), tmp_path / "first")
        config = config_io.update(settings("mlp"), {"init": str(first), "seed": 5}, "the test")
        run = start(config, tmp_path / "second")
        assert equal(run.model.eval(), load_model(first))
        assert "from" in (tmp_path / "second" / "log.txt").read_text().splitlines()[0]


class TestSettings:
    def check(self, old, new):
        check_settings(old, new, Path("runs/x"), growing=["joint.epochs"],
                       is_folder=lambda key: key == "data.mpii")  # fmt: skip

    def test_harmless_changes(self):
        self.check(
            {"figures": 4, "device": "cpu", "data": {"mpii": "a"}, "joint": {"epochs": 3}},
            {"figures": 0, "device": "cuda", "data": {"mpii": "b"}, "joint": {"epochs": 9}},
        )

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ({"joint": {"lr": 0.1}}, {"joint": {"lr": 0.2}}, r"joint.lr = 0.1, not 0.2"),
            ({"joint": {"epochs": 3}}, {"joint": {"epochs": 2}}, "joint.epochs = 3, not 2"),
            ({"data": {"mpii": None}}, {"data": {"mpii": "b"}}, "data.mpii = false, not b"),
            ({"a": {}}, {"a": {"b": 1}}, "a.b = false, not 1"),
        ],
    )
    def test_both_values_are_named(self, old, new, message):
        with pytest.raises(ValueError, match=message):
            self.check(old, new)


class TestRunsOfOlderVersions:
    """Their config.toml lacks the share of the recordings for validation: nothing was held out."""

    @pytest.fixture
    def folder(self, tmp_path):
        text = config_io.to_toml(settings("mlp"))
        lines = [line for line in text.splitlines() if "validation_share" not in line]
        (tmp_path / "config.toml").write_text("\n".join(lines))
        (tmp_path / "training.pt").touch()
        return tmp_path

    def test_their_configuration_keeps_the_behaviour(self, folder):
        config = config_io.read(folder / "config.toml")
        assert config.data.validation_share == 0
        prepare_folder(config, folder)
        assert "validation_share = 0.0" in (folder / "config.toml").read_text()

    def test_other_configurations_are_refused_with_both_values(self, folder):
        with pytest.raises(ValueError, match=r"data.validation_share = 0.0, not 0.02; resume it"):
            prepare_folder(settings("mlp"), folder)

    def test_new_runs_have_the_default(self, folder):
        (folder / "training.pt").unlink()
        assert config_io.read(folder / "config.toml").data.validation_share == 0.02


class TestProgress:
    def test_reopened_with_more_epochs_only(self):
        progress = Progress(done=["refine", "joint"], ended={"joint": [4, 6]})
        assert not progress.reopen("joint", 6) and not progress.reopen("warmup", 9)
        assert progress.reopen("joint", 8)
        assert (progress.stage, progress.epoch, progress.done) == ("joint", 4, ["refine"])

    def test_best(self):
        progress = Progress(stage="joint", epoch=1)
        assert progress.is_best(2.0)
        progress.epoch = 2
        assert not progress.is_best(2.0) and progress.best_epoch == 1
        progress.begin("other")
        assert progress.is_best(3.0)


class TestAverage:
    def test_mean_of_the_weights(self):
        network = nn.Linear(1, 1, bias=False)
        average = WeightAverage(network, 0.5)
        expected = value = float(network.weight.detach())
        for i in range(1, 30):
            with torch.no_grad():
                network.weight.fill_(i)
            average.update()
            decay = min(0.5, (1 + i) / (10 + i))
            expected = decay * expected + (1 - decay) * i
        with average.applied():
            assert float(network.weight) == pytest.approx(expected)
        assert float(network.weight) == 29 and value != expected
        other = WeightAverage(nn.Linear(1, 1, bias=False), 0.5)
        other.load_state_dict(average.state_dict())
        assert other.updates == 29

    def test_no_average_changes_nothing(self):
        with averaged(None):
            pass

    def test_exported_instead_of_the_last_weights(self, tmp_path, monkeypatch):
        monkeypatch.setattr(trainer, "export_model", lambda *_, **__: None)
        fast = {"joint": {"lr": 1e-2}, "ema": 0.99}
        config = config_io.update(settings("mlp"), fast, "the test")
        exported = load_model(trainer.train(config, tmp_path))
        state = torch.load(tmp_path / "training.pt", weights_only=True)
        last, average = state["networks"]["model"], state["average"]["average"]
        key = "lifter.layers.1.0.weight"
        torch.testing.assert_close(exported.state_dict()[key], average[key])
        assert (last[key] - average[key]).abs().max() > 1e-4


def test_a_finished_run_is_extended(tmp_path, monkeypatch):
    """One epoch, then two: the same weights as in two epochs with a constant rate."""
    monkeypatch.setattr(trainer, "export_model", lambda *_, **__: None)
    one = config_io.update(settings("mlp"), {"joint": {"lr": 1e-3}}, "the test")
    two = config_io.update(one, {"joint": {"epochs": 2}, "figures": 0}, "the test")
    trainer.train(one, tmp_path / "extended")
    assert "extending" not in (tmp_path / "extended" / "log.txt").read_text()
    extended = load_model(trainer.train(two, tmp_path / "extended"))
    assert "extending" in (tmp_path / "extended" / "log.txt").read_text()
    whole = load_model(trainer.train(two, tmp_path / "whole"))
    for (name, a), b in zip(
        extended.state_dict().items(), whole.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=1e-2, msg=name)
    text = (tmp_path / "whole" / "log.txt").read_text()
    for word in ("device: cpu", "192 pairs (synthetic)", "parameters: ", "MPJPE", " mm"):
        assert word in text, word


def test_early_stop_and_best_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "export_model", lambda *_, **__: None)
    errors = iter([9.0, 50.0, 40.0, 41.0, 42.0, 43.0])  # the first is of the warm-up
    monkeypatch.setattr(trainer, "validate", lambda *_: {"mpjpe": next(errors)})
    config = config_io.update(settings("mlp"), {"patience": 2, "joint": {"epochs": 9}}, "the test")
    trainer.train(config, tmp_path)
    log = (tmp_path / "log.txt").read_text()
    assert "early stop: no better validation for 2 epochs" in log
    assert next(errors) == 43.0  # four joint epochs
    from camerapose.models.checkpoint import read_header

    _, card, _ = read_header(tmp_path / "best")
    assert card["validation"] == {"mpjpe": 40.0}


@pytest.fixture(scope="module")
def poses():
    from dataclasses import replace

    poses = synthetic.load(n=200, seed=1)
    labels = {
        "subject": np.array([f"P{i // 50}" for i in range(200)]),
        "action": np.array([f"walk {i // 5}" for i in range(200)]),
    }
    return replace(poses, labels=labels)


class TestSplit:
    def test_whole_recordings(self, poses):
        train, valid = split(poses, (), 0.1, "mine")
        assert len(train) + len(valid) == 200 and 20 <= len(valid) <= 25
        actions = poses.labels["action"]
        assert not set(actions[train]) & set(actions[valid])

    def test_subjects(self, poses):
        _, valid = split(poses, ["P1"], 0.1, "mine")
        assert set(poses.labels["subject"][valid]) == {"P1"} and len(valid) == 50
        with pytest.raises(ValueError, match=r"mine has no subject 'P9'.*P0, P1, P2, P3"):
            split(poses, ["P9"], 0.1, "mine")
        with pytest.raises(ValueError, match="all subjects are held out"):
            split(poses, ["P0", "P1", "P2", "P3"], 0.1, "mine")

    def test_few_recordings(self, poses):
        train, valid = split(poses[:20], (), 0.1, "mine")
        assert valid.tolist() == [18, 19] and len(train) == 18

    def test_nothing(self, poses):
        assert len(split(poses, (), 0.0, "mine")[1]) == 0


def test_texts_contain_units():
    assert validation_text({"mpjpe": 41.26, "focal_error": 0.02}) == (
        "MPJPE 41.26 mm, focal length 2 %"
    )
    assert "about 2 h 30 min" in duration_text("joint", 1.0, 900, 10)
