"""A hierarchy of rotating joints, fitted to points, for BVH and glTF.

The rest pose is a T-pose that faces +z. A joint with one child rotates so that its bone points in
the direction of the points. The twist about thigh and upper arm turns the plane in which knee and
elbow bend, as far as they are bent; other bones inherit it. A joint with several children (pelvis,
thorax) has the rotation that fits all its bones best in the least-squares sense and its main bone
exactly; the remaining rotation of another bone belongs to an additional joint at the same position
(left_clavicle, left_hip_base), as in the hip joints of CMU's motion files. If the length of that
bone varies, the additional joint moves along it: Blender's FBX importer ignores the movement of an
only child, such as the outer joint, relative to its parent. Positions are therefore exact. Feet and
hands that a joint format lacks are added: feet are level while the shank is upright, hands extend
the forearm. With a floor, they do not go below it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import ANKLE_HEIGHT, DEFAULT_HEIGHT, body_height, has_limbs
from camerapose.core.skeleton import Skeleton
from camerapose.io.export._tracks import Track

_DOWN, _UP, _LEFT = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
_FRONT, _BACK = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
#: Directions of bones on the left side in the rest pose, by their outer joint without its side.
REST = {
    "hip": _LEFT, "knee": _DOWN, "ankle": _DOWN, "shoulder": _LEFT, "clavicle": _LEFT,
    "collar": _LEFT, "elbow": _LEFT, "wrist": _LEFT, "hand": _LEFT, "index": _LEFT,
    "pinky": _LEFT, "thumb": _LEFT, "heel": (0.0, -0.8, -0.6), "foot": _FRONT, "toe": _FRONT,
    "big_toe": (0.0, -0.28, 0.96), "small_toe": (0.28, -0.28, 0.918), "foot_index": _FRONT,
}  # fmt: skip
#: Ends of the outermost bones, relative to body height, by joint: hand and foot lengths of Drillis
#: and Contini (1966), from wrist and ankle; the sole is slightly above the floor.
TIPS = {
    "wrist": (0.1, 0.0, 0.0), "ankle": (0.0, 0.005 - ANKLE_HEIGHT, 0.11), "head": (0.0, 0.07, 0.0),
    "big_toe": (0.0, 0.0, 0.02), "small_toe": (0.0, 0.0, 0.02), "heel": (0.0, 0.0, -0.015),
}  # fmt: skip
#: Length of other outermost bones relative to body height.
TIP = 0.02
#: Direction in which the joint below bends in the rest pose, by the joint that twists, left side.
BENDS = {"hip": ("knee", _BACK), "shoulder": ("elbow", _FRONT)}
#: Sines of the bending angle between which the twist increases from none to all of it.
BENT = (0.1, 0.4)
#: Largest twist, radians.
MAX_TWIST = np.radians(75)
#: Bones whose length varies by more than this (metres) are not rotated only.
RIGID = 0.001


class Node(NamedTuple):
    """One joint of the rig; parents precede their children.

    Attributes:
        name: name of the joint.
        parent: index of the parent; None for the root.
        offset: position relative to the parent in the rest pose, metres.
        tip: end of the bone of an outermost joint in the rest pose, metres; otherwise None.
    """

    name: str
    parent: int | None
    offset: Float[np.ndarray, "3"]
    tip: Float[np.ndarray, "3"] | None = None


class Rig(NamedTuple):
    """Nodes and their motion.

    Attributes:
        nodes: the joints.
        rotations: rotation of every node relative to its parent.
        offsets: position of every node relative to its parent; that of the root is absolute.
        height: body height, metres.
    """

    nodes: list[Node]
    rotations: Float[np.ndarray, "t nodes 3 3"]
    offsets: Float[np.ndarray, "t nodes 3"]
    height: float

    @property
    def moving(self) -> list[bool]:
        """Whether the position of a node relative to its parent changes."""
        far = np.linalg.norm(self.offsets - [n.offset for n in self.nodes], axis=-1).max(0)
        return [n.parent is None or bool(d > RIGID) for n, d in zip(self.nodes, far, strict=True)]

    def frame(self, index: int) -> "Rig":
        """Return the rig in a single frame."""
        rows = slice(index, index + 1)
        return self._replace(rotations=self.rotations[rows], offsets=self.offsets[rows])

    def world(self) -> tuple[Float[np.ndarray, "t nodes 3"], Float[np.ndarray, "t nodes 3 3"]]:
        """Return the positions and orientations of all nodes by forward kinematics, metres."""
        positions: list[np.ndarray] = []
        orientations: list[np.ndarray] = []
        for i, node in enumerate(self.nodes):
            if node.parent is None:
                positions.append(self.offsets[:, i])
                orientations.append(self.rotations[:, i])
            else:
                parent = orientations[node.parent]
                offset = np.einsum("tij,tj->ti", parent, self.offsets[:, i])
                positions.append(positions[node.parent] + offset)
                orientations.append(parent @ self.rotations[:, i])
        return np.stack(positions, axis=1), np.stack(orientations, axis=1)


def fit(track: Track) -> Rig:
    """Return the rig of a track; frames without a pose are interpolated."""
    return _Fit(track.interpolated(), track.skeleton, track.level).rig()


class _Fit:
    """Builds nodes and their orientations from the root outwards."""

    def __init__(self, points: np.ndarray, skeleton: Skeleton, floor: bool):
        self._points, self._skeleton, self._floor = points, skeleton, floor
        self._children: list[list[int]] = [[] for _ in skeleton.joints]
        for child, parent in skeleton.bones:
            self._children[parent].append(child)
        self._nodes: list[Node] = []
        self._orientations: list[np.ndarray] = []  # in the frame of the points
        self._offsets: list[np.ndarray] = []
        self._height = DEFAULT_HEIGHT
        if has_limbs(skeleton):
            self._height = float(np.median(body_height(points, skeleton)))

    def rig(self) -> Rig:
        root = self._skeleton.root_index
        identity = np.broadcast_to(np.eye(3), (len(self._points), 3, 3))
        self._grow(root, None, np.zeros(3), self._points[:, root], identity)
        rotations = np.empty((len(self._points), len(self._nodes), 3, 3))
        for i in range(len(self._nodes) - 1, -1, -1):  # frees the orientations of children first
            parent, world = self._nodes[i].parent, self._orientations.pop()
            if parent is not None:
                world = np.swapaxes(self._orientations[parent], 1, 2) @ world
            rotations[:, i] = world
        return Rig(self._nodes, rotations, np.stack(self._offsets, axis=1), self._height)

    def _add(self, node: Node, offsets: np.ndarray, world: np.ndarray) -> int:
        self._nodes.append(node)
        self._offsets.append(offsets)
        self._orientations.append(world)
        return len(self._nodes) - 1

    def _grow(
        self,
        joint: int,
        parent: int | None,
        offset: np.ndarray,
        offsets: np.ndarray,
        inherited: np.ndarray,
    ) -> None:
        """Add a joint and everything below it; `inherited` is the orientation of its parent."""
        name, children = self._skeleton.joints[joint], self._children[joint]
        if not children:
            tip = self._tip(name)
            world = _level(inherited) if _part(name) == "ankle" else inherited
            if self._floor:
                world = _above_floor(world, tip, self._points[:, joint, 1])
            self._add(Node(name, parent, offset, tip), offsets, world)
            return
        rest = [_rest(self._skeleton.joints[child]) for child in children]
        vectors = [self._points[:, child] - self._points[:, joint] for child in children]
        directions = [_unit(vector) for vector in vectors]
        main = _main(rest)
        own = inherited
        if len(children) > 1:
            own = _best_rotations(np.stack(rest), np.stack(directions, axis=1))
        own = smallest_rotations(own @ rest[main], directions[main]) @ own
        own = self._twisted(name, children[main], rest[main], own)
        node = self._add(Node(name, parent, offset), offsets, own)
        for i, child in enumerate(children):
            base, orientation = node, own
            lengths = np.linalg.norm(vectors[i], axis=-1)
            length = float(np.median(lengths))
            if i != main:
                orientation = smallest_rotations(own @ rest[i], directions[i]) @ own
                extra = Node(_base_name(self._skeleton.joints[child]), node, np.zeros(3))
                local = np.einsum("tji,tj->ti", own, directions[i])
                base = self._add(extra, local * (lengths - length)[:, None], orientation)
                lengths = np.full_like(lengths, length)
            self._grow(child, base, rest[i] * length, rest[i] * lengths[:, None], orientation)

    def _tip(self, name: str) -> np.ndarray:
        """Return the end of an outermost bone in the rest pose, metres."""
        tip = np.array(TIPS.get(_part(name), np.array(REST.get(_part(name), _UP)) * TIP))
        return tip * _mirror(name) * self._height

    def _twisted(self, name: str, child: int, axis: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the orientation of thigh or upper arm, turned to the plane of the limb."""
        below = self._children[child]
        joint, bend = BENDS.get(_part(name), ("", _FRONT))
        if len(below) != 1 or _part(self._skeleton.joints[child]) != joint:
            return own
        limb = _unit(self._points[:, below[0]] - self._points[:, child])
        local = np.einsum("tji,tj->ti", own, limb)
        across = local - (local @ axis)[:, None] * axis
        angle = np.arctan2(np.cross(bend, across) @ axis, across @ bend)
        # Beyond a right angle the joint seems to bend the wrong way: the twist decreases again.
        angle = np.sign(angle) * np.minimum(np.abs(angle), np.pi - np.abs(angle))
        share = np.clip((np.linalg.norm(across, axis=1) - BENT[0]) / (BENT[1] - BENT[0]), 0, 1)
        angle = np.clip(angle, -MAX_TWIST, MAX_TWIST) * share**2 * (3 - 2 * share)
        return own @ _about(axis, angle)


def _part(joint: str) -> str:
    """Return the name of a joint without its side."""
    side, _, name = joint.partition("_")
    return name if side in ("left", "right") else joint


def _mirror(joint: str) -> np.ndarray:
    return np.array([-1.0 if joint.startswith("right_") else 1.0, 1.0, 1.0])


def _rest(joint: str) -> np.ndarray:
    """Return the direction of the bone that ends in a joint, in the rest pose."""
    return np.array(REST.get(_part(joint), _UP)) * _mirror(joint)


def _base_name(joint: str) -> str:
    return joint.replace("shoulder", "clavicle") if "shoulder" in joint else f"{joint}_base"


def _main(rest: list[np.ndarray]) -> int:
    """Return the index of the bone along the trunk: the one that points up most."""
    return int(np.argmax([direction[1] for direction in rest]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _about(axis: np.ndarray, angle: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t 3 3"]:
    """Return rotations about an axis of length one, by angles in radians (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)


def _level(shank: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3 3"]:
    """Return orientations of feet: level as far as the shank is upright."""
    front = shank[:, :, 2]
    upright = np.clip(shank[:, 1, 1], 0, 1)[:, None]
    target = _unit(
        front * np.concatenate([np.ones_like(upright), 1 - upright, np.ones_like(upright)], 1)
    )
    return smallest_rotations(front, target) @ shank


def _above_floor(
    world: Float[np.ndarray, "t 3 3"], tip: Float[np.ndarray, "3"], height: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "t 3 3"]:
    """Return orientations of outermost bones whose ends are not below the floor.

    Args:
        tip: end of the bone relative to its joint, in the axes of the bone.
        height: of the joint above the floor; the end of one below it is not raised further.
    """
    ends, length = world @ tip, float(np.linalg.norm(tip))
    up = np.clip(np.maximum(ends[:, 1], np.minimum(-height, 0)), -length, length)
    raised = _unit(ends * (1.0, 0.0, 1.0)) * np.sqrt(length**2 - up**2)[:, None]
    raised[:, 1] = up
    low = (up > ends[:, 1] + 1e-9)[:, None, None]
    return np.where(low, smallest_rotations(ends / length, raised / length) @ world, world)


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
