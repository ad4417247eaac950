"""A rig of joints that turn, fitted to points: what BVH and glTF animate.

Rest pose: a T, facing +z. A joint with one child turns so that its bone points as the points say,
by the smallest turn from where its parent's turn has brought it: twist about a bone cannot be seen
in points and is not made up. A joint with several children (pelvis, thorax) turns as fits all its
bones best; what is left of each bone's direction is taken up by a joint of its own of length zero
at the same place, named CHILD_base, as in the hip joints of CMU's motion files. So positions are
met wherever bones keep their length.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.skeleton import Skeleton
from camerapose.io.export import Movement

#: Directions of bones, by their outer joint without its side, in the rest pose's left half.
_DOWN, _UP, _LEFT = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
REST = {
    "hip": _LEFT, "knee": _DOWN, "ankle": _DOWN, "shoulder": _LEFT, "elbow": _LEFT, "wrist": _LEFT,
}  # fmt: skip


class Node(NamedTuple):
    """One joint of the rig; parents come before their children."""

    name: str
    parent: int | None
    offset: Float[np.ndarray, "3"]  # from the parent, metres, in the rest pose


class Rig(NamedTuple):
    """Nodes, and how they move: `turns` from the parent's frame, `root` metres."""

    nodes: list[Node]
    turns: Float[np.ndarray, "t nodes 3 3"]
    root: Float[np.ndarray, "t 3"]

    def positions(self) -> Float[np.ndarray, "t nodes 3"]:
        """Forward kinematics: where the nodes stand."""
        places, frames = [], []
        for i, node in enumerate(self.nodes):
            if node.parent is None:
                places.append(self.root)
                frames.append(self.turns[:, i])
            else:
                places.append(places[node.parent] + frames[node.parent] @ node.offset)
                frames.append(frames[node.parent] @ self.turns[:, i])
        return np.stack(places, axis=1)


def fit(movement: Movement) -> Rig:
    """The rig of a movement; unseen frames are filled by straight lines."""
    points, skeleton = movement.filled(), movement.skeleton
    children = _children(skeleton)
    nodes: list[Node] = []
    world: list[np.ndarray] = []  # each node's orientation

    def add(name: str, parent: int | None, offset: np.ndarray, orientation: np.ndarray) -> int:
        nodes.append(Node(name, parent, offset))
        world.append(orientation)
        return len(nodes) - 1

    def grow(joint: int, parent: int | None, offset: np.ndarray, before: np.ndarray) -> None:
        """Add a joint and what hangs on it; `before` is the orientation that it inherits."""
        name, below = skeleton.joints[joint], children[joint]
        rests = [_rest(skeleton.joints[child]) for child in below]
        aims = [_unit(points[:, child] - points[:, joint]) for child in below]
        lengths = [_length(points, joint, child) for child in below]
        if len(below) == 1:
            mine = _smallest(before @ rests[0], aims[0]) @ before
        elif below:
            mine = _best(np.stack(rests), np.stack(aims, axis=1))
        else:
            mine = before
        here = add(name, parent, offset, mine)
        for child, rest, aim, length in zip(below, rests, aims, lengths, strict=True):
            holder, inherited = here, mine
            if len(below) > 1:
                inherited = _smallest(mine @ rest, aim) @ mine
                holder = add(f"{skeleton.joints[child]}_base", here, np.zeros(3), inherited)
            grow(child, holder, rest * length, inherited)

    still = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    grow(skeleton.root_index, None, np.zeros(3), still)
    turns = [
        w if n.parent is None else np.swapaxes(world[n.parent], 1, 2) @ w
        for n, w in zip(nodes, world, strict=True)
    ]
    return Rig(nodes, np.stack(turns, axis=1), points[:, skeleton.root_index])


def _children(skeleton: Skeleton) -> list[list[int]]:
    below: list[list[int]] = [[] for _ in skeleton.joints]
    for child, parent in skeleton.bones:
        below[parent].append(child)
    return below


def _rest(joint: str) -> np.ndarray:
    """Direction of the bone that ends in a joint, in the rest pose."""
    side, _, name = joint.partition("_")
    if side not in ("left", "right"):
        return np.array(_UP)
    direction = np.array(REST.get(name, _UP))
    return direction * [-1.0 if side == "right" else 1.0, 1.0, 1.0]


def _length(points: np.ndarray, joint: int, child: int) -> float:
    return float(np.median(np.linalg.norm(points[:, child] - points[:, joint], axis=-1)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _smallest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotations (t, 3, 3) that take unit vectors a (t, 3) to b (t, 3)."""
    cosine = (a * b).sum(-1)[:, None, None]
    v = np.cross(a, b)
    zero = np.zeros(len(v))
    cross = np.stack(
        [zero, -v[:, 2], v[:, 1], v[:, 2], zero, -v[:, 0], -v[:, 1], v[:, 0], zero], axis=-1
    ).reshape(-1, 3, 3)
    turn = np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)
    # opposite directions: half a turn about any axis across
    across = _unit(np.cross(a, np.eye(3)[np.abs(a).argmin(-1)]))
    half = 2 * across[:, :, None] * across[:, None] - np.eye(3)
    return np.where(cosine < -1 + 1e-9, half, turn)


def _best(rests: np.ndarray, aims: np.ndarray) -> np.ndarray:
    """Rotations (t, 3, 3) that take rests (k, 3) nearest to aims (t, k, 3) (Kabsch)."""
    u, _, vt = np.linalg.svd(np.einsum("tki,kj->tij", aims, rests))
    sign = np.linalg.det(u @ vt)
    u[:, :, 2] *= sign[:, None]
    return u @ vt
