"""Speed of training steps, compared with their matrix products and with `peer.py`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import peer
import torch
from clock import Calls, Row, bare_products, calls_of, race, ratio, report

from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.models.crop import VirtualCamera
from camerapose.train import config_io, trainer
from camerapose.train.config import Config
from camerapose.train.loop import Batch
from camerapose.train.steps import update

GOALS = {
    ("videopose", "lifter", "float32"): "2.4x", ("mlp", "lifter", "float32"): "1.15x",
    ("videopose", "lifter", "bfloat16"): "4.5x", ("mlp", "lifter", "bfloat16"): "2.2x",
    ("videopose", "adversarial", "float32"): "2.0x", ("mlp", "adversarial", "float32"): "1.2x",
    ("videopose", "adversarial", "bfloat16"): "3.8x", ("mlp", "adversarial", "bfloat16"): "2.3x",
}  # fmt: skip


class Steps:
    """Single training steps on synthetic poses.

    Args:
        plain: the parts of PoseAug only: no refiner, no 2D-only poses, no noise, and a minimal
            camera branch. D_2D remains part-aware, which is eight times the work of PoseAug's.
    """

    def __init__(self, lifter: str, batch: int, folder: Path, plain: bool, device: str = "cpu"):
        differences: dict[str, Any] = {
            "device": device, "figures": 0,
            "data": {"human36m": False, "mpii": False, "synthetic": 4 * batch},
            "model": {"lifter": lifter}, "adversarial": {"batch": batch},
        }  # fmt: skip
        if plain:
            differences["model"] |= {"refiner_hidden": 0, "camera_hidden": 8, "camera_blocks": 0}
            differences["noise"] = {"clean": 1.0}
            differences["unlabelled_batch"] = 0
        config = config_io.update(Config(), differences, "speed.py")
        run = trainer.start(config, folder)
        pairs = run.data.pairs
        if not plain:
            unlabelled = Poses(pairs.skeleton, pairs.pose2d, pairs.confidence)
            complete = torch.arange(len(unlabelled), device=pairs.pose2d.device)
            run = run._replace(data=run.data._replace(unlabelled=unlabelled, complete=complete))
        where = pairs.pose2d.device
        self.pairs, self.rows = pairs, torch.randperm(len(pairs))[:batch].to(where)
        self.model, self.iteration = run.model, 0
        self._optimizers: dict[str, torch.optim.Optimizer] = {}
        self._create, run.loop.optimizer = run.loop.optimizer, self._optimizer
        run.loop.batches = self._batches
        self._stages = trainer.stages(config, run)
        self._adversarial = run.adversarial
        self.separate = type(run.model.lifter)(H36M_16).to(where)
        self.separate_optimizer = torch.optim.Adam(self.separate.parameters(), lr=1e-4, fused=True)

    def _optimizer(self, stage: str, *arguments: Any) -> torch.optim.Optimizer:
        if stage not in self._optimizers:
            self._optimizers[stage] = self._create(stage, *arguments)
        return self._optimizers[stage]

    def _batches(self, *_: Any, **__: Any) -> Iterator[Batch]:
        """Yield a single batch, so that a stage takes one step."""
        yield Batch(self.rows, self.iteration, 0.5)
        self.iteration += 1

    def lifter(self) -> None:
        """Take one step of the lifter alone."""
        pairs = self.pairs
        pose2d, pose3d = (c.index_select(0, self.rows) for c in (pairs.pose2d, pairs.pose3d))
        loss = torch.nn.functional.mse_loss(self.separate(pose2d), pose3d - pose3d[:, :1])
        update(self.separate_optimizer, loss)

    def supervised(self) -> None:
        """Take one step of the warm-up without its adversarial step."""
        settings = self._adversarial.settings
        self._adversarial.settings = replace(settings, generated_share=0.0)
        self._stages["warmup"]()
        self._adversarial.settings = settings

    def joint(self) -> None:
        """Take one step of the joint stage, with its adversarial step."""
        self._stages["joint"]()

    def refinement(self) -> None:
        """Take one step of the refinement stage."""
        self._stages["refine"]()

    def camera(self) -> Callable[[], None]:
        """Return the forward and backward pass of the camera branch alone."""
        pairs, branch = self.pairs[self.rows], self.model.camera_branch
        view = VirtualCamera.fit(pairs.pose2d, pairs.confidence)
        crop2d, facing = view.to_crop(pairs.pose2d), pairs.pose3d - pairs.pose3d[:, :1]

        def run() -> None:
            _, camera = branch(crop2d, pairs.confidence, facing, view)
            sum(part.sum() for part in camera).backward()

        return run


def make_peer(lifter: str, batch: int, pairs: Poses) -> peer.Peer:
    n = len(pairs)
    camera = np.zeros((n, 9), np.float32)
    camera[:, :2] = 2.29
    return peer.Peer(lifter, pairs.pose3d.numpy(), pairs.pose2d.numpy(), camera, batch)


def training(
    lifters: list[str], batch: int, rounds: int, folder: Path, quick: bool
) -> tuple[list[Row], dict[Any, Any]]:
    """Measure the steps of every lifter.

    Returns:
        Table rows, and operations and times for `speed_schedule.schedule`.
    """
    rows: list[Row] = []
    measured: dict[Any, Any] = {}
    for lifter in lifters:
        plain = Steps(lifter, batch, folder / f"{lifter}-plain", plain=True)
        whole = Steps(lifter, batch, folder / f"{lifter}-whole", plain=False)
        other = make_peer(lifter, batch, plain.pairs) if lifter in peer.LIFTERS else None
        steps = {
            "lifter": ("the lifter alone", plain.lifter, other and other.supervised),
            "adversarial": ("PoseAug's iteration", plain.joint, other and other.adversarial),
            "supervised": ("CameraPose, supervised", whole.supervised, None),
            "joint": ("CameraPose, joint iteration", whole.joint, None),
        }
        for key, (what, step, theirs) in steps.items():
            step()
            calls = measured[lifter, key] = calls_of(step)
            for precision, name in trainer.PRECISION.items():
                if quick and precision != "float32" and key in ("supervised", "joint"):
                    continue
                torch.set_float32_matmul_precision(name)
                row, seconds = _step_row(step, calls, theirs, rounds, batch)
                torch.set_float32_matmul_precision("highest")
                measured[lifter, key, precision] = seconds
                goal = GOALS.get((lifter, key, precision), "")
                rows.append(row._replace(what=f"{lifter}: {what}, {precision}", goal=goal))
                report(rows[-1])
        if other is not None:
            measured[lifter, "peer"] = calls_of(other.adversarial)
        if lifter == lifters[0]:
            times = race(rounds, camera=whole.camera(), refinement=whole.refinement)
            measured["refine"] = median(times["refinement"]) / batch
            measured["refine calls"] = calls_of(whole.refinement)
            milliseconds = 1e3 * median(times["camera"]) / batch
            rows.append(Row("camera branch, forward and backward", milliseconds, "ms per sample"))
    return rows, measured


def _step_row(
    step: Callable[[], None],
    calls: Calls,
    theirs: Callable[[], None] | None,
    rounds: int,
    batch: int,
) -> tuple[Row, float]:
    """Return a row without its name, and seconds per sample."""
    runners = {"step": step, "bare": bare_products(calls)}
    if theirs is not None:
        runners["theirs"] = _in_float32(theirs)
    times = race(rounds, **runners)
    seconds = median(times["step"]) / batch
    row = Row(
        "", 1e3 * seconds, "ms per sample", ratio(times["bare"], times["step"]),
        ratio(times["theirs"], times["step"]) if theirs else None,
    )  # fmt: skip
    return row, seconds


def _in_float32(run: Callable[[], Any]) -> Callable[[], Any]:
    """Return the same function with full precision: the peers use no other."""

    def in_float32() -> None:
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        run()
        torch.set_float32_matmul_precision(precision)

    return in_float32


def limits(rounds: int) -> list[Row]:
    """Measure one core on the largest matrix products of these networks."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    a16, b16 = a.bfloat16(), b.bfloat16()
    times = race(5 * rounds, float32=lambda: a @ b, bfloat16=lambda: a16 @ b16)
    return [
        Row(f"1024 x 1024 x 1024, {name}", 2 * 1024**3 / median(seconds) / 1e9, "GFLOP/s")
        for name, seconds in times.items()
    ]


def operations(measured: dict[Any, Any], lifters: list[str]) -> list[Row]:
    """Count operations and synchronisations of one adversarial iteration."""
    rows = []
    for lifter in lifters:
        if (lifter, "peer") not in measured:
            continue
        theirs, plain, joint = (measured[lifter, k] for k in ("peer", "adversarial", "joint"))
        for what, calls, goal in (
            ("the usual way", theirs, ""),
            ("PoseAug's iteration", plain, "half, no synchronisation"),
            ("CameraPose, joint iteration", joint, "no synchronisation"),
        ):
            share = None if calls is theirs else theirs.names.total() / calls.names.total()
            note = f"{calls.kernels()} without views; {calls.synchronisations()} synchronisations"
            count = calls.names.total()
            rows.append(Row(f"{lifter}: {what}", count, "operations", None, share, goal, note))
    return rows
