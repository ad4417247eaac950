"""The lifter `mlp`: fully connected residual blocks (Martinez et al., ICCV 2017)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import insert_root
from camerapose.core.skeleton import Skeleton


class Dropout(nn.Dropout):
    """Dropout that takes a byte of chance a value, not a draw, on the CPU.

    Drawing masks one value at a time is a fifth of these lifters' training step there. `p` is
    kept to 1/256; values are scaled by what it becomes.
    """

    def forward(self, x: Tensor) -> Tensor:
        dropped = round(256 * self.p)
        usual = x.device.type != "cpu" or torch.compiler.is_compiling()
        if not self.training or dropped in (0, 256) or usual:
            return super().forward(x)
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
        return x * (keep.to(x.dtype) * (256 / (256 - dropped)))


#: Spread of the last layer's weights at the start: the first poses then are one small body, not
#: limbs metres long, and training gains hundreds of iterations.
SMALL = 1e-3


def dense(inputs: int, outputs: int, dropout: float, bias: bool = True) -> nn.Sequential:
    """Linear, batch norm, ReLU, dropout: the layer that these lifters are made of."""
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=bias),
        nn.BatchNorm1d(outputs),
        nn.ReLU(inplace=True),
        Dropout(dropout),
    )


class ResidualBlock(nn.Module):
    """Two dense layers, added to what came in."""

    def __init__(self, width: int, dropout: float, bias: bool = True):
        super().__init__()
        layers = [dense(width, width, dropout, bias) for _ in range(2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        return x + self.layers(x)


class Lifter(nn.Module):
    """2D pose to root-relative 3D pose in metres.

    Source: "A simple yet effective baseline for 3d human pose estimation", Fig. 2: 4.29 M
    parameters with the defaults and 16 joints. Kaiming initialisation, as theirs
    and PoseAug's, but for the last layer.

    Args:
        blocks: residual blocks ("stages").
    """

    def __init__(
        self, skeleton: Skeleton, width: int = 1024, blocks: int = 2, dropout: float = 0.25
    ):
        super().__init__()
        self.skeleton = skeleton
        self.layers = nn.Sequential(
            nn.Flatten(),
            dense(2 * skeleton.n_joints, width, dropout),
            *[ResidualBlock(width, dropout) for _ in range(blocks)],
            nn.Linear(width, 3 * (skeleton.n_joints - 1)),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        nn.init.normal_(self.layers[-1].weight, std=SMALL)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        return insert_root(self.layers(pose2d).unflatten(-1, (-1, 3)), self.skeleton)
