"""The lifter `graph_attention`: graph convolution and self-attention of the joints in parallel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from camerapose.core.geometry import constant, root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models._layers import Residual
from camerapose.models.lifters._base import SMALL_STD, Dropout


class GraphConvolution(nn.Module):
    """Mix neighbouring joints: one product for a joint itself, its neighbours and its mirror joint.

    Source: the decoupled self and neighbour weights of SemGCN (Zhao et al., CVPR 2019), with an
    edge to the joint of the other side.
    """

    def __init__(self, skeleton: Skeleton, width: int):
        super().__init__()
        self.skeleton = skeleton
        self.relations = nn.Linear(3 * width, width)

    def forward(self, x: Float[Tensor, "n j c"]) -> Float[Tensor, "n j c"]:
        neighbours = constant(_adjacency, self.skeleton, x.device, x.dtype)
        mirror = constant(_mirror, self.skeleton, x.device, torch.long)
        related = torch.cat([x, neighbours @ x, x.index_select(1, mirror)], dim=-1)
        return self.relations(related)


class Attention(nn.Module):
    """Multi-head self-attention of the joints."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "n j c"]) -> Float[Tensor, "n j c"]:
        parts = self.inputs(x).chunk(3, dim=-1)
        query, key, value = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.output(mixed.transpose(1, 2).flatten(2))


class Mixer(nn.Module):
    """Graph convolution and attention side by side, each on half of the channels."""

    def __init__(self, skeleton: Skeleton, width: int, heads: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.graph = GraphConvolution(skeleton, width // 2)
        self.attention = Attention(width // 2, heads)
        self.output = nn.Sequential(nn.GELU(), nn.Linear(width, width), Dropout(dropout))

    def forward(self, x: Float[Tensor, "n j c"]) -> Float[Tensor, "n j c"]:
        local, distant = self.norm(x).chunk(2, dim=-1)
        return x + self.output(torch.cat([self.graph(local), self.attention(distant)], dim=-1))


class Lifter(nn.Module):
    """Lift a 2D pose to a root-relative 3D pose in metres.

    The combination of a graph convolution, which sees neighbouring joints, and attention, which
    sees all, follows single-frame lifters such as GraFormer (Zhao et al., CVPR 2022) and
    MotionAGFormer (Mehraban et al., WACV 2024). 1.4 M parameters with the defaults and 16 joints.

    Args:
        width: features of a joint; a multiple of twice `heads`.
        blocks: number of blocks.
        heads: attention heads.
        dropout: probability after each mixing and each fully connected part.

    Raises:
        ValueError: `width` is not a multiple of twice `heads`.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        width: int = 160,
        blocks: int = 8,
        heads: int = 4,
        dropout: float = 0.1,
    ):
        super().__init__()
        if width % (2 * heads):
            raise ValueError(f"width = {width}; accepted: multiples of {2 * heads} (2 x heads)")
        self.skeleton = skeleton
        self.input = nn.Linear(2, width)
        self.joints = nn.Parameter(0.02 * torch.randn(skeleton.n_joints, width))
        layers: list[nn.Module] = []
        for _ in range(blocks):
            layers += [Mixer(skeleton, width, heads, dropout), _feed_forward(width, dropout)]
        self.blocks = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.LayerNorm(width, bias=False), nn.Linear(width, 3, bias=False))
        nn.init.normal_(self.last[1].weight, std=SMALL_STD)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        features = self.blocks(self.input(pose2d) + self.joints)
        return root_relative(self.last(features), self.skeleton)


def _feed_forward(width: int, dropout: float) -> Residual:
    return Residual(
        nn.LayerNorm(width),
        nn.Linear(width, 2 * width),
        nn.GELU(),
        nn.Linear(2 * width, width),
        Dropout(dropout),
    )


def _adjacency(skeleton: Skeleton) -> list[list[float]]:
    """Return the mean over the neighbours of each joint (joints, joints)."""
    linked = [[0.0] * skeleton.n_joints for _ in skeleton.joints]
    for child, parent in skeleton.bones:
        linked[child][parent] = linked[parent][child] = 1.0
    return [[value / max(sum(row), 1.0) for value in row] for row in linked]


def _mirror(skeleton: Skeleton) -> list[int]:
    return list(skeleton.mirror)
