"""The lifter `semgcn`: semantic graph convolutions (Zhao et al., CVPR 2019)."""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters._base import Dropout, JointNorm, residual


class SemGraphConv(nn.Module):
    """Graph convolution over each joint and its neighbours with a trained weight per edge.

    Source: "Semantic graph convolutional networks for 3D human pose regression", Eq. 2: weights
    are a softmax over the neighbourhood; a joint's own features and those of its neighbours are
    transformed by different matrices.
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
        logits = self.edges.new_full((self.joints**2,), -torch.inf)
        weights = logits.scatter(0, self.places, self.edges).view(self.joints, -1).softmax(dim=-1)
        own = weights.diagonal()
        return own[:, None] * self.own(x) + (weights - own.diag()) @ self.others(x)


def graph_layer(skeleton: Skeleton, inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Return graph convolution, batch norm, ReLU and dropout.

    Stored weights name the layers `layers.0`, `layers.1`, ...
    """
    layers = nn.Sequential(
        SemGraphConv(skeleton, inputs, outputs),
        JointNorm(outputs),
        nn.ReLU(inplace=True),
        Dropout(dropout),
    )
    return nn.Sequential(OrderedDict(layers=layers))


class Lifter(nn.Module):
    """Lift a 2D pose to a root-relative 3D pose in metres.

    Source: SemGCN without its non-local layers, as trained by PoseAug. The root is subtracted from
    the output, so the last layer needs no bias.

    Args:
        width: channels of each joint.
        blocks: number of residual blocks of two graph convolutions.
        dropout: probability after each graph convolution.
    """

    def __init__(self, skeleton: Skeleton, width: int = 128, blocks: int = 4, dropout: float = 0.0):
        super().__init__()
        self.skeleton = skeleton

        def layer(inputs: int) -> nn.Sequential:
            return graph_layer(skeleton, inputs, width, dropout)

        self.layers = nn.Sequential(
            layer(2),
            *[residual(layer(width), layer(width)) for _ in range(blocks)],
            SemGraphConv(skeleton, width, 3, bias=False),
        )

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        return root_relative(self.layers(pose2d), self.skeleton)
