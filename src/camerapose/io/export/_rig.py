"""A hierarchy of rotating joints, fitted to points, for BVH and glTF.

The rest pose is a T-pose that faces +z. A joint with one child rotates so that its bone points in
the direction of the points, by the smallest rotation from the orientation that it inherits: points
do not determine the twist about a bone, and none is invented. A joint with several children
(pelvis, thorax) has the rotation that fits all its bones best in the least-squares sense; the
remaining rotation of each bone belongs to an additional joint of length zero at the same position,
named CHILD_base, as in the hip joints of CMU's motion files. Positions are therefore exact wherever
bones keep their length.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.skeleton import Skeleton
from camerapose.io.export._tracks import Track

_DOWN, _UP, _LEFT = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
#: Directions of bones on the left side in the rest pose, by their outer joint without its side.
REST = {
    "hip": _LEFT, "knee": _DOWN, "ankle": _DOWN, "shoulder": _LEFT, "elbow": _LEFT, "wrist": _LEFT,
}  # fmt: skip


class Node(NamedTuple):
    """One joint of the rig; parents precede their children.

    Attributes:
        name: name of the joint.
        parent: index of the parent; None for the root.
        offset: position relative to the parent in the rest pose, metres.
    """

    name: str
    parent: int | None
    offset: Float[np.ndarray, "3"]


class Rig(NamedTuple):
    """Nodes and their motion.

    Attributes:
        nodes: the joints.
        rotations: rotation of every node relative to its parent.
        root: position of the first node, metres.
    """

    nodes: list[Node]
    rotations: Float[np.ndarray, "t nodes 3 3"]
    root: Float[np.ndarray, "t 3"]

    def positions(self) -> Float[np.ndarray, "t nodes 3"]:
        """Return the positions of all nodes by forward kinematics, metres."""
        positions: list[np.ndarray] = []
        orientations: list[np.ndarray] = []
        for i, node in enumerate(self.nodes):
            if node.parent is None:
                positions.append(self.root)
                orientations.append(self.rotations[:, i])
            else:
                parent = orientations[node.parent]
                positions.append(positions[node.parent] + parent @ node.offset)
                orientations.append(parent @ self.rotations[:, i])
        return np.stack(positions, axis=1)


def fit(track: Track) -> Rig:
    """Return the rig of a track; frames without a pose are interpolated."""
    return _Fit(track.interpolated(), track.skeleton).rig()


class _Fit:
    """Builds nodes and their orientations from the root outwards."""

    def __init__(self, points: np.ndarray, skeleton: Skeleton):
        self._points, self._skeleton = points, skeleton
        self._children: list[list[int]] = [[] for _ in skeleton.joints]
        for child, parent in skeleton.bones:
            self._children[parent].append(child)
        self._nodes: list[Node] = []
        self._orientations: list[np.ndarray] = []  # in the frame of the points

    def rig(self) -> Rig:
        root = self._skeleton.root_index
        identity = np.broadcast_to(np.eye(3), (len(self._points), 3, 3))
        self._grow(root, None, np.zeros(3), identity)
        world = self._orientations
        rotations = [
            w if node.parent is None else np.swapaxes(world[node.parent], 1, 2) @ w
            for node, w in zip(self._nodes, world, strict=True)
        ]
        return Rig(self._nodes, np.stack(rotations, axis=1), self._points[:, root])

    def _add(self, name: str, parent: int | None, offset: np.ndarray, world: np.ndarray) -> int:
        self._nodes.append(Node(name, parent, offset))
        self._orientations.append(world)
        return len(self._nodes) - 1

    def _grow(
        self, joint: int, parent: int | None, offset: np.ndarray, inherited: np.ndarray
    ) -> None:
        """Add a joint and everything below it; `inherited` is the orientation of its parent."""
        joints, children = self._skeleton.joints, self._children[joint]
        rest = [_rest(joints[child]) for child in children]
        vectors = [self._points[:, child] - self._points[:, joint] for child in children]
        directions = [_unit(vector) for vector in vectors]
        if len(children) == 1:
            own = smallest_rotations(inherited @ rest[0], directions[0]) @ inherited
        elif children:
            own = _best_rotations(np.stack(rest), np.stack(directions, axis=1))
        else:
            own = inherited
        node = self._add(joints[joint], parent, offset, own)
        for i, child in enumerate(children):
            base, orientation = node, own
            if len(children) > 1:
                orientation = smallest_rotations(own @ rest[i], directions[i]) @ own
                base = self._add(f"{joints[child]}_base", node, np.zeros(3), orientation)
            length = float(np.median(np.linalg.norm(vectors[i], axis=-1)))
            self._grow(child, base, rest[i] * length, orientation)


def _rest(joint: str) -> np.ndarray:
    """Return the direction of the bone that ends in a joint, in the rest pose."""
    side, _, name = joint.partition("_")
    if side not in ("left", "right"):
        return np.array(_UP)
    direction = np.array(REST.get(name, _UP))
    return direction * [-1.0 if side == "right" else 1.0, 1.0, 1.0]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def smallest_rotations(
    a: Float[np.ndarray, "t 3"], b: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "t 3 3"]:
    """Return the smallest rotations that map unit vectors `a` to unit vectors `b`."""
    cosine = (a * b).sum(-1)[:, None, None]
    v = np.cross(a, b)
    zero = np.zeros(len(v))
    cross = np.stack(
        [zero, -v[:, 2], v[:, 1], v[:, 2], zero, -v[:, 0], -v[:, 1], v[:, 0], zero], axis=-1
    ).reshape(-1, 3, 3)
    rotation = np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)
    # Opposite directions: 180 degrees about any perpendicular axis.
    axis = _unit(np.cross(a, np.eye(3)[np.abs(a).argmin(-1)]))
    half_turn = 2 * axis[:, :, None] * axis[:, None] - np.eye(3)
    return np.where(cosine < -1 + 1e-9, half_turn, rotation)


def _best_rotations(
    rest: Float[np.ndarray, "k 3"], directions: Float[np.ndarray, "t k 3"]
) -> Float[np.ndarray, "t 3 3"]:
    """Return the rotations that map `rest` closest to `directions` (Kabsch, 1976)."""
    u, _, vt = np.linalg.svd(np.einsum("tki,kj->tij", directions, rest))
    sign = np.linalg.det(u @ vt)
    u[:, :, 2] *= sign[:, None]
    return u @ vt
