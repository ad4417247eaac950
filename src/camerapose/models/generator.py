"""The pose generator: new 2D-3D pairs with known cameras from given 3D poses.

CameraPose (section 3.3) adopts three operations of PoseAug (Gong et al., CVPR 2021): bone angle,
bone length, and camera view and position. It adds the focal length, because motion-capture data
contain a single field of view.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.camera import Camera
from camerapose.core.geometry import (
    bone_vectors,
    constant,
    pose_from_bones,
    root_relative,
    rotvec_to_rotmat,
    unit,
)
from camerapose.core.skeleton import Skeleton

#: Bones whose direction is kept: all others depend on the trunk.
RIGID = ("spine", "thorax")
#: Bone whose length is kept, so that bone lengths do not change the scale of the body.
FIXED_LENGTH = ("thorax",)
#: Maximum relative change of a bone's length.
MAX_LENGTH_CHANGE = 0.2
#: Maximum rotation about each axis (radians) that the network adds to a random heading, pitch and
#: roll. Cameras look down and up at people, but rarely see them upside down.
MAX_ROTATION = math.pi / 8
#: Range of random pitch (radians), from looking up to looking down at people.
PITCH = (-math.radians(15), math.radians(45))
#: Range of generated focal lengths, normalised: fields of view of 90 to 28 degrees.
FOCAL = (1.0, 4.0)
#: Standard deviation of generated principal points, normalised units.
CENTER_STD = 0.03
#: Range of generated root depths, metres.
DEPTH = (1.5, 9.0)
#: Minimum depth (metres) per unit of focal length, so that the person fits into the image.
MIN_DEPTH_PER_FOCAL = 0.6
#: Half width and half height of the region in which the root is placed, normalised units.
POSITION_RANGE = (0.6, 1.0)
#: Maximum shift that the network adds, in normalised units; for depth, in logarithmic units.
MAX_SHIFT = 0.3
#: Half height of an image with aspect ratio 9:16, normalised units.
MAX_HALF_HEIGHT = 16 / 9


class Generated(NamedTuple):
    """Poses after each operation, and the camera of the last."""

    bent3d: Float[Tensor, "n joints 3"]  # after bone angle, with the root of the source
    pose3d: Float[Tensor, "n joints 3"]  # after all operations, camera frame, absolute
    pose2d: Float[Tensor, "n joints 2"]  # its projection, normalised
    camera: Camera
    cosine_change: Float[Tensor, "n bones"]  # 1 - cosine between each bone before and after
    length_change: Float[Tensor, "n bones"]  # relative


class RandomInputs(NamedTuple):
    """All random numbers of generated pairs, one row per pair."""

    angle: Float[Tensor, "n noise"]  # input of the networks: standard normal
    length: Float[Tensor, "n noise"]
    heading: Float[Tensor, " n"]  # radians
    pitch: Float[Tensor, " n"]  # radians
    roll: Float[Tensor, " n"]  # radians
    view: Float[Tensor, "n noise"]
    focal: Float[Tensor, " n"] | None  # normalised; None: that of the source
    center: Float[Tensor, "n 2"]  # normalised
    position: Float[Tensor, "n noise"]
    depth: Float[Tensor, " n"]  # metres
    image_position: Float[Tensor, "n 2"]  # of the root, normalised


class PoseNet(nn.Module):
    """Fully connected network from a pose, with further inputs, and noise to raw parameters."""

    def __init__(self, inputs: int, noise: int, outputs: int, hidden: int = 256):
        super().__init__()

        def layer(size):
            return [nn.Linear(size, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.01)]

        sizes = (inputs + noise, *[hidden] * 4)
        self.layers = nn.Sequential(*(m for size in sizes for m in layer(size)))
        self.head = nn.Linear(hidden, outputs)

    def forward(
        self, pose: Float[Tensor, "n inputs"], noise: Float[Tensor, "n noise"]
    ) -> Float[Tensor, "n outputs"]:
        return self.head(self.layers(torch.cat([pose, noise], dim=1)))


class Generator(nn.Module):
    """Change bone angles and bone lengths, then camera view, position and focal length.

    Args:
        skeleton: joint format of the poses.
        hidden: width of the four networks.
        vary_focal: draw focal lengths log-uniformly from `FOCAL`; otherwise keep those of the
            sources.
        roll_std: standard deviation of the random roll, degrees.
    """

    def __init__(
        self, skeleton: Skeleton, hidden: int = 256, vary_focal: bool = True, roll_std: float = 10.0
    ):
        super().__init__()
        self.skeleton, self.vary_focal = skeleton, vary_focal
        self.roll_std = math.radians(roll_std)
        size, bones = 3 * skeleton.n_joints, len(skeleton.bones)
        self.angle_net = PoseNet(size, size, 3 * bones, hidden)
        self.length_net = PoseNet(size + bones, size, bones, hidden)
        self.view_net = PoseNet(size, size, 3, hidden)
        self.position_net = PoseNet(size, size, 3, hidden)

        def keep(names):
            return torch.tensor([float(b not in names) for b in skeleton.bone_names])

        self.register_buffer("bends", keep(RIGID)[:, None], persistent=False)
        self.register_buffer("stretches", keep(FIXED_LENGTH), persistent=False)

    def forward(
        self,
        pose3d: Float[Tensor, "n joints 3"],
        focal: Float[Tensor, "n 2"],
        random: torch.Generator | RandomInputs | None = None,
    ) -> Generated:
        """Generate a pair from each pose.

        Args:
            pose3d: camera frame, metres, absolute.
            focal: focal lengths of the source cameras, normalised.
            random: random numbers (`draw`), or a random generator to draw them from.
        """
        if not isinstance(random, RandomInputs):
            random = self.draw(len(pose3d), random, pose3d.device)
        root = pose3d[:, self.skeleton.root_index]
        relative = root_relative(pose3d, self.skeleton)
        bones = bone_vectors(relative, self.skeleton)
        bent, cosine_change = self.bend(bones, relative, random)
        stretched, length_change = self.stretch(bent, bones, relative, random)
        body = pose_from_bones(stretched, self.skeleton)
        rotation, camera = self.place(relative, focal, random)
        pose3d = body @ rotation.mT + camera.translation[:, None]
        return Generated(
            bent3d=pose_from_bones(bent, self.skeleton, root),
            pose3d=pose3d,
            pose2d=camera.project(pose3d),
            camera=camera,
            cosine_change=cosine_change,
            length_change=length_change,
        )

    def draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> RandomInputs:
        """Draw the random numbers of n pairs."""

        def normal(size: int) -> Tensor:
            return torch.randn(n, size, generator=generator, device=device)

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, generator=generator, device=device)

        noise = 3 * self.skeleton.n_joints
        low, high = (math.log(f) for f in FOCAL)
        return RandomInputs(
            angle=normal(noise),
            length=normal(noise),
            heading=uniform(0.0, 2 * math.pi),
            pitch=uniform(*PITCH),
            roll=self.roll_std * torch.randn(n, generator=generator, device=device),
            view=normal(noise),
            focal=uniform(low, high).exp() if self.vary_focal else None,
            center=CENTER_STD * normal(2),
            position=normal(noise),
            depth=uniform(*DEPTH),
            image_position=torch.stack([uniform(-side, side) for side in POSITION_RANGE], dim=1),
        )

    def bend(self, bones: Tensor, relative: Tensor, random: RandomInputs) -> tuple[Tensor, Tensor]:
        """Change bone directions and keep lengths; also return 1 - cosine of the change."""
        before = unit(bones)
        change = self.angle_net(relative.flatten(1), random.angle).view_as(bones) * self.bends
        after = unit(before + change)
        return after * bones.norm(dim=-1, keepdim=True), 1 - (before * after).sum(-1)

    def stretch(
        self, bent: Tensor, bones: Tensor, relative: Tensor, random: RandomInputs
    ) -> tuple[Tensor, Tensor]:
        """Change bone lengths, left and right alike; also return the relative change."""
        lengths = bones.norm(dim=-1)
        raw = self.length_net(torch.cat([relative.flatten(1), lengths], dim=1), random.length)
        mirror = constant(_bone_mirror, self.skeleton, raw.device, torch.long)
        raw = (raw + raw.index_select(1, mirror)) / 2
        ratio = MAX_LENGTH_CHANGE * torch.tanh(raw) * self.stretches
        return bent * (1 + ratio)[..., None], ratio

    def place(
        self, relative: Tensor, focal: Tensor, random: RandomInputs
    ) -> tuple[Float[Tensor, "n 3 3"], Camera]:
        """Return the rotation of the pose, and the camera with the position of the root."""
        return self.rotation(relative, random), self.camera(relative, focal, random)

    def rotation(self, relative: Tensor, random: RandomInputs) -> Float[Tensor, "n 3 3"]:
        """Return the view: random heading, pitch and roll, changed by the network."""
        raw = self.view_net(relative.flatten(1), random.view)
        change = MAX_ROTATION * torch.tanh(raw)
        return (
            rotvec_to_rotmat(change)
            @ _roll_rotation(random.roll)
            @ _view_rotation(random.heading, random.pitch)
        )

    def camera(self, relative: Tensor, focal: Tensor, random: RandomInputs) -> Camera:
        """Return the camera: focal length, principal point and position of the root.

        Image position and depth of the root are drawn at random and shifted by the network, so that
        the whole range stays covered when the network has converged.
        """
        if random.focal is not None:
            focal = random.focal[:, None].expand(-1, 2)
        shift = MAX_SHIFT * torch.tanh(self.position_net(relative.flatten(1), random.position))
        depth = torch.maximum(random.depth, MIN_DEPTH_PER_FOCAL * focal.mean(1))[:, None]
        depth = depth * torch.exp(shift[:, 2:])
        position = random.image_position + shift[:, :2]
        translation = torch.cat([(position - random.center) / focal * depth, depth], dim=1)
        return Camera(focal, random.center, translation)


def _roll_rotation(roll: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Return the rotation by `roll` about z, the viewing direction."""
    c, s = roll.cos(), roll.sin()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).unflatten(1, (3, 3))


def _view_rotation(
    heading: Float[Tensor, " n"], pitch: Float[Tensor, " n"]
) -> Float[Tensor, "n 3 3"]:
    """Return the rotation by `heading` about y, followed by `pitch` about x."""
    c, s, cos, sin = heading.cos(), heading.sin(), pitch.cos(), pitch.sin()
    zero = torch.zeros_like(c)
    rows = [c, zero, s, sin * s, cos, -sin * c, -cos * s, sin, cos * c]
    return torch.stack(rows, dim=1).unflatten(1, (3, 3))


def _bone_mirror(skeleton: Skeleton) -> list[int]:
    return list(skeleton.bone_mirror)


def in_view(pose2d: Float[Tensor, "n joints 2"]) -> Float[Tensor, " n"]:
    """Return 1 for poses entirely inside an image of at most aspect ratio 9:16, otherwise 0."""
    across, down = pose2d.abs().amax(dim=1).unbind(dim=-1)
    return ((across <= 1.0) & (down <= MAX_HALF_HEIGHT)).to(pose2d.dtype)
