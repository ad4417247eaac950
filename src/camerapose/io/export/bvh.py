"""BVH, for Blender and other animation programs: centimetres, y up, Euler angles z x y.

The rig and its inverse kinematics: `camerapose.io.export._rig`.
"""

from pathlib import Path

import numpy as np

from camerapose.io.export import Movement, _rig
from camerapose.io.files import write_text

EXTENSION = ".bvh"
CENTIMETRES = 100.0


def write(path: Path, movement: Movement) -> None:
    """A hierarchy of joints in a T, and their turns in every frame."""
    rig = _rig.fit(movement)
    below: dict[int | None, list[int]] = {}
    for i, node in enumerate(rig.nodes):
        below.setdefault(node.parent, []).append(i)
    lines, order = ["HIERARCHY"], []

    def put(i: int, depth: int) -> None:
        node, tab = rig.nodes[i], "  " * depth
        order.append(i)
        offset = " ".join(f"{v * CENTIMETRES:.4f}" for v in node.offset)
        position = "6 Xposition Yposition Zposition" if node.parent is None else "3"
        lines.extend([
            f"{tab}{'ROOT' if node.parent is None else 'JOINT'} {node.name}",
            f"{tab}{{",
            f"{tab}  OFFSET {offset}",
            f"{tab}  CHANNELS {position} Zrotation Xrotation Yrotation",
        ])  # fmt: skip
        for child in below.get(i, []):
            put(child, depth + 1)
        if i not in below:
            lines.extend([f"{tab}  End Site", f"{tab}  {{", f"{tab}    OFFSET 0 0 0", f"{tab}  }}"])
        lines.append(f"{tab}}}")

    put(0, 0)
    angles = np.degrees(np.unwrap(euler_zxy(rig.turns[:, order]), axis=0)).reshape(
        len(rig.root), -1
    )
    values = np.concatenate([rig.root * CENTIMETRES, angles], axis=1)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1 / movement.fps:.8f}"]
    lines += [" ".join(f"{v:.4f}" for v in row) for row in values]
    write_text(path, "\n".join(lines) + "\n")


def euler_zxy(turns: np.ndarray) -> np.ndarray:
    """Angles z, x, y (radians, last axis) of rotations Rz Rx Ry."""
    x = np.arcsin(np.clip(turns[..., 2, 1], -1, 1))
    z = np.arctan2(-turns[..., 0, 1], turns[..., 1, 1])
    y = np.arctan2(-turns[..., 2, 0], turns[..., 2, 2])
    return np.stack([z, x, y], axis=-1)
