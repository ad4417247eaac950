"""Clips of one person in front of random cameras that stand still or move."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class ClipCameraOptions:
    """Distributions of the cameras of clips. All values are assumptions."""

    focal: tuple[float, float] = (1.2, 3.5)
    """Focal length in half image widths, log-uniform: fields of view of 80 to 32 degrees."""
    height: tuple[float, float] = (0.5, 3.0)
    """Height of the camera above the floor, metres, uniform."""
    fill: tuple[float, float] = (0.35, 0.8)
    """Extent of the person's whole movement relative to the smaller side of the image, uniform; it
    determines the distance."""
    off_centre: float = 0.15
    """Standard deviation of the direction to the middle of the movement, relative to half the
    width."""
    roll: float = 3.0
    """Standard deviation, degrees."""
    aspects: tuple[float, ...] = (9 / 16, 3 / 4, 1.0, 4 / 3, 16 / 9)
    """Image heights relative to the width, equally probable."""
    pan: float = 12.0
    """Standard deviation of the rotation of a moving camera, degrees per axis."""
    travel: float = 0.4
    """Standard deviation of the position of a moving camera, metres per axis."""
    period: float = 3.0
    """Time over which the motion of a moving camera decorrelates, seconds."""


class ClipCamera(NamedTuple):
    """The camera of a clip; x_camera = rotation x_world + translation.

    Attributes:
        focal: normalised units; the principal point is the image centre.
        aspect: height of the image relative to its width.
        rotation: from the world (z up) to the camera, one per frame.
        translation: metres, one per frame.
    """

    focal: float
    aspect: float
    rotation: Float[np.ndarray, "t 3 3"]
    translation: Float[np.ndarray, "t 3"]

    def to_camera(self, world: Float[np.ndarray, "t joints 3"]) -> Float[np.ndarray, "t joints 3"]:
        """Transform points to the camera frame, metres."""
        return world @ np.swapaxes(self.rotation, 1, 2) + self.translation[:, None]

    @property
    def up(self) -> Float[np.ndarray, "t 3"]:
        """Upward unit vector in the camera frame."""
        return self.rotation[:, :, 2]

    @property
    def height(self) -> Float[np.ndarray, " t"]:
        """Height of the camera above the world's origin, metres."""
        return -np.einsum("tij,ti->tj", self.rotation, self.translation)[:, 2]


def draw_camera(
    world: Float[np.ndarray, "t joints 3"],
    times: Float[np.ndarray, " t"],
    options: ClipCameraOptions,
    rng: np.random.Generator,
    *,
    moving: bool = False,
) -> ClipCamera:
    """Return a random camera that sees a clip.

    Args:
        world: world frame, z up, metres; the lowest joint stands on the floor.
        times: seconds.
        options: distributions.
        rng: random generator.
        moving: the camera pans and travels smoothly.
    """
    low, high = world.reshape(-1, 3).min(0), world.reshape(-1, 3).max(0)
    middle, extent = (low + high) / 2, float(np.linalg.norm(high - low))
    focal = float(np.exp(rng.uniform(*np.log(options.focal))))
    aspect = float(rng.choice(options.aspects))
    side = min(1.0, aspect)
    distance = focal * extent / (2 * side * rng.uniform(*options.fill)) + extent / 2
    heading = rng.uniform(0, 2 * math.pi)
    height = rng.uniform(*options.height) + low[2] - middle[2]
    height = float(np.clip(height, -0.8 * distance, 0.8 * distance))
    level = math.sqrt(distance**2 - height**2)
    offset = np.array([level * math.cos(heading), level * math.sin(heading), height])
    offset = np.repeat(offset[None], len(times), 0)
    turn = np.zeros((len(times), 3))
    if moving:
        offset += options.travel * _smooth_noise(times, options.period, rng)
        turn = np.radians(options.pan) * _smooth_noise(times, options.period, rng)
        turn[:, 2] /= 4  # cameras pan and tilt, but seldom roll
    aim = rng.normal(0, options.off_centre / focal, 2) * (1, side)
    roll = math.radians(rng.normal(0, options.roll))
    rotation = _look(-offset) if moving else np.repeat(_look(-offset[:1]), len(times), 0)
    rotation = _rotations(np.array([aim[1], aim[0], roll]) + turn) @ rotation
    translation = -np.einsum("tij,tj->ti", rotation, middle + offset)
    return ClipCamera(focal, aspect, rotation, translation)


def _look(direction: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3 3"]:
    """Return rotations from the world (z up) to level cameras that face a direction."""
    forward = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def _rotations(angles: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3 3"]:
    """Return rotations about the camera's x, then y, then z axis, radians."""
    result = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for axis in range(3):
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.zeros_like(result)
        cos, sin = np.cos(angles[..., axis]), np.sin(angles[..., axis])
        turn[..., axis, axis], turn[..., i, i], turn[..., j, j] = 1.0, cos, cos
        turn[..., i, j], turn[..., j, i] = -sin, sin
        result = turn @ result
    return result


def _smooth_noise(
    times: Float[np.ndarray, " t"], period: float, rng: np.random.Generator
) -> Float[np.ndarray, "t 3"]:
    """Return three random functions of time, smooth, with a standard deviation of about one."""
    frequency = rng.uniform(0.2, 1.0, (4, 3)) / period
    phase = rng.uniform(0, 2 * math.pi, (4, 3))
    return np.sin(2 * math.pi * frequency * times[:, None, None] + phase).sum(1) / math.sqrt(2)
