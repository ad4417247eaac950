"""The refinement network: detected 2D joints and their confidence in, better 2D joints out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.skeleton import Skeleton


class Refiner(nn.Module):
    """Adds to a 2D pose what it lacks (CameraPose, section 3.1).

    A residual network of fully connected layers, made for poses at one size and place: give
    coordinates in which people are about one unit large and centred. Its last layer starts at
    zero, so an untrained refiner returns seen joints as they are. A joint of confidence 0 is not
    looked at; its place is the network's guess alone (the origin before training).

    Layer norm, not batch norm: poses of the laboratory, of the wild and made ones pass through
    in turn, and none of them is to set the statistics of the others.

    Args:
        hidden: width of the layers.
        blocks: residual blocks of two layers.
    """

    def __init__(self, skeleton: Skeleton, hidden: int = 512, blocks: int = 1):
        super().__init__()
        self.skeleton = skeleton
        joints = skeleton.n_joints
        self.first = _layer(3 * joints, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(_layer(hidden, hidden), _layer(hidden, hidden)) for _ in range(blocks)
        )
        self.last = nn.Linear(hidden, 2 * joints)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self, pose2d: Float[Tensor, "n j 2"], confidence: Float[Tensor, "n j"]
    ) -> Float[Tensor, "n j 2"]:
        """Refined joints, in the coordinates of `pose2d`.

        Args:
            confidence: 0 (not seen) to 1. The network sees it divided by its mean over the pose:
                Eq. 3 times the number of joints, so that 1 is average for any skeleton.
        """
        seen = torch.where(confidence[..., None] > 0, pose2d, 0.0)
        average = confidence.mean(dim=-1, keepdim=True).clamp(min=1e-8)
        x = torch.cat([seen.flatten(1), confidence / average], dim=-1)
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return seen + self.last(x).view_as(seen)


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU())
