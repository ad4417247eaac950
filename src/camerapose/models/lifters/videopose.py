"""The lifter `videopose`: VideoPose3D on a single frame (Pavllo et al., CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import insert_root
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters._base import SMALL_STD, dense, residual


class Lifter(nn.Module):
    """Lift a 2D pose to a root-relative 3D pose in metres.

    Source: "3D human pose estimation in video with temporal convolutions and semi-supervised
    training", with all convolutions one frame wide and four blocks as in PoseAug: 8,485,933
    parameters with the defaults and 16 joints. A convolution over one frame equals a linear layer,
    which is twice as fast.

    Args:
        width: width of the layers.
        blocks: number of residual blocks (VideoPose3D's own single-frame model has two).
        dropout: probability after each layer.
    """

    def __init__(
        self, skeleton: Skeleton, width: int = 1024, blocks: int = 4, dropout: float = 0.25
    ):
        super().__init__()
        self.skeleton = skeleton

        def layer(inputs: int) -> nn.Sequential:
            return dense(inputs, width, dropout, bias=False)

        self.layers = nn.Sequential(
            nn.Flatten(),
            layer(2 * skeleton.n_joints),
            *[residual(layer(width), layer(width)) for _ in range(blocks)],
            nn.Linear(width, 3 * (skeleton.n_joints - 1)),
        )
        nn.init.normal_(self.layers[-1].weight, std=SMALL_STD)

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        return insert_root(self.layers(pose2d).unflatten(-1, (-1, 3)), self.skeleton)
