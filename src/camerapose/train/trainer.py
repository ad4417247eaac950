"""A training run: one folder, three stages, resumable anywhere.

RUN/config.toml            the resolved configuration
RUN/training.pt            everything to go on from: networks, optimisers, random states, place
RUN/metrics.jsonl          one line an interval: mean losses; one line an epoch: validation
RUN/tensorboard/           the same, for TensorBoard
RUN/pictures/              a few validation poses after each epoch
RUN/checkpoint/            model.safetensors (evaluate, train on) and model.onnx (Predictor)
RUN/log.txt                what was said in words
"""

import dataclasses
import io
import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from camerapose.core import formats
from camerapose.io.files import AtomicFile, write_text
from camerapose.models.camerapose import build
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generator
from camerapose.train import config as settings
from camerapose.train import data
from camerapose.train import distributed as processes
from camerapose.train.config import Config, Schedule
from camerapose.train.joint import joint
from camerapose.train.monitor import Health
from camerapose.train.refine import refine
from camerapose.train.validation import draw, validate
from camerapose.train.warmup import warmup

STAGES = {"refine": refine, "warmup": warmup, "joint": joint}
#: torch's names for the precision of matrix products.
PRECISION = {"float32": "highest", "bfloat16": "medium"}
#: Iterations whose mean losses make one line of metrics.jsonl.
LOG_EVERY = 50
#: Several processes ask each other every so many iterations whether to stop.
ASK_EVERY = 10
#: Files of the run folder that grow line by line.
WRITTEN = ("metrics.jsonl", "log.txt")


def train(config: Config, out: Path | str, *, devices: int | None = None, nodes: int = 1) -> Path:
    """Train all stages in a folder; repeated after an interruption it goes on.

    Args:
        devices, nodes: processes on this machine, and machines (`processes.together`).

    Returns:
        The folder `checkpoint` of the finished run.
    """
    settings.check(config)
    with processes.together(devices, nodes, _device(config.device).type):
        run = Run(config, Path(out))
        with _polite_interruption(run):
            for name, stage in STAGES.items():
                if name not in run.done:
                    stage(run)
                    run.end_stage(name)
        return run.finish()


@contextmanager
def _polite_interruption(run: "Run") -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run after the iteration at hand, with everything saved."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        run.stopping = True

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Run:
    """What the stages share: data, networks, the place in the schedule, the log.

    On the CPU the same configuration gives the same weights, bit for bit, however often the run
    is interrupted: data order follows from seed and epoch, and every other random number from
    states that are saved. Of several processes each has one, all alike; the first one's reads and
    writes the folder.
    """

    def __init__(self, config: Config, out: Path):
        if config.compile and processes.count() > 1:
            raise ValueError("compile = true works in one process; leave it out or train in one")
        self.config, self.out = config, out
        self.progress = 0.0  # of the stage, 0 to 1
        processes.from_first(lambda: _prepare_folder(config, out))
        self.device = _device(config.device)
        torch.set_float32_matmul_precision(PRECISION[config.precision])
        torch.manual_seed(config.seed)
        self.rng = torch.Generator(self.device).manual_seed(config.seed)
        skeleton = formats.get(config.data.skeleton)
        sizes = dataclasses.asdict(config.model)
        self.networks: dict[str, nn.Module] = {
            "model": build(skeleton, **sizes),
            "generator": Generator(
                skeleton, vary_focal=config.adversary.vary_focal, roll=config.adversary.roll
            ),
            "d2d": Discriminator2D(skeleton, layout=config.adversary.layout),
            "d3d": Discriminator3D(skeleton),
        }
        for network in self.networks.values():
            network.to(self.device).train()
            processes.share(network)
            if config.compile:
                network.compile(dynamic=False)
        self.model = self.networks["model"]
        if self.model.refiner is not None:
            processes.share(self.model.refiner)  # the first stage calls it by itself
        players = {k: v for k, v in self.networks.items() if k != "model"}
        self.optimizers = {
            k: torch.optim.Adam(v.parameters(), lr=config.adversary.lr, fused=True)
            for k, v in players.items()
        }
        self.health = Health(players, dict(self.optimizers))
        self.done: list[str] = []
        self.stopping = False
        self.stage, self.epoch, self.step, self.iteration = "", 0, 0, 0
        self.sums: dict[str, tuple[Tensor, int]] = {}
        self._resume()
        if processes.first():
            from torch.utils.tensorboard import SummaryWriter

            self.tensorboard = SummaryWriter(out / "tensorboard", purge_step=self.iteration + 1)
        with processes.one_goes_ahead():
            self.data = data.load(config, self.device)
        read = {k: v for k, v in self.data._asdict().items() if v is not None}
        sizes = {f"rows of {k}": len(v) for k, v in read.items()}
        processes.check_same(settings.as_dict(config) | sizes)
        self.saved_at = time.monotonic()

    # --- the loop that every stage runs in

    def batches(self, stage: str, schedule: Schedule, parameters: Any) -> Iterator[Tensor]:
        """Rows of the pairs, batch by batch, epoch by epoch, from where the run stands.

        Sets the learning rate of the optimiser `model` (made here), saves, validates, reports.

        Args:
            parameters: what this stage trains, or groups of it with their `share` of the rate.
        """
        rows = len(self.data.pairs) // self.config.data.epoch_parts
        if rows < 2:
            raise ValueError(
                f"data.epoch_parts = {self.config.data.epoch_parts} divides "
                f"{len(self.data.pairs)} pairs into less than two; give fewer parts"
            )
        size = min(schedule.batch, rows)
        steps = rows // size
        optimizer = torch.optim.AdamW(
            parameters, lr=schedule.lr, weight_decay=self.config.weight_decay, fused=True
        )
        self.optimizers["model"] = optimizer
        if self.stage == stage:  # resumed within it
            optimizer.load_state_dict(self.loaded["optimizers"]["model"])
        else:
            self.stage, self.epoch, self.step = stage, 0, 0
        self.loaded = None
        while self.epoch < schedule.epochs:
            order = self._order(stage)
            bar = tqdm(
                total=steps, initial=self.step, desc=f"{stage} {self.epoch + 1}/{schedule.epochs}",
                unit="it", dynamic_ncols=True, mininterval=1.0, disable=not processes.first(),
            )  # fmt: skip
            while self.step < steps:
                self.progress = (self.epoch + self.step / steps) / max(schedule.epochs, 1)
                rate = learning_rate(schedule, self.progress)
                for group in optimizer.param_groups:
                    group["lr"] = rate * group.get("share", 1.0)
                yield order[self.step * size : (self.step + 1) * size]
                self.step += 1
                self.iteration += 1
                bar.update()
                if self.iteration % LOG_EVERY == 0:
                    bar.set_postfix(self._flush(), refresh=False)
                if self._to_stop():
                    self.save()
                    bar.close()
                    processes.wait()
                    raise KeyboardInterrupt
                if time.monotonic() - self.saved_at > self.config.checkpoint_minutes * 60:
                    self.save()
            bar.close()
            self.epoch, self.step = self.epoch + 1, 0
            self._end_epoch()

    def _to_stop(self) -> bool:
        """Whether to stop after this iteration: all processes after the same."""
        if processes.count() == 1:
            return self.stopping
        return self.iteration % ASK_EVERY == 0 and processes.any_of(self.stopping)

    def log(self, terms: dict[str, Tensor]) -> None:
        """Take note of one iteration's losses; their means are written every `LOG_EVERY`."""
        for name, value in terms.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value.detach(), count + 1)

    def say(self, sentence: str) -> None:
        """A sentence for people: on the screen, in log.txt and in metrics.jsonl."""
        if not processes.first():
            return
        tqdm.write(f"{self.stage}, iteration {self.iteration}: {sentence}")
        with open(self.out / "log.txt", "a") as file:
            file.write(f"{self.stage} {self.epoch + 1}, iteration {self.iteration}: {sentence}\n")
        self._write({"said": sentence})

    def end_stage(self, name: str) -> None:
        self.done.append(name)
        self.stage, self.epoch, self.step = "", 0, 0
        self.save()

    def finish(self) -> Path:
        """Write the model for evaluation and prediction; the folder it stands in."""
        from camerapose.models.checkpoint import save_model
        from camerapose.models.onnx_export import export_model

        folder = self.out / "checkpoint"
        if not processes.first():
            return folder
        folder.mkdir(exist_ok=True)
        card = {"config": _without_paths(self.config), "stages": self.done}
        with processes.apart(self.model) as model:
            save_model(model, folder / "model.safetensors", self.config.model, card)
            export_model(model, folder / "model.onnx", card)
        self.tensorboard.close()
        tqdm.write(f"finished: {folder} (camerapose evaluate {folder})")
        return folder

    # --- saving and going on

    def save(self) -> None:
        """Write everything, whole or not at all."""
        self._flush()
        if not processes.first():
            return
        state = {
            "config": settings.as_dict(self.config),
            "done": list(self.done),
            "place": (self.stage, self.epoch, self.step, self.iteration),
            "networks": {k: v.state_dict() for k, v in self.networks.items()},
            "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
            "health": self.health.state_dict(),
            "written": {name: _size(self.out / name) for name in WRITTEN},
            "random": {
                "rng": self.rng.get_state(),
                "torch": torch.get_rng_state(),
                "cuda": [torch.cuda.get_rng_state()] if self.device.type == "cuda" else [],
            },
        }
        with AtomicFile(self.out / "training.pt") as temporary:
            torch.save(state, temporary)
        self.saved_at = time.monotonic()

    def _resume(self) -> None:
        self.loaded = None
        saved = processes.from_first(self._saved)
        if saved is None:
            return
        state = torch.load(saved, map_location=self.device, weights_only=True)
        self.done = state["done"]
        self.stage, self.epoch, self.step, self.iteration = state["place"]
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.health.load_state_dict(state["health"])
        self.rng.set_state(state["random"]["rng"].cpu())
        torch.set_rng_state(state["random"]["torch"].cpu())
        for cuda in state["random"]["cuda"][:1]:
            torch.cuda.set_rng_state(cuda.cpu())
        self.loaded = state
        if processes.first():
            for name, size in state.get("written", {}).items():
                _shorten(self.out / name, size)
        tqdm.write(
            f"going on in {self.out}: {self.stage or 'next stage'}, iteration {self.iteration}"
        )

    def _saved(self) -> Path | io.BytesIO | None:
        """What to go on from, for this process or, in memory, for all; None: from the start."""
        path = self.out / "training.pt"
        if not path.exists():
            for name in WRITTEN:
                (self.out / name).unlink(missing_ok=True)
            return None
        return path if processes.count() == 1 else io.BytesIO(path.read_bytes())

    def _order(self, stage: str) -> Tensor:
        """The epoch's pairs in their order: of seed, stage and epoch alone."""
        parts = self.config.data.epoch_parts
        passed, part = divmod(self.epoch, parts)
        seed = (self.config.seed * 1000 + list(STAGES).index(stage)) * 100_000 + passed
        order = torch.randperm(len(self.data.pairs), generator=torch.Generator().manual_seed(seed))
        return order[part::parts].to(self.device)

    def _end_epoch(self) -> None:
        self._flush()
        if self.stage != "refine" and processes.first():
            with processes.apart(self.model) as model:
                values = validate(model, self.data)
                draw(model, self.data, self.config.pictures, self._picture())
            self._write({"validation": values})
            tqdm.write(
                f"{self.stage} epoch {self.epoch}: "
                + ", ".join(f"{k} {v:.4g}" for k, v in values.items())
            )
            for name, value in values.items():
                self.tensorboard.add_scalar(f"validation/{name}", value, self.iteration)
        self.save()

    def _picture(self) -> Path:
        return self.out / "pictures" / f"{self.stage}-{self.epoch:03d}.png"

    def _flush(self) -> dict[str, str]:
        """Write the mean losses since the last time; they are given back for the bar."""
        means = {name: float(total) / count for name, (total, count) in self.sums.items()}
        self.sums = {}
        if means and processes.first():
            self._write({"loss": means})
            for name, value in means.items():
                self.tensorboard.add_scalar(f"{self.stage}/{name}", value, self.iteration)
        return {name: f"{value:.4f}" for name, value in means.items()}

    def _write(self, entry: dict[str, Any]) -> None:
        place = {"stage": self.stage, "epoch": self.epoch, "iteration": self.iteration}
        with open(self.out / "metrics.jsonl", "a") as file:
            file.write(json.dumps(place | entry) + "\n")


def learning_rate(schedule: Schedule, progress: float) -> float:
    """The rate at some share (0 to 1) of the stage."""
    if schedule.decay == "linear":
        return schedule.lr * (1 - progress)
    if schedule.decay == "one_cycle":
        if progress < 0.1:
            return schedule.lr * (0.04 + 0.96 * progress / 0.1)
        return schedule.lr * (
            0.0005 + 0.9995 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9)) / 2
        )
    passed = sum(progress * schedule.epochs >= m for m in schedule.milestones)
    return schedule.lr * 0.1**passed


def _without_paths(config: Config) -> dict[str, Any]:
    """The configuration with the names of its data sets, not the folders of this machine."""
    plain = settings.as_dict(config)
    for name in ("human36m", "mpii"):
        plain["data"][name] = name if plain["data"][name] else None
    return plain


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device = 'cuda' but torch sees no GPU here; use device = 'cpu' or 'auto'")
    device = torch.device(name)
    if device.type == "cuda" and processes.count() > 1:  # the one that this process was given
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _prepare_folder(config: Config, out: Path) -> None:
    """Make the folder; ValueError if it holds a run of other settings."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "pictures").mkdir(exist_ok=True)
    path = out / "config.toml"
    text = settings.to_toml(config)
    if path.exists() and (out / "training.pt").exists():
        old, new = settings.as_dict(settings.read(path)), settings.as_dict(config)
        differing = [k for k in new if new[k] != old[k]]
        if differing:
            raise ValueError(
                f"{out} holds a run with other settings of {', '.join(differing)}; go on with its "
                f"own ({path}) or choose another --out"
            )
    write_text(path, text)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _shorten(path: Path, size: int) -> None:
    """Leave out what was written after the last save: it is going to be done again."""
    if _size(path) > size:
        os.truncate(path, size)
