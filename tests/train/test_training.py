"""Small complete trainings: run folder, reproducibility, interruption and resumption."""

import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.fakes import PERSON, SIZE
from helpers.human36m import tree_2d, tree_3d, write_2d
from helpers.mpii import person, write_json
from helpers.training import SMALL, SMOKE, STAGES, metrics, one_thread, same, saved, weights
from PIL import Image

from camerapose import Predictor
from camerapose.io.locks import FolderInUse, lock_folder
from camerapose.models.checkpoint import load_model
from camerapose.train import config_io, data
from camerapose.train.checkpoint import Checkpoint
from camerapose.train.config import Config
from camerapose.train.logging import TrainingLog
from camerapose.train.stages import joint as joint_module
from camerapose.train.trainer import stages, start, train, without_paths


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    with one_thread(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """2D-only poses of forty people; every third lacks a joint."""
    root = tmp_path_factory.mktemp("mpii")
    people = [person(f"{i}.jpg", i, missing=(9,) if i % 3 == 0 else ()) for i in range(40)]
    write_json(root, people, "train")
    return write_json(root, people[:8], "valid")


@pytest.fixture(scope="module")
def small(mpii):
    """Settings of a training of a few seconds."""
    chosen = config_io.update(config_io.read(SMOKE), SMALL, "the test")
    return config_io.update(chosen, {"data": {"mpii": str(mpii)}}, "the test")


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    assert train(small, out) == out / "checkpoint"
    return out


@pytest.fixture
def no_graph(monkeypatch):
    """Skip the ONNX export, which takes longer than the training."""
    monkeypatch.setattr("camerapose.train.trainer.export_model", lambda *_, **__: None)


def changed(settings, **differences):
    return config_io.update(settings, differences, "the test")


class TestFolder:
    def test_in_use_by_another_training(self, small, tmp_path):
        with lock_folder(tmp_path), pytest.raises(FolderInUse, match="in use by another process"):
            train(small, tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_configuration(self, finished, small):
        assert config_io.read(finished / "config.toml") == small

    def test_losses_of_every_stage_are_finite(self, finished):
        lines = [line for line in metrics(finished) if "loss" in line]
        assert {line["stage"] for line in lines} == set(STAGES)
        assert all(math.isfinite(v) for line in lines for v in line["loss"].values())
        named = {stage: set() for stage in STAGES}
        for line in lines:
            named[line["stage"]] |= set(line["loss"])
        pairs = {"refine", "camera", "reprojection", "pose"}
        names = ("refine", "reprojection", "bone_prior", "d2d")
        unlabelled = {f"{name}_unlabelled" for name in names}
        assert named["refine"] == {"refine"}
        assert pairs <= named["warmup"] and not unlabelled & named["warmup"]
        assert pairs | unlabelled <= named["joint"]
        adversarial = {f"adversarial_{name}" for name in ("d2d_real", "d3d_fake", "diversity")}
        assert adversarial <= named["warmup"]

    def test_validation_after_each_epoch(self, finished):
        first, *lines = [line for line in metrics(finished) if "validation" in line]
        assert first["stage"] == "refine" and set(first["validation"]) == {"input_2d", "refined_2d"}
        assert [line["stage"] for line in lines] == ["warmup", "joint"]
        expected = {"mpjpe", "pa_mpjpe", "root_error", "focal_error", "unlabelled_reprojection"}
        assert all(set(line["validation"]) == expected for line in lines)
        assert all(math.isfinite(v) for line in lines for v in line["validation"].values())

    def test_tensorboard(self, finished):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(finished / "tensorboard"))
        events.Reload()
        tags = events.Tags()["scalars"]
        assert {"refine/refine", "joint/pose", "validation/mpjpe"} <= set(tags)

    def test_figures(self, finished):
        names = {path.name for path in (finished / "figures").iterdir()}
        assert names == {"warmup-001.png", "joint-001.png"}
        for name in names:
            with Image.open(finished / "figures" / name) as figure:
                figure.load()

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
        train(changed(small, figures=0), tmp_path)
        assert same(weights(tmp_path), weights(finished))

    def test_epochs_use_the_parts_of_the_pairs_in_turn(self, small, tmp_path):
        loop = start(changed(small, data={"synthetic": 500, "epoch_parts": 3}), tmp_path).loop
        epochs = [loop.order("joint", epoch).tolist() for epoch in range(6)]
        for three in (epochs[:3], epochs[3:]):
            assert sorted(sum(three, [])) == list(range(500))
        assert epochs[0] != epochs[3]
        optimizer = loop.optimizer("joint", small.joint, [torch.nn.Parameter(torch.zeros(1))])
        sizes = [len(batch.rows) for batch in loop.batches(small.joint, optimizer)]
        assert sum(sizes) == 166 // 128 * 128 * small.joint.epochs

    def test_too_many_parts(self, small, tmp_path):
        few = changed(small, data={"synthetic": 500, "epoch_parts": 400})
        with pytest.raises(ValueError, match=r"epoch_parts = 400 .* 500 pairs .*1 to 250"):
            train(few, tmp_path)

    def test_compiled_in_one_process_only(self, small, tmp_path, monkeypatch):
        monkeypatch.setattr("camerapose.train.distributed.process_count", lambda: 2)
        with pytest.raises(ValueError, match="compile = true requires a single process"):
            start(changed(small, compile=True), tmp_path)

    def test_other_seed_other_weights(self, finished, small, tmp_path):
        train(changed(small, seed=1, figures=0), tmp_path)
        assert not same(weights(tmp_path), weights(finished))

    def test_finished_run_stays_unchanged(self, finished, small):
        before, lines = weights(finished), metrics(finished)
        train(small, finished)
        assert same(weights(finished), before) and metrics(finished) == lines

    def test_other_settings_in_the_same_folder(self, finished, small):
        with pytest.raises(
            ValueError, match=r"joint\.batch = 128, not 64; .*choose another output folder"
        ):
            train(changed(small, joint={"batch": 64}), finished)


class TestInterrupted:
    @pytest.mark.parametrize(
        ("number", "iteration"), [(signal.SIGINT, 2), (signal.SIGTERM, 6), (signal.SIGINT, 11)]
    )
    def test_saves_after_the_current_iteration(
        self, finished, small, tmp_path, no_graph, monkeypatch, number, iteration
    ):
        """Each stage has four iterations."""
        add, handler = TrainingLog.add, signal.getsignal(number)

        def add_and_interrupt(log, values):
            add(log, values)
            if log.progress.iteration == iteration:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(TrainingLog, "add", add_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(changed(small, figures=0), tmp_path)
        assert signal.getsignal(number) == handler
        assert saved(tmp_path)["progress"]["iteration"] == iteration + 1
        monkeypatch.undo()
        monkeypatch.setattr("camerapose.train.trainer.export_model", lambda *_, **__: None)
        train(changed(small, figures=0), tmp_path)
        assert same(weights(tmp_path), weights(finished))

    def test_validation_without_a_later_save(
        self, finished, small, tmp_path, no_graph, monkeypatch
    ):
        """A validation that was not followed by a save is repeated, and logged once."""
        often, save = changed(small, checkpoint_minutes=1e-9, figures=0), Checkpoint.save

        def save_but_not_after_the_epoch(checkpoint):
            if checkpoint.progress.stage == "warmup" and checkpoint.progress.epoch == 1:
                raise OSError("the disk is full")
            save(checkpoint)

        monkeypatch.setattr(Checkpoint, "save", save_but_not_after_the_epoch)
        with pytest.raises(OSError, match="the disk is full"):
            train(often, tmp_path)
        monkeypatch.setattr(Checkpoint, "save", save)
        train(often, tmp_path)
        assert same(weights(tmp_path), weights(finished))
        validations = [
            [m for m in metrics(out) if "validation" in m] for out in (tmp_path, finished)
        ]
        assert validations[0] == validations[1]


class TestData:
    @pytest.fixture(autouse=True)
    def quick(self, no_graph):
        pass

    def test_without_human36m(self, small, tmp_path):
        absent = tmp_path / "nowhere"
        with pytest.raises(FileNotFoundError, match=r"data_3d_h36m\.npz") as error:
            train(changed(small, data={"human36m": str(absent)}), tmp_path / "run")
        assert str(absent) in str(error.value)

    def test_without_pairs(self, small, tmp_path):
        with pytest.raises(ValueError, match="no 2D-3D pairs"):
            train(changed(small, data={"synthetic": 0}), tmp_path)

    def test_absent_mpii_is_skipped_with_a_message(self, small, tmp_path, capsys):
        few = changed(small, data={"mpii": str(tmp_path / "nowhere"), "synthetic": 64})
        train(few, tmp_path / "run")
        printed = capsys.readouterr().err
        assert "without the 2D-only data" in printed and str(tmp_path / "nowhere") in printed
        joint = [line for line in metrics(tmp_path / "run") if line["stage"] == "joint"]
        assert "pose" in joint[0]["loss"] and "reprojection_unlabelled" not in joint[0]["loss"]

    @pytest.mark.parametrize("share", [0.0, 0.1])
    def test_human36m_with_detections(self, small, tmp_path, share):
        """A share of the poses is held out by default; without it there are no metrics."""
        np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=tree_3d())
        write_2d(tmp_path, tree_2d())
        data = {"human36m": str(tmp_path), "detections": "det", "subjects": ["S1"],
                "synthetic": 0, "mpii": False, "validation_share": share}  # fmt: skip
        few = changed(small, data=data, **{stage: {"batch": 32} for stage in STAGES})
        train(few, tmp_path / "run")
        lines = metrics(tmp_path / "run")
        values = [line["validation"] for line in lines if "validation" in line]
        assert [("mpjpe" in v or "refined_2d" in v) for v in values] == [bool(share)] * 3

    def test_without_a_refiner_only_complete_people_are_used(self, small):
        device = torch.device("cpu")
        every = data.load(small, device)
        few = data.load(changed(small, model={"refiner_hidden": 0}), device)
        assert (
            len(few.complete) == len(few.unlabelled) == len(every.complete) < len(every.unlabelled)
        )


def test_precision_of_matrix_products(small, tmp_path, no_graph):
    before = torch.get_float32_matmul_precision()
    try:
        for name, precision in (("bfloat16", "medium"), ("float32", "highest")):
            start(changed(small, precision=name), tmp_path / name)
            assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("scale", [0.25, 0.0])
def test_learning_rate_of_the_refiner_in_the_joint_stage(small, tmp_path, monkeypatch, scale):
    rates = []

    def record(checkpoint):
        if checkpoint.progress.stage:
            groups = checkpoint.optimizers["model"].param_groups
            rates.append([group["lr"] for group in groups])

    monkeypatch.setattr(Checkpoint, "save", record)
    settings = changed(small, joint={"decay": "steps"}, refiner_lr_scale=scale)
    run = start(settings, tmp_path)
    before = [p.detach().clone() for p in run.model.refiner.parameters()]
    stages(settings, run)["joint"]()
    lr = small.joint.lr
    assert rates == [[lr, lr * scale] if scale else [lr]]
    same = all(
        torch.equal(a, b) for a, b in zip(before, run.model.refiner.parameters(), strict=True)
    )
    assert same == (scale == 0)


def test_batch_norm_is_frozen_at_the_end_of_the_joint_stage(small, tmp_path, monkeypatch):
    settings = changed(small, frozen_norm_share=0.5, joint={"epochs": 2})
    run = start(settings, tmp_path)
    norms = [m for m in run.model.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    means, updated, update = [norm.running_mean.clone() for norm in norms], [], joint_module.update

    def record(optimizer, loss):
        pairs = zip(norms, means, strict=True)
        changes = {not torch.equal(norm.running_mean, mean) for norm, mean in pairs}
        assert len(changes) == 1
        updated.append(changes.pop())
        means[:] = [norm.running_mean.clone() for norm in norms]
        assert run.model.lifter.training  # dropout is not frozen
        update(optimizer, loss)

    monkeypatch.setattr(joint_module, "update", record)
    stages(settings, run)["joint"]()
    assert updated == [True] * 4 + [False] * 4
    assert all(m.training for m in run.model.modules())


#: The command without the ONNX export, which takes longer than the rest. Its first argument is the
#: stage in which the process kills itself between two checkpoints.
COMMAND = """
import os, signal, sys
from camerapose.cli.main import main
from camerapose.train import trainer
from camerapose.train.checkpoint import Checkpoint

trainer.export_model = lambda *_, **__: None
save, saved = Checkpoint.save, []

def save_and_kill(checkpoint):
    if checkpoint.progress.stage == sys.argv[1]:
        saved.append(checkpoint.progress.iteration)
        if len(saved) == 12:  # in the second epoch
            os.kill(os.getpid(), signal.SIGKILL)
    save(checkpoint)

Checkpoint.save = save_and_kill
sys.exit(main(sys.argv[2:]))
"""


def run_command(out, mpii, killed_in="never"):
    """Start `camerapose train` in its own process, with a checkpoint after every iteration."""
    settings = [
        "figures=0", "unlabelled_batch=16", "checkpoint_minutes=0", "data.synthetic=512",
        f"data.mpii={mpii}", "model.lifter_arguments={width=32,dropout=0.1}",
        "model.refiner_hidden=32", "model.camera_hidden=32",
        *(f"{stage}.{key}" for stage in STAGES for key in ("epochs=2", "batch=64")),
        "adversarial.batch=16", "adversarial.interval=1",
    ]  # fmt: skip
    arguments = ["train", str(SMOKE), "--out", str(out), "--set", *settings]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, killed_in, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_a_kill_in_each_stage_does_not_change_the_result(mpii, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    uninterrupted = run_command(whole, mpii)
    for stage in STAGES:
        killed = run_command(broken, mpii, killed_in=stage)
        errors = killed.communicate(timeout=300)[1]
        assert killed.returncode == -signal.SIGKILL, errors
        progress = saved(broken)["progress"]
        assert progress["stage"] == stage
        assert 0 < 8 * progress["epoch"] + progress["step"] < 16, "not killed within the stage"
        assert not (broken / "checkpoint").exists()
    finish(run_command(broken, mpii))
    finish(uninterrupted)

    expected, result = saved(whole), saved(broken)
    assert same(weights(broken), weights(whole))
    for part in ("networks", "optimizers", "random", "monitor", "progress"):
        assert same(result[part], expected[part]), part
    # repeated iterations are logged once
    assert [m["iteration"] for m in metrics(broken)] == sorted(
        m["iteration"] for m in metrics(broken)
    )
    validations = [[m for m in metrics(out) if "validation" in m] for out in (broken, whole)]
    assert validations[0] == validations[1] and len(validations[0]) == 6


def test_cards_contain_names_of_data_sets_instead_of_folders():
    own = config_io.update(Config(), {"data": {"human36m": "/home/me/h36m"}}, "test")
    card = without_paths(own)
    assert card["data"]["human36m"] == "human36m" and "/home" not in json.dumps(card)
