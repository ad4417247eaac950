"""Transfer limb directions from one skeleton to another body in all joint definitions."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from camerapose.core.joint_formats import BODY_46, H36M_17

#: Joints of `BODY_46` that move with each segment of the body.
GROUPS: dict[str, tuple[str, ...]] = {
    "lower": ("spine_h36m", *(f"{side}_hip{ending}" for side in ("left", "right")
                              for ending in ("", "_h36m", "_centre"))),
    "upper": ("thorax_h36m", *(f"{side}_shoulder{ending}" for side in ("left", "right")
                               for ending in ("", "_h36m", "_centre"))),
    "head": ("neck_nose_h36m", "head_h36m", "upper_neck", "head_top", "nose",
             "left_eye", "right_eye", "left_ear", "right_ear"),
    **{f"{side}_thigh": (f"{side}_knee_h36m", f"{side}_knee") for side in ("left", "right")},
    **{f"{side}_shank": (f"{side}_ankle_h36m", f"{side}_ankle", f"{side}_heel",
                         f"{side}_big_toe", f"{side}_small_toe") for side in ("left", "right")},
    **{f"{side}_arm": (f"{side}_elbow_h36m", f"{side}_elbow") for side in ("left", "right")},
    **{f"{side}_forearm": (f"{side}_wrist_h36m", f"{side}_wrist") for side in ("left", "right")},
}  # fmt: skip
#: Each limb segment: the segment whose rotation it continues, and its ends.
LIMBS: dict[str, tuple[str, str, str]] = {
    f"{side}_{segment}": (before.format(side=side), f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for segment, before, start, end in (
        ("thigh", "lower", "hip", "knee"), ("shank", "{side}_thigh", "knee", "ankle"),
        ("arm", "upper", "shoulder", "elbow"), ("forearm", "{side}_arm", "elbow", "wrist"),
    )
}  # fmt: skip


def retarget(
    motion: Float[np.ndarray, "n 17 3"],
    bodies: Float[np.ndarray, "n 46 3"],
    parents: tuple[str | None, ...],
) -> Float[np.ndarray, "n 46 3"]:
    """Return bodies in the posture of a motion.

    Limbs take their directions from the motion, and the trunk its orientation at hips and
    shoulders; lengths and the offsets of surface points are those of the body. A limb is rotated
    by the smallest rotation from where the segment before it carries it, so that no twist is added.

    Args:
        motion: joints of `H36M_17` in any definition, z up.
        bodies: joints of `BODY_46` in any posture; metres.
        parents: joint to which each joint of `BODY_46` is attached (`augment.body_shape`).

    Returns:
        Relative to the pelvis of Human3.6M.
    """
    return _assemble(bodies, segment_rotations(motion, bodies), parents)


def segment_rotations(
    motion: Float[np.ndarray, "n 17 3"], bodies: Float[np.ndarray, "n 46 3"]
) -> dict[str, Float[np.ndarray, "n 3 3"]]:
    """Return the rotation of each segment (`GROUPS`) from the bodies to the motion's posture."""

    def moving(joint: str) -> np.ndarray:
        return motion[:, H36M_17.index(joint)].astype(np.float64)

    def still(joint: str) -> np.ndarray:
        return bodies[:, BODY_46.index(joint)].astype(np.float64)

    rotation = {
        name: _frame(moving, "thorax", "pelvis", f"left_{ends}", f"right_{ends}")
        @ np.swapaxes(
            _frame(still, "thorax_h36m", "pelvis_h36m", f"left_{ends}_h36m", f"right_{ends}_h36m"),
            1, 2,
        )
        for name, ends in (("lower", "hip"), ("upper", "shoulder"))
    }  # fmt: skip
    segments = {"head": ("upper", "thorax", "head")} | LIMBS
    for name, (before, start, end) in segments.items():
        carried = _rotate(rotation[before], still(f"{end}_h36m") - still(_centre(start)))
        target = moving(end) - moving(start)
        rotation[name] = smallest_rotation(carried, target) @ rotation[before]
    return rotation


def _centre(joint: str) -> str:
    return f"{joint}_centre" if joint.endswith(("hip", "shoulder")) else f"{joint}_h36m"


def _assemble(
    bodies: np.ndarray, rotation: dict[str, np.ndarray], parents: tuple[str | None, ...]
) -> np.ndarray:
    """Return bodies whose bones are rotated by segment, from the root outwards."""
    segment_of = {joint: name for name, joints in GROUPS.items() for joint in joints}
    parent_of = dict(zip(BODY_46.joints, parents, strict=True))
    result = np.zeros(bodies.shape)
    done = {BODY_46.root}
    while len(done) < BODY_46.n_joints:
        for joint, parent in parent_of.items():
            if joint in done or parent not in done:
                continue
            i, j = BODY_46.index(joint), BODY_46.index(parent)
            bone = bodies[:, i].astype(np.float64) - bodies[:, j]
            result[:, i] = result[:, j] + _rotate(rotation[segment_of[joint]], bone)
            done.add(joint)
    return result.astype(np.float32)


def _frame(
    joint: Callable[[str], np.ndarray], top: str, bottom: str, left: str, right: str
) -> np.ndarray:
    """Return orthonormal axes (n, 3, 3) as columns: lateral, up, and their cross product."""
    up = _unit(joint(top) - joint(bottom))
    side = joint(left) - joint(right)
    side = _unit(side - (side * up).sum(1, keepdims=True) * up)
    return np.stack([side, up, np.cross(side, up)], axis=2)


def smallest_rotation(
    start: Float[np.ndarray, "n 3"], end: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3 3"]:
    """Return the smallest rotations between directions; the identity for opposite ones."""
    a, b = _unit(start), _unit(end)
    axis, cosine = np.cross(a, b), (a * b).sum(1)
    cross = np.zeros((len(a), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= np.swapaxes(cross, 1, 2)
    safe = np.where(cosine > -0.999, 1 + cosine, np.inf)[:, None, None]
    opposite = (cosine <= -0.999)[:, None, None]
    return np.eye(3) + np.where(opposite, 0.0, cross) + cross @ cross / safe


def _rotate(rotation: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (rotation @ vectors[..., None])[..., 0]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
