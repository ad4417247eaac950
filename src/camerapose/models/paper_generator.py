"""The pose generator as the paper describes it: three networks, view and position unrestricted."""

import math

from jaxtyping import Float
from torch import Tensor

from camerapose.core.camera import Camera
from camerapose.core.geometry import rotvec_to_rotmat
from camerapose.core.skeleton import Skeleton
from camerapose.models.generator import Generator, PoseNet, RandomInputs


class PaperGenerator(Generator):
    """Change bone angle, bone length, and view and position, by one network each.

    CameraPose, section 3.3: X* = R X_bl + t. The third network predicts R as a rotation vector of
    at most pi per axis, and t with a squared depth, as in PoseAug (Gong et al., CVPR 2021). Focal
    lengths are those of the sources; the principal point is the image centre.

    Args:
        hidden: width of the networks.
    """

    def __init__(self, skeleton: Skeleton, hidden: int = 256):
        super().__init__(skeleton, hidden, vary_focal=False, roll_std=0.0)
        size = 3 * skeleton.n_joints
        del self.position_net
        self.view_net = PoseNet(size, size, 6, hidden)

    def place(
        self, relative: Tensor, focal: Tensor, random: RandomInputs
    ) -> tuple[Float[Tensor, "n 3 3"], Camera]:
        """Return the predicted rotation and translation (R, t) of Fig. 5."""
        raw = self.view_net(relative.flatten(1), random.view)
        translation = raw[:, 3:] * raw.new_tensor([1.0, 1.0, 0.0])
        translation = translation + raw[:, 3:].square() * raw.new_tensor([0.0, 0.0, 1.0])
        camera = Camera(focal, focal.new_zeros(len(focal), 2), translation)
        return rotvec_to_rotmat(math.pi * raw[:, :3].tanh()), camera
