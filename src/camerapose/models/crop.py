"""People of any size and place in the image, brought to one scale by an invertible affine map.

The map x -> (x - place) / size is what a camera with another focal length and principal point
would see: f' = f / size, c' = (c - place) / size. So a camera predicted for the image and one
predicted for the person say the same, and nothing of the image is lost: place and size travel on.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

#: A person no larger than this (normalised units; 0.64 px of 1280) has no size to speak of.
SMALLEST = 1e-3


class VirtualCamera(NamedTuple):
    """Where each person stands in the image and how large: mean and spread of the joints seen."""

    place: Float[Tensor, "n 1 2"]
    size: Float[Tensor, "n 1 1"]

    @staticmethod
    def on(
        pose2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> "VirtualCamera":
        """The virtual camera that looks at each person.

        Args:
            pose2d: normalised image coordinates; joints of confidence 0 are not looked at.
        """
        seen = (confidence > 0).to(pose2d.dtype)[..., None]
        count = seen.sum(1, keepdim=True).clamp(min=1)
        place = (pose2d * seen).sum(1, keepdim=True) / count
        spread = ((pose2d - place).square() * seen).sum((1, 2), keepdim=True) / count
        return VirtualCamera(place, spread.sqrt().clamp(min=SMALLEST))

    def enter(self, pose2d: Float[Tensor, "n joints 2"]) -> Float[Tensor, "n joints 2"]:
        """Image coordinates to the person's: centred, of spread one."""
        return (pose2d - self.place) / self.size

    def leave(self, pose2d: Float[Tensor, "n joints 2"]) -> Float[Tensor, "n joints 2"]:
        """The inverse of `enter`."""
        return pose2d * self.size + self.place

    def turn(
        self, focal: Float[Tensor, "n 2"], center: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 3 3"]:
        """The rotation from a camera that looks straight at the person to that of the image.

        Its z axis is the ray through the person's place, its x axis level with the image's.
        Perspective turns people who stand off the middle of the picture: how they look depends on
        the direction they are seen from, and on nothing else of where they stand ("Perspective
        crop layers for 3D human pose estimation", Yu et al., CVPR 2021).

        Args:
            focal, center: of the image's camera, normalised image coordinates.
        """
        x, y = ((self.place[:, 0] - center) / focal).unbind(-1)
        one, zero = torch.ones_like(x), torch.zeros_like(x)
        forward = torch.stack([x, y, one], -1) / (1 + x.square() + y.square()).sqrt()[:, None]
        right = torch.stack([one, zero, -x], -1) / (1 + x.square()).sqrt()[:, None]
        down = torch.linalg.cross(forward, right)
        return torch.stack([right, down, forward], dim=-1)
