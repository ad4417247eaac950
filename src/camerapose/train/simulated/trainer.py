"""Train `BodyModel` on simulated detections, resumable at every validation.

RUN/config.toml    complete configuration
RUN/training.pt    checkpoint to resume from
RUN/metrics.jsonl  losses and validations
RUN/checkpoint/    model.pt (weights) and model.onnx (prediction)
RUN/best/          model.pt of the validation with the smallest error
"""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from camerapose.data.augment.engine import Sample
from camerapose.io.files import make_folder, write_text
from camerapose.io.locks import lock_folder
from camerapose.models.body_export import export_body_model
from camerapose.models.body_model import BodyModel
from camerapose.train import config_io
from camerapose.train.average import WeightAverage, averaged
from camerapose.train.checkpoint import write_state
from camerapose.train.logging import validation_text
from camerapose.train.resume import check_settings
from camerapose.train.schedule import learning_rate
from camerapose.train.simulated import data, validation
from camerapose.train.simulated.config import SimulatedConfig
from camerapose.train.simulated.generated import GeneratedPoses
from camerapose.train.simulated.losses import supervised_terms, unlabelled_terms
from camerapose.train.simulated.weights import (
    BestWeights,
    description,
    initialise,
    licence,
    weights_content,
)
from camerapose.train.summary import IterationTimer, duration_text
from camerapose.train.trainer import select_device

FILE = "training.pt"
#: Settings that are folders of data sets.
FOLDERS = {f"data.{name}" for name in ("anny", "cmu_dance", "human36m", "rendered", "mpii", "coco")}


def train(config: SimulatedConfig, out: Path | str) -> Path:
    """Train; called again after an interruption, resume from the last validation.

    Args:
        config: settings.
        out: run folder.

    Returns:
        The folder `checkpoint` of the finished run.

    Raises:
        FileNotFoundError: a data set is missing.
        ValueError: a run with other settings in the folder.
        FolderInUse: another training uses the folder.
    """
    with lock_folder(make_folder(out)):
        return _train(config, Path(out))


def _train(config: SimulatedConfig, out: Path) -> Path:
    _prepare(config, out)
    device = select_device(config.device)
    torch.manual_seed(config.seed)
    generator = torch.Generator(device).manual_seed(config.seed)
    model = BodyModel(**vars(config.network)).to(device)
    model.uses_bfloat16 = config.precision == "bfloat16"
    optimizer = torch.optim.AdamW(
        model.parameters(), config.lr, weight_decay=config.weight_decay, fused=True
    )
    average = WeightAverage(model, config.ema) if config.ema else None
    sources = data.load(config.data, device)
    generated = None
    if config.adversarial.generated_share > 0:
        generated = GeneratedPoses(model, config.adversarial, sources.unlabelled, generator)
    others = {"generated": generated, "average": average}
    start = _resume(out / FILE, model, optimizer, generator, others)
    if start == 0 and config.init is not None:
        initialise(model, Path(config.init), average)
    sample = validation.fixed_sample(sources.held_out or sources.train, config.engine)
    tqdm.write(description(config, sources, model, device))
    best = BestWeights(out / "best" / "model.pt")
    sums: dict[str, float] = {}
    timer = IterationTimer()
    for iteration in tqdm(range(start, config.iterations), initial=start, total=config.iterations):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config.schedule, iteration / config.iterations)
        losses = _update(model, optimizer, sources, config, generator, generated, iteration)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value)
        if average is not None:
            average.update()
        if (seconds := timer.seconds()) is not None:
            tqdm.write(duration_text("simulated", seconds, config.iterations, 1))
        done = iteration + 1
        if done % config.validate_every == 0 or done == config.iterations:
            means = {name: value / config.validate_every for name, value in sums.items()}
            sums = {}
            with averaged(average):
                values = validation.validate(model, sample)
                if sources.held_out is not None:
                    best.keep(values, weights_content(model, config))
            _log(out, done, means, values)
            _save(out / FILE, done, model, optimizer, generator, others)
    with averaged(average):
        return _finish(model, sample, config, out)


def _update(
    model: BodyModel,
    optimizer: torch.optim.Optimizer,
    sources: data.SimulatedTrainingData,
    config: SimulatedConfig,
    generator: torch.Generator,
    generated: GeneratedPoses | None,
    iteration: int,
) -> dict[str, Tensor]:
    """Update the weights with one batch; return the weighted losses.

    Simulated and 2D-only poses pass through the network together, so that both contribute to the
    statistics of batch norm.
    """
    progress = iteration / config.iterations
    vary = None if generated is None else partial(generated.vary, progress=progress)
    sample = data.draw(sources, config.data, config.batch, config.engine, generator, vary)
    if generated is not None:
        for message in generated.step(iteration, sample, progress):
            tqdm.write(message)
    pose2d, confidence, known = sample.pose2d, sample.confidence, sample.known
    if sources.unlabelled is not None and config.unlabelled_batch:
        annotated, detected, scores = data.draw_unlabelled(
            sources.unlabelled, config.unlabelled_batch, config.engine.detector, generator
        )
        unknown = known.new_full((len(detected), known.shape[1]), torch.nan)
        pose2d, confidence = torch.cat([pose2d, detected]), torch.cat([confidence, scores])
        known = torch.cat([known, unknown])
    model.train()
    predicted = model(pose2d, confidence, known)
    n = len(sample.pose2d)
    terms = supervised_terms(predicted.rows(slice(0, n)), sample, config.weights)
    if len(pose2d) > n:
        others = predicted.rows(slice(n, None))
        terms |= unlabelled_terms(others, annotated, detected, scores, config.weights)
    optimizer.zero_grad(set_to_none=True)
    sum(terms.values()).backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip, foreach=True)
    if norm.isfinite():
        optimizer.step()
    return {name: value.detach() for name, value in terms.items()}


def _prepare(config: SimulatedConfig, out: Path) -> None:
    path = out / "config.toml"
    if path.exists() and (out / FILE).exists():
        old = config_io.as_dict(read(path))
        new = config_io.as_dict(config)
        check_settings(old, new, out, growing=["iterations"], is_folder=FOLDERS.__contains__)
    write_text(path, config_io.to_toml(config))


def read(path: Path | str) -> SimulatedConfig:
    """Read a configuration file of this recipe."""
    return config_io.read(path, SimulatedConfig())


def _resume(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    others: dict[str, Any],
) -> int:
    """Restore the state, if there is any, and return the number of completed iterations.

    Args:
        others: further parts of the run, None where it does not have them.
    """
    if not path.exists():
        return 0
    state = torch.load(path, map_location=generator.device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"].cpu())
    torch.set_rng_state(state["torch"].cpu())
    for name, part in others.items():
        if part is not None and state.get(name) is not None:
            part.load_state_dict(state[name])
    return state["iteration"]


def _save(
    path: Path,
    iteration: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    others: dict[str, Any],
) -> None:
    state = {
        "iteration": iteration,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
        "torch": torch.get_rng_state(),
        **{name: part and part.state_dict() for name, part in others.items()},
    }
    write_state(state, path)


def _log(out: Path, iteration: int, losses: dict[str, float], values: dict[str, float]) -> None:
    entry: dict[str, Any] = {"iteration": iteration, "time": time.time()}
    entry |= {"loss": losses, "validation": values}
    with open(out / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    text = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
    tqdm.write(f"iteration {iteration}: {validation_text(values)}; losses: {text}")


def _finish(model: BodyModel, sample: Sample, config: SimulatedConfig, out: Path) -> Path:
    """Calibrate and export the model; return its folder."""
    if config.data.held_out:  # otherwise the errors would be those of training poses
        validation.calibrate(model, sample)
    else:
        model.calibration.fill_(config.calibration)
    values = validation.validate(model, sample) | {"calibration": float(model.calibration)}
    folder = make_folder(out / "checkpoint")
    settings = config_io.as_dict(config)
    paths = {name.removeprefix("data.") for name in FOLDERS} | {"rendered_images"}
    settings["data"] = {k: bool(v) if k in paths else v for k, v in settings["data"].items()}
    settings["init"] = bool(settings["init"])  # not a path of this machine
    card = {"config": settings, "validation": values}
    write_state(weights_content(model, config) | {"card": card}, folder / "model.pt")
    export_body_model(model, folder / "model.onnx", card, licence(config))
    tqdm.write(f"finished: {folder}, {values}")
    return folder
