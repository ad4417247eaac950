"""Procedural colours: noise, and the patterns of skin, clothes, floors and walls."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Pattern = Callable[[np.ndarray], np.ndarray]
#: Pixels of a noise tile in each direction.
TILE = 256
#: Skin colours from dark to light; others are interpolated.
SKIN = np.array([
    [65, 44, 36], [105, 70, 52], [150, 102, 76], [190, 138, 108], [224, 178, 150], [244, 212, 192],
])  # fmt: skip
HAIR = np.array([
    [20, 16, 14], [50, 34, 24], [92, 60, 36], [160, 120, 70], [210, 180, 120], [170, 168, 165],
    [120, 50, 30],
])  # fmt: skip


def colour(random: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Return a random colour, 0 to 1; half are nearly grey, black or white."""
    value = random.beta(1.3, 1.0)
    saturation = 0.15 * random.random() if random.random() < 0.5 else random.beta(1.5, 2.5)
    hue = random.random() * 6 + np.array([0.0, 2.0, 4.0])
    tint = np.clip(np.abs(hue % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation + saturation * tint)).astype(np.float32)


def skin_colour(random: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Return a random skin colour, 0 to 1."""
    return _between(random, SKIN)


def hair_colour(random: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Return a random hair colour, 0 to 1."""
    return HAIR[random.integers(len(HAIR))] / 255 * random.uniform(0.7, 1.2)


def _between(random: np.random.Generator, table: np.ndarray) -> np.ndarray:
    place = random.uniform(0, len(table) - 1)
    low = min(int(place), len(table) - 2)
    mixed = table[low] + (place - low) * (table[low + 1] - table[low])
    return np.clip(mixed / 255 * random.uniform(0.9, 1.08, 3), 0, 1)


def noise_tile(random: np.random.Generator, exponent: float = 1.5) -> Float[np.ndarray, "t t"]:
    """Return periodic noise (`TILE`, `TILE`), 0 to 1, whose amplitude is frequency ** -exponent."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) * TILE
    amplitude = np.where(frequency > 0, np.maximum(frequency, 1) ** -exponent, 0)
    phase = np.exp(2j * np.pi * random.random(amplitude.shape))
    values = np.fft.irfft2(amplitude * phase, s=(TILE, TILE))
    values = values / (4 * values.std()) + 0.5
    return np.clip(values, 0, 1).astype(np.float32)


def lookup(tile: np.ndarray, points: Float[np.ndarray, "n 2"], period: float) -> np.ndarray:
    """Return a tile's values at points of a plane; it repeats after `period`."""
    cells = np.floor(points * (TILE / period)).astype(np.int64) % TILE
    return tile[cells[:, 1], cells[:, 0]]


def waves(random: np.random.Generator, frequency: float, n: int = 5) -> Pattern:
    """Return smooth noise over space, about -1 to 1, of about this frequency (cycles per unit)."""
    directions = random.normal(size=(3, n)) * 2 * np.pi * frequency / np.sqrt(3)
    phases = random.uniform(0, 2 * np.pi, n)
    scale = np.sqrt(1 / n)
    directions, phases = directions.astype(np.float32), phases.astype(np.float32)
    return lambda points: np.sin(points @ directions + phases) @ np.full(n, scale, np.float32)


def pattern(random: np.random.Generator, size: float) -> Pattern:
    """Return a random pattern: a function from points (n, k) to colours (n, 3), 0 to 1.

    Args:
        random: generator.
        size: typical width of a stripe, in the unit of the points.
    """
    kind = random.choice(["plain", "stripes", "checks", "blotches", "dots", "fade"], p=_SHARES)
    first, second = colour(random), colour(random)
    second = first + random.uniform(0.2, 1) * (second - first)
    cloth = waves(random, 1 / size)
    size = size * np.exp(random.normal(0, 0.6))
    axis = int(random.integers(3))

    def mix(points: np.ndarray) -> np.ndarray:
        other = (axis + 1) % points.shape[1]
        a, b = points[:, axis % points.shape[1]] / size, points[:, other] / size
        if kind == "stripes":
            return (a % 1 < 0.5).astype(np.float32)
        if kind == "checks":
            return 0.5 * ((a % 1 < 0.4).astype(np.float32) + (b % 1 < 0.4))
        if kind == "dots":
            return ((a % 1 - 0.5) ** 2 + (b % 1 - 0.5) ** 2 < 0.08).astype(np.float32)
        if kind == "fade":
            return np.clip(0.5 + a / 8, 0, 1)
        return (cloth(_space(points)) > 0.3).astype(np.float32) if kind == "blotches" else 0 * a

    def colours(points: np.ndarray) -> np.ndarray:
        return first + mix(points)[:, None] * (second - first)

    return colours


_SHARES = (0.62, 0.12, 0.07, 0.05, 0.04, 0.1)


def _space(points: np.ndarray) -> np.ndarray:
    if points.shape[1] == 3:
        return points
    return np.concatenate([points, np.zeros((len(points), 1))], 1)
