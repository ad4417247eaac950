"""A whole training, much reduced: its folder, its repetition, and that a kill changes nothing."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.fakes import PERSON, SIZE
from helpers.human36m import tree_2d, tree_3d, write_2d
from helpers.mpii import person, write_json
from helpers.training import SMALL, SMOKE, STAGES, metrics, saved, weights
from PIL import Image

import camerapose.models.onnx_export
from camerapose import Predictor
from camerapose.models.checkpoint import load_model
from camerapose.train import config, data
from camerapose.train.joint import joint
from camerapose.train.trainer import Run, train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """One thread, so that sums have one order; and a cache of our own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMERAPOSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """Forty people of 2D alone; every third lacks a joint."""
    root = tmp_path_factory.mktemp("mpii")
    people = [person(f"{i}.jpg", i, missing=(9,) if i % 3 == 0 else ()) for i in range(40)]
    write_json(root, people, "train")
    return write_json(root, people[:8], "valid")


@pytest.fixture(scope="module")
def small(mpii):
    """Settings of a training of seconds."""
    chosen = config.update(config.read(SMOKE), SMALL, "the test")
    return config.update(chosen, {"data": {"mpii": str(mpii)}}, "the test")


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    assert train(small, out) == out / "checkpoint"
    return out


@pytest.fixture
def no_graph(monkeypatch):
    """Leaves out the ONNX export, which takes longer than the training."""
    monkeypatch.setattr(camerapose.models.onnx_export, "export_model", lambda *_, **__: None)


def changed(settings, **differences):
    return config.update(settings, differences, "the test")


def same(a, b):
    """Whether nested tensors are equal, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


class TestFolder:
    def test_configuration(self, finished, small):
        assert config.read(finished / "config.toml") == small

    def test_losses_of_every_stage_are_finite(self, finished):
        lines = [line for line in metrics(finished) if "loss" in line]
        assert {line["stage"] for line in lines} == set(STAGES)
        assert all(math.isfinite(v) for line in lines for v in line["loss"].values())
        named = {stage: set() for stage in STAGES}
        for line in lines:
            named[line["stage"]] |= set(line["loss"])
        pairs = {"refine", "camera", "reprojection", "pose"}
        wild = {"refine_wild", "reprojection_wild", "prior_wild", "d2d_wild"}
        assert named["refine"] == {"refine"}
        assert pairs <= named["warmup"] and not wild & named["warmup"]
        assert pairs | wild <= named["joint"]
        assert {"game_d2d_real", "game_d3d_fake", "game_variety"} <= named["warmup"]

    def test_validation_after_each_epoch_of_the_lifter(self, finished):
        lines = [line for line in metrics(finished) if "validation" in line]
        assert [line["stage"] for line in lines] == ["warmup", "joint"]
        expected = {"mpjpe", "pa_mpjpe", "root_error", "focal_error", "wild_reprojection"}
        assert all(set(line["validation"]) == expected for line in lines)
        assert all(math.isfinite(v) for line in lines for v in line["validation"].values())

    def test_tensorboard(self, finished):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(finished / "tensorboard"))
        events.Reload()
        tags = events.Tags()["scalars"]
        assert {"refine/refine", "joint/pose", "validation/mpjpe"} <= set(tags)

    def test_pictures(self, finished):
        names = {path.name for path in (finished / "pictures").iterdir()}
        assert names == {"warmup-001.png", "joint-001.png"}
        for name in names:
            with Image.open(finished / "pictures" / name) as picture:
                picture.load()

    def test_graph_runs_in_the_predictor(self, finished):
        poses = Predictor(finished / "checkpoint", flip_averaging=False)(
            PERSON[None], image_size=SIZE
        )
        model = load_model(finished)
        with torch.inference_mode():
            lifted = model(torch.tensor(poses.pose2d), torch.tensor(poses.confidence))
        assert poses.skeleton.name == "h36m_16"
        torch.testing.assert_close(
            torch.tensor(poses.pose3d), lifted.pose3d.clone(), atol=1e-4, rtol=1e-4
        )


class TestRepeated:
    @pytest.fixture(autouse=True)
    def quick(self, no_graph):
        pass

    def test_same_seed_same_weights(self, finished, small, tmp_path):
        train(changed(small, pictures=0), tmp_path)
        assert same(weights(tmp_path), weights(finished))

    def test_parts_of_the_pairs_in_turn(self, small, tmp_path):
        run = Run(changed(small, data={"synthetic": 500, "epoch_parts": 3}), tmp_path)
        epochs = []
        for run.epoch in range(6):
            epochs.append(run._order("joint").tolist())
        for three in (epochs[:3], epochs[3:]):
            assert sorted(sum(three, [])) == list(range(500))
        assert epochs[0] != epochs[3]
        run.epoch = 0
        steps = [len(rows) for rows in run.batches("joint", small.joint, run.model.parameters())]
        assert sum(steps) == 166 // 128 * 128 * small.joint.epochs
        run = Run(changed(small, data={"synthetic": 500, "epoch_parts": 400}), tmp_path / "few")
        with pytest.raises(ValueError, match=r"epoch_parts = 400 divides 500 pairs .*fewer parts"):
            next(run.batches("joint", small.joint, run.model.parameters()))

    def test_compiled_in_one_process_only(self, small, tmp_path, monkeypatch):
        monkeypatch.setattr("camerapose.train.distributed.count", lambda: 2)
        with pytest.raises(ValueError, match=r"compile = true works in one process"):
            Run(changed(small, compile=True), tmp_path)

    def test_other_seed_other_weights(self, finished, small, tmp_path):
        train(changed(small, seed=1, pictures=0), tmp_path)
        assert not same(weights(tmp_path), weights(finished))

    def test_finished_run_is_left_as_it_is(self, finished, small):
        before, lines = weights(finished), metrics(finished)
        train(small, finished)
        assert same(weights(finished), before) and metrics(finished) == lines

    def test_other_settings_in_its_folder(self, finished, small):
        with pytest.raises(ValueError, match=r"other settings of joint; .*choose another --out"):
            train(changed(small, joint={"epochs": 2}), finished)


class TestInterrupted:
    @pytest.mark.parametrize(
        ("number", "iteration"), [(signal.SIGINT, 2), (signal.SIGTERM, 6), (signal.SIGINT, 11)]
    )
    def test_saves_after_the_iteration_at_hand(
        self, finished, small, tmp_path, no_graph, monkeypatch, number, iteration
    ):
        """Each stage has four iterations."""
        log, handler = Run.log, signal.getsignal(number)

        def log_and_interrupt(run, terms):
            log(run, terms)
            if run.iteration == iteration:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(Run, "log", log_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(changed(small, pictures=0), tmp_path)
        assert signal.getsignal(number) == handler
        assert saved(tmp_path)["place"][-1] == iteration + 1
        monkeypatch.undo()
        monkeypatch.setattr(camerapose.models.onnx_export, "export_model", lambda *_, **__: None)
        train(changed(small, pictures=0), tmp_path)
        assert same(weights(tmp_path), weights(finished))

    def test_between_a_report_and_its_save(self, finished, small, tmp_path, no_graph, monkeypatch):
        """After a look at the model that no save followed, it looks again, and tells it once."""
        often, save = changed(small, checkpoint_minutes=1e-9, pictures=0), Run.save

        def save_but_not_after_the_epoch(run):
            if run.stage == "warmup" and run.epoch == 1:
                raise OSError("the disk is full")
            save(run)

        monkeypatch.setattr(Run, "save", save_but_not_after_the_epoch)
        with pytest.raises(OSError, match="the disk is full"):
            train(often, tmp_path)
        monkeypatch.setattr(Run, "save", save)
        train(often, tmp_path)
        assert same(weights(tmp_path), weights(finished))
        looks = [[m for m in metrics(out) if "validation" in m] for out in (tmp_path, finished)]
        assert looks[0] == looks[1]


class TestData:
    @pytest.fixture(autouse=True)
    def quick(self, no_graph):
        pass

    def test_without_human36m(self, small, tmp_path):
        absent = tmp_path / "nowhere"
        with pytest.raises(FileNotFoundError, match=r"data_3d_h36m\.npz") as error:
            train(changed(small, data={"human36m": str(absent)}), tmp_path / "run")
        assert str(absent) in str(error.value)

    def test_without_anything(self, small, tmp_path):
        with pytest.raises(ValueError, match="nothing to learn 3D from"):
            train(changed(small, data={"synthetic": 0}), tmp_path)

    def test_without_mpii_it_trains_and_says_so(self, small, tmp_path, capsys):
        few = changed(small, data={"mpii": str(tmp_path / "nowhere"), "synthetic": 64})
        train(few, tmp_path / "run")
        said = capsys.readouterr().err
        assert "training without 2D-only data" in said and str(tmp_path / "nowhere") in said
        joint = [line for line in metrics(tmp_path / "run") if line["stage"] == "joint"]
        assert "pose" in joint[0]["loss"] and "reprojection_wild" not in joint[0]["loss"]

    def test_human36m_with_detections_and_no_validation(self, small, tmp_path):
        """Nobody is held out: nothing to look at, and nothing breaks."""
        np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=tree_3d())
        write_2d(tmp_path, tree_2d())
        data = {"human36m": str(tmp_path), "detections": "det", "subjects": ["S1"],
                "synthetic": 0, "mpii": False}  # fmt: skip
        few = changed(small, data=data, **{stage: {"batch": 32} for stage in STAGES})
        train(few, tmp_path / "run")
        looks = [line["validation"] for line in metrics(tmp_path / "run") if "validation" in line]
        assert looks == [{}, {}]

    def test_without_a_refiner_only_complete_people_are_learned_from(self, small):
        device = torch.device("cpu")
        every = data.load(small, device)
        few = data.load(changed(small, model={"refiner_hidden": 0}), device)
        assert len(few.complete) == len(few.wild) == len(every.complete) < len(every.wild)


def test_precision_of_products_is_as_asked_for(small, tmp_path, no_graph):
    before = torch.get_float32_matmul_precision()
    try:
        for name, precision in (("bfloat16", "medium"), ("float32", "highest")):
            Run(changed(small, precision=name), tmp_path / name)
            assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("share", [0.25, 0.0])
def test_the_refiner_has_a_rate_of_its_own_in_the_joint_stage(small, tmp_path, monkeypatch, share):
    rates = []

    def look(self):
        if self.stage:
            rates.append([group["lr"] for group in self.optimizers["model"].param_groups])

    monkeypatch.setattr(Run, "save", look)
    run = Run(changed(small, joint={"decay": "steps"}, refiner_rate=share), tmp_path)
    before = [p.detach().clone() for p in run.model.refiner.parameters()]
    joint(run)
    lr = small.joint.lr
    assert rates == [[lr, lr * share] if share else [lr]]
    same = all(
        torch.equal(a, b) for a, b in zip(before, run.model.refiner.parameters(), strict=True)
    )
    assert same == (share == 0)


def test_batch_norm_rests_at_the_end_of_the_joint_stage(small, tmp_path, monkeypatch):
    seen = []

    def look(run, *_):
        norms = [m for m in run.model.modules() if isinstance(m, torch.nn.BatchNorm1d)]
        before = [m.running_mean.clone() for m in norms]
        learn(run, *_)
        moved = {not torch.equal(m.running_mean, b) for m, b in zip(norms, before, strict=True)}
        assert len(moved) == 1
        seen.append(moved.pop())
        assert run.model.lifter.training  # dropout goes on

    from camerapose.train.warmup import learn

    monkeypatch.setattr("camerapose.train.joint.learn", look)
    run = Run(changed(small, norms_rest=0.5, joint={"epochs": 2}), tmp_path)
    joint(run)
    assert seen == [True] * 4 + [False] * 4
    assert all(m.training for m in run.model.modules())


#: The command without its last step, the ONNX export, which takes longer than the rest. Its first
#: argument names a stage in which it kills itself between two savings.
COMMAND = """
import os, signal, sys
import camerapose.models.onnx_export
import camerapose.train.trainer as run
from camerapose.cli.main import main

camerapose.models.onnx_export.export_model = lambda *_, **__: None
save, savings = run.Run.save, []

def save_and_die(self):
    if self.stage == sys.argv[1]:
        savings.append(self.iteration)
        if len(savings) == 12:  # in the second epoch
            os.kill(os.getpid(), signal.SIGKILL)
    save(self)

run.Run.save = save_and_die
sys.exit(main(sys.argv[2:]))
"""


def start(out, mpii, dies_in="never"):
    """`camerapose train` in a process of its own; it saves after every iteration."""
    settings = [
        "pictures=0", "wild_batch=16", "checkpoint_minutes=0", "data.synthetic=512",
        f"data.mpii={mpii}", "model.lifter_arguments={width=32,dropout=0.1}",
        "model.refiner_hidden=32", "model.camera_hidden=32",
        *(f"{stage}.{key}" for stage in STAGES for key in ("epochs=2", "batch=64")),
        "adversary.batch=16", "adversary.every=1",
    ]  # fmt: skip
    arguments = ["train", str(SMOKE), "--out", str(out), "--set", *settings]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, dies_in, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said


@pytest.mark.slow
def test_a_kill_in_each_stage_changes_nothing(mpii, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = start(whole, mpii)
    for stage in STAGES:
        killed = start(broken, mpii, dies_in=stage)
        said = killed.communicate(timeout=300)[1]
        assert killed.returncode == -signal.SIGKILL, said
        at, epoch, step, _ = saved(broken)["place"]
        assert at == stage and 0 < 8 * epoch + step < 16, "the kill missed the stage's middle"
        assert not (broken / "checkpoint").exists()
    finish(start(broken, mpii))
    finish(unbroken)

    expected, found = saved(whole), saved(broken)
    assert same(weights(broken), weights(whole))
    for part in ("networks", "optimizers", "random", "health", "place"):
        assert same(found[part], expected[part]), part
    # nothing that was done again is told twice
    assert [m["iteration"] for m in metrics(broken)] == sorted(
        m["iteration"] for m in metrics(broken)
    )
    looks = [[m for m in metrics(out) if "validation" in m] for out in (broken, whole)]
    assert looks[0] == looks[1] and len(looks[0]) == 4


def test_a_card_names_data_sets_not_folders():
    """What ships is not to tell where somebody keeps the data."""
    own = config.update(config.Config(), {"data": {"human36m": "/home/me/h36m"}}, "test")
    card = camerapose.train.trainer._without_paths(own)
    assert card["data"]["human36m"] == "human36m" and "/home" not in json.dumps(card)
