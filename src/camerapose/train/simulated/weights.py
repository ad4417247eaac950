"""Files of weights of simulated trainings: best weights, initialisation, and a description."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from camerapose.io.files import make_folder
from camerapose.models.body_checkpoint import find_body_checkpoint, load_body_model
from camerapose.models.body_model import BodyModel
from camerapose.train.average import WeightAverage
from camerapose.train.checkpoint import write_state
from camerapose.train.initialise import copy_state
from camerapose.train.simulated import data
from camerapose.train.simulated.config import SimulatedConfig
from camerapose.train.summary import device_text


class BestWeights:
    """Keep the weights with the smallest validation error in a file.

    Args:
        path: the file; an existing one is compared with, too.
    """

    def __init__(self, path: Path):
        self.path, self.error = path, math.inf
        if path.exists():
            self.error = torch.load(path, weights_only=True)["validation"]["mpjpe"]

    def keep(self, values: dict[str, float], weights: dict[str, Any]) -> None:
        """Write the weights if their error is the smallest so far."""
        if values["mpjpe"] < self.error:
            self.error = values["mpjpe"]
            make_folder(self.path.parent)
            write_state(weights | {"validation": values}, self.path)


def weights_content(model: BodyModel, config: SimulatedConfig) -> dict[str, Any]:
    """Return the content of model.pt."""
    return {"network": vars(config.network), "state": model.state_dict()}


def licence(config: SimulatedConfig) -> str:
    """Return the licence of weights that were trained on these data."""
    if config.data.human36m is not None:
        return "non-commercial research only: trained on Human3.6M"
    return "products permitted, with the acknowledgements of the data: docs/licences.md"


def initialise(model: BodyModel, weights: Path, average: WeightAverage | None) -> None:
    """Copy the weights of another run; of a folder, those in checkpoint/model.pt."""
    path = find_body_checkpoint(weights)
    if path is None:
        raise FileNotFoundError(
            f"no weights at {weights}; give a run folder, its model.pt or .safetensors"
        )
    copy_state(model, load_body_model(path).model.state_dict(), f"network of {path}")
    if average is not None:
        average.restart()


def description(
    config: SimulatedConfig,
    sources: data.SimulatedTrainingData,
    model: nn.Module,
    device: torch.device,
) -> str:
    """Return lines that state device, data, parameters and schedule."""
    sets = {name: value for name, value in sources._asdict().items() if value is not None}
    counts = {k: _count(v) for k, v in sets.items()}
    return "\n".join(
        [
            f"device: {device_text(device)}",
            "data: " + ", ".join(f"{name} {count:,} poses" for name, count in counts.items()),
            f"parameters: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M; "
            f"{config.iterations:,} iterations of {config.batch:,} poses",
        ]
    )


def _count(source: Any) -> int:
    """Return the number of poses of a source of training data."""
    match source:
        case data.World():
            return len(source.joints)
        case data.OwnViews():
            return len(source.exact)
    return len(source)
