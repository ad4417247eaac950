"""First lines of a log: device, data, parameters and expected duration."""

import time

import torch
from torch import nn

from camerapose.train.config import Config
from camerapose.train.data import TrainingData

#: Iterations of a stage after which its duration is estimated, and those not counted.
MEASURED, SKIPPED = 20, 5


def describe(
    config: Config, data: TrainingData, networks: dict[str, nn.Module], device: torch.device
) -> list[str]:
    """Return lines that state device, data and numbers of parameters."""
    validation = "none" if data.validation is None else f"{len(data.validation):,} pairs"
    if config.data.held_out:
        validation += f" ({', '.join(config.data.held_out)} held out)"
    if data.unlabelled_validation is not None:
        validation += f", {len(data.unlabelled_validation):,} 2D-only poses"
    unlabelled = 0 if data.unlabelled is None else len(data.unlabelled)
    return [
        f"device: {device_text(device)}, {config.precision}",
        f"data: {len(data.pairs):,} pairs ({_names(config, pairs=True)}), {unlabelled:,} 2D-only "
        f"poses ({_names(config, pairs=False)}); validation: {validation}",
        f"parameters: {parameters_text(networks)}",
    ]


def device_text(device: torch.device) -> str:
    """Return the device with its name, or with the number of threads."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' if threads > 1 else ''}"


def parameters_text(networks: dict[str, nn.Module]) -> str:
    """Return the number of parameters of each network and of the components of the model."""
    parts = dict(networks["model"].named_children()) | networks
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    return ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in counts.items())


class IterationTimer:
    """Time the first iterations of a stage, to estimate its duration."""

    def __init__(self):
        self._count, self._since = 0, 0.0

    def seconds(self) -> float | None:
        """Return the seconds of one iteration after `MEASURED` calls, otherwise None.

        It is called once per iteration.
        """
        self._count += 1
        if self._count == SKIPPED:
            self._since = time.monotonic()
        if self._count != MEASURED:
            return None
        return (time.monotonic() - self._since) / (MEASURED - SKIPPED)


def duration_text(stage: str, seconds: float, iterations: int, epochs: int) -> str:
    """Return the expected duration of a stage.

    Args:
        seconds: of one iteration.
        iterations: per epoch.
    """
    total = seconds * iterations * epochs
    hours, minutes = divmod(max(1, round(total / 60)), 60)
    text = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return (
        f"expected duration of the {stage} stage: about {text} ({epochs} epochs of {iterations:,} "
        f"iterations, {seconds:.3g} s each)"
    )


def _names(config: Config, pairs: bool) -> str:
    data = config.data
    if pairs:
        names = (["human36m"] if data.human36m else []) + (["synthetic"] if data.synthetic else [])
        return ", ".join([*names, *data.pairs])
    return ", ".join([*(["mpii"] if data.mpii else []), *data.unlabelled]) or "none"
