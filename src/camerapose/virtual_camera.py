"""People of any size and place in the image, brought to one scale by an invertible affine map.

The map x -> (x - place) / size is what a camera with another focal length and principal point
would see: f' = f / size, c' = (c - place) / size. So a camera predicted for the image and one
predicted for the person say the same, and nothing of the image is lost: place and size travel on.
"""

from typing import NamedTuple

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
