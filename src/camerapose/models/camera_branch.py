"""The camera branch: which camera saw this pose, and where from (CameraPose, section 3.2)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.formats import H36M_16
from camerapose.core.skeleton import Skeleton
from camerapose.core.translation import solve_translation
from camerapose.models.crop import VirtualCamera

#: Where predicted focal lengths start from: the geometric middle of 1 (90 degrees) to 4 (28).
PRIOR_FOCAL = 2.0


class CameraParameters(NamedTuple):
    """The seven numbers of Eqs. 5 and 6: normalised image coordinates and metres."""

    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    translation: Float[Tensor, "n 3"]


class CameraBranch(nn.Module):
    """Two residual blocks of width 512 that predict focal length, principal point and offset.

    It plugs into any lifter: it reads the refined 2D with its place and size in the image (depth
    can be seen from nothing else), the confidences and the lifted pose, through which no gradient
    flows back, and it answers with residuals around a prior. The prior for focal length and
    principal point is constant; that for the offset is the one that reprojects best
    (`solve_translation`), so an untrained branch already puts the person in the right place.

    Args:
        skeleton: the joints of its input.
        hidden: width of the residual blocks.
        blocks: number of residual blocks.
    """

    def __init__(self, skeleton: Skeleton = H36M_16, hidden: int = 512, blocks: int = 2):
        super().__init__()
        self.input = nn.Linear(6 * skeleton.n_joints + 3, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.ReLU(),
                nn.Linear(hidden, hidden),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.output = nn.Linear(hidden, 7)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        person2d: Float[Tensor, "n joints 2"],
        confidence: Float[Tensor, "n joints"],
        facing: Float[Tensor, "n joints 3"],
        view: VirtualCamera,
    ) -> tuple[Float[Tensor, "n joints 3"], CameraParameters]:
        """Predict the camera, and turn the lifted pose into its frame.

        Args:
            person2d: in the person's virtual camera, `view.enter(pose2d)`.
            confidence: of the joints.
            facing: lifted, root-relative, metres, as a camera sees it that looks straight at the
                person. The network's look at it carries no gradient back.
            view: place and size of the person in the image.

        Returns:
            The pose in the frame of the image's camera, root-relative; the camera of the image,
            in normalised image coordinates.
        """
        features = [person2d, confidence, facing.detach(), view.place, view.size.log()]
        hidden = self.input(torch.cat([f.flatten(1) for f in features], dim=1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        raw = self.output(hidden)

        zoom = 1.5 * torch.tanh(raw[:, :1] / 1.5)
        aspect = 0.2 * torch.tanh(raw[:, 1:2])
        focal = PRIOR_FOCAL * torch.exp(zoom + torch.cat([aspect, -aspect], dim=1))
        center = 0.5 * torch.tanh(raw[:, 2:4])
        pose3d = facing @ view.turn(focal, center).mT
        fitted = solve_translation(pose3d.detach(), view.leave(person2d), confidence, focal, center)
        depth = fitted[:, 2:] * torch.exp(torch.tanh(raw[:, 6:]))
        direction = fitted[:, :2] / fitted[:, 2:] + 0.1 * raw[:, 4:6]
        translation = torch.cat([direction * depth, depth], dim=1)
        return pose3d, CameraParameters(focal, center, translation)
