"""Joints that a simulated 2D format provides, in its definition."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from camerapose.core import joint_formats
from camerapose.core.conversion import joint_weights
from camerapose.core.geometry import constant
from camerapose.core.joint_formats import BODY_46

#: Joints that all formats have.
LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
#: Simulated formats and their probabilities. `limbs`: only `LIMBS`, as annotated in COCO.
FORMATS = {
    "coco_17": 0.25, "blazepose_33": 0.15, "body_25": 0.1, "halpe_26": 0.05, "mpii_16": 0.1,
    "h36m_16": 0.1, "h36m_17": 0.05, "smpl_24": 0.05, "limbs": 0.15,
}  # fmt: skip
#: Differences between detectors and annotators of the same joint: joint, from, to, and standard
#: deviation of the displacement along from-to relative to its length. Both sides are displaced
#: alike. Hips and shoulders: measured between formats (hips 197 to 263 mm apart, shoulders 261 to
#: 356 mm); the others are assumed.
DISPLACEMENTS: tuple[tuple[str, str, str, float], ...] = (
    ("{}_hip", "{other}_hip", "{}_hip", 0.09),
    ("{}_hip", "{}_knee", "{}_hip", 0.05),
    ("{}_shoulder", "{other}_shoulder", "{}_shoulder", 0.05),
    ("{}_shoulder", "{}_hip", "{}_shoulder", 0.03),
    ("{}_knee", "{}_hip", "{}_knee", 0.03),
    ("{}_ankle", "{}_knee", "{}_ankle", 0.04),
    ("{}_elbow", "{}_shoulder", "{}_elbow", 0.04),
    ("{}_wrist", "{}_elbow", "{}_wrist", 0.06),
    ("{}_big_toe", "{}_heel", "{}_big_toe", 0.08),
    ("{}_ear", "nose", "{}_ear", 0.1),
    ("head_top", "upper_neck", "head_top", 0.12),
    ("upper_neck", "head_top", "upper_neck", 0.15),
    ("head_h36m", "thorax_h36m", "head_h36m", 0.1),
    ("thorax_h36m", "pelvis_h36m", "thorax_h36m", 0.04),
)


def provided(name: str) -> list[bool]:
    """Return which joints of `BODY_46` a format provides.

    Raises:
        ValueError: unknown format.
    """
    if name == "limbs":
        return [joint in LIMBS for joint in BODY_46.joints]
    return [weights is not None for weights in joint_weights(joint_formats.get(name), BODY_46)]


def draw_formats(
    n: int,
    probabilities: Mapping[str, float] = FORMATS,
    device: Any = "cpu",
    generator: torch.Generator | None = None,
) -> tuple[Bool[Tensor, "n joints"], Int[Tensor, " n"]]:
    """Return which joints of `BODY_46` random formats provide, and the index of each format."""
    masks = torch.tensor([provided(name) for name in probabilities], device=device)
    weights = torch.tensor(list(probabilities.values()), device=device)
    which = torch.multinomial(weights, n, replacement=True, generator=generator)
    return masks[which], which


def displace(
    pose3d: Float[Tensor, "n joints 3"],
    amount: float = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n joints 3"]:
    """Return poses with the joints placed as other annotators place them (`DISPLACEMENTS`).

    Args:
        pose3d: joints of `BODY_46`; any linear coordinates.
        amount: factor of the standard deviations.
        generator: random generator.
    """
    device = pose3d.device
    which, joints, starts, ends = constant(_columns, None, device, torch.long)
    deviation = constant(_deviations, None, device, pose3d.dtype)
    z = torch.randn(len(pose3d), len(deviation), generator=generator, device=device)
    moves = (amount * deviation * z).index_select(1, which)
    bones = pose3d.index_select(1, ends) - pose3d.index_select(1, starts)
    return pose3d.index_add(1, joints, moves[..., None] * bones)


def _columns(_: Any) -> list[list[int]]:
    """Return columns: row of `DISPLACEMENTS`, displaced joint, from, to."""
    rows = []
    for which, (*names, _deviation) in enumerate(DISPLACEMENTS):
        for side, other in (("left", "right"), ("right", "left")):
            if "{}" not in names[0] and side == "right":
                continue
            filled = [BODY_46.index(name.format(side, other=other)) for name in names]
            rows.append([which, *filled])
    return [list(column) for column in zip(*rows, strict=True)]


def _deviations(_: Any) -> list[float]:
    return [deviation for *_, deviation in DISPLACEMENTS]
