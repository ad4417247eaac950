"""Random cameras of rendered images."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

#: Sizes of the images, pixels; landscape, portrait and square.
SIZES = (
    (640, 480), (640, 360), (480, 640), (360, 640), (512, 512), (384, 288), (288, 384), (256, 256),
)  # fmt: skip
#: Range of the focal length in half image widths (of the longer side), log-uniform.
FOCAL = (0.9, 4.0)
#: Pitch (positive: down) and roll, degrees: mean and standard deviation; limits of the pitch.
PITCH, ROLL, PITCH_LIMITS = (10.0, 20.0), (0.0, 8.0), (-45.0, 85.0)
#: Longer side of the person's box relative to the shorter side of the image, log-uniform.
EXTENT = (0.4, 1.25)
#: Limits of the distance, metres.
DISTANCE = (0.9, 15.0)
#: Probability that the person is cut by the border, and the largest share outside.
TRUNCATED, MAX_OUTSIDE = 0.2, 0.4
#: Lowest position of a camera above the floor, metres, and number of attempts to find one.
MIN_HEIGHT, ATTEMPTS = 0.15, 20


@dataclass(frozen=True)
class View:
    """A pinhole camera with the principal point in the image centre.

    Attributes:
        size: (width, height), pixels.
        focal: pixels.
        rotation: world (z up) to camera (x right, y down, z forward).
        translation: position of the world's origin in the camera frame, metres.
    """

    size: tuple[int, int]
    focal: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def to_camera(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Transform world points to the camera frame."""
        return points @ self.rotation.T + self.translation

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Project points of the camera frame to pixels; depth is at least 1 cm."""
        depth = np.maximum(points[..., 2:], 0.01)
        return points[..., :2] / depth * self.focal + np.array(self.size) / 2

    def rays(self, step: int = 1) -> Float[np.ndarray, "n 3"]:
        """Return the direction (z = 1 in the camera) of each `step`-th pixel, in the world."""
        width, height = (n // step for n in self.size)
        x = ((np.arange(width) + 0.5) * step - self.size[0] / 2) / self.focal
        y = ((np.arange(height) + 0.5) * step - self.size[1] / 2) / self.focal
        grid = np.stack(np.broadcast_arrays(x[None], y[:, None], 1.0), -1).reshape(-1, 3)
        return grid @ self.rotation

    @property
    def position(self) -> Float[np.ndarray, "3"]:
        """Position of the camera in the world."""
        return -self.rotation.T @ self.translation


def draw(random: np.random.Generator, points: Float[np.ndarray, "n 3"]) -> View:
    """Return a camera that sees a person.

    Distance and position are such that the person's box has a random size and place in the image;
    sometimes the border cuts it. The camera is above the floor, z = 0.

    Args:
        random: generator.
        points: surface points of the person in the world.
    """
    for _ in range(ATTEMPTS):
        view = _draw(random, points)
        if view.position[2] > MIN_HEIGHT:
            break
    return view


def _draw(random: np.random.Generator, points: np.ndarray) -> View:
    size = SIZES[random.integers(len(SIZES))]
    focal = np.exp(random.uniform(*np.log(FOCAL))) * max(size) / 2
    rotation = _rotation(random)
    wanted = np.exp(random.uniform(*np.log(EXTENT))) * min(size)
    seen = points @ rotation.T
    center = (seen.min(0) + seen.max(0)) / 2
    extent = np.ptp(seen[:, :2], axis=0)
    distance = focal * extent.max() / wanted
    half = np.ptp(seen[:, 2]) / 2
    distance = float(np.clip(distance, max(DISTANCE[0], half + 0.4), DISTANCE[1]))
    place = _place(random, size, focal * extent / distance)
    ray = (place - np.array(size) / 2) / focal
    translation = distance * np.append(ray, 1.0) - center
    return View(size, float(focal), rotation, translation)


def _place(random: np.random.Generator, size: tuple[int, int], box: np.ndarray) -> np.ndarray:
    """Return the pixel of the person's centre, given the size of the box in pixels."""
    image = np.array(size, float)
    free = np.maximum(image - box, 0) / 2
    place = image / 2 + random.uniform(-1, 1, 2) * free
    if random.random() < TRUNCATED:
        axis, side = random.integers(2), random.choice([-1, 1])
        outside = random.uniform(0, MAX_OUTSIDE) * box[axis]
        place[axis] = image[axis] / 2 + side * (image[axis] / 2 - box[axis] / 2 + outside)
    return place


def _rotation(random: np.random.Generator) -> np.ndarray:
    """Return a rotation from the world (z up) to a camera with random heading, pitch and roll."""
    heading = random.uniform(0, 2 * np.pi)
    pitch = np.deg2rad(np.clip(random.normal(*PITCH), *PITCH_LIMITS))
    roll = np.deg2rad(random.normal(*ROLL))
    c, s = np.cos(heading), np.sin(heading)
    level = np.array([[s, -c, 0], [0, 0, -1], [c, s, 0]])  # right, down, forward
    c, s = np.cos(pitch), np.sin(pitch)
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ tilt @ level
