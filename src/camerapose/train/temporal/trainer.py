"""Train a temporal model on the output of a frozen lifter, resumable at every validation.

RUN/config.toml    complete configuration
RUN/clips/         clips lifted once, for training and validation
RUN/training.pt    checkpoint to resume from
RUN/metrics.jsonl  losses and validations
RUN/checkpoint/    model.onnx (the lifter), model_temporal.onnx and temporal.pt (weights)
"""

import inspect
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from camerapose.core import plugins, temporal
from camerapose.core.skeleton import Skeleton
from camerapose.evaluate.models import OnnxModel
from camerapose.io.files import AtomicFile, make_folder, write_text
from camerapose.io.locks import lock_folder
from camerapose.io.weights import find_weights, temporal_file
from camerapose.models.temporal_export import export_temporal
from camerapose.train import config_io
from camerapose.train.average import WeightAverage, averaged
from camerapose.train.checkpoint import write_state
from camerapose.train.resume import check_settings
from camerapose.train.schedule import learning_rate
from camerapose.train.summary import IterationTimer, device_text, duration_text
from camerapose.train.temporal import data, losses
from camerapose.train.temporal.config import TemporalConfig
from camerapose.train.trainer import select_device

FILE = "training.pt"
#: Settings that are folders of data sets.
FOLDERS = {"data.human36m", "data.open_mocap"}


def train(config: TemporalConfig, out: Path | str) -> Path:
    """Train; called again after an interruption, resume from the last validation.

    Args:
        config: settings.
        out: run folder.

    Returns:
        The folder `checkpoint` of the finished run.

    Raises:
        FileNotFoundError: a data set or the lifter is missing.
        ValueError: a run with other settings in the folder, or an unknown network or argument.
        FolderInUse: another training uses the folder.
    """
    _check(config)
    with lock_folder(make_folder(out)):
        return _train(config, Path(out))


def _train(config: TemporalConfig, out: Path) -> Path:
    lifter = find_weights(config.lifter)
    model = OnnxModel(lifter)
    _prepare(config, out)
    device = select_device(config.device)
    torch.manual_seed(config.seed)
    network = build(config, model.skeleton, model.predicts_std).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), config.lr, weight_decay=config.weight_decay)
    average = WeightAverage(network, config.ema)
    clips = data.prepare(config, model, out / "clips" / "train.npz", held_out=False)
    held_out = data.prepare(config, model, out / "clips" / "held_out.npz", held_out=True)
    assert clips is not None
    start = _resume(out / FILE, network, optimizer, average)
    parameters = sum(p.numel() for p in network.parameters())
    tqdm.write(
        f"device: {device_text(device)}\n{len(clips.kind):,} clips of {config.data.frames} frames; "
        f"{parameters / 1e6:.2f} M parameters; {config.iterations:,} iterations"
    )
    sums: dict[str, float] = {}
    timer = IterationTimer()
    for iteration in tqdm(range(start, config.iterations), initial=start, total=config.iterations):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config.schedule, iteration / config.iterations)
        rng = np.random.default_rng([config.seed, iteration])
        batch = data.draw(clips, config, model.skeleton, rng).to(device)
        for name, value in _update(network, optimizer, batch, config, model.skeleton).items():
            sums[name] = sums.get(name, 0.0) + float(value)
        average.update()
        if (seconds := timer.seconds()) is not None:
            tqdm.write(duration_text("temporal", seconds, config.iterations, 1))
        done = iteration + 1
        if done % config.validate_every == 0 or done == config.iterations:
            means = {name: value / config.validate_every for name, value in sums.items()}
            sums = {}
            values = _validated(network, average, held_out, model.skeleton, device)
            _log(out, done, means, values)
            _save(out / FILE, done, network, optimizer, average)
    with averaged(average):
        values = _validated(network, None, held_out, model.skeleton, device)
        return _finish(network, model, lifter, config, values, out)


def build(config: TemporalConfig, skeleton: Skeleton, std: bool) -> nn.Module:
    """Return the network of a configuration."""
    kind = plugins.load("temporal", config.network).Temporal
    features = temporal.n_features(skeleton.n_joints, std)
    return kind(features, 3 * skeleton.n_joints, **config.arguments)


def read(path: Path | str) -> TemporalConfig:
    """Read a configuration file of this recipe."""
    return config_io.read(path, TemporalConfig())


def _check(config: TemporalConfig) -> None:
    test = config_io.TEST_SUBJECTS & {*config.data.human36m_subjects, *config.data.held_out}
    if test:
        raise ValueError(
            f"{', '.join(sorted(test))} belong to the test set of Human3.6M; accepted: S1, S5, S6, "
            "S7, S8"
        )
    if both := set(config.data.human36m_subjects) & set(config.data.held_out):
        raise ValueError(
            f"{', '.join(sorted(both))} is in data.human36m_subjects and data.held_out; remove it "
            "from one of them"
        )
    known = list(inspect.signature(plugins.load("temporal", config.network).Temporal).parameters)
    if unknown := set(config.arguments) - set(known[2:]):
        raise ValueError(
            f"the temporal model {config.network} has no argument {', '.join(sorted(unknown))}; "
            f"accepted: {', '.join(known[2:])}"
        )


def _prepare(config: TemporalConfig, out: Path) -> None:
    make_folder(out / "clips")
    path = out / "config.toml"
    if path.exists():
        old, new = config_io.as_dict(read(path)), config_io.as_dict(config)
        check_settings(old, new, out, growing=["iterations"], is_folder=FOLDERS.__contains__)
    write_text(path, config_io.to_toml(config))


def _update(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: data.Batch,
    config: TemporalConfig,
    skeleton: Skeleton,
) -> dict[str, Tensor]:
    """Update the weights with one batch; return the weighted losses."""
    network.train()
    kind = batch.window.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=config.precision == "bfloat16"):
        pose = losses.estimate(network, batch, skeleton)
    terms = losses.terms(pose, batch, config.weights)
    optimizer.zero_grad(set_to_none=True)
    sum(terms.values()).backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip, foreach=True)
    if norm.isfinite():
        optimizer.step()
    return {name: value.detach() for name, value in terms.items()}


def _validated(
    network: nn.Module,
    average: WeightAverage | None,
    held_out: data.LiftedClips | None,
    skeleton: Skeleton,
    device: torch.device,
) -> dict[str, float]:
    if held_out is None:
        return {}
    with averaged(average):
        return losses.validate(network, held_out, skeleton, device)


def _resume(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage
) -> int:
    """Restore the state, if there is any, and return the number of completed iterations."""
    if not path.exists():
        return 0
    device = next(network.parameters()).device
    state = torch.load(path, map_location=device, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    average.load_state_dict(state["average"])
    torch.set_rng_state(state["torch"].cpu())
    return state["iteration"]


def _save(
    path: Path,
    iteration: int,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage,
) -> None:
    state = {
        "iteration": iteration,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict(),
        "torch": torch.get_rng_state(),
    }
    write_state(state, path)


def _log(out: Path, iteration: int, terms: dict[str, float], values: dict[str, float]) -> None:
    entry: dict[str, Any] = {"iteration": iteration, "time": time.time()}
    entry |= {"loss": terms, "validation": values}
    with open(out / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    text = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
    errors = ", ".join(f"{name} {value:.1f}" for name, value in values.items())
    tqdm.write(f"iteration {iteration}: {errors}; losses: {text}")


def _finish(
    network: nn.Module,
    model: OnnxModel,
    lifter: Path,
    config: TemporalConfig,
    values: dict[str, float],
    out: Path,
) -> Path:
    """Write the lifter and the temporal model next to it; return their folder."""
    folder = make_folder(out / "checkpoint")
    with AtomicFile(folder / "model.onnx") as temporary:
        shutil.copyfile(lifter, temporary)
    settings = config_io.as_dict(config)
    settings["data"] = {
        k: bool(v) if f"data.{k}" in FOLDERS else v for k, v in settings["data"].items()
    }
    settings["lifter"] = Path(config.lifter).name
    card = {"config": settings, "validation": values}
    write_state({"network": network.state_dict(), "card": card}, folder / "temporal.pt")
    export_temporal(
        network, model.skeleton, temporal_file(folder / "model.onnx"), std=model.predicts_std,
        lifter=data.digest(lifter), card=card, license=licence(config, model), half=True,
    )  # fmt: skip
    tqdm.write(f"finished: {folder}, {values}")
    return folder


def licence(config: TemporalConfig, model: OnnxModel) -> str:
    """Return the licence of weights that were trained on these data with this lifter."""
    if config.data.human36m is not None:
        return "non-commercial research only: trained on Human3.6M"
    return model.license or "as the lifter"
