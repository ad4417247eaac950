"""How human the people of a file look in a joint format: bone lengths and directions in 2D.

Each bone of a common tree has a length and a vertical component, relative to the diagonal of the
person's bounding box. Medians and spreads are those of 1,019 annotated people of COCO val2017. The
implausibility of a person is the mean squared deviation in units of the spread, 0.7 for a typical
person in the right order of joints (95th percentile 3.2) and 5.7 in a random one (5th 3.7).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from camerapose.core.skeleton import Skeleton

#: (from, to), median and spread of the length, median and spread of the downward component.
_BONES: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("left_shoulder", "right_shoulder"): (0.23, 0.11, 0.0, 0.06),
    ("left_hip", "right_hip"): (0.155, 0.07, 0.0, 0.045),
    ("left_shoulder", "left_hip"): (0.38, 0.10, 0.37, 0.12),
    ("right_shoulder", "right_hip"): (0.38, 0.10, 0.37, 0.12),
    ("left_shoulder", "left_elbow"): (0.22, 0.08, 0.19, 0.10),
    ("right_shoulder", "right_elbow"): (0.22, 0.08, 0.19, 0.10),
    ("left_elbow", "left_wrist"): (0.175, 0.075, 0.06, 0.13),
    ("right_elbow", "right_wrist"): (0.175, 0.075, 0.06, 0.13),
    ("left_hip", "left_knee"): (0.255, 0.07, 0.21, 0.13),
    ("right_hip", "right_knee"): (0.255, 0.07, 0.21, 0.13),
    ("left_knee", "left_ankle"): (0.26, 0.065, 0.235, 0.09),
    ("right_knee", "right_ankle"): (0.26, 0.065, 0.235, 0.09),
    ("thorax", "head"): (0.16, 0.065, -0.13, 0.075),
    ("hips", "pelvis"): (0.0, 0.05, 0.0, 0.05),
}
#: Joints that stand for the head, the preferred first.
_HEADS = ("nose", "neck_nose", "head", "head_top", "upper_neck")
#: A larger deviation counts as this many spreads.
MAX_DEVIATION = 3.0
#: Fewer visible bones are no evidence.
MIN_BONES = 6
#: Implausibility from which on an order of joints is wrong, and the difference to the next best
#: format from which on the best is the right one.
IMPLAUSIBLE, CLEAR = 3.5, 0.7
#: Tolerance of the usual format of a program, divided by the square root of the number of people.
FEW = 0.7
#: Added to the implausibility of people who are not upright in the image.
ROTATED = 0.6
#: Number of people of a file that are looked at.
MAX_PEOPLE = 2000


class Evidence(NamedTuple):
    """How well a format fits.

    Attributes:
        implausibility: median over people; NaN without evidence.
        people: number of people with enough visible joints.
    """

    implausibility: float
    people: int


def evidence(
    points: Float[np.ndarray, "n joints 2"],
    visible: Bool[np.ndarray, "n joints"],
    skeleton: Skeleton,
) -> Evidence:
    """Return how implausible people are whose joints are in the order of a format.

    People may be rotated by multiples of 90 degrees, all in the same way.
    """
    offsets, known = _bones(points.astype(np.float64), visible, skeleton)
    enough = known.sum(axis=1) >= MIN_BONES
    if not enough.any():
        return Evidence(float("nan"), 0)
    offsets, known = offsets[enough], known[enough]
    values = []
    for penalty, down in (
        (0.0, offsets[..., 1]), (ROTATED, offsets[..., 0]),
        (ROTATED, -offsets[..., 0]), (ROTATED, -offsets[..., 1]),
    ):  # fmt: skip
        values.append(penalty + float(np.median(_deviation(offsets, down, known))))
    return Evidence(min(values), int(enough.sum()))


def _deviation(offsets: np.ndarray, down: np.ndarray, known: np.ndarray) -> np.ndarray:
    length, length_spread, drop, drop_spread = np.array(list(_BONES.values())).T
    long = (np.linalg.norm(offsets, axis=-1) - length) / length_spread
    low = (down - drop) / drop_spread
    squares = (np.minimum(long**2, MAX_DEVIATION**2) + np.minimum(low**2, MAX_DEVIATION**2)) / 2
    return np.where(known, squares, 0).sum(axis=1) / known.sum(axis=1)


def _bones(
    points: np.ndarray, visible: np.ndarray, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bones (n, bones, 2) relative to the person's size, and which are known."""
    masked = np.where(visible[..., None], points, np.nan)
    some = visible.any(axis=1)
    size = np.ones(len(points))
    extent = np.nanmax(masked[some], axis=1) - np.nanmin(masked[some], axis=1)
    size[some] = np.maximum(np.linalg.norm(extent, axis=-1), 1e-9)
    joints = {name: masked[:, i] for i, name in enumerate(skeleton.joints)}
    if "thorax" not in joints and {"left_shoulder", "right_shoulder"} <= set(joints):
        joints["thorax"] = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    if {"left_hip", "right_hip"} <= set(joints):
        joints["hips"] = (joints["left_hip"] + joints["right_hip"]) / 2
    head = next((name for name in _HEADS if name in joints), None)
    nothing = np.full((len(points), 2), np.nan)
    joints["head"] = joints[head] if head else nothing
    offsets = np.stack([joints.get(b, nothing) - joints.get(a, nothing) for a, b in _BONES], axis=1)
    known = np.isfinite(offsets).all(axis=-1)
    return np.where(known[..., None], offsets, 0) / size[:, None, None], known
