"""Rehearsal of benchmarks/gpu.py on the CPU, with small data and networks."""

import json
import signal
import sys
import time

import numpy as np
import pytest
import torch
from helpers.human36m import tree_3d
from helpers.mpii import person, write_json
from helpers.paths import ROOT
from helpers.training import one_thread

sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu  # noqa: E402
import gpu_data  # noqa: E402
import gpu_steps  # noqa: E402

from camerapose.data.datasets.human36m.layouts import read_tree  # noqa: E402
from camerapose.data.datasets.human36m.recordings import JOINTS_OF_32  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    with one_thread(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    (root / "h36m").mkdir()
    tree = tree_3d()
    long = np.tile(tree["S1"]["Walking"], (8, 1, 1))
    tree |= {subject: {"Walking": long} for subject in ("S5", "S6", "S7", "S8")}
    np.savez_compressed(root / "h36m" / "data_3d_h36m.npz", positions_3d=np.array(tree, object))
    (root / "mpii").mkdir()
    people = [person(f"{i}.jpg", i) for i in range(12)]
    write_json(root / "mpii", people, "train")
    write_json(root / "mpii", people, "valid")
    return root


@pytest.fixture(scope="module")
def packed(data):
    text = gpu_data.pack(data, data / "packed.npz")
    assert "frames" in text and (data / "packed.npz").stat().st_size < 1e6
    return data / "packed.npz"


def test_packed_positions_are_kept(data, packed, tmp_path):
    folder = gpu_data.unpack(packed, tmp_path)
    before, after = (
        read_tree(root / "data_3d_h36m.npz", "positions_3d") for root in (data / "h36m", folder)
    )
    assert {s: set(a) for s, a in before.items()} == {s: set(a) for s, a in after.items()}
    for subject, actions in before.items():
        for action, positions in actions.items():
            difference = after[subject][action][:, JOINTS_OF_32] - positions[:, JOINTS_OF_32]
            assert np.abs(difference).max() < 0.51 * gpu_data.UNIT, (subject, action)
    for split in ("train", "valid"):
        one, other = (root / "annot" / f"{split}.json" for root in (data / "mpii", folder))
        assert one.read_bytes() == other.read_bytes()


def test_coordinates_that_do_not_fit_are_refused(tmp_path):
    (tmp_path / "h36m").mkdir()
    tree = {"S1": {"Walking": np.full((3, 32, 3), 4.0)}}
    np.savez(tmp_path / "h36m" / "data_3d_h36m.npz", positions_3d=np.array(tree, object))
    with pytest.raises(ValueError, match="S1/Walking has coordinates beyond 3.28 m"):
        gpu_data.pack(tmp_path, tmp_path / "packed.npz")


def test_files_are_split_and_joined(tmp_path):
    content = np.random.default_rng(0).bytes(25_000)
    (tmp_path / "a" / "paper").mkdir(parents=True)
    (tmp_path / "a" / "paper" / "x.bin").write_bytes(content)
    gpu.split(tmp_path / "a", 0.01)
    sizes = [p.stat().st_size for p in sorted((tmp_path / "a" / "paper").iterdir())]
    assert sizes == [10_000, 10_000, 5_000]
    gpu.join(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b" / "paper" / "x.bin").read_bytes() == content
    with pytest.raises(FileNotFoundError, match="no results of an earlier call"):
        gpu.join(tmp_path / "nothing", tmp_path / "b")


def test_bare_products_are_those_of_the_step():
    from clock import calls_of

    a, b = torch.randn(8, 4), torch.randn(4, 3)
    calls = calls_of(lambda: (a @ b, a @ b))
    repeated = calls_of(gpu_steps.bare_products(calls, torch.device("cpu")))
    assert repeated.products == calls.products


def test_calls_resume(packed, tmp_path, monkeypatch):
    """One call without time, one that is interrupted in the training, one that finishes."""
    monkeypatch.setattr(gpu_steps, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "golden", lambda *_: {"mlp": 0.0})  # test_losses_of_the_devices
    monkeypatch.setattr("camerapose.train.trainer.export_model", lambda *_, **__: None)
    rehearse = ["--device", "cpu", "--rehearse", "--trainings", "paper"]
    first, second, third = (tmp_path / name for name in "abc")

    def call(out, *more):
        return gpu.main(["run", str(packed), "-o", str(out), *rehearse, *map(str, more)])

    assert call(first, "--minutes", 0) == gpu.UNFINISHED
    train = gpu.trainer.train

    def begin_late(config, out):
        gpu.signal.raise_signal(gpu.signal.SIGINT) if not out.exists() else None
        return train(config, out)

    monkeypatch.setattr(gpu.trainer, "train", begin_late)
    assert call(second) == gpu.UNFINISHED
    assert "steps mlp" in json.loads((second / "gpu.json").read_text())
    monkeypatch.setattr(gpu.trainer, "train", train)
    assert call(third, "--resume", second) == 0
    results = json.loads((third / "gpu.json").read_text())
    assert results["device"]["note"] == "rehearsal: not measured on a GPU"
    steps = results["steps mlp"]["result"]
    assert set(gpu_steps.PRECISIONS) < set(steps) and steps["fp32"]["joint / products"] > 0
    errors = results["training paper"]["result"]
    assert errors["flip_averaging=True"]["mpjpe"] > 0
    weights = third / "paper" / "model.safetensors"
    assert weights.stat().st_size < 16e6 and not (third / "data").exists()


def test_losses_of_the_devices(tmp_path, monkeypatch):
    """On the CPU, both sides of the comparison are the same, and the golden losses are known."""
    from helpers import golden

    monkeypatch.setattr(golden, "RUNS", ("mlp", "paper"))
    worst = gpu.golden(torch.device("cpu"), tmp_path / "golden")
    assert worst["golden (CPU)"] < 1e-4 and worst["mlp"] == 0 and worst["paper"] == 0
    monkeypatch.setattr(gpu, "TOLERANCE", -1)
    with pytest.raises(ValueError, match="differ from those of the CPU"):
        gpu.golden(torch.device("cpu"), tmp_path / "golden")


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.default_int_handler])
def test_interrupted_at_the_deadline(handler):
    """Also in the background, where the signal is ignored."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt), gpu.interrupted_at(time.monotonic() + 0.05):
            time.sleep(5)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
