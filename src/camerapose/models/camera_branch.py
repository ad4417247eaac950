"""The camera branch: predicts focal length, principal point and translation (section 3.2)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.joint_formats import H36M_16
from camerapose.core.skeleton import Skeleton
from camerapose.core.translation import solve_translation
from camerapose.models._layers import NORMS, Residual
from camerapose.models.crop import VirtualCamera

#: Focal length (normalised) around which the branch predicts: the geometric mean of 1 (field of
#: view 90 degrees) and 4 (28 degrees).
PRIOR_FOCAL = 2.0

#: Largest absolute values of the outputs that are residuals, and by what they are divided before
#: their tanh: logarithms of focal length and aspect, principal point (2), direction (2, which is
#: not bounded), logarithm of the depth.
_LIMITS = (1.5, 0.2, 0.5, 0.5, 1.0, 1.0, 1.0)
_DIVISORS = (1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)

#: Lower limit of direct focal lengths where the lifted pose is rotated.
MIN_FOCAL = 0.1


class CameraParameters(NamedTuple):
    """The seven parameters of Eqs. 5 and 6: normalised image coordinates and metres."""

    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    translation: Float[Tensor, "n 3"]


class CameraBranch(nn.Module):
    """Predict focal length, principal point and translation with residual blocks of width 512.

    It works with any lifter. Inputs are the refined 2D pose with its position and scale in the
    image (nothing else determines depth), the confidences and the lifted pose, whose gradient is
    stopped. Outputs are residuals to a prior: constant for focal length and principal point, and
    for the translation the one with the smallest reprojection error (`solve_translation`), so that
    an untrained branch already places the person correctly.

    With `output="direct"` the outputs are the seven numbers themselves, as printed in the paper.

    Args:
        skeleton: the joints of its input.
        hidden: width of the residual blocks.
        blocks: number of residual blocks.
        norm: a key of `NORMS`.
        output: "residual" or "direct".
        rotated: rotate the lifted pose from a camera that faces the person.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        hidden: int = 512,
        blocks: int = 2,
        norm: str = "layer",
        output: str = "residual",
        rotated: bool = True,
    ):
        super().__init__()
        self.direct, self.rotated = output == "direct", rotated
        self.input = nn.Linear(6 * skeleton.n_joints + 3, hidden)
        self.blocks = nn.ModuleList(
            Residual(
                NORMS[norm](hidden), nn.Linear(hidden, hidden), nn.ReLU(),
                nn.Linear(hidden, hidden),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.output = nn.Linear(hidden, 7)
        for name, values in (("limits", _LIMITS), ("divisors", _DIVISORS), ("signs", (1, -1))):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        if not self.direct:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def forward(
        self,
        crop2d: Float[Tensor, "n joints 2"],
        confidence: Float[Tensor, "n joints"],
        facing: Float[Tensor, "n joints 3"],
        view: VirtualCamera,
    ) -> tuple[Float[Tensor, "n joints 3"], CameraParameters]:
        """Predict the camera and rotate the lifted pose into its frame.

        Args:
            crop2d: 2D pose in crop coordinates, `view.to_crop(pose2d)`.
            confidence: confidence of the joints.
            facing: lifted pose, root-relative, metres, in the frame of a camera that faces the
                person.
            view: position and scale of the person in the image.

        Returns:
            The root-relative pose in the frame of the image's camera, and that camera in
            normalised image coordinates.
        """
        features = [crop2d, confidence, facing.detach(), view.center, view.scale.log()]
        hidden = self.input(torch.cat([f.flatten(1) for f in features], dim=1))
        for block in self.blocks:
            hidden = block(hidden)
        raw = self.output(hidden)
        if self.direct:
            direct = CameraParameters(*raw.split([2, 2, 3], dim=1))
            return self._rotate(
                facing, view, direct.focal.clamp(min=MIN_FOCAL), direct.center
            ), direct
        bounded = self.limits * torch.tanh(raw / self.divisors)
        zoom, aspect, center, _, log_depth = bounded.split([1, 1, 2, 2, 1], dim=1)
        focal = PRIOR_FOCAL * torch.exp(zoom + aspect * self.signs)
        pose3d = self._rotate(facing, view, focal, center)
        fitted = solve_translation(
            pose3d.detach(), view.to_image(crop2d), confidence, focal, center
        )
        depth = fitted[:, 2:] * torch.exp(log_depth)
        direction = fitted[:, :2] / fitted[:, 2:] + 0.1 * raw[:, 4:6]
        translation = torch.cat([direction * depth, depth], dim=1)
        return pose3d, CameraParameters(focal, center, translation)

    def _rotate(self, facing: Tensor, view: VirtualCamera, focal: Tensor, center: Tensor) -> Tensor:
        return facing @ view.rotation(focal, center).mT if self.rotated else facing
