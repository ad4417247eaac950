"""Distillation: the mean prediction of other models as a further target."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models.camerapose import CameraPose
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
        """Return the mean of the root-relative poses for the observed 2D and its mirror image."""
        with torch.no_grad():
            poses = []
            for model in self.models:
                skeleton = model.skeleton
                mirrored = _mirror(pose2d, skeleton), confidence[:, skeleton.mirror]
                poses += [
                    _lift(model, pose2d, confidence),
                    _mirror(_lift(model, *mirrored), skeleton),
                ]
            return torch.stack(poses).mean(0)


def _lift(model: CameraPose, pose2d: Tensor, confidence: Tensor) -> Tensor:
    return root_relative(model(pose2d, confidence).pose3d, model.skeleton)


def _mirror(pose: Tensor, skeleton: Skeleton) -> Tensor:
    """Exchange left and right of 2D or 3D poses (n, joints, 2 or 3)."""
    sign = pose.new_ones(pose.shape[-1])
    sign[0] = -1
    return pose[:, skeleton.mirror] * sign


def teachers(config: Config, device: torch.device) -> Teachers | None:
    """Return the teachers of a configuration; None if it has none."""
    if not config.teachers:
        return None
    return Teachers(config.teachers, config.data.skeleton, device)
