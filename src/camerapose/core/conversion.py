"""Conversion between joint formats, by joint name and definition."""

from functools import cache
from typing import Any

from array_api_compat import array_namespace
from jaxtyping import Float

from camerapose.core.joint_formats import FORMATS
from camerapose.core.skeleton import Skeleton

#: Confidence of a joint derived from other joints, relative to the smallest of their confidences.
DERIVED_CONFIDENCE = 0.5

#: Weights from which a joint that a format lacks is derived; the first recipe whose joints are
#: available is used. Weights sum to one. Pairs of sides have equal weights, so that mirroring and
#: conversion commute.
#: The spine's position between pelvis and thorax is that of the Human3.6M subjects.
#: Human3.6M's `head` lies inside the skull: slightly above the ears, below the top of the head. Its
#: weights of MPII's head top and upper neck minimise the distance in Human3.6M's own images
#: (median 4.5 pixels from the joint that Stacked Hourglass detects; 23 for the head top itself).
#: Where no joint above the neck joint is available, its distance to that joint is taken to equal
#: the distance between that joint and the thorax: 11.5 and 11.3 cm in Human3.6M.
RECIPES: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
    "thorax": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": ({"pelvis": 0.524, "thorax": 0.476},),
    "neck_nose": ({"thorax": 0.5, "head_top": 0.5}, {"thorax": 0.5, "head": 0.5}),
    "head": (
        {"head_top": 0.6, "upper_neck": 0.4},
        {"head_top": 0.7, "thorax": 0.3},
        {"left_ear": 0.6, "right_ear": 0.6, "thorax": -0.2},
        {"neck_nose": 2.0, "thorax": -1.0},
        {"nose": 1.0},
    ),
    "head_top": ({"head": 1.0},),
    "upper_neck": ({"thorax": 0.5, "head": 0.5},),
    "nose": ({"neck_nose": 1.0},),
    "left_big_toe": ({"left_foot_index": 1.0},),
    "right_big_toe": ({"right_foot_index": 1.0},),
    "left_foot_index": ({"left_big_toe": 1.0},),
    "right_foot_index": ({"right_big_toe": 1.0},),
}
#: Endings of joint names in formats with several definitions of a joint, such as `body_46`.
ENDINGS = ("_h36m", "_centre")
#: The definitions of a format's joints, preferred first. Others use COCO's, without an ending.
DEFINITIONS: dict[str, tuple[str, ...]] = {
    "h36m_16": ("_h36m",),
    "h36m_17": ("_h36m",),
    "h36m_23": ("_h36m", ""),
    **dict.fromkeys(
        ("humaneva_15", "smpl_24", "mpi_inf_3dhp_17", "mpi_inf_3dhp_28"), ("_centre", "_h36m")
    ),
}


def has_definitions(skeleton: Skeleton) -> bool:
    """Return whether a format has several definitions of a joint."""
    return any(joint.endswith(ENDINGS) for joint in skeleton.joints)


@cache
def joint_weights(source: Skeleton, target: Skeleton) -> tuple[dict[str, float] | None, ...]:
    """Return, for each joint of `target`, its weights over joints of `source`.

    None for a joint that cannot be derived. Formats with several definitions of a joint receive
    only joints that are defined alike; none is derived.
    """
    if has_definitions(target) and source != target:
        same = [_alike(joint, source, target) for joint in target.joints]
        return tuple(None if joint is None else {joint: 1.0} for joint in same)
    return tuple(_resolve(joint, source, target, frozenset()) for joint in target.joints)


@cache
def _alike(joint: str, source: Skeleton, target: Skeleton) -> str | None:
    """Return the joint of `source` with the name and definition of a joint of `target`."""
    if has_definitions(source) == has_definitions(target):
        return joint if joint in source.joints else None
    if has_definitions(source):
        return _defined(joint, source, target)
    names = {_defined(name, target, source): name for name in source.joints}
    names |= {  # landmarks of BlazePose at the big toes
        f"{side}_big_toe": f"{side}_foot_index"
        for side in ("left", "right")
        if f"{side}_foot_index" in source.joints
    }
    return names.get(joint)


def _defined(joint: str, superset: Skeleton, other: Skeleton) -> str | None:
    """Return the joint of a superset that `other` calls `joint`."""
    names = (joint + ending for ending in DEFINITIONS.get(other.name, ("",)))
    return next((name for name in names if name in superset.joints), None)


def _resolve(
    joint: str, source: Skeleton, target: Skeleton, pending: frozenset[str]
) -> dict[str, float] | None:
    same = _alike(joint, source, target)
    if same is not None:
        return {same: 1.0}
    if joint in pending:  # recipes refer to each other: head_top to head, head to head_top
        return None
    own = [dict(weights) for name, weights in source.derived if name == joint]
    for recipe in (*own, *RECIPES.get(joint, ())):
        weights = _combined(recipe, source, target, pending | {joint})
        if weights is not None:
            return weights
    return None


def _combined(
    recipe: dict[str, float], source: Skeleton, target: Skeleton, pending: frozenset[str]
) -> dict[str, float] | None:
    """Return a recipe's weights over joints of `source`; None if one of its joints is missing."""
    weights: dict[str, float] = {}
    for name, share in recipe.items():
        part = _resolve(name, source, target, pending)
        if part is None:
            return None
        for base, weight in part.items():
            weights[base] = weights.get(base, 0.0) + share * weight
    return weights


def convert(
    points: Float[Any, "*batch joints d"],
    confidence: Float[Any, "*batch joints"],
    source: Skeleton,
    target: Skeleton,
) -> tuple[Float[Any, "*batch target d"], Float[Any, "*batch target"]]:
    """Convert points from one joint format to another, by joint name and definition.

    A joint of both formats is copied bit for bit. A joint that `source` lacks is interpolated from
    its neighbours (`RECIPES`; CameraPose, section 4.2); its confidence is `DERIVED_CONFIDENCE`
    times the smallest confidence among them. A joint that cannot be derived is zero with
    confidence 0.

    Args:
        points: any dimension and unit; numpy or torch.
        confidence: 0 (not visible) to 1.

    Raises:
        ValueError: the number of joints is not that of `source`.
    """
    if points.shape[-2] != source.n_joints:
        raise ValueError(
            f"points have {points.shape[-2]} joints but {source.name} has {source.n_joints}; "
            f"give the skeleton of the points (known: {', '.join(FORMATS)})"
        )
    if source == target:
        return points, confidence
    xp = array_namespace(points, confidence)
    columns, scores = [], []
    for joint, weights in zip(target.joints, joint_weights(source, target), strict=True):
        if weights is None:
            columns.append(xp.zeros_like(points[..., 0, :]))
            scores.append(xp.zeros_like(confidence[..., 0]))
        elif (same := _alike(joint, source, target)) is not None:
            columns.append(points[..., source.index(same), :])
            scores.append(confidence[..., source.index(same)])
        else:
            columns.append(sum(points[..., source.index(j), :] * w for j, w in weights.items()))
            used = xp.stack([confidence[..., source.index(j)] for j in weights], axis=-1)
            scores.append(xp.min(used, axis=-1) * DERIVED_CONFIDENCE)
    return xp.stack(columns, axis=-2), xp.stack(scores, axis=-1)


def convert_std(
    std: Float[Any, "*batch joints"], source: Skeleton, target: Skeleton
) -> Float[Any, "*batch target"]:
    """Convert standard deviations from one joint format to another.

    A derived joint has the largest value of the joints that it is derived from; a joint that
    cannot be derived has infinity.
    """
    if source == target:
        return std
    xp = array_namespace(std)
    columns = []
    for weights in joint_weights(source, target):
        if weights is None:
            columns.append(xp.full_like(std[..., 0], float("inf")))
        else:
            used = xp.stack([std[..., source.index(joint)] for joint in weights], axis=-1)
            columns.append(xp.max(used, axis=-1))
    return xp.stack(columns, axis=-1)
