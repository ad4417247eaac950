"""Train a model: three stages in one run folder, resumable at any point.

RUN/config.toml            complete configuration
RUN/training.pt            checkpoint to resume from
RUN/metrics.jsonl          mean losses of each interval, metrics of each epoch, messages
RUN/log.txt                messages
RUN/tensorboard/           losses and metrics for TensorBoard
RUN/figures/               validation poses after each epoch
RUN/checkpoint/            the last weights: model.safetensors (evaluation, training) and model.onnx
                           (prediction)
RUN/best/                  model.safetensors of the epoch with the smallest validation error
"""

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from tqdm import tqdm

from camerapose.io.files import make_folder
from camerapose.io.locks import lock_folder
from camerapose.models.camerapose import CameraPose
from camerapose.models.checkpoint import save_model
from camerapose.models.device import torch_device
from camerapose.models.onnx_export import export_model
from camerapose.train import config_io, distributed
from camerapose.train.adversarial_step import AdversarialTraining
from camerapose.train.average import WeightAverage, averaged
from camerapose.train.checkpoint import Checkpoint, prepare_folder
from camerapose.train.config import Config
from camerapose.train.data import TrainingData, load
from camerapose.train.initialise import initialise
from camerapose.train.logging import TrainingLog
from camerapose.train.loop import TrainingLoop
from camerapose.train.monitor import AdversarialMonitor
from camerapose.train.networks import build_networks, build_optimizers
from camerapose.train.parallel import in_one_process
from camerapose.train.progress import Progress
from camerapose.train.stages.alternating import alternating
from camerapose.train.stages.joint import joint
from camerapose.train.stages.refine import refine
from camerapose.train.stages.warmup import warmup
from camerapose.train.summary import describe
from camerapose.train.validation import draw, validate, validate_refiner

#: torch's names for the precision of matrix products.
PRECISION = {"float32": "highest", "bfloat16": "medium"}


def train(config: Config, out: Path | str, *, devices: int | None = None, nodes: int = 1) -> Path:
    """Train all stages; called again after an interruption, resume the run.

    On the CPU the same configuration gives the same weights, bit for bit, however often the run is
    interrupted: the order of the data follows from seed and epoch, and all other random states are
    saved.

    Args:
        out: run folder.
        devices: processes per machine (`distributed.process_group`).
        nodes: number of machines.

    Returns:
        The folder `checkpoint` of the finished run.

    Raises:
        FileNotFoundError: a data set is missing.
        ValueError: invalid configuration, or a run with other settings in the folder.
        OSError: another training uses the folder, or it cannot be written.
        KeyboardInterrupt: the run was interrupted and has been saved.
    """
    config_io.check(config)
    out = Path(out)
    with (
        distributed.process_group(devices, nodes, select_device(config.device).type),
        ExitStack() as stack,
    ):
        distributed.from_main(lambda: _lock(stack, out))
        run = start(config, out)
        with _stop_on_signals(run.loop):
            for name, stage in stages(config, run).items():
                if name not in run.loop.progress.done:
                    stage()
                    run.loop.end_stage(name)
        run.loop.log.close()
        with averaged(run.loop.average):
            return export(run.model, config, run.loop.progress.done, out / "checkpoint")


def _lock(stack: ExitStack, out: Path) -> None:
    """Create the run folder, and refuse it if another training uses it."""
    stack.enter_context(lock_folder(make_folder(out)))


class Run(NamedTuple):
    """The parts of a run; stages receive those they use."""

    data: TrainingData
    model: CameraPose
    adversarial: AdversarialTraining
    loop: TrainingLoop
    rng: torch.Generator


def start(config: Config, out: Path) -> Run:
    """Prepare the run folder, build networks and load data; resume if the folder has a run.

    Raises:
        ValueError: a run with other settings in the folder, `compile` with several processes, or
            processes with different data.
    """
    if config.compile and distributed.process_count() > 1:
        raise ValueError("compile = true requires a single process; disable it or use one process")
    distributed.from_main(lambda: prepare_folder(config, out))
    device = select_device(config.device)
    torch.set_float32_matmul_precision(PRECISION[config.precision])
    torch.manual_seed(config.seed)
    rng = torch.Generator(device).manual_seed(config.seed)
    networks = build_networks(config, device)
    optimizers = build_optimizers(networks, config.adversarial.lr)
    monitor = AdversarialMonitor({k: networks[k] for k in optimizers}, dict(optimizers))
    progress = Progress()
    checkpoint = Checkpoint(out, progress, networks, optimizers, monitor, rng)
    average = WeightAverage(networks["model"], config.ema) if config.ema else None
    checkpoint.average = average
    begun = _begin(config, out, checkpoint)
    log = TrainingLog(out, progress)
    with distributed.local_main_first():
        data = load(config, device)
    sizes = {f"rows of {k}": len(v) for k, v in data._asdict().items() if v is not None}
    distributed.check_identical(config_io.as_dict(config) | sizes)
    if progress.pairs not in (0, len(data.pairs)):
        raise ValueError(
            f"{out} began with {progress.pairs:,} pairs, and the data have {len(data.pairs):,}; "
            "restore the data or choose another output folder"
        )
    progress.pairs = len(data.pairs)
    for line in [begun, *describe(config, data, networks, device)]:
        log.note(line)
    validator = Validator(config, data, networks["model"], progress, average, out)
    loop = TrainingLoop(config, len(data.pairs), device, progress, log, checkpoint, validator)
    loop.average = average
    if config.adversarial.follow_schedule:
        loop.followers = [*optimizers.values()]
    adversarial = AdversarialTraining(networks, optimizers, monitor, config.adversarial, rng)
    return Run(data, networks["model"], adversarial, loop, rng)


def _begin(config: Config, out: Path, checkpoint: Checkpoint) -> str:
    """Resume a run, extend it or begin with given or random weights; return which, as a line."""
    progress, model = checkpoint.progress, checkpoint.networks["model"]
    if checkpoint.load():
        if progress.reopen("joint", config.joint.epochs):
            return f"extending {out} from {progress.epoch} to {config.joint.epochs} joint epochs"
        place = f"{progress.stage or 'next stage'}, iteration {progress.iteration}"
        return f"resuming {out}: {place}"
    if config.init is None:
        return f"training {out} from random weights"
    components = initialise(model, config.init, config.init_components)
    if checkpoint.average is not None:
        checkpoint.average.restart()
    return f"training {out} from {config.init}: {', '.join(components)}"


class Validator:
    """Validate the model after an epoch, keep the best weights and draw some poses.

    The averaged weights are used if there is an average. With early stopping and `RUN/best`, the
    error is MPJPE, or the reprojection error without validation pairs.

    Args:
        average: average of the weights of the model.
        out: run folder.
    """

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        model: CameraPose,
        progress: Progress,
        average: WeightAverage | None,
        out: Path,
    ):
        self.config, self.data, self.model = config, data, model
        self.progress, self.average, self.out = progress, average, out

    def __call__(self) -> dict[str, float]:
        progress = self.progress
        with in_one_process(self.model) as model, averaged(self.average):
            if progress.stage == "refine":
                return validate_refiner(model, self.data, self.config.noise)
            path = self.out / "figures" / f"{progress.stage}-{progress.epoch:03d}.png"
            draw(model, self.data, self.config.figures, path)
            values = validate(model, self.data)
            error = values.get("mpjpe", values.get("unlabelled_reprojection"))
            if error is not None and math.isfinite(error) and progress.is_best(error):
                card = model_card(self.config, progress.done) | {"validation": values}
                folder = make_folder(self.out / "best")
                save_model(model, folder / "model.safetensors", self.config.model, card)
            return values


def stages(config: Config, run: Run) -> dict[str, partial[None]]:
    """Return the stages in their order, ready to be called."""
    data, model, adversarial, loop, rng = run
    last = alternating if config.updates == "alternating" else joint
    return {
        "refine": partial(refine, config, data, model, loop, rng),
        "warmup": partial(warmup, config, data, model, adversarial, loop, rng),
        "joint": partial(last, config, data, model, adversarial, loop, rng),
    }


def export(model: nn.Module, config: Config, done: list[str], folder: Path) -> Path:
    """Write the model for evaluation and prediction; return its folder."""
    if not distributed.is_main():
        return folder
    folder.mkdir(exist_ok=True)
    card = model_card(config, done)
    with in_one_process(model) as single:
        save_model(single, folder / "model.safetensors", config.model, card)
        export_model(single, folder / "model.onnx", card)
    tqdm.write(f"finished: {folder} (evaluate it with: camerapose evaluate {folder})")
    return folder


def model_card(config: Config, done: list[str]) -> dict[str, Any]:
    """Return the description that is stored with weights."""
    return {"config": without_paths(config), "stages": done}


def without_paths(config: Config) -> dict[str, Any]:
    """Return the configuration with names of data sets instead of folders of this machine."""
    plain = config_io.as_dict(config)
    for name in ("human36m", "mpii"):
        plain["data"][name] = name if plain["data"][name] else None
    for kind in ("pairs", "unlabelled"):
        sets = {k: v if isinstance(v, dict) else {} for k, v in plain["data"][kind].items()}
        plain["data"][kind] = {
            k: {option: x for option, x in v.items() if option != "root"} for k, v in sets.items()
        }
    plain["init"] = None if config.init is None else Path(config.init).name
    plain["teachers"] = [Path(weights).name for weights in config.teachers]
    return plain


def select_device(name: str) -> torch.device:
    """Return the device of this process for a setting: cpu, cuda or auto.

    Raises:
        ValueError: unknown name, or CUDA is not available.
    """
    device = torch_device(name)
    if device.type == "cuda" and distributed.process_count() > 1:  # assigned to this process
        return torch.device("cuda", torch.cuda.current_device())
    return device


@contextmanager
def _stop_on_signals(loop: TrainingLoop) -> Iterator[None]:
    """Save and stop after the current iteration on Ctrl-C or SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        loop.stopping = True

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
