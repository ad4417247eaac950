"""Clothes, hair and shoes: which parts they cover, how far they stand off, and their colours.

Everything is defined on the average body at rest, so that it fits every body in every posture.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from camerapose.data.render import textures
from camerapose.data.render.bodies import Bodies

#: Columns of `Anatomy.values`: position at rest, coordinate along arm and leg (0 at the shoulder
#: and hip, 1 at the wrist and ankle), and membership of parts.
COLUMNS = ("x", "y", "z", "along_arm", "along_leg", "arm", "leg", "hand", "foot", "head", "eye")


class Anatomy:
    """Values of each vertex that clothes depend on.

    Args:
        bodies: the body model.
    """

    def __init__(self, bodies: Bodies) -> None:
        self.template = bodies.template.astype(np.float32)
        labels = np.array(bodies.labels)
        weights = bodies.skinning

        def share(*prefixes: str) -> np.ndarray:
            return weights[:, [label.startswith(prefixes) for label in labels]].sum(1)

        hand = share("wrist", "finger", "metacarpal")
        foot = share("foot", "toe")
        parts = (
            share("upperarm", "lowerarm") + hand,
            share("upperleg", "lowerleg") + foot,
            hand,
            foot,
            share("head", "eye", "neck03"),
            share("eye"),
        )
        heads = self._mean_positions(weights, labels)
        along = [self._along(heads, *ends) for ends in (_ARM, _LEG)]
        self.values = np.column_stack([self.template, *along, *parts]).astype(np.float32)
        self.eyes = float(heads["eye.L"][2])
        self.front = float(heads["eye.L"][1])

    def _mean_positions(self, weights, labels) -> dict[str, np.ndarray]:
        total = weights.sum(0)[:, None]
        means = (weights.T @ self.template) / np.maximum(total, 1e-9)
        return dict(zip(labels.tolist(), means, strict=True))

    def _along(self, heads, first: str, last: str) -> np.ndarray:
        """Return the position along the limb of the own side."""
        result = np.zeros(len(self.template), np.float32)
        for side, sign in (("L", 1), ("R", -1)):
            a, b = heads[f"{first}.{side}"], heads[f"{last}.{side}"]
            own = self.template[:, 0] * sign > 0
            result[own] = ((self.template - a) @ (b - a) / ((b - a) @ (b - a)))[own]
        return result


_ARM, _LEG = ("shoulder01", "wrist"), ("upperleg01", "foot")


@dataclass(frozen=True)
class Garment:
    """One layer; later layers of an outfit cover earlier ones.

    Attributes:
        cover: function from values (n, `COLUMNS`) to whether the layer covers a point.
        colours: pattern over the positions at rest.
        thickness: distance from the body, metres.
        folds: relative variation of the thickness, over positions at rest.
        gloss: strength of the highlight.
    """

    cover: textures.Pattern
    colours: textures.Pattern
    thickness: float
    folds: textures.Pattern
    gloss: float = 0.05


class Outfit:
    """Skin, clothes, shoes and hair of one person.

    Args:
        random: generator.
        anatomy: of the body model.
    """

    def __init__(self, random: np.random.Generator, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.skin = textures.skin_colour(random)
        self.blotches = textures.waves(random, 12.0)
        self.hair = textures.hair_colour(random)
        self.iris = textures.colour(random) * 0.4
        self.garments = [
            g for g in (_bottom(random), _top(random), _shoes(random), *_head(random, self)) if g
        ]
        if random.random() < 0.4:  # tucked in
            self.garments[:2] = self.garments[1::-1]

    def offsets(self) -> Float[np.ndarray, " v"]:
        """Return how far each vertex is moved outwards, metres (on the average body)."""
        values = self.anatomy.values
        result = np.zeros(len(values), np.float32)
        for garment in self.garments:
            amount = garment.thickness * (1 + garment.folds(values[:, :3]))
            result = np.where(garment.cover(values), np.maximum(result, amount), result)
        return result

    def colours(
        self, values: Float[np.ndarray, "n k"]
    ) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
        """Return colour (0 to 1) and gloss of surface points."""
        points = values[:, :3]
        colours = self._skin(values)
        gloss = np.full(len(values), 0.12, np.float32)
        for garment in self.garments:
            rows = np.flatnonzero(garment.cover(values))
            colours[rows] = garment.colours(points[rows])
            gloss[rows] = garment.gloss
        return colours, gloss

    def _skin(self, values: np.ndarray) -> np.ndarray:
        points = values[:, :3]
        colours = self.skin * (1 + 0.04 * self.blotches(points)[:, None])
        side = np.abs(points[:, 0])
        up = points[:, 2] - self.anatomy.eyes
        is_front = (points[:, 1] < self.anatomy.front + 0.01) & (values[:, 9] > 0.5)
        brow = is_front & (np.abs(side - 0.032) < 0.02) & (np.abs(up - 0.024) < 0.0045)
        lips = is_front & ((side / 0.026) ** 2 + ((up + 0.066) / 0.008) ** 2 < 1)
        eye = values[:, 10] > 0.95
        pupil = eye & (np.hypot(side - 0.029, up) < 0.0065)
        colours[brow] = self.hair
        colours[lips] = self.skin * [0.85, 0.55, 0.55]
        colours[eye] = 0.9
        colours[pupil] = self.iris
        return colours


def _column(name: str) -> int:
    return COLUMNS.index(name)


def _top(random: np.random.Generator) -> Garment | None:
    if random.random() < 0.06:
        return None
    sleeve = random.choice([random.uniform(0.0, 0.15), random.uniform(0.35, 0.6), 0.98, 0.98])
    hems = [random.uniform(0.1, 0.16), random.uniform(-0.1, 0.1), -0.3]
    hem = random.choice(hems, p=[0.35, 0.5, 0.15])
    neck = random.uniform(0.47, 0.56)
    loose = random.choice([0.004, 0.012, 0.022])

    def cover(v: np.ndarray) -> np.ndarray:
        arm, z = v[:, _column("arm")] > 0.5, v[:, 2]
        neckline = z < neck + 0.35 * np.abs(v[:, 0])
        trunk = ~arm & (z > hem) & neckline & (v[:, _column("head")] < 0.5)
        return trunk | (arm & (v[:, _column("along_arm")] < sleeve))

    return _garment(random, cover, loose)


def _bottom(random: np.random.Generator) -> Garment:
    lengths = [random.uniform(0.12, 0.45), random.uniform(0.5, 0.9), 1.02]
    length = random.choice(lengths, p=[0.25, 0.1, 0.65])
    waist = random.uniform(0.08, 0.16)
    loose = random.choice([0.003, 0.01, 0.02])

    def cover(v: np.ndarray) -> np.ndarray:
        below = (v[:, 2] < waist) & (v[:, _column("arm")] < 0.5)
        return below & ((v[:, _column("along_leg")] < length) | (v[:, _column("leg")] < 0.3))

    return _garment(random, cover, loose)


def _shoes(random: np.random.Generator) -> Garment | None:
    if random.random() < 0.15:
        return None
    height = random.uniform(0.85, 0.99)

    def cover(v: np.ndarray) -> np.ndarray:
        return (v[:, _column("along_leg")] > height) & (v[:, _column("leg")] > 0.5)

    return _garment(random, cover, 0.007, gloss=random.uniform(0.05, 0.4))


def _head(random: np.random.Generator, outfit: Outfit) -> list[Garment]:
    """Return hair (or a shaved head) and sometimes a hat."""
    anatomy, shade = outfit.anatomy, textures.waves(random, 30.0)
    line, slope = random.uniform(0.045, 0.075), random.uniform(1.0, 2.2)
    low = random.choice([-0.03, -0.08, -0.16])

    def hair(v: np.ndarray) -> np.ndarray:
        up, back = v[:, 2] - anatomy.eyes, v[:, 1] - anatomy.front
        return (v[:, _column("head")] > 0.3) & (up > np.maximum(line - slope * (back - 0.03), low))

    def colours(points: np.ndarray) -> np.ndarray:
        return outfit.hair * (1 + 0.25 * shade(points)[:, None])

    def hat(v: np.ndarray) -> np.ndarray:
        return (v[:, _column("head")] > 0.5) & (v[:, 2] > anatomy.eyes + line + 0.01)

    layers = []
    if random.random() < 0.92:
        thick = random.choice([0.004, 0.015, 0.03, 0.045])
        layers.append(Garment(hair, colours, thick, textures.waves(random, 15.0), 0.15))
    if random.random() < 0.12:
        layers.append(_garment(random, hat, 0.03))
    return layers


def _garment(
    random: np.random.Generator, cover: textures.Pattern, thickness: float, gloss: float = 0.04
) -> Garment:
    wave = textures.waves(random, random.uniform(4, 12))
    return Garment(cover, textures.pattern(random, 0.08), thickness, lambda p: 0.5 * wave(p), gloss)
