"""A simple body for a rig: one rounded piece per bone, each attached to one joint."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from camerapose.io.export._rig import Node, Rig

#: Half widths of the piece of a bone relative to body height, to the side and to the front, at its
#: inner and outer end, by the outer joint without its side.
WIDTHS = {
    "hip": ((0.05, 0.055), (0.055, 0.055)), "knee": ((0.05, 0.055), (0.034, 0.036)),
    "ankle": ((0.034, 0.036), (0.022, 0.022)), "spine": ((0.085, 0.06), (0.078, 0.057)),
    "thorax": ((0.08, 0.058), (0.085, 0.05)), "shoulder": ((0.035, 0.04), (0.036, 0.036)),
    "elbow": ((0.033, 0.033), (0.025, 0.025)), "wrist": ((0.025, 0.025), (0.017, 0.019)),
    "big_toe": ((0.022, 0.022), (0.014, 0.011)), "small_toe": ((0.022, 0.022), (0.014, 0.011)),
    "heel": ((0.022, 0.022), (0.018, 0.018)),
    "neck_nose": ((0.033, 0.035), (0.033, 0.035)), "head": ((0.033, 0.035), (0.04, 0.045)),
}  # fmt: skip
#: The same for the tips of outermost joints.
TIP_WIDTHS = {
    "ankle": ((0.024, 0.02), (0.022, 0.012)), "wrist": ((0.017, 0.02), (0.012, 0.016)),
    "head": ((0.045, 0.055), (0.04, 0.05)), "big_toe": ((0.014, 0.011), (0.012, 0.009)),
    "small_toe": ((0.014, 0.011), (0.012, 0.009)), "heel": ((0.018, 0.018), (0.015, 0.015)),
}  # fmt: skip
DEFAULT_WIDTHS = ((0.015, 0.015), (0.012, 0.012))
#: Corners around a bone, and angles (degrees) of the rings of each rounded end.
SIDES, LATITUDES = 12, (20.0, 50.0, 80.0)


class Body(NamedTuple):
    """A triangle mesh.

    Attributes:
        corners: positions in a frame of the rig, metres.
        normals: outward normals of length one.
        joints: index of the node to which each corner is attached.
        faces: corners of the triangles, counter-clockwise from outside.
    """

    corners: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    joints: Int[np.ndarray, " v"]
    faces: Int[np.ndarray, "f 3"]


def build(rig: Rig, frame: int = 0) -> Body:
    """Return the body in the pose of a frame."""
    positions, orientations = (values[0] for values in rig.frame(frame).world())
    corners: list[np.ndarray] = []
    normals: list[np.ndarray] = []
    joints: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    for joint, end, widths in _pieces(rig.nodes):
        surface, outward, triangles = _piece(end, np.array(widths) * rig.height)
        faces.append(triangles + sum(len(part) for part in corners))
        corners.append(surface @ orientations[joint].T + positions[joint])
        normals.append(outward @ orientations[joint].T)
        joints.append(np.full(len(surface), joint))
    return Body(*(np.concatenate(part) for part in (corners, normals, joints, faces)))


def _pieces(nodes: list[Node]) -> list[tuple[int, np.ndarray, tuple]]:
    """Return joint, end of the bone in the joint's frame, and widths of every piece."""
    pieces = []
    for index, node in enumerate(nodes):
        name = _part(node.name)
        if node.parent is not None and np.linalg.norm(node.offset) > 0:
            pieces.append((node.parent, node.offset, WIDTHS.get(name, DEFAULT_WIDTHS)))
        if node.tip is not None:
            widths = TIP_WIDTHS.get(name, DEFAULT_WIDTHS)
            pieces.append((index, node.tip, widths))
    return pieces


def _part(joint: str) -> str:
    side, _, name = joint.partition("_")
    return name if side in ("left", "right") else joint


def _piece(
    end: Float[np.ndarray, "3"], widths: Float[np.ndarray, "2 2"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corners, normals and faces of a rounded bone from the origin to `end`."""
    length = np.linalg.norm(end)
    along = end / length
    front = np.array([0.0, 0.0, 1.0]) if abs(along[2]) < 0.8 else np.array([0.0, 1.0, 0.0])
    side = np.cross(front, along)
    side /= np.linalg.norm(side)
    front = np.cross(along, side)
    turns = np.arange(SIDES) * 2 * np.pi / SIDES
    circle = np.cos(turns)[:, None] * side, np.sin(turns)[:, None] * front
    rings, outward = [], []
    for place, width, sign in ((0.0, widths[0], -1.0), (length, widths[1], 1.0)):
        angles = np.radians(LATITUDES)
        for angle in angles if sign > 0 else angles[::-1]:
            depth = sign * np.sin(angle) * width.mean()
            ring = np.cos(angle) * (width[0] * circle[0] + width[1] * circle[1])
            rings.append(ring + along * (place + depth))
            # The normal of an ellipse has the reciprocal half axes.
            normal = np.cos(angle) * (circle[0] / width[0] + circle[1] / width[1]) * width.mean()
            outward.append(normal + sign * np.sin(angle) * along)
    poles = [along * -widths[0].mean(), end + along * widths[1].mean()]
    corners = np.concatenate([*rings, np.stack(poles)])
    normals = np.concatenate([*outward, np.stack([-along, along])])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return corners, normals, _faces(len(rings))


def _faces(rings: int) -> Int[np.ndarray, "f 3"]:
    """Return the triangles between consecutive rings, and between the outer rings and the poles."""
    i = np.arange(SIDES)
    j = (i + 1) % SIDES
    faces = []
    for ring in range(rings - 1):
        low, high = ring * SIDES, (ring + 1) * SIDES
        faces += [
            np.stack([low + i, low + j, high + j], 1),
            np.stack([low + i, high + j, high + i], 1),
        ]
    south, north, last = rings * SIDES, rings * SIDES + 1, (rings - 1) * SIDES
    faces.append(np.stack([np.full(SIDES, south), j, i], 1))
    faces.append(np.stack([np.full(SIDES, north), last + i, last + j], 1))
    return np.concatenate(faces)
