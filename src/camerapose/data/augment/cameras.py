"""Random cameras: focal length, pitch, roll, distance, position in the image, selfies."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class CameraOptions:
    """Distributions of the cameras. All values are assumptions; ranges follow consumer cameras."""

    focal: tuple[float, float] = (0.8, 4.0)
    """Focal length in half image widths, log-uniform: horizontal fields of view of 103 to 28
    degrees."""
    pitch: tuple[float, float] = (10.0, 18.0)
    """Mean and standard deviation of the angle below the horizon, degrees."""
    steep: float = 0.08
    """Share of cameras whose pitch is uniform up to straight down (drones, surveillance)."""
    roll: float = 8.0
    """Standard deviation, degrees."""
    distance: tuple[float, float] = (1.0, 15.0)
    """Distance of the root joint, metres, log-uniform, but at least `closest` times the focal
    length."""
    closest: float = 0.8
    """Smallest distance in metres per half image width of focal length: 0.8 shows half a body."""
    off_centre: float = 0.35
    """Standard deviation of the root joint's position, relative to half the width and height."""
    anywhere: float = 0.3
    """Share of people who are anywhere in the image, truncated by its border if they are near."""
    selfie: float = 0.03
    """Share of cameras at arm's length in front of the face."""
    aspects: tuple[float, ...] = (9 / 16, 9 / 16, 3 / 4, 1.0, 4 / 3, 16 / 9, 16 / 9)
    """Image heights relative to the width, equally probable."""


class View(NamedTuple):
    """Poses in camera frames, and the cameras; one row per pose."""

    pose3d: Float[Tensor, "n joints 3"]  # camera frame, absolute, metres
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    aspect: Float[Tensor, " n"]  # image height relative to its width
    rotation: Float[Tensor, "n 3 3"]  # from the world (z up) to the camera

    def project(self) -> Float[Tensor, "n joints 2"]:
        """Return the poses in normalised image coordinates."""
        rays = self.pose3d[..., :2] / self.pose3d[..., 2:]
        return rays * self.focal[:, None] + self.center[:, None]

    def inside(self) -> Tensor:
        """Return which joints are inside the image (n, joints)."""
        x, y = self.project().unbind(-1)
        return (x.abs() <= 1) & (y.abs() <= self.aspect[:, None])


#: Smallest depth of a joint, metres; closer people are moved away.
MIN_DEPTH = 0.25
#: Range of the distance of the face, and of the focal length, of selfies.
SELFIE_DISTANCE, SELFIE_FOCAL = (0.35, 0.9), (0.8, 1.6)


def draw_views(
    pose3d: Float[Tensor, "n joints 3"],
    root: int,
    head: int,
    options: CameraOptions,
    generator: torch.Generator | None = None,
) -> View:
    """Return poses as random cameras see them.

    The heading is uniform. The principal point is the image centre.

    Args:
        pose3d: world axes, z up, metres; the origin does not matter.
        root: joint whose distance and position in the image are drawn.
        head: the same joint for selfies.
        options: distributions.
        generator: random generator.
    """
    n, device = len(pose3d), pose3d.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    is_selfie = uniform(0.0, 1.0) < options.selfie
    focal = uniform(*map(math.log, options.focal)).exp()
    focal = torch.where(is_selfie, uniform(*SELFIE_FOCAL), focal)
    mean, deviation = options.pitch
    pitch = mean + deviation * normal(n)
    pitch = torch.where(uniform(0.0, 1.0) < options.steep, uniform(mean, 90.0), pitch)
    rotation = rotations(
        uniform(0.0, 2 * math.pi), pitch.clamp(-60, 90).deg2rad(),
        (options.roll * normal(n)).deg2rad(),
    )  # fmt: skip
    near, far = options.distance
    start = torch.maximum(focal * options.closest, focal.new_tensor(near)).log()
    distance = (start + uniform(0.0, 1.0) * (math.log(far) - start)).exp()
    distance = torch.where(is_selfie, uniform(*SELFIE_DISTANCE), distance)
    aspects = focal.new_tensor(options.aspects)
    aspect = aspects[torch.randint(len(aspects), (n,), generator=generator, device=device)]
    place = options.off_centre * normal(n, 2)
    anywhere = torch.stack([uniform(-1.0, 1.0), uniform(-1.0, 1.0)], dim=1)
    place = torch.where(
        (uniform(0.0, 1.0) < options.anywhere)[:, None], anywhere, place.clamp(-1, 1)
    )
    place = place * torch.stack([torch.ones_like(aspect), aspect], dim=1)
    ray = torch.cat([place / focal[:, None], torch.ones_like(focal)[:, None]], dim=1)
    ray = ray / torch.linalg.vector_norm(ray, dim=1, keepdim=True)
    anchor = torch.where(is_selfie[:, None], pose3d[:, head], pose3d[:, root])
    body = (pose3d - anchor[:, None]) @ rotation.mT
    position = ray * distance[:, None]
    lacking = (MIN_DEPTH - (body[..., 2].amin(1) + position[:, 2])).clamp(min=0)
    position = position * (1 + lacking / position[:, 2])[:, None]
    both = focal[:, None].expand(-1, 2)
    return View(body + position[:, None], both, torch.zeros_like(both), aspect, rotation)


def rotations(
    heading: Float[Tensor, " n"], pitch: Float[Tensor, " n"], roll: Float[Tensor, " n"]
) -> Float[Tensor, "n 3 3"]:
    """Return rotations from the world (z up) to cameras (x right, y down, z forward).

    Args:
        heading: direction of the horizontal view, counter-clockwise from x, radians.
        pitch: angle below the horizon.
        roll: rotation about the optical axis; the image turns counter-clockwise.
    """
    zero = torch.zeros_like(heading)
    forward = torch.stack(
        [heading.cos() * pitch.cos(), heading.sin() * pitch.cos(), -pitch.sin()], dim=1
    )
    right = torch.stack([heading.sin(), -heading.cos(), zero], dim=1)
    level = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    cos, sin, one = roll.cos(), roll.sin(), torch.ones_like(roll)
    turn = torch.stack([cos, sin, zero, -sin, cos, zero, zero, zero, one], dim=1)
    return turn.unflatten(1, (3, 3)) @ level
