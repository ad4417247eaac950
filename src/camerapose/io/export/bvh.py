"""BVH for Blender and other animation programs: metres, y up, Euler angles z, x, y.

The hierarchy and its inverse kinematics are in `camerapose.io.export._rig`. Blender imports a unit
as a metre by default.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from camerapose.io.export import Track, _rig
from camerapose.io.files import atomic_write

EXTENSION = ".bvh"


def write(path: Path, track: Track) -> None:
    """Write a hierarchy of joints in a T-pose, and their motion in every frame."""
    rig = _rig.fit(track)
    children: dict[int | None, list[int]] = {}
    for i, node in enumerate(rig.nodes):
        children.setdefault(node.parent, []).append(i)
    order = _depth_first(0, children)
    columns = []
    for i in order:
        if rig.moving[i]:
            columns.append(rig.offsets[:, i])
        columns.append(np.degrees(continuous(euler_zxy(rig.rotations[:, i]))))
    values = np.concatenate(columns, axis=1)
    lines = [
        "HIERARCHY",
        *_hierarchy(rig, children, 0, 0),
        "MOTION",
        f"Frames: {len(values)}",
        f"Frame Time: {1 / track.fps:.8f}",
    ]
    with atomic_write(path, "w") as file:
        file.writelines(line + "\n" for line in lines)
        file.writelines(" ".join(f"{v:.5f}" for v in row) + "\n" for row in values)


def _depth_first(node: int, children: dict[int | None, list[int]]) -> list[int]:
    below = [_depth_first(child, children) for child in children.get(node, [])]
    return [node, *(i for part in below for i in part)]


def _hierarchy(
    rig: _rig.Rig, children: dict[int | None, list[int]], index: int, depth: int
) -> Iterator[str]:
    """Generate the lines of a node and of the nodes below it."""
    node, tab = rig.nodes[index], "  " * depth
    position = "6 Xposition Yposition Zposition" if rig.moving[index] else "3"
    yield f"{tab}{'ROOT' if node.parent is None else 'JOINT'} {node.name}"
    yield f"{tab}{{"
    yield f"{tab}  OFFSET {_vector(node.offset)}"
    yield f"{tab}  CHANNELS {position} Zrotation Xrotation Yrotation"
    for child in children.get(index, []):
        yield from _hierarchy(rig, children, child, depth + 1)
    if node.tip is not None:
        yield f"{tab}  End Site"
        yield from (f"{tab}  {{", f"{tab}    OFFSET {_vector(node.tip)}", f"{tab}  }}")
    yield f"{tab}}}"


def _vector(values: Float[np.ndarray, "3"]) -> str:
    return " ".join(f"{v:.6f}" for v in values)


def euler_zxy(
    rotations: Float[np.ndarray, "*batch 3 3"],
) -> Float[np.ndarray, "*batch 3"]:
    """Return angles z, x, y in radians (last axis) of rotations Rz Rx Ry."""
    x = np.arcsin(np.clip(rotations[..., 2, 1], -1, 1))
    z = np.arctan2(-rotations[..., 0, 1], rotations[..., 1, 1])
    y = np.arctan2(-rotations[..., 2, 0], rotations[..., 2, 2])
    return np.stack([z, x, y], axis=-1)


def continuous(angles: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3"]:
    """Return angles z, x, y of the same rotations without jumps between frames.

    Of the equivalent triples (z, x, y) and (z + pi, pi - x, y + pi), each plus multiples of 2 pi,
    the one closest to that of the previous frame. Programs interpolate each angle on its own.
    """
    other = angles * (1, -1, 1) + np.pi

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.abs(np.remainder(a - b + np.pi, 2 * np.pi) - np.pi).sum(-1)

    changes = distance(other[1:], angles[:-1]) < distance(angles[1:], angles[:-1])
    is_other = np.append(0, np.cumsum(changes)) % 2 == 1
    return np.unwrap(np.where(is_other[:, None], other, angles), axis=0)
