"""Discriminators on part-aware kinematic chains, in 2D and in 3D."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from camerapose.core.geometry import kcs
from camerapose.core.skeleton import Skeleton


class PartLinear(nn.Module):
    """One linear layer a body part, all in one matrix product."""

    def __init__(self, parts: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(parts, 1, outputs))
        for weight in self.weight.data:  # each is a layer of its own; stored inputs first
            nn.init.kaiming_normal_(weight.T, a=0.01)

    def forward(self, x: Float[Tensor, "parts n inputs"]) -> Float[Tensor, "parts n outputs"]:
        return torch.baddbmm(self.bias, x, self.weight)


class PartDiscriminator(nn.Module):
    """Scores each body part by its bones' directions: 1 for real poses, 0 for made ones.

    It sees cosines between the bones of the part (`geometry.kcs`) and nothing of the pose's
    place, size and orientation, in 2D or 3D. One network a part, of PoseAug's widths
    (Gong et al., CVPR 2021): hidden, hidden, hidden with a shortcut, 100, 1.
    """

    def __init__(self, skeleton: Skeleton, hidden: int = 256):
        super().__init__()
        self.skeleton = skeleton
        parts, bones = len(skeleton.parts), len(skeleton.bones)
        self.first = PartLinear(parts, bones * bones, hidden)
        self.second = PartLinear(parts, hidden, hidden)
        self.third = PartLinear(parts, hidden, hidden)
        self.fourth = PartLinear(parts, hidden, 100)
        self.score = PartLinear(parts, 100, 1)

    def forward(self, pose: Float[Tensor, "n j d"]) -> Float[Tensor, "n parts"]:
        chains = kcs(pose, self.skeleton).flatten(2).transpose(0, 1)
        x = F.leaky_relu(self.first(chains))
        y = F.leaky_relu(self.second(x))
        x = F.leaky_relu(x + self.third(y))
        x = F.leaky_relu(self.fourth(x))
        return self.score(x)[..., 0].T


class LayoutDiscriminator(nn.Module):
    """Scores where the joints stand in the image, so place and size as well (PoseAug's D_2D)."""

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
    """D_3D: judges 3D poses by part-aware KCS (CameraPose, Eqs. 14 and 15)."""

    def __init__(self, skeleton: Skeleton):
        super().__init__()
        self.parts = PartDiscriminator(skeleton)

    def forward(self, pose3d: Float[Tensor, "n j 3"]) -> Float[Tensor, "n heads"]:
        """One score a part. Any frame and unit; absolute or root-relative."""
        return self.parts(pose3d)


class Discriminator2D(nn.Module):
    """D_2D: judges 2D poses by part-aware KCS (CameraPose, Eqs. 12 and 13).

    Args:
        layout: one more score, for place and size in the image (PoseAug's D_2D).
    """

    def __init__(self, skeleton: Skeleton, layout: bool = False):
        super().__init__()
        self.parts = PartDiscriminator(skeleton)
        self.layout = LayoutDiscriminator(skeleton) if layout else None

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n heads"]:
        """One score a part, then that of the layout. Normalised image coordinates."""
        scores = self.parts(pose2d)
        if self.layout is None:
            return scores
        return torch.cat([scores, self.layout(pose2d)], dim=-1)
