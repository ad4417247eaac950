"""The lifter `mlp`: fully connected residual blocks (Martinez et al., ICCV 2017)."""

from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import insert_root
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters._base import SMALL_STD, dense, residual


class Lifter(nn.Module):
    """Lift a 2D pose to a root-relative 3D pose in metres.

    Source: "A simple yet effective baseline for 3d human pose estimation", Fig. 2: 4.29 M
    parameters with the defaults and 16 joints. Kaiming initialisation as in the original and in
    PoseAug, except for the last layer.

    Args:
        width: width of the layers.
        blocks: number of residual blocks of two layers ("stages").
        dropout: probability after each layer.
    """

    def __init__(
        self, skeleton: Skeleton, width: int = 1024, blocks: int = 2, dropout: float = 0.25
    ):
        super().__init__()
        self.skeleton = skeleton
        self.layers = nn.Sequential(
            nn.Flatten(),
            dense(2 * skeleton.n_joints, width, dropout),
            *[
                residual(dense(width, width, dropout), dense(width, width, dropout))
                for _ in range(blocks)
            ],
            nn.Linear(width, 3 * (skeleton.n_joints - 1)),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        nn.init.normal_(self.layers[-1].weight, std=SMALL_STD)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        return insert_root(self.layers(pose2d).unflatten(-1, (-1, 3)), self.skeleton)
