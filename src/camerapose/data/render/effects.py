"""What lies between scene and image: occluders, blur, noise, exposure, resolution."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFilter

from camerapose.data.render import textures
from camerapose.data.render.backgrounds import to_bytes

#: Probability of occluders, and the largest number.
OCCLUDED, MAX_OCCLUDERS = 0.3, 2
#: An object that covers a larger share of a person's joints is left out.
MAX_COVERED = 0.45


def occlude(
    random: np.random.Generator,
    image: Float[np.ndarray, "h w 3"],
    people: Sequence[Float[np.ndarray, "joints 2"]],
) -> Bool[np.ndarray, "h w"]:
    """Draw objects in front of people into the image; return the covered pixels.

    Args:
        random: generator.
        image: changed in place.
        people: joints in pixels, where the objects are likely.
    """
    height, width = image.shape[:2]
    covered = np.zeros((height, width), bool)
    if random.random() >= OCCLUDED:
        return covered
    for _ in range(random.integers(1, MAX_OCCLUDERS + 1)):
        joints = people[random.integers(len(people))]
        person = np.ptp(joints, axis=0).max()
        center = joints[random.integers(len(joints))] + 0.1 * person * random.normal(size=2)
        extent = person * np.exp(random.uniform(np.log(0.06), np.log(0.3), 2))
        mask = _shape(random, (width, height), center, extent)
        if max(_share_covered(mask, person) for person in people) > MAX_COVERED:
            continue
        rows = np.flatnonzero(mask)
        points = np.stack([rows % width, rows // width], 1).astype(float)
        shade = random.uniform(0.4, 1.1)
        pattern = textures.pattern(random, max(0.3 * person, 4.0))
        image.reshape(-1, 3)[rows] = shade * pattern(points)
        covered |= mask
    return covered


def _share_covered(mask: np.ndarray, joints: np.ndarray) -> float:
    height, width = mask.shape
    x, y = np.clip(joints, 0, [width - 1, height - 1]).astype(int).T
    return float(mask[y, x].mean())


def _shape(random, size, center, extent) -> np.ndarray:
    """Return the pixels (h, w) of a random box, ellipse, polygon or pole."""
    mask = Image.new("1", size)
    pen = ImageDraw.Draw(mask)
    low, high = center - extent, center + extent
    kind = random.integers(4)
    if kind == 0:  # from the lower border, such as a table or a plant
        high[1] = size[1]
        pen.rectangle([*low, *np.maximum(high, low)], fill=1)
    elif kind == 1:
        pen.ellipse([*low, *high], fill=1)
    elif kind == 2:
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(4, 9)))
        radius = random.uniform(0.6, 1.2, len(angles))
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None]
        pen.polygon([tuple(p) for p in (center + extent * ring).tolist()], fill=1)
    else:  # a pole or rail
        direction = random.normal(size=2) * max(size)
        ends = [*(center - direction), *(center + direction)]
        pen.line(ends, fill=1, width=max(int(0.3 * extent.min()), 2))
    return np.asarray(mask)


def blurred(image: Float[np.ndarray, "h w 3"], radius: float) -> Float[np.ndarray, "h w 3"]:
    """Return the image after Gaussian blur; the radius is in pixels."""
    filtered = Image.fromarray(to_bytes(image)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(filtered, np.float32) / 255


def photograph(
    random: np.random.Generator, image: Float[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the image as a camera records it: blur, lost resolution, exposure, noise."""
    height, width = image.shape[:2]
    photo = Image.fromarray(to_bytes(image))
    photo = photo.filter(ImageFilter.GaussianBlur(abs(random.normal(0.5, 0.4))))
    if random.random() < 0.2:
        scale = random.uniform(0.3, 0.9)
        small = (max(int(width * scale), 32), max(int(height * scale), 32))
        photo = photo.resize(small, Image.Resampling.BILINEAR).resize((width, height))
    values = np.asarray(_exposed(random, photo), np.float32) / 255
    if random.random() < 0.2:
        values = _motion_blur(random, values)
    if random.random() < 0.05:
        values = np.repeat(values.mean(2, keepdims=True), 3, 2)
    grain = random.standard_normal((height, width, 1), np.float32)
    return to_bytes(values + np.float32(abs(random.normal(0, 0.025))) * grain)


def _exposed(random: np.random.Generator, photo: Image.Image) -> Image.Image:
    """Return the image with random brightness, contrast and white balance."""
    gamma, brightness = np.exp(random.normal(-0.1, 0.2)), np.exp(random.normal(0, 0.15))
    curve = np.linspace(0, 1, 256) ** gamma * brightness
    gain = np.exp(random.normal(0, 0.08, 3))
    return photo.point(np.clip(255 * gain[:, None] * curve, 0, 255).astype(int).ravel().tolist())


def _motion_blur(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image averaged along a line of 2 to 10 pixels."""
    angle, length = random.uniform(0, np.pi), random.uniform(2, 10)
    steps = np.linspace(-length / 2, length / 2, int(length) + 1)
    shifts = {(round(s * np.sin(angle)), round(s * np.cos(angle))) for s in steps}
    pad = np.pad(image, ((6, 6), (6, 6), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    return sum(pad[6 + y : 6 + y + height, 6 + x : 6 + x + width] for y, x in shifts) / len(shifts)
