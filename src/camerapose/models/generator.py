"""The pose generator: new 2D-3D pairs, with exact cameras, from given 3D poses.

CameraPose (section 3.3) takes over PoseAug's three operations (Gong et al., CVPR 2021): bone
angle, bone length, camera view and position. To these it adds the focal length: laboratory data
know one field of view, a generated camera's is known exactly for nothing.
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

#: Bones whose direction stays: the trunk carries everything else.
STIFF = ("spine", "thorax")
#: The bone whose length stays, so that bone lengths do not become a second scale.
FIXED_LENGTH = ("thorax",)
#: A bone becomes at most this much longer or shorter.
LENGTH_CHANGE = 0.2
#: The network turns the view by at most this about each axis (radians), on from a random heading,
#: pitch and roll: cameras look down and up at people, but seldom at people on their heads.
LARGEST_TURN = math.pi / 8
#: Range of random pitches (radians): from looking up at people to looking down on them.
PITCH = (-math.radians(15), math.radians(45))
#: Range of generated focal lengths, normalised units: fields of view of 90 to 28 degrees.
FOCAL = (1.0, 4.0)
#: Spread of generated principal points about the image's middle, normalised units.
CENTER_SPREAD = 0.03
#: Nearest and farthest generated root, metres.
DEPTH = (1.5, 9.0)
#: Generated people are no nearer than this times the focal length: then they fit the picture.
NEAREST_BY_FOCAL = 0.6
#: The root's place in the image is drawn from this far to each side of its middle, normalised
#: units; the network moves it on by at most `LARGEST_SHIFT`, and the depth by as large a share.
PLACE = (0.6, 1.0)
LARGEST_SHIFT = 0.3
#: Half height of the tallest pictures (9:16), normalised units.
TALLEST = 16 / 9


class Generated(NamedTuple):
    """Poses after each operation, and the camera that sees the last of them."""

    bent3d: Float[Tensor, "n joints 3"]  # after bone angle; the source's root
    pose3d: Float[Tensor, "n joints 3"]  # after all three, camera frame, absolute
    pose2d: Float[Tensor, "n joints 2"]  # its projection, normalised
    camera: Camera
    cosine_change: Float[Tensor, "n bones"]  # 1 - cosine between each bone before and after
    length_change: Float[Tensor, "n bones"]  # relative


class Draws(NamedTuple):
    """Everything random in a generated pair, a row a pose."""

    angle: Float[Tensor, "n noise"]  # what the four networks read: standard normal
    length: Float[Tensor, "n noise"]
    heading: Float[Tensor, " n"]  # radians
    pitch: Float[Tensor, " n"]  # radians
    roll: Float[Tensor, " n"]  # radians
    view: Float[Tensor, "n noise"]
    focal: Float[Tensor, " n"] | None  # normalised; None: the source's
    center: Float[Tensor, "n 2"]  # normalised
    position: Float[Tensor, "n noise"]
    depth: Float[Tensor, " n"]  # metres
    place: Float[Tensor, "n 2"]  # normalised


class PoseNet(nn.Module):
    """A pose (and what else is given) with as much noise in, raw parameters out."""

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
    """Bone angle, bone length, then camera view, position and focal length.

    Args:
        skeleton: of the poses.
        hidden: width of the four networks.
        vary_focal: draw focal lengths log-uniformly from `FOCAL`; if not, all see the source's.
        roll: spread of random rolls, degrees.
    """

    def __init__(
        self, skeleton: Skeleton, hidden: int = 256, vary_focal: bool = True, roll: float = 10.0
    ):
        super().__init__()
        self.skeleton, self.vary_focal, self.roll = skeleton, vary_focal, math.radians(roll)
        size, bones = 3 * skeleton.n_joints, len(skeleton.bones)
        self.angle_net = PoseNet(size, size, 3 * bones, hidden)
        self.length_net = PoseNet(size + bones, size, bones, hidden)
        self.view_net = PoseNet(size, size, 3, hidden)
        self.position_net = PoseNet(size, size, 3, hidden)

        def keep(names):
            return torch.tensor([float(b not in names) for b in skeleton.bone_names])

        self.register_buffer("bends", keep(STIFF)[:, None], persistent=False)
        self.register_buffer("stretches", keep(FIXED_LENGTH), persistent=False)

    def forward(
        self,
        pose3d: Float[Tensor, "n joints 3"],
        focal: Float[Tensor, "n 2"],
        chance: torch.Generator | Draws | None = None,
    ) -> Generated:
        """Make a new pair from each pose.

        Args:
            pose3d: camera frame, metres, absolute.
            focal: the source camera's, normalised.
            chance: what was drawn (`draw`), or where to draw it from.
        """
        if not isinstance(chance, Draws):
            chance = self.draw(len(pose3d), chance, pose3d.device)
        root = pose3d[:, self.skeleton.root_index]
        relative = root_relative(pose3d, self.skeleton)
        bones = bone_vectors(relative, self.skeleton)
        bent, cosine_change = self.bend(bones, relative, chance)
        stretched, length_change = self.stretch(bent, bones, relative, chance)
        body = pose_from_bones(stretched, self.skeleton)
        rotation = self.rotation(relative, chance)
        camera = self.camera(relative, focal, chance)
        made = body @ rotation.mT + camera.translation[:, None]
        return Generated(
            bent3d=pose_from_bones(bent, self.skeleton, root),
            pose3d=made,
            pose2d=camera.project(made),
            camera=camera,
            cosine_change=cosine_change,
            length_change=length_change,
        )

    def draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Draws:
        """All that is random in n pairs; the networks only move it on."""

        def normal(size: int) -> Tensor:
            return torch.randn(n, size, generator=generator, device=device)

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, generator=generator, device=device)

        noise = 3 * self.skeleton.n_joints
        low, high = (math.log(f) for f in FOCAL)
        return Draws(
            angle=normal(noise),
            length=normal(noise),
            heading=uniform(0.0, 2 * math.pi),
            pitch=uniform(*PITCH),
            roll=self.roll * torch.randn(n, generator=generator, device=device),
            view=normal(noise),
            focal=uniform(low, high).exp() if self.vary_focal else None,
            center=CENTER_SPREAD * normal(2),
            position=normal(noise),
            depth=uniform(*DEPTH),
            place=torch.stack([uniform(-side, side) for side in PLACE], dim=1),
        )

    def bend(self, bones: Tensor, relative: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Bone angle: new directions, lengths kept."""
        before = unit(bones)
        change = self.angle_net(relative.flatten(1), draws.angle).view_as(bones) * self.bends
        after = unit(before + change)
        return after * bones.norm(dim=-1, keepdim=True), 1 - (before * after).sum(-1)

    def stretch(
        self, bent: Tensor, bones: Tensor, relative: Tensor, draws: Draws
    ) -> tuple[Tensor, Tensor]:
        """Bone length: each bone by up to a fifth, left and right alike."""
        lengths = bones.norm(dim=-1)
        raw = self.length_net(torch.cat([relative.flatten(1), lengths], dim=1), draws.length)
        mirror = constant(_bone_mirror, self.skeleton, raw.device, torch.long)
        raw = (raw + raw.index_select(1, mirror)) / 2
        ratio = LENGTH_CHANGE * torch.tanh(raw) * self.stretches
        return bent * (1 + ratio)[..., None], ratio

    def rotation(self, relative: Tensor, draws: Draws) -> Float[Tensor, "n 3 3"]:
        """Camera view: a random heading, pitch and roll, turned on by the network."""
        raw = self.view_net(relative.flatten(1), draws.view)
        turn = LARGEST_TURN * torch.tanh(raw)
        return rotvec_to_rotmat(turn) @ _tilted(draws.roll) @ _view(draws.heading, draws.pitch)

    def camera(self, relative: Tensor, focal: Tensor, draws: Draws) -> Camera:
        """Camera position and focal length: the root's place in the image, and its depth.

        Each is drawn at random and moved on by the network, so that no part of the range is
        forgotten when the network settles.
        """
        if draws.focal is not None:
            focal = draws.focal[:, None].expand(-1, 2)
        shift = LARGEST_SHIFT * torch.tanh(self.position_net(relative.flatten(1), draws.position))
        depth = torch.maximum(draws.depth, NEAREST_BY_FOCAL * focal.mean(1))[:, None]
        depth = depth * torch.exp(shift[:, 2:])
        place = draws.place + shift[:, :2]
        translation = torch.cat([(place - draws.center) / focal * depth, depth], dim=1)
        return Camera(focal, draws.center, translation)


def _tilted(roll: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """A turn by `roll` about z, the viewing direction."""
    c, s = roll.cos(), roll.sin()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).unflatten(1, (3, 3))


def _view(heading: Float[Tensor, " n"], pitch: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """A turn by `heading` about y, then one by `pitch` about x."""
    c, s, cos, sin = heading.cos(), heading.sin(), pitch.cos(), pitch.sin()
    zero = torch.zeros_like(c)
    rows = [c, zero, s, sin * s, cos, -sin * c, -cos * s, sin, cos * c]
    return torch.stack(rows, dim=1).unflatten(1, (3, 3))


def _bone_mirror(skeleton: Skeleton) -> list[int]:
    return list(skeleton.bone_mirror)


def in_view(pose2d: Float[Tensor, "n joints 2"]) -> Float[Tensor, " n"]:
    """1 for poses that stand wholly inside an image no taller than `TALLEST`, else 0."""
    across, down = pose2d.abs().amax(dim=1).unbind(dim=-1)
    return ((across <= 1.0) & (down <= TALLEST)).to(pose2d.dtype)
