"""The lifter `videopose`: VideoPose3D on one frame (Pavllo et al., CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import insert_root
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters.mlp import SMALL, ResidualBlock, dense


class Lifter(nn.Module):
    """2D pose to root-relative 3D pose in metres.

    Source: "3D human pose estimation in video with temporal convolutions and semi-supervised
    training", every convolution one frame wide, in the size that PoseAug trains: four blocks,
    8,485,933 parameters with the defaults and 16 joints. A convolution over one frame is a
    linear layer, and runs twice as fast as one.

    Args:
        blocks: residual blocks (VideoPose3D's own one-frame model has two).
    """

    def __init__(
        self, skeleton: Skeleton, width: int = 1024, blocks: int = 4, dropout: float = 0.25
    ):
        super().__init__()
        self.skeleton = skeleton
        self.layers = nn.Sequential(
            nn.Flatten(),
            dense(2 * skeleton.n_joints, width, dropout, bias=False),
            *[ResidualBlock(width, dropout, bias=False) for _ in range(blocks)],
            nn.Linear(width, 3 * (skeleton.n_joints - 1)),
        )
        nn.init.normal_(self.layers[-1].weight, std=SMALL)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        return insert_root(self.layers(pose2d).unflatten(-1, (-1, 3)), self.skeleton)
