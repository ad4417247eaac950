"""CameraPose: refinement network, lifter and camera branch in one (Yang et al., WACV 2023)."""

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
    """What `CameraPose` predicts. 2D in normalised image coordinates, 3D in metres."""

    refined2d: Float[Tensor, "n joints 2"]
    pose3d: Float[Tensor, "n joints 3"]  # camera frame, absolute
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    translation: Float[Tensor, "n 3"]

    def rows(self, which: slice) -> "Lifted":
        """Some of the poses."""
        return Lifted(*(column[which] for column in self))

    @property
    def camera(self) -> Camera:
        return Camera(self.focal, self.center, self.translation)

    @property
    def reprojection(self) -> Float[Tensor, "n joints 2"]:
        """The predicted pose seen by the predicted camera (Eq. 7)."""
        return self.camera.project(self.pose3d)


class CameraPose(nn.Module):
    """Refiner, lifter and camera branch (CameraPose, Fig. 3).

    Args:
        skeleton: joints of input and output.
        lifter: a module from (n, joints, 2) to root-relative (n, joints, 3), as a camera sees the
            person that looks straight at them.
        camera_branch: predicts the camera from what the lifter saw and said.
        refiner: corrects the 2D first; None leaves it as it is.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        lifter: nn.Module,
        camera_branch: CameraBranch,
        refiner: Refiner | None,
    ):
        super().__init__()
        self.skeleton = skeleton
        self.refiner = refiner
        self.lifter = lifter
        self.camera_branch = camera_branch

    def forward(
        self, pose2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> Lifted:
        """Lift 2D poses.

        Args:
            pose2d: normalised image coordinates, people of any size and place.
            confidence: 0 (missing: its coordinates are not read) to 1.
        """
        view = VirtualCamera.on(pose2d, confidence)
        person2d = self.refine(view.enter(pose2d), confidence)
        # One scale for everybody, but the place is kept: it tells the viewing direction.
        size = (view.size,) if getattr(self.lifter, "sized", False) else ()
        facing = self.lifter(person2d + view.place, *size)
        relative, camera = self.camera_branch(person2d, confidence, facing, view)
        pose3d = relative + camera.translation[:, None]
        return Lifted(view.leave(person2d), pose3d, *camera)

    def refine(
        self, person2d: Float[Tensor, "n joints 2"], confidence: Float[Tensor, "n joints"]
    ) -> Float[Tensor, "n joints 2"]:
        """Correct 2D in the person's own coordinates; without a refiner missing joints are put
        in the person's middle."""
        if self.refiner is not None:
            return self.refiner(person2d, confidence)
        return torch.where((confidence > 0)[..., None], person2d, 0.0)


def build(
    skeleton: Skeleton,
    lifter: str = "videopose",
    lifter_arguments: dict[str, Any] | None = None,
    refiner_hidden: int = 512,
    camera_hidden: int = 512,
    camera_blocks: int = 2,
) -> CameraPose:
    """A `CameraPose` from plain settings; `refiner_hidden` 0 leaves the refiner out."""
    kind, arguments = load("lifters", lifter).Lifter, lifter_arguments or {}
    known = list(inspect.signature(kind).parameters)[1:]
    unknown = set(arguments) - set(known)
    if unknown:
        raise ValueError(
            f"the lifter {lifter} has no argument {', '.join(sorted(unknown))}; "
            f"it takes {', '.join(known)}"
        )
    return CameraPose(
        skeleton=skeleton,
        lifter=kind(skeleton, **arguments),
        camera_branch=CameraBranch(skeleton, camera_hidden, camera_blocks),
        refiner=Refiner(skeleton, refiner_hidden) if refiner_hidden else None,
    )
