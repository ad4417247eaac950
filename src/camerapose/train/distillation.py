"""Distillation: the mean prediction of other models as a further target."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.geometry import root_relative
from camerapose.models.checkpoint import load_model
from camerapose.train.config import Config


class Teachers:
    """Models whose mean prediction is a target.

    Args:
        weights: names or paths, see `camerapose.io.weights.find_weights`.
        skeleton: joint format of the data, which the models must have.

    Raises:
        FileNotFoundError: no such weights.
        ValueError: weights of another joint format.
    """

    def __init__(self, weights: Sequence[str], skeleton: str, device: torch.device):
        self.models = [load_model(name, skeleton).to(device) for name in weights]

    def __call__(
        self, pose2d: Float[Tensor, "n j 2"], confidence: Float[Tensor, "n j"]
    ) -> Float[Tensor, "n j 3"]:
        """Return the mean of the root-relative 3D poses for the observed 2D."""
        with torch.no_grad():
            poses = [
                root_relative(model(pose2d, confidence).pose3d, model.skeleton)
                for model in self.models
            ]
            return torch.stack(poses).mean(0)


def teachers(config: Config, device: torch.device) -> Teachers | None:
    """Return the teachers of a configuration; None if it has none."""
    if not config.teachers:
        return None
    return Teachers(config.teachers, config.data.skeleton, device)
