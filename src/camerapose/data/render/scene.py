"""Images of one or two people: placement, rendering, and what the labels are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageFilter

from camerapose.data.render import backgrounds, cameras, effects
from camerapose.data.render.bodies import Bodies, Body
from camerapose.data.render.cameras import View
from camerapose.data.render.clothing import Anatomy, Outfit
from camerapose.data.render.rasterizer import rasterize, vertex_normals

#: Probability of a second person, and the range of the distance between both, metres.
SECOND, APART = 0.3, (0.4, 2.5)
#: A joint is hidden if a surface of the person is nearer by this share of its height ...
OWN_DEPTH = 0.07
#: ... or another surface by this many metres.
OTHER_DEPTH = 0.02
#: Backgrounds are drawn at every n-th pixel.
BACKGROUND_STEP = 2
#: Visibility of a joint, as in COCO.
OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2


@dataclass(frozen=True)
class Person:
    """Labels of one person.

    Attributes:
        coco: surface points in the camera frame, metres.
        bones: bone heads and the top of the head in the camera frame, metres.
        pixels: true 2D of `coco`.
        visible: `OUTSIDE`, `HIDDEN` or `VISIBLE` for each point of `coco`.
    """

    coco: Float[np.ndarray, "23 3"]
    bones: Float[np.ndarray, "bones 3"]
    pixels: Float[np.ndarray, "23 2"]
    visible: Int[np.ndarray, " 23"]


@dataclass(frozen=True)
class Scene:
    """One image with its camera and people; the first person is the one it was made for."""

    image: UInt8[np.ndarray, "h w 3"]
    view: View
    people: list[Person]


class Renderer:
    """Draws bodies.

    Args:
        bodies: the body model.
        images: files of backgrounds; empty: procedural backgrounds.
    """

    def __init__(self, bodies: Bodies, images: Sequence[Path] = ()) -> None:
        self.bodies, self.images = bodies, images
        self.anatomy = Anatomy(bodies)

    def draw(self, random: np.random.Generator, first: Body, second: Body | None) -> Scene:
        """Return a random image of a body, and of a second one behind, before or beside it."""
        placed = [_stand(first)]
        view = cameras.draw(random, placed[0].vertices)
        if second is not None:
            angle, apart = random.uniform(0, 2 * np.pi), random.uniform(*APART)
            offset = apart * np.array([np.cos(angle), np.sin(angle), 0.0])
            other = _move(_stand(second), offset)
            if view.to_camera(other.vertices)[:, 2].min() > 0.5:
                placed.append(other)
        image, has_floor = backgrounds.draw(
            random,
            tuple(n // BACKGROUND_STEP for n in view.size),
            view.rays(BACKGROUND_STEP),
            view.position,
            self.images,
        )
        if random.random() < 0.5:
            image = effects.blurred(image, random.uniform(0, 1.5))
        image = backgrounds.resize(image, view.size)
        light = Light.draw(random)
        if has_floor and view.position[2] > 0.1:
            image *= self._shadow(random, placed, view, light)[..., None]
        depth, owner = self._paint(random, image, placed, view, light)
        joints = [view.project(view.to_camera(body.coco)) for body in placed]
        hidden = effects.occlude(random, image, joints)
        people = [_labels(body, view, depth, owner == i, hidden) for i, body in enumerate(placed)]
        return Scene(effects.photograph(random, image), view, people)

    def _paint(self, random, image, placed, view, light) -> tuple[np.ndarray, np.ndarray]:
        """Draw the bodies into the image; return depth and owner (-1: none) of each pixel."""
        faces, n = self.bodies.faces, len(self.bodies.template)
        outfits = [Outfit(random, self.anatomy) for _ in placed]
        dressed = [_dress(b, o, faces) for b, o in zip(placed, outfits, strict=True)]
        vertices = view.to_camera(np.concatenate(dressed))
        every = np.concatenate([faces + i * n for i in range(len(placed))])
        fragments = rasterize(view.project(vertices), vertices[:, 2], every, view.size)
        person = fragments.face // len(faces)
        normals = np.concatenate([vertex_normals(v, faces) for v in dressed]) @ view.rotation.T
        normals = fragments.interpolate(normals, every)
        values = fragments.interpolate(np.tile(self.anatomy.values, (len(placed), 1)), every)
        flat = image.reshape(-1, 3)
        for i, outfit in enumerate(outfits):
            rows = np.flatnonzero(person == i)
            colours, gloss = outfit.colours(values[rows])
            flat[fragments.pixel[rows]] = light.shade(colours, gloss, normals[rows], view)
        depth, owner = np.full(len(flat), np.inf), np.full(len(flat), -1)
        depth[fragments.pixel], owner[fragments.pixel] = fragments.depth, person
        shape = image.shape[:2]
        return depth.reshape(shape), owner.reshape(shape)

    def _shadow(self, random, placed, view, light) -> np.ndarray:
        """Return the factor by which the shadows on the floor darken the image."""
        step = 4
        size = tuple(max(n // step, 1) for n in view.size)
        cover = np.zeros(size[0] * size[1], np.float32)
        for body in placed:
            length = body.vertices[:, 2] / light.direction[2]
            flat = view.to_camera(body.vertices - length[:, None] * light.direction)
            pixels = view.project(flat) / step
            shadow = rasterize(pixels, flat[:, 2], self.bodies.faces, size, cull=False)
            cover[shadow.pixel] = 1
        mask = Image.fromarray((255 * cover.reshape(size[::-1])).astype(np.uint8))
        mask = mask.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 3)))
        mask = mask.resize(view.size, Image.Resampling.BILINEAR)
        return 1 - random.uniform(0.1, 0.6) * np.asarray(mask, np.float32) / 255


@dataclass(frozen=True)
class Light:
    """A lamp or the sun, a weaker second light, and ambient light.

    Attributes:
        direction: towards the light, in the world.
        second: the same for the second light.
        colours: rows: ambient, first, second.
    """

    direction: Float[np.ndarray, "3"]
    second: Float[np.ndarray, "3"]
    colours: Float[np.ndarray, "3 3"]

    @staticmethod
    def draw(random: np.random.Generator) -> "Light":
        """Return random lights."""
        strength = random.uniform([0.5, 0.3, 0.0], [0.9, 0.9, 0.3])
        tints = 1 + random.normal(0, 0.06, (3, 3))
        first = _direction(random, random.uniform(20, 85))
        return Light(first, _direction(random, random.uniform(-20, 60)), strength[:, None] * tints)

    def shade(self, colours, gloss, normals, view: View) -> np.ndarray:
        """Return the colours of surface points, given their normals in the camera frame."""
        first, second = self.direction @ view.rotation.T, self.second @ view.rotation.T
        unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        down = unit @ view.rotation[:, 2]
        ambient = self.colours[0] * (0.8 + 0.2 * down[:, None])
        lit = ambient + np.clip(unit @ first, 0, None)[:, None] * self.colours[1]
        lit += np.clip(unit @ second, 0, None)[:, None] * self.colours[2]
        middle = first + [0, 0, -1]
        highlight = np.clip(unit @ (middle / np.linalg.norm(middle)), 0, None) ** 24
        return colours * lit + (gloss * highlight)[:, None] * self.colours[1]


def _direction(random: np.random.Generator, elevation: float) -> np.ndarray:
    heading, up = random.uniform(0, 2 * np.pi), np.deg2rad(elevation)
    return np.array([np.cos(heading) * np.cos(up), np.sin(heading) * np.cos(up), np.sin(up)])


def _stand(body: Body) -> Body:
    """Return the body with its lowest point on the floor, centred."""
    low, high = body.vertices.min(0), body.vertices.max(0)
    return _move(body, -np.append((low + high)[:2] / 2, low[2]))


def _move(body: Body, offset: np.ndarray) -> Body:
    return Body(body.vertices + offset, body.coco + offset, body.bones + offset)


def _dress(body: Body, outfit: Outfit, faces: np.ndarray) -> np.ndarray:
    """Return the vertices of the body with clothes."""
    size = np.ptp(outfit.anatomy.template[:, 2])
    height = max(np.linalg.norm(body.bones[-1] - body.bones[0]) * 2, 0.3)
    offsets = outfit.offsets() * (height / size)
    return body.vertices + offsets[:, None] * vertex_normals(body.vertices, faces)


def _labels(body: Body, view: View, depth, own, hidden) -> Person:
    """Return the labels of a person.

    Args:
        depth: of each pixel, metres.
        own: pixels that show the person.
        hidden: pixels covered by an occluder.
    """
    coco, bones = view.to_camera(body.coco), view.to_camera(body.bones)
    pixels = view.project(coco)
    width, height = view.size
    inside = (coco[:, 2] > 0.05) & (pixels >= 0).all(1) & (pixels < [width, height]).all(1)
    x, y = np.clip(pixels, 0, [width - 1, height - 1]).astype(int).T
    tall = np.linalg.norm(body.bones[-1] - body.bones[0]) * 2
    margin = np.where(own[y, x], OWN_DEPTH * tall, OTHER_DEPTH)
    clear = (depth[y, x] > coco[:, 2] - margin) & ~hidden[y, x]
    visible = np.where(inside, np.where(clear, VISIBLE, HIDDEN), OUTSIDE)
    return Person(coco, bones, pixels, visible)
