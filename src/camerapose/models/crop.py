"""Bring people of any size and position in the image to one scale by an invertible affine map.

The map x -> (x - center) / scale is equivalent to a camera with focal length f' = f / scale and
principal point c' = (c - center) / scale. Camera parameters predicted for the crop therefore
determine those of the image and vice versa; `center` and `scale` retain what the crop removes.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from camerapose.core.viewing import view_rotation

#: Smallest scale of a person, in normalised units (0.64 px of 1280); avoids division by zero.
MIN_SCALE = 1e-3


class VirtualCamera(NamedTuple):
    """Mean and root mean square spread of each person's visible joints, normalised coordinates."""

    center: Float[Tensor, "n 1 2"]
    scale: Float[Tensor, "n 1 1"]

    @staticmethod
    def fit(
        pose2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> "VirtualCamera":
        """Return the virtual camera centred on each person.

        Args:
            pose2d: normalised image coordinates; joints of confidence 0 are ignored.
        """
        visible = (confidence > 0).to(pose2d.dtype)[..., None]
        count = visible.sum(1, keepdim=True).clamp(min=1)
        center = (pose2d * visible).sum(1, keepdim=True) / count
        variance = ((pose2d - center).square() * visible).sum((1, 2), keepdim=True) / count
        return VirtualCamera(center, variance.sqrt().clamp(min=MIN_SCALE))

    @staticmethod
    def identity(pose2d: Float[Tensor, "n joints 2"]) -> "VirtualCamera":
        """Return the virtual cameras that leave poses in normalised image coordinates."""
        n = len(pose2d)
        return VirtualCamera(pose2d.new_zeros(n, 1, 2), pose2d.new_ones(n, 1, 1))

    def to_crop(self, pose2d: Float[Tensor, "n joints 2"]) -> Float[Tensor, "n joints 2"]:
        """Convert normalised image coordinates to crop coordinates: centred, of unit spread."""
        return (pose2d - self.center) / self.scale

    def to_image(self, pose2d: Float[Tensor, "n joints 2"]) -> Float[Tensor, "n joints 2"]:
        """Convert crop coordinates to normalised image coordinates."""
        return pose2d * self.scale + self.center

    def rotation(
        self, focal: Float[Tensor, "n 2"], principal_point: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 3 3"]:
        """Return the rotation from a camera that faces the person to the camera of the image.

        Args:
            focal: focal lengths of the image's camera, normalised.
            principal_point: its principal points, normalised.
        """
        return view_rotation(self.center[:, 0], focal, principal_point)
