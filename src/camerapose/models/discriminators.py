"""Discriminators on part-aware kinematic chains, in 2D and 3D."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from camerapose.core.geometry import kcs
from camerapose.core.skeleton import Skeleton
from camerapose.models._layers import PartLinear


class PartDiscriminator(nn.Module):
    """Scores the bone directions of each body part: 1 for real poses, 0 for generated ones.

    The input is the kinematic chain space (`geometry.kcs`): cosines between the bones of a part,
    independent of position, scale and orientation. There is one network per part with the widths of
    PoseAug (Gong et al., CVPR 2021): hidden, hidden, hidden with a shortcut, 100, 1.
    """

    def __init__(self, skeleton: Skeleton, hidden: int = 256):
        super().__init__()
        self.skeleton = skeleton
        parts, bones = len(skeleton.parts), len(skeleton.bones)
        self.first = _part_linear(parts, bones * bones, hidden)
        self.second = _part_linear(parts, hidden, hidden)
        self.third = _part_linear(parts, hidden, hidden)
        self.fourth = _part_linear(parts, hidden, 100)
        self.score = _part_linear(parts, 100, 1)

    def forward(self, pose: Float[Tensor, "n j d"]) -> Float[Tensor, "n parts"]:
        chains = kcs(pose, self.skeleton).flatten(2).transpose(0, 1)
        x = F.leaky_relu(self.first(chains))
        y = F.leaky_relu(self.second(x))
        x = F.leaky_relu(x + self.third(y))
        x = F.leaky_relu(self.fourth(x))
        return self.score(x)[..., 0].T


def _part_linear(parts: int, inputs: int, outputs: int) -> PartLinear:
    layer = PartLinear(parts, inputs, outputs)
    for weight in layer.weight.data:  # fan-in of each part by itself; torch expects (out, in)
        nn.init.kaiming_normal_(weight.T, a=0.01)
    return layer


class LayoutDiscriminator(nn.Module):
    """Scores the image coordinates of the joints, including position and size (PoseAug's D_2D)."""

    def __init__(self, skeleton: Skeleton, hidden: int = 100):
        super().__init__()
        self.first = nn.Linear(2 * skeleton.n_joints, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.third = nn.Linear(hidden, hidden)
        self.fourth = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n 1"]:
        x = F.leaky_relu(self.first(pose2d.flatten(1)))
        y = F.leaky_relu(self.second(x))
        x = F.leaky_relu(x + self.third(y))
        return self.score(F.leaky_relu(self.fourth(x)))


class Discriminator3D(nn.Module):
    """D_3D: scores 3D poses by part-aware KCS (CameraPose, Eqs. 14 and 15)."""

    def __init__(self, skeleton: Skeleton):
        super().__init__()
        self.parts = PartDiscriminator(skeleton)

    def forward(self, pose3d: Float[Tensor, "n j 3"]) -> Float[Tensor, "n heads"]:
        """Return one score per part.

        Args:
            pose3d: in any frame and unit, absolute or root-relative.
        """
        return self.parts(pose3d)


class Discriminator2D(nn.Module):
    """D_2D: scores 2D poses by part-aware KCS (CameraPose, Eqs. 12 and 13).

    Args:
        layout: add a score for position and size in the image (PoseAug's D_2D).
    """

    def __init__(self, skeleton: Skeleton, layout: bool = False):
        super().__init__()
        self.parts = PartDiscriminator(skeleton)
        self.layout = LayoutDiscriminator(skeleton) if layout else None

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n heads"]:
        """Return one score per part, followed by the score of the layout.

        Args:
            pose2d: normalised image coordinates.
        """
        scores = self.parts(pose2d)
        if self.layout is None:
            return scores
        return torch.cat([scores, self.layout(pose2d)], dim=-1)
