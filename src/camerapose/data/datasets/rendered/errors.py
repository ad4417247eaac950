"""Errors of a detector on rendered bodies: the parameters of simulated detections.

Errors are relative to the spread of a person: the root mean square distance of its true joints
from their mean, in the image.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from camerapose.core import joint_formats
from camerapose.data.datasets.rendered.content import COCO_23, LIMBS, Rendered

#: A joint whose error is larger is an outlier, not an inaccurate detection.
OUTLIER = 1.0
#: Left and right are exchanged if exchanging them back divides the error by more than this.
SWAP_RATIO = 2.0
#: Groups of joints whose sides are exchanged together.
GROUPS = {"legs": ("hip", "knee", "ankle"), "arms": ("shoulder", "elbow", "wrist")}
#: Systematic displacements of a joint: joint, from, to; relative to the distance from-to.
DISPLACEMENTS = (
    ("{}_hip", "{other}_hip", "{}_hip"),
    ("{}_hip", "{}_knee", "{}_hip"),
    ("{}_shoulder", "{other}_shoulder", "{}_shoulder"),
    ("{}_shoulder", "{}_hip", "{}_shoulder"),
    ("{}_knee", "{}_hip", "{}_knee"),
    ("{}_ankle", "{}_knee", "{}_ankle"),
    ("{}_elbow", "{}_shoulder", "{}_elbow"),
    ("{}_wrist", "{}_elbow", "{}_wrist"),
)
#: Standard deviation of the logarithm of the length of a 2D Gaussian vector.
_RAYLEIGH_SPREAD = 0.641
#: Median length of a 2D Gaussian vector of standard deviation 1.
_RAYLEIGH_MEDIAN = 1.1774
_VISIBILITY = ("outside", "hidden", "visible")


def measure(raw: Rendered) -> dict[str, Any]:
    """Return the parameters of the errors of a detector.

    Returns:
        detected: share of images in which a person was detected; matched: a person of the image.
        swaps: share of people whose legs, arms, or both are exchanged.
        level: median standard deviation of the error per coordinate.
        sample_spread, joint_spread: standard deviations of the logarithm of this deviation between
        people, and between the joints of a person.
        outliers: share of joints with errors above `OUTLIER`; outlier_size: their standard
        deviation per coordinate.
        by_visibility, by_joint: share of joints, median error and median confidence.
        confidence: median error and its 90th percentile by confidence.
        rank_correlation: of confidence and error.
        displacements: median and standard deviation (from quartiles) of each of `DISPLACEMENTS`.
    """
    skeleton = joint_formats.get(raw.skeleton)
    joints = [j for j in LIMBS if j in skeleton.joints]
    rows = np.flatnonzero(raw.matched)
    true = raw.pixels[rows][:, [COCO_23.index(j) for j in joints]]
    detected = raw.detected[rows][:, [skeleton.index(j) for j in joints]]
    visible = raw.visible[rows][:, [COCO_23.index(j) for j in joints]]
    spread = _spread(true)
    points, swapped = _unswap(detected[..., :2], true, joints)
    error = (points - true) / spread[:, None, None]
    length, confidence = np.linalg.norm(error, axis=-1), detected[..., 2]
    inlier = (length < OUTLIER) & (visible > 0)
    level = _levels(length, inlier)
    outside = length[(length >= OUTLIER) & (visible > 0)]
    counted = visible > 0
    return {
        "images": len(raw.matched),
        "detected": float((raw.detected[..., 2].max(1) > 0).mean()),
        "matched": float(raw.matched.mean()),
        "swaps": {name: float(rows.mean()) for name, rows in swapped.items()},
        "level": float(np.exp(np.median(level))),
        "sample_spread": _deviation(level),
        "joint_spread": _joint_spread(length, inlier, level),
        "outliers": float((length >= OUTLIER)[counted].mean()),
        "outlier_size": float(np.sqrt((outside**2).mean() / 2)) if len(outside) else None,
        "by_visibility": {
            name: _summary(length, confidence, visible == value)
            for value, name in enumerate(_VISIBILITY)
        },
        "by_joint": {
            name: _summary(
                length, confidence, counted & np.array([j.endswith(name) for j in joints])
            )
            for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        },
        "confidence": _by_confidence(length[counted], confidence[counted]),
        "rank_correlation": _rank_correlation(length[counted], confidence[counted]),
        "displacements": _displacements(points - true, true, inlier, joints),
    }


def _spread(points: Float[np.ndarray, "n joints 2"]) -> Float[np.ndarray, " n"]:
    distance = points - points.mean(1, keepdims=True)
    return np.sqrt((distance**2).sum(-1).mean(1))


def _unswap(
    points: np.ndarray, true: np.ndarray, joints: list[str]
) -> tuple[np.ndarray, dict[str, Bool[np.ndarray, " n"]]]:
    """Return detections with exchanged sides exchanged back, and the people concerned."""
    result, swapped = points.copy(), {}
    mirror = np.array([joints.index(_other(joint)) for joint in joints])
    for name, group in GROUPS.items():
        own = np.array([joint.endswith(group) for joint in joints])
        error = np.linalg.norm(points - true, axis=-1)[:, own].mean(1)
        exchanged = points[:, mirror]
        after = np.linalg.norm(exchanged - true, axis=-1)[:, own].mean(1)
        swapped[name] = error > SWAP_RATIO * after
        change = swapped[name][:, None] & own
        result = np.where(change[..., None], exchanged, result)
    swapped["both"] = swapped["legs"] & swapped["arms"]
    return result, swapped


def _other(joint: str) -> str:
    side, _, name = joint.partition("_")
    return f"{'right' if side == 'left' else 'left'}_{name}"


def _levels(length: np.ndarray, inlier: np.ndarray) -> np.ndarray:
    """Return the logarithm of each person's standard deviation per coordinate."""
    logs = np.where(inlier, np.log(np.maximum(length, 1e-4)), np.nan)
    with np.errstate(all="ignore"):
        level = np.nanmedian(logs[inlier.sum(1) >= 4], axis=1)
    return level - np.log(_RAYLEIGH_MEDIAN)


def _deviation(values: np.ndarray) -> float:
    """Return the standard deviation, from the quartiles."""
    low, high = np.nanquantile(values, [0.25, 0.75])
    return float((high - low) / 1.349)


def _joint_spread(length: np.ndarray, inlier: np.ndarray, level: np.ndarray) -> float:
    """Return the deviation of the logarithm of a joint's level from that of its person."""
    rows = inlier.sum(1) >= 4
    logs = np.log(np.maximum(length[rows], 1e-4)) - np.log(_RAYLEIGH_MEDIAN) - level[:, None]
    variance = np.var(logs[inlier[rows]])
    return float(np.sqrt(max(variance - _RAYLEIGH_SPREAD**2, 0)))


def _summary(length: np.ndarray, confidence: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    mask = np.broadcast_to(mask, length.shape)
    if not mask.any():
        return {"share": 0.0}
    return {
        "share": float(mask.mean()),
        "error": float(np.median(length[mask])),
        "error_90": float(np.quantile(length[mask], 0.9)),
        "confidence": float(np.median(confidence[mask])),
    }


def _by_confidence(length: np.ndarray, confidence: np.ndarray) -> list[dict[str, float]]:
    """Return the errors in bins of confidence."""
    edges = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.001]
    bins = []
    for low, high in zip(edges, edges[1:], strict=False):
        rows = (confidence >= low) & (confidence < high)
        if rows.any():
            bins.append({
                "from": low,
                "share": float(rows.mean()),
                "error": float(np.median(length[rows])),
                "error_90": float(np.quantile(length[rows], 0.9)),
            })  # fmt: skip
    return bins


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1]) if len(a) > 1 else 0.0


def _displacements(error, true, inlier, joints) -> dict[str, dict[str, float]]:
    """Return the errors along the body, relative to the distance between two joints."""
    result = {}
    for template in DISPLACEMENTS:
        values = []
        for side, other in (("left", "right"), ("right", "left")):
            names = [name.format(side, other=other) for name in template]
            joint, start, end = (joints.index(name) for name in names)
            line = true[:, end] - true[:, start]
            length = (line**2).sum(1)
            # Short lines are seen from their end; both points must be reliable.
            rows = inlier[:, joint] & (length > (0.25 * _spread(true)) ** 2)
            values.append((error[rows, joint] * line[rows]).sum(1) / length[rows])
        both = np.concatenate(values)
        joint, start, end = (part.format("", other="other").lstrip("_") for part in template)
        if len(both):
            result[f"{joint} ({start} to {end})"] = {
                "median": float(np.median(both)),
                "deviation": _deviation(both),
            }
    return result
