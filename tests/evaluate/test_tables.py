"""Intervals, comparisons, worst cases, errors by joint, and data sets without a protocol."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.models import SIZES

from camerapose.cli.main import main
from camerapose.core import plugins
from camerapose.core.joint_formats import H36M_16
from camerapose.data.datasets import synthetic
from camerapose.evaluate import protocols, statistics
from camerapose.evaluate.training_data import read_card, trained_subjects
from camerapose.evaluate.worst import worst_rows
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import save_model


def labelled(n=60):
    """Poses of three subjects with two recordings of ten poses each."""
    labels = {
        "subject": np.array([f"P{i // 20}" for i in range(n)]),
        "action": np.array([f"walk {i // 10}" for i in range(n)]),
    }
    return replace(synthetic.load(n=n, seed=2), labels=labels)


@pytest.fixture(scope="module")
def poses():
    return labelled()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two models, the first of which was trained on P0 and P1 of the data set."""
    folder, card = tmp_path_factory.mktemp("weights"), {}
    card["config"] = {"data": {"pairs": {"my_lab": {"held_out": ["P2"]}}}}
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = build(H36M_16, *(getattr(SIZES, name) for name in vars(SIZES)))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.02 * torch.randn_like(parameter)
        save_model(model, folder / f"{seed}.safetensors", SIZES, card if seed == 0 else None)
    return folder


@pytest.fixture
def my_lab(monkeypatch, tmp_path):
    """A data set that the package does not know."""
    load, available = plugins.load, plugins.available
    module = SimpleNamespace(load=lambda root: labelled(), __name__="my_lab")

    def load_other(kind, name):
        return module if name == "my_lab" else load(kind, name)

    def names(kind):
        return (*available(kind), "my_lab") if kind == "datasets" else available(kind)

    monkeypatch.setattr(plugins, "load", load_other)
    monkeypatch.setattr(plugins, "available", names)
    monkeypatch.setattr(protocols, "cached", lambda load, root, **options: load(root, **options))
    return tmp_path


class TestBootstrap:
    def test_interval_of_independent_values(self):
        """The interval of a mean is about 1.96 standard errors to both sides."""
        values = np.random.default_rng(1).normal(50, 10, 400)
        low, high = statistics.bootstrap(values, np.arange(400))
        assert low < values.mean() < high
        assert (high - low) / 2 == pytest.approx(1.96 * 10 / 20, rel=0.15)

    def test_equal_poses_of_a_recording_count_once(self):
        values = np.random.default_rng(1).normal(50, 10, 20)
        one = statistics.bootstrap(values, np.arange(20))
        many = statistics.bootstrap(values.repeat(30), np.arange(20).repeat(30))
        assert many == pytest.approx(one)

    def test_undefined_values_are_left_out(self):
        values = np.array([1.0, np.nan, 1.0])
        assert statistics.bootstrap(values, np.arange(3)) == (1.0, 1.0)

    def test_recordings(self, poses):
        groups, noun = statistics.recordings(poses)
        assert noun == "recordings" and np.bincount(groups).tolist() == [10] * 6
        groups, noun = statistics.recordings(replace(poses, labels={}))
        assert noun == "poses" and len(set(groups)) == 60


def test_comparison_of_two_models():
    rng = np.random.default_rng(0)
    first = rng.normal(40, 5, 200)
    result = statistics.compare(first, first + 2, np.arange(200))
    assert result.difference == pytest.approx(-2) and result.first_better == 1
    assert result.interval == pytest.approx((-2, -2))
    noisy = statistics.compare(first, first + rng.normal(0, 5, 200), np.arange(200))
    assert noisy.interval.low < 0 < noisy.interval.high


def test_worst_rows_are_of_different_recordings(poses):
    errors = np.zeros(60)
    errors[[3, 4, 25, 51]] = [5, 9, 7, np.nan]
    assert worst_rows({"mpjpe": errors}, poses, 2).tolist() == [4, 25]


def test_subjects_of_the_training_data(poses, weights):
    card = read_card(weights / "0.safetensors")
    assert trained_subjects(card, "my_lab", poses) == ["P0", "P1"]
    assert trained_subjects(card, "other", poses) == []
    assert trained_subjects(read_card(weights / "1.safetensors"), "my_lab", poses) == []
    human36m = {"config": {"data": {"human36m": "human36m", "subjects": ["P1"]}}}
    assert trained_subjects(human36m, "novel_portrait", poses) == ["P1"]


def test_report_of_a_data_set_without_a_protocol(my_lab, weights, capsys):
    out = my_lab / "worst.png"
    arguments = ["evaluate", str(weights / "0.safetensors"), "--dataset", "my_lab", "--per-joint"]
    arguments += ["--compare", str(weights / "1.safetensors"), "--gallery", str(out)]
    assert main([*arguments, "--json", str(my_lab / "r.json"), "--root", str(my_lab)]) == 0
    printed = capsys.readouterr()
    assert "trained on P0, P1 of this data set" in printed.err
    for text in ("subject P1", "walk", "95% intervals (bootstrap over 6 recordings)", "left_wrist"):
        assert text in printed.out, text
    assert out.stat().st_size > 10_000
    result = json.loads((my_lab / "r.json").read_text())
    joints = result["by_joint"]
    assert joints["pelvis"] == 0
    assert np.mean(list(joints.values())) == pytest.approx(result["frame_wise"]["mpjpe"])
    low, high = result["intervals"]["mpjpe"]
    assert low < result["frame_wise"]["mpjpe"] < high
    rows = result["comparison"]["metrics"]["mpjpe"]
    assert rows["interval"][0] <= rows["difference"] <= rows["interval"][1]


def test_subjects_are_selected(my_lab):
    test = protocols.load("my_lab", my_lab, subjects=["P2"], frame_step=2)
    assert set(test.poses.labels["subject"]) == {"P2"} and len(test.poses) == 10
    with pytest.raises(ValueError, match="my_lab has no subject 'P9'; it has P0, P1, P2"):
        protocols.load("my_lab", my_lab, subjects=["P9"])


def test_unknown_data_set():
    with pytest.raises(ValueError, match=r"unknown data set 'x'.*mpii.*anny"):
        protocols.check_options("x", None, 1)
