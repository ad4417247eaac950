"""A body model of ellipsoids instead of `anny`, and a file of postures for it."""

import numpy as np

from camerapose.data.datasets.rendered.content import COCO_23
from camerapose.data.datasets.rendered.joints import BONES
from camerapose.data.render.bodies import Bodies, Body

#: Centre and radii of each part, and the bone that moves it; z up, facing -y, metres.
PARTS = {
    "root": ((0, 0, 0.05), (0.17, 0.12, 0.15)),
    "spine01": ((0, 0, 0.32), (0.19, 0.12, 0.2)),
    "head": ((0, -0.04, 0.69), (0.09, 0.11, 0.13)),
    "eye.L": ((0.03, -0.13, 0.7), (0.02, 0.02, 0.02)),
    **{
        f"{bone}.{side}": ((sign * x, 0, z), radii)
        for side, sign in (("L", 1), ("R", -1))
        for bone, x, z, radii in (
            ("shoulder01", 0.14, 0.48, (0.06, 0.06, 0.05)),
            ("upperarm01", 0.25, 0.38, (0.08, 0.05, 0.14)),
            ("wrist", 0.45, 0.16, (0.05, 0.03, 0.08)),
            ("upperleg01", 0.11, -0.2, (0.09, 0.09, 0.23)),
            ("lowerleg01", 0.15, -0.58, (0.06, 0.06, 0.22)),
            ("foot", 0.17, -0.8, (0.05, 0.13, 0.04)),
        )
    },
}


class FakeBodies(Bodies):
    """Ellipsoids; `posed` moves all of them by what the first bone moved."""

    def __init__(self):  # without that of Bodies, which loads anny
        u, v = np.meshgrid(np.linspace(0, np.pi, 9), np.linspace(0, 2 * np.pi, 13)[:-1])
        sphere = np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], -1)
        sphere = sphere.reshape(-1, 3)  # 12 meridians of 9 points
        quads = [
            (9 * i + j, 9 * i + j + 1, 9 * ((i + 1) % 12) + j + 1, 9 * ((i + 1) % 12) + j)
            for i in range(12)
            for j in range(8)
        ]
        faces = np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))])
        n = len(sphere)
        self.labels = tuple(PARTS)
        self.template = np.concatenate(
            [sphere * radii + center for center, radii in PARTS.values()]
        )
        self.faces = np.concatenate([faces + i * n for i in range(len(PARTS))])
        self.skinning = np.repeat(np.eye(len(PARTS), dtype=np.float32), n, 0)

    def posed(self, shape, bones, coco):
        """Return bodies as given, scaled by the first parameter of the shape."""
        scale = 0.5 + shape[:, :1, None]
        return [
            Body(self.template * s, c * s, b * s)
            for s, c, b in zip(scale, coco, bones, strict=True)
        ]


def joints():
    """Joints (23, 3) of `COCO_23` near the ellipsoids' surface."""
    height = {"nose": 0.66, "eye": 0.7, "ear": 0.69, "shoulder": 0.5, "elbow": 0.3, "wrist": 0.15,
              "hip": 0.04, "knee": -0.38, "ankle": -0.76, "toe": -0.82, "heel": -0.82}  # fmt: skip
    across = {"nose": 0, "eye": 0.03, "ear": 0.08, "shoulder": 0.17, "elbow": 0.33, "wrist": 0.45,
              "hip": 0.1, "knee": 0.14, "ankle": 0.17, "toe": 0.17, "heel": 0.17}  # fmt: skip
    forward = {"toe": -0.12, "heel": 0.08, "nose": -0.14, "eye": -0.12}
    parts = [joint.split("_")[-1] for joint in COCO_23.joints]
    signs = [1 if joint.startswith("left") else -1 for joint in COCO_23.joints]
    rows = [
        (s * across[p], forward.get(p, 0), height[p]) for s, p in zip(signs, parts, strict=True)
    ]
    return np.array(rows)


def bones():
    """Return positions of `BONES`; those without an ellipsoid are inside the body."""
    top = {"head_vertex_top": ((0, 0, 0.82), None)}
    return np.array([(PARTS | top).get(name, ((0, 0, 0.3), None))[0] for name in BONES])


def write_postures(root, n=12):
    """Write `anny_pairs.npz` with frames of a training and of a held-out recording."""
    random = np.random.default_rng(0)
    clip = np.arange(n) % 2
    np.savez(
        root / "anny_pairs.npz",
        bones=np.tile(bones(), (n, 1, 1)).astype(np.float16),
        coco23=np.tile(joints(), (n, 1, 1)).astype(np.float16),
        shape=random.uniform(0.3, 0.7, (n, 6)).astype(np.float16),
        clip=clip.astype(np.uint16),
        frame=np.arange(n),
        clips=np.array(["cmu/01/01", "cmu/09/02"]),
        bone_names=np.array(BONES),
    )
