"""Joint and segment angles, and the centre of mass, from joint positions.

Points are in a right-handed frame with y up, such as that of exported files. Segments have the axes
of the ISB (Wu et al., J. Biomech. 2002 and 2005): x forward, y up, z to the right. Angles are named
and signed as the coordinates of OpenSim's full-body model (Rajagopal et al., IEEE TBME 2016).
"""

import numpy as np
from jaxtyping import Float

from camerapose.core.bones import unit
from camerapose.core.skeleton import Skeleton

#: Sines of the bending angle of knee and elbow between which the plane of the limb increasingly
#: determines the rotation about its upper segment: 10 and 30 degrees.
BENT = (0.17, 0.5)
#: Joints at the tip of the foot, the first available is used.
TOES = ("foot_index", "big_toe", "toe", "foot")

#: Number of poses that are evaluated at once.
_ROWS = 8192

Points = Float[np.ndarray, "t joints 3"]
Vectors = Float[np.ndarray, "t 3"]
Axes = Float[np.ndarray, "t 3 3"]


def joint_angles(
    points: Points, skeleton: Skeleton, *, pelvis_order: str = "yxz"
) -> dict[str, Float[np.ndarray, " t"]]:
    """Return the angles that the joints determine, in degrees, by name.

    With the axes of a parent P and a child C, the angles a, b, c of a joint satisfy
    P^T C = Rz(a) Rx(b) Ry(c) (Grood and Suntay, 1983): flexion, adduction, rotation. The docs list
    all definitions. Frames that contain NaN have NaN.

    Args:
        points: metres, y up, right-handed.
        pelvis_order: sequence of the angles of pelvis and thorax relative to the frame of the
            points: "yxz", which does not depend on the heading (Baker, 2001), or "zxy", that of
            OpenSim's models.
    """
    body = _Body(points, skeleton)
    pelvis, thorax = body.pelvis(), body.thorax()
    angles: dict[str, np.ndarray] = {}
    for name, axes in (("pelvis", pelvis), ("thorax", thorax)):
        if axes is not None:
            angles |= _named(f"{name}_", ("tilt", "list", "rotation"), _space(axes, pelvis_order))
    if pelvis is not None and thorax is not None:
        relative = _zxy(np.swapaxes(pelvis, 1, 2) @ thorax)
        angles |= _named("lumbar_", ("extension", "bending", "rotation"), relative)
    for side in ("right", "left"):
        mark = side[0]
        leg = body.limb(side, "hip", "knee", "ankle")
        arm = body.limb(side, "shoulder", "elbow", "wrist")
        if leg is not None and pelvis is not None:
            thigh, shank = leg
            angles |= _leg(pelvis, thigh, shank, mark)
        if leg is not None:
            angles |= _inclinations(("thigh", "shank"), leg, mark)
            angles |= body.ankle(side)
        if arm is not None and thorax is not None:
            upper, lower = arm
            angles |= _arm(thorax, upper, lower, mark)
        if arm is not None:
            angles |= _inclinations(("upper_arm", "forearm"), arm, mark)
    return {name: np.degrees(values) for name, values in angles.items()}


def joint_angle_std(
    points: Points,
    std: Float[np.ndarray, "t joints"],
    skeleton: Skeleton,
    *,
    pelvis_order: str = "yxz",
) -> dict[str, Float[np.ndarray, " t"]]:
    """Return standard deviations of `joint_angles`, in degrees, by name.

    Errors of all coordinates are taken as independent, although those of neighbouring joints are
    not. Each coordinate in turn is moved by its standard deviation in both directions; the
    variances that this causes add up (as in Julier and Uhlmann's unscented transform). Joints that
    have no angle in common are moved together (Curtis, Powell and Reid, 1974). NaN where a standard
    deviation that is needed is unknown.

    Args:
        points, pelvis_order: as for `joint_angles`.
        std: of each coordinate of a joint, metres.
    """
    points = np.asarray(points, float)
    center = joint_angles(points, skeleton, pelvis_order=pelvis_order)
    variance = {name: np.zeros(len(points)) for name in center}
    groups = _groups(skeleton)
    one = np.zeros((len(groups), 3, skeleton.n_joints, 3))
    for row, joints in enumerate(groups):
        one[row][:, joints] = np.eye(3)[:, None]
    moves = np.concatenate([one, -one]).reshape(-1, skeleton.n_joints, 3)
    size = max(1, _ROWS // len(moves))
    for start in range(0, len(points), size):
        rows = slice(start, start + size)
        shift = np.where(moves != 0, moves * std[rows, None, :, None], 0.0)
        moved = (points[rows, None] + shift).reshape(-1, *points.shape[1:])
        for name, values in joint_angles(moved, skeleton, pelvis_order=pelvis_order).items():
            change = values.reshape(-1, len(moves)) - center[name][rows, None]
            change = (change + 180) % 360 - 180
            variance[name][rows] = (change**2).sum(1) / 2
    return {name: np.sqrt(values) for name, values in variance.items()}


def _groups(skeleton: Skeleton) -> list[list[int]]:
    """Return joints in groups that have no angle in common; others determine no angle."""
    alone = [[name] for name in ("pelvis", "spine", "thorax")]
    alone += [[f"{side}_{name}"] for name in ("hip", "shoulder") for side in ("left", "right")]
    outer = [("knee", "elbow"), ("ankle", "wrist"), ("heel",), TOES]
    together = [[f"{side}_{name}" for side in ("left", "right") for name in names]
                for names in outer]  # fmt: skip
    groups = [[skeleton.index(name) for name in names if name in skeleton.joints]
              for names in alone + together]  # fmt: skip
    return [joints for joints in groups if joints]


def joint(points: Points, skeleton: Skeleton, name: str) -> Vectors | None:
    """Return a joint by name; pelvis and thorax may be midpoints. None if it is missing."""
    if name in skeleton.joints:
        return points[:, skeleton.index(name)]
    pair = {"pelvis": "hip", "thorax": "shoulder"}.get(name)
    if pair is None:
        return None
    left, right = (joint(points, skeleton, f"{side}_{pair}") for side in ("left", "right"))
    return None if left is None or right is None else (left + right) / 2


class _Body:
    """Joints by name, and the axes of segments; None where joints are missing."""

    def __init__(self, points: Points, skeleton: Skeleton):
        self._points = np.asarray(points, float)
        self._skeleton = skeleton

    def joint(self, name: str) -> Vectors | None:
        """Return a joint; pelvis and thorax may be midpoints."""
        return joint(self._points, self._skeleton, name)

    def pelvis(self) -> Axes | None:
        """Return the pelvis: z from left to right hip, y towards the spine as far as possible."""
        spine = self.joint("spine")
        axes = self._trunk("hip", "pelvis", "thorax" if spine is None else "spine")
        if axes is None:
            return None
        x, _, z = axes
        return np.stack([x, np.cross(z, x), z], axis=-1)

    def thorax(self) -> Axes | None:
        """Return the thorax: y from spine to thorax, z to the right shoulder as far as possible.

        Raised shoulders do not tilt the thorax (y is first in Wu et al., 2005, too).
        """
        spine = self.joint("spine")
        axes = self._trunk("shoulder", "pelvis" if spine is None else "spine", "thorax")
        if axes is None:
            return None
        x, y, _ = axes
        return np.stack([x, y, np.cross(x, y)], axis=-1)

    def limb(self, side: str, *names: str) -> tuple[Vectors, Vectors] | None:
        """Return the directions of upper and lower segment, away from the trunk."""
        joints = [self.joint(f"{side}_{name}") for name in names]
        a, b, c = joints
        return None if a is None or b is None or c is None else (unit(b - a), unit(c - b))

    def ankle(self, side: str) -> dict[str, np.ndarray]:
        """Return dorsiflexion: that of the sole, or of the line from ankle to toes."""
        knee, ankle, heel = (self.joint(f"{side}_{name}") for name in ("knee", "ankle", "heel"))
        toes = [self.joint(f"{side}_{name}") for name in TOES]
        toe = next((joint for joint in toes if joint is not None), None)
        if knee is None or ankle is None or toe is None:
            return {}
        foot, up = unit(toe - (ankle if heel is None else heel)), unit(knee - ankle)
        return {f"ankle_angle_{side[0]}": np.arcsin(np.clip((foot * up).sum(-1), -1, 1))}

    def _trunk(self, pair: str, low: str, high: str) -> tuple[Vectors, Vectors, Vectors] | None:
        """Return the normal of the trunk, its direction, and that from left to right."""
        left, right = self.joint(f"left_{pair}"), self.joint(f"right_{pair}")
        bottom, top = self.joint(low), self.joint(high)
        if left is None or right is None or bottom is None or top is None:
            return None
        y, z = unit(top - bottom), unit(right - left)
        return unit(np.cross(y, z)), y, z


def _leg(pelvis: Axes, thigh: Vectors, shank: Vectors, side: str) -> dict[str, np.ndarray]:
    mirror = 1.0 if side == "r" else -1.0
    femur = _upper_segment(pelvis, thigh, np.cross(shank, thigh))
    flexion, adduction, rotation = _zxy(np.swapaxes(pelvis, 1, 2) @ femur)
    axis = femur[..., 2]
    bend = -np.arctan2((np.cross(thigh, shank) * axis).sum(-1), (thigh * shank).sum(-1))
    return {
        f"hip_flexion_{side}": flexion, f"hip_adduction_{side}": mirror * adduction,
        f"hip_rotation_{side}": mirror * rotation, f"knee_angle_{side}": bend,
    }  # fmt: skip


def _arm(thorax: Axes, upper: Vectors, lower: Vectors, side: str) -> dict[str, np.ndarray]:
    mirror = 1.0 if side == "r" else -1.0
    humerus = _upper_segment(thorax, upper, np.cross(upper, lower))
    flexion, adduction, rotation = _zxy(np.swapaxes(thorax, 1, 2) @ humerus)
    x, y, z = np.moveaxis(np.einsum("tji,tj->ti", thorax, upper), -1, 0)
    return {
        f"arm_flex_{side}": flexion, f"arm_add_{side}": mirror * adduction,
        f"arm_rot_{side}": mirror * rotation,
        f"elbow_flex_{side}": np.arccos(np.clip((upper * lower).sum(-1), -1, 1)),
        f"shoulder_elevation_{side}": np.arccos(np.clip(-y, -1, 1)),
        f"shoulder_plane_{side}": np.arctan2(x, mirror * z),
    }  # fmt: skip


def _upper_segment(parent: Axes, direction: Vectors, normal: Vectors) -> Axes:
    """Return the axes of thigh or upper arm.

    y is opposite to its direction. z is the axis of knee or elbow as far as they are bent,
    otherwise that of the joint without rotation.

    Args:
        normal: of the plane of the limb, to the right; its length is the sine of the bending angle.
    """
    local = np.einsum("tji,tj->ti", parent, -direction)
    a, b = np.arctan2(-local[:, 0], local[:, 1]), np.arcsin(np.clip(local[:, 2], -1, 1))
    neutral = np.stack([np.sin(a) * np.sin(b), -np.cos(a) * np.sin(b), np.cos(b)], axis=-1)
    neutral = np.einsum("tij,tj->ti", parent, neutral)
    share = np.clip((np.linalg.norm(normal, axis=-1) - BENT[0]) / (BENT[1] - BENT[0]), 0, 1)
    share = (share**2 * (3 - 2 * share))[:, None]
    normal = unit(normal)
    # A joint that seems to bend the wrong way has the opposite normal.
    normal = normal * np.where((normal * neutral).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    y, z = -direction, unit(share * normal + (1 - share) * neutral)
    x = unit(np.cross(y, z))
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _inclinations(
    names: tuple[str, str], limb: tuple[Vectors, Vectors], side: str
) -> dict[str, np.ndarray]:
    """Return the angles between segments and the downward vertical."""
    return {
        f"{name}_inclination_{side}": np.arccos(np.clip(-direction[:, 1], -1, 1))
        for name, direction in zip(names, limb, strict=True)
    }


def _named(
    prefix: str, names: tuple[str, ...], values: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    return {prefix + name: value for name, value in zip(names, values, strict=True)}


def _zxy(axes: Axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a, b, c of Rz(a) Rx(b) Ry(c), radians."""
    return (
        np.arctan2(-axes[:, 0, 1], axes[:, 1, 1]),
        np.arcsin(np.clip(axes[:, 2, 1], -1, 1)),
        np.arctan2(-axes[:, 2, 0], axes[:, 2, 2]),
    )


def _space(axes: Axes, order: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tilt (about z), list (about x) and rotation (about y) in the given order, radians."""
    if order == "zxy":
        return _zxy(axes)
    if order != "yxz":
        raise ValueError(f"order is {order!r}; give yxz or zxy")
    return (  # Ry Rx Rz; rotation is 0 for a person who faces +x
        np.arctan2(axes[:, 1, 0], axes[:, 1, 1]),
        -np.arcsin(np.clip(axes[:, 1, 2], -1, 1)),
        np.arctan2(axes[:, 0, 2], axes[:, 2, 2]),
    )
