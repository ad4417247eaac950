"""CameraPose: refinement network, lifter and camera branch (Yang et al., WACV 2023)."""

import inspect
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.camera import Camera
from camerapose.core.plugins import load
from camerapose.core.skeleton import Skeleton
from camerapose.models.camera_branch import CameraBranch
from camerapose.models.crop import VirtualCamera
from camerapose.models.refiner import Refiner


class Lifted(NamedTuple):
    """Prediction of `CameraPose`: 2D in normalised image coordinates, 3D in metres."""

    refined2d: Float[Tensor, "n joints 2"]
    pose3d: Float[Tensor, "n joints 3"]  # camera frame, absolute
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    translation: Float[Tensor, "n 3"]

    def rows(self, rows: slice) -> "Lifted":
        """Return some of the poses."""
        return Lifted(*(column[rows] for column in self))

    @property
    def camera(self) -> Camera:
        return Camera(self.focal, self.center, self.translation)

    @property
    def reprojection(self) -> Float[Tensor, "n joints 2"]:
        """The predicted pose projected by the predicted camera (Eq. 7)."""
        return self.camera.project(self.pose3d)


class CameraPose(nn.Module):
    """Refiner, lifter and camera branch (CameraPose, Fig. 3).

    Args:
        skeleton: joints of input and output.
        lifter: module from (n, joints, 2) to root-relative (n, joints, 3) in the frame of a camera
            that faces the person. If it has an attribute `sized` that is true, it also
            receives the scale of the person in the image.
        camera_branch: predicts the camera from the input and the output of the lifter.
        refiner: corrects the 2D pose first; None: no correction.
        cropped: scale each person to one size (`VirtualCamera.fit`).
    """

    def __init__(
        self,
        skeleton: Skeleton,
        lifter: nn.Module,
        camera_branch: CameraBranch,
        refiner: Refiner | None,
        cropped: bool = True,
    ):
        super().__init__()
        self.skeleton = skeleton
        self.refiner = refiner
        self.lifter = lifter
        self.camera_branch = camera_branch
        self.cropped = cropped

    def forward(
        self, pose2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> Lifted:
        """Lift 2D poses.

        Args:
            pose2d: normalised image coordinates, for people of any size and position.
            confidence: 0 (missing; the coordinates are ignored) to 1.
        """
        view = self.view(pose2d, confidence)
        crop2d = self.refine(view.to_crop(pose2d), confidence)
        # Scale is normalised, but not position: it determines the viewing direction.
        scale = (view.scale,) if getattr(self.lifter, "sized", False) else ()
        facing = self.lifter(crop2d + view.center, *scale)
        relative, camera = self.camera_branch(crop2d, confidence, facing, view)
        pose3d = relative + camera.translation[:, None]
        return Lifted(view.to_image(crop2d), pose3d, *camera)

    def view(
        self, pose2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> VirtualCamera:
        """Return the map from image coordinates to those in which poses are processed."""
        if self.cropped:
            return VirtualCamera.fit(pose2d, confidence)
        return VirtualCamera.identity(pose2d)

    def refine(
        self, crop2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> Float[Tensor, "n joints 2"]:
        """Correct the 2D pose in crop coordinates.

        Without a refiner, missing joints are placed at the centre of the crop.
        """
        if self.refiner is not None:
            return self.refiner(crop2d, confidence)
        return torch.where((confidence > 0)[..., None], crop2d, 0.0)


def build(
    skeleton: Skeleton,
    lifter: str = "videopose",
    lifter_arguments: dict[str, Any] | None = None,
    refiner_hidden: int = 512,
    camera_hidden: int = 512,
    camera_blocks: int = 2,
    input: str = "crop",
    norm: str = "layer",
    camera_output: str = "residual",
) -> CameraPose:
    """Build a `CameraPose` from the settings of `ModelConfig`.

    Raises:
        ValueError: an unknown lifter, or arguments that it does not have.
    """
    kind, arguments = load("lifters", lifter).Lifter, lifter_arguments or {}
    known = list(inspect.signature(kind).parameters)[1:]
    unknown = set(arguments) - set(known)
    if unknown:
        raise ValueError(
            f"the lifter {lifter} has no argument {', '.join(sorted(unknown))}; "
            f"accepted: {', '.join(known)}"
        )
    return CameraPose(
        skeleton=skeleton,
        lifter=kind(skeleton, **arguments),
        camera_branch=CameraBranch(
            skeleton, camera_hidden, camera_blocks, norm, camera_output, rotated=input == "crop"
        ),
        refiner=Refiner(skeleton, refiner_hidden, norm=norm) if refiner_hidden else None,
        cropped=input == "crop",
    )
