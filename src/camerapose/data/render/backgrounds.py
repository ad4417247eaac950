"""Backgrounds: rooms, landscapes, clutter, or given images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from camerapose.data.render import textures

#: Share of rooms, landscapes, clutter.
SHARES = (0.5, 0.25, 0.25)
#: Largest number of pieces of furniture or buildings.
MAX_BOXES = 6


def draw(
    random: np.random.Generator,
    size: tuple[int, int],
    rays: Float[np.ndarray, "n 3"],
    origin: Float[np.ndarray, "3"],
    images: Sequence[Path] = (),
) -> tuple[Float[np.ndarray, "h w 3"], bool]:
    """Return a background, 0 to 1, and whether it has a floor.

    Args:
        random: generator.
        size: (width, height).
        rays: direction of each pixel in the world (z up), row-major.
        origin: position of the camera; the floor is z = 0, the person is at x = y = 0.
        images: files to choose from instead of procedural backgrounds.
    """
    width, height = size
    if images:
        return _photo(random, size, images[random.integers(len(images))]), False
    kind = random.choice(3, p=SHARES)
    if kind == 2:
        return _clutter(random, size), False
    flat = _room(random, rays, origin) if kind == 0 else _landscape(random, rays, origin)
    return flat.reshape(height, width, 3), True


def _photo(random: np.random.Generator, size: tuple[int, int], path: Path) -> np.ndarray:
    """Return a random crop of an image with the aspect of the background."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    scale = random.uniform(0.5, 1) * min(image.width / size[0], image.height / size[1])
    w, h = scale * size[0], scale * size[1]
    x, y = random.uniform(0, image.width - w), random.uniform(0, image.height - h)
    return np.asarray(image.resize(size, box=(x, y, x + w, y + h)), np.float32) / 255


def _clutter(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return overlapping shapes on noise."""
    tile = textures.noise_tile(random, random.uniform(0.8, 2))
    first, second = textures.colour(random), textures.colour(random)
    noise = Image.fromarray((255 * tile).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    mix = np.asarray(noise, np.float32)[..., None] / 255
    image = Image.fromarray((255 * (first + mix * (second - first))).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(random.integers(0, 40)):
        center = random.uniform(0, 1, 2) * size
        extent = np.exp(random.uniform(np.log(0.02), np.log(0.4), 2)) * min(size)
        fill = tuple((255 * textures.colour(random)).astype(int).tolist())
        box = [*(center - extent), *(center + extent)]
        kind = random.integers(4)
        if kind == 0:
            pen.rectangle(box, fill=fill)
        elif kind == 1:
            pen.ellipse(box, fill=fill)
        elif kind == 2:
            corners = center + extent * random.normal(0, 1, (random.integers(3, 7), 2))
            pen.polygon([tuple(c) for c in corners.tolist()], fill=fill)
        else:
            pen.line(box, fill=fill, width=int(random.integers(1, 12)))
    return np.asarray(image, np.float32) / 255


class _Surface:
    """A plane's appearance: pattern, noise, and rectangles such as posters and rugs."""

    def __init__(self, random: np.random.Generator, size: float) -> None:
        self.pattern = textures.pattern(random, size)
        self.tile = textures.noise_tile(random, random.uniform(0.7, 1.8))
        self.strength = random.uniform(0, 0.6)
        self.period = np.exp(random.uniform(np.log(0.5), np.log(8)))
        self.patches = [
            (random.uniform(-4, 4, 2), random.uniform(0.2, 1.2, 2), textures.pattern(random, 0.2))
            for _ in range(random.integers(0, 5))
        ]

    def colours(self, points: np.ndarray) -> np.ndarray:
        """Return colours (n, 3) at points (n, 2) of the plane, metres."""
        noise = textures.lookup(self.tile, points, self.period)[:, None] - 0.5
        result = self.pattern(points) * (1 + self.strength * noise)
        for center, extent, pattern in self.patches:
            rows = np.flatnonzero((np.abs(points - center) < extent).all(1))
            result[rows] = pattern(points[rows])
        return result


def _room(random: np.random.Generator, rays: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the colours of a box-shaped room around camera and person, with furniture."""
    turn = _turn(random)
    rays, origin = rays @ turn, origin @ turn
    margin = random.uniform(0.5, 4, (2, 3))
    low = np.minimum(origin, 0) - margin[0]
    high = np.maximum(origin, 0) + margin[1]
    low[2], high[2] = 0, max(random.uniform(2.2, 4), origin[2] + 0.3)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(rays > 0, (high - origin) / rays, (low - origin) / rays)
    axis = np.nanargmin(np.where(np.isfinite(distance), distance, np.inf), 1)
    depth = np.clip(distance[np.arange(len(rays)), axis], 0, 100)
    result = np.zeros((len(rays), 3))
    for which in range(6):
        rows = np.flatnonzero((axis == which % 3) & ((rays[:, which % 3] > 0) == (which < 3)))
        surface = _Surface(random, 0.4) if len(rows) else None
        if surface:
            points = origin + rays[rows] * depth[rows, None]
            plane = points[:, [i for i in range(3) if i != which % 3]]
            result[rows] = surface.colours(plane) * random.uniform(0.5, 1.1)
    _add_boxes(random, result, depth, rays, origin, far=3.5)
    return result


def _landscape(random: np.random.Generator, rays: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the colours of an open place with a sky and some buildings or bushes."""
    up = rays[:, 2] / np.linalg.norm(rays, axis=1)
    sky, zenith = 0.5 + 0.5 * textures.colour(random), textures.colour(random)
    result = sky + np.clip(up, 0, 1)[:, None] * (zenith - sky)
    azimuth = np.arctan2(rays[:, 1], rays[:, 0])
    trees = textures.noise_tile(random, 1.3)
    height = random.uniform(0.02, 0.4) * textures.lookup(
        trees, np.stack([azimuth, 0 * azimuth], 1), 2 * np.pi
    )
    forest = textures.lookup(trees, np.stack([azimuth, up], 1), 0.8)[:, None]
    result = np.where((up < height)[:, None], textures.colour(random) * forest, result)
    depth = np.full(len(rays), 100.0)
    rows = np.flatnonzero(up < -1e-3)
    depth[rows] = np.clip(-origin[2] / rays[rows, 2], 0, 100)
    points = (origin + rays[rows] * depth[rows, None])[:, :2]
    result[rows] = _Surface(random, 0.8).colours(points)
    _add_boxes(random, result, depth, rays, origin, far=12.0)
    return result


def _add_boxes(random, result, depth, rays, origin, far: float) -> None:
    """Draw boxes on the floor that are farther away than the person."""
    nearest = np.linalg.norm(origin[:2]) + 0.6
    for _ in range(random.integers(0, MAX_BOXES + 1)):
        half = np.exp(random.uniform(np.log(0.1), np.log(far / 5), 3))
        center = np.append(random.uniform(-far, far, 2), half[2])
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (center - half - origin) / rays, (center + half - origin) / rays
        entry, leave = np.minimum(a, b), np.maximum(a, b).min(1)
        axis = np.nan_to_num(entry, nan=-np.inf).argmax(1)
        first = entry[np.arange(len(rays)), axis]
        rows = np.flatnonzero((first < leave) & (first < depth) & (first > nearest * 0.7))
        flat = np.linalg.norm(rays[rows, :2] * first[rows, None], axis=1)
        rows = rows[flat > nearest]
        if len(rows):
            points = (origin + rays[rows] * first[rows, None] - center) @ _SKEW
            shade = np.array(random.uniform(0.5, 1.1, 3))[axis[rows], None]
            result[rows] = textures.pattern(random, 0.3)(points) * shade
            depth[rows] = first[rows]


#: Maps a box's surface to the plane of a pattern such that no face is constant.
_SKEW = np.array([[1.0, 0.13, 0], [0.11, 1, 0], [0.17, 0.9, 0]])[:, :2]


def _turn(random: np.random.Generator) -> np.ndarray:
    angle = random.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def resize(image: Float[np.ndarray, "h w c"], size: tuple[int, int]) -> Float[np.ndarray, "..."]:
    """Return an image, 0 to 1, at another size (bilinear)."""
    as_bytes = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    resized = Image.fromarray(as_bytes).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32) / 255


def to_bytes(image: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Return an image, 0 to 1, as uint8."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
