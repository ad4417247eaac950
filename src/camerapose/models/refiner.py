"""The refinement network: corrects detected 2D joints and estimates missing ones."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.skeleton import Skeleton
from camerapose.models._layers import NORMS, Residual


class Refiner(nn.Module):
    """Predict a correction of a 2D pose from the pose and its confidence (CameraPose, section 3.1).

    A residual network of fully connected layers for poses in crop coordinates (centred, of unit
    spread). The last layer is initialised with zeros, so an untrained refiner returns visible
    joints unchanged. Coordinates of joints with confidence 0 are ignored; their output is the
    network's estimate (the origin before training).

    Layer norm is the default, because batches of different sources (motion capture, 2D-only,
    generated poses) must not share statistics.

    Args:
        hidden: width of the layers.
        blocks: number of residual blocks of two layers.
        norm: a key of `NORMS`.
    """

    def __init__(self, skeleton: Skeleton, hidden: int = 512, blocks: int = 1, norm: str = "layer"):
        super().__init__()
        self.skeleton = skeleton
        joints = skeleton.n_joints
        self.first = _layer(3 * joints, hidden, norm)
        self.blocks = nn.ModuleList(
            Residual(_layer(hidden, hidden, norm), _layer(hidden, hidden, norm))
            for _ in range(blocks)
        )
        self.last = nn.Linear(hidden, 2 * joints)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self, pose2d: Float[Tensor, "n j 2"], confidence: Float[Tensor, "n j"]
    ) -> Float[Tensor, "n j 2"]:
        """Return refined joints in the coordinates of `pose2d`.

        Args:
            confidence: 0 (missing) to 1. The network input is the confidence divided by its mean
                over the pose: Eq. 3 times the number of joints, so that 1 is average for any
                skeleton.
        """
        visible = torch.where(confidence[..., None] > 0, pose2d, 0.0)
        average = confidence.mean(dim=-1, keepdim=True).clamp(min=1e-8)
        x = self.first(torch.cat([visible.flatten(1), confidence / average], dim=-1))
        for block in self.blocks:
            x = block(x)
        return visible + self.last(x).view_as(visible)


def _layer(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), NORMS[norm](outputs), nn.ReLU())
