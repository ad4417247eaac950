"""The lifter `semgcn`: semantic graph convolutions (Zhao et al., CVPR 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters.mlp import Dropout


class JointNorm(nn.BatchNorm1d):
    """Batch norm of each channel over poses and joints alike."""

    def forward(self, x: Float[Tensor, "n j channels"]) -> Float[Tensor, "n j channels"]:
        return super().forward(x.flatten(0, 1)).view_as(x)


class SemGraphConv(nn.Module):
    """Every joint gathers from itself and its neighbours, by weights learned for each edge.

    Source: "Semantic graph convolutional networks for 3D human pose regression", Eq. 2: weights
    are a softmax over the neighbourhood; a joint's own features and its neighbours' pass through
    different matrices.
    """

    def __init__(self, skeleton: Skeleton, inputs: int, outputs: int, bias: bool = True):
        super().__init__()
        self.joints = skeleton.n_joints
        self.own = nn.Linear(inputs, outputs, bias=bias)
        self.others = nn.Linear(inputs, outputs, bias=False)
        nn.init.xavier_uniform_(self.own.weight, gain=2**0.5)
        nn.init.xavier_uniform_(self.others.weight, gain=2**0.5)
        edges = [(joint, joint) for joint in range(self.joints)]
        edges += [pair for bone in skeleton.bones for pair in (bone, bone[::-1])]
        self.edges = nn.Parameter(torch.ones(len(edges)))
        places = torch.tensor([to * self.joints + source for to, source in edges])
        self.register_buffer("places", places, persistent=False)

    def forward(self, x: Float[Tensor, "n j inputs"]) -> Float[Tensor, "n j outputs"]:
        far = self.edges.new_full((self.joints**2,), -torch.inf)
        weights = far.scatter(0, self.places, self.edges).view(self.joints, -1).softmax(dim=-1)
        own = weights.diagonal()
        return own[:, None] * self.own(x) + (weights - own.diag()) @ self.others(x)


class GraphLayer(nn.Module):
    """Graph convolution, batch norm, ReLU, dropout."""

    def __init__(self, skeleton: Skeleton, inputs: int, outputs: int, dropout: float):
        super().__init__()
        self.layers = nn.Sequential(
            SemGraphConv(skeleton, inputs, outputs),
            JointNorm(outputs),
            nn.ReLU(inplace=True),
            Dropout(dropout),
        )

    def forward(self, x: Float[Tensor, "n j inputs"]) -> Float[Tensor, "n j outputs"]:
        return self.layers(x)


class ResidualBlock(nn.Module):
    """Two graph layers, added to what came in."""

    def __init__(self, skeleton: Skeleton, width: int, dropout: float):
        super().__init__()
        self.layers = nn.Sequential(
            *[GraphLayer(skeleton, width, width, dropout) for _ in range(2)]
        )

    def forward(self, x: Float[Tensor, "n j width"]) -> Float[Tensor, "n j width"]:
        return x + self.layers(x)


class Lifter(nn.Module):
    """2D pose to root-relative 3D pose in metres.

    Source: SemGCN without its non-local layers, as PoseAug trains it. The network places all
    joints and its root is then subtracted, so its last layer needs no bias.

    Args:
        blocks: residual blocks of two graph convolutions.
    """

    def __init__(self, skeleton: Skeleton, width: int = 128, blocks: int = 4, dropout: float = 0.0):
        super().__init__()
        self.skeleton = skeleton
        self.layers = nn.Sequential(
            GraphLayer(skeleton, 2, width, dropout),
            *[ResidualBlock(skeleton, width, dropout) for _ in range(blocks)],
            SemGraphConv(skeleton, width, 3, bias=False),
        )

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        return root_relative(self.layers(pose2d), self.skeleton)
