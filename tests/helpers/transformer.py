"""A lifter as a user would write it from docs/extending.md: a transformer over the joints."""

SOURCE = '''
"""The lifter `transformer`: self-attention between the joints."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton


class Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.mixing, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        hidden = 2 * width
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.mixing(self.norms[0](x)).chunk(3, dim=-1)
        query, key, value = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.output(mixed))
        return x + self.dropout(self.feed(self.norms[1](x)))


class Lifter(nn.Module):
    """Lift 2D poses to root-relative 3D poses in metres.

    Args:
        width: features of a joint.
        blocks: number of blocks.
        heads: attention heads.
        dropout: dropout rate.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        width: int = 64,
        blocks: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.skeleton = skeleton
        self.input = nn.Linear(2, width)
        self.joints = nn.Parameter(0.02 * torch.randn(skeleton.n_joints, width))
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(blocks)))
        self.last = nn.Linear(width, 3, bias=False)  # subtracting the root cancels a bias
        nn.init.normal_(self.last.weight, std=1e-3)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        features = self.blocks(self.input(pose2d) + self.joints)
        return root_relative(self.last(features), self.skeleton)
'''
