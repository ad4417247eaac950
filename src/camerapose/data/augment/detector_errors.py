"""Errors and confidences of 2D detectors, with a scale that varies per sample and joint."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from camerapose.core.geometry import constant
from camerapose.core.joint_formats import BODY_46

#: Joints that are occluded together.
OCCLUDED = (
    ("left_knee", "left_ankle", "left_heel", "left_big_toe", "left_small_toe"),
    ("left_elbow", "left_wrist"),
    ("left_wrist",),
    ("left_ankle", "left_heel", "left_big_toe", "left_small_toe"),
    ("left_ear", "left_eye"),
    (
        "left_ankle", "left_heel", "left_big_toe", "left_small_toe",
        "right_ankle", "right_heel", "right_big_toe", "right_small_toe",
    ),
    (
        "left_knee", "left_ankle", "left_heel", "left_big_toe", "left_small_toe",
        "right_knee", "right_ankle", "right_heel", "right_big_toe", "right_small_toe",
    ),
)  # fmt: skip
#: Joints that detectors exchange between left and right: legs, arms, or all.
SWAPPED = (("hip", "knee", "ankle", "heel", "toe"), ("shoulder", "elbow", "wrist"), ("",))


@dataclass(frozen=True)
class DetectorOptions:
    """Parameters of simulated detections.

    Errors are relative to the person's spread (root mean square distance of the joints from their
    mean). "Measured": BlazePose heavy on two sets of rendered bodies, 5,922 images of another
    renderer and 302 people of the benchmark (`dev/detector-errors.md`). All others are assumed. No
    other detector was measured; `benchmarks/rendered.py --detector NAME --errors FILE` does it.
    """

    clean: float = 0.25
    """Share of samples without error and with confidence 1 (annotations, projections)."""
    level: float = 0.04
    """Median standard deviation of the error per coordinate. Measured: 0.039, 0.053."""
    sample_spread: float = 0.6
    """Standard deviation of the logarithm of a sample's level. Measured: 0.64, 0.52."""
    joint_spread: float = 0.6
    """Standard deviation of the logarithm of a joint's level. Measured: 0.60, 0.58."""
    outliers: float = 0.015
    """Probability that a joint is somewhere else. Measured: 1.5%, 1.4% are off by more than 1."""
    outlier_size: float = 0.7
    """Standard deviation of such an error per coordinate. Measured: 1.19 of errors above 1."""
    swaps: float = 0.04
    """Probability that left and right are exchanged. Measured: 4.5%, 2.3% (full: 8.3%)."""
    missing: float = 0.03
    """Probability that a joint is missing. Assumed; BlazePose returns all joints."""
    occluded: float = 0.2
    """Probability that a limb or both legs are missing or unreliable (`OCCLUDED`). Assumed."""
    truncated: float = 0.6
    """Share of samples in which joints outside the image are missing; otherwise they are
    extrapolated with `extrapolated` times the error. Assumed."""
    hidden: float = 2.2
    """Factor of the error of occluded joints. Measured (median relative to visible joints): 2.2."""
    extrapolated: float = 7.8
    """The same for joints outside the image. Measured: 7.8."""
    informative: float = 0.75
    """Share of samples whose confidence decreases with the error's standard deviation; otherwise
    it is independent of it. Assumed; the measured rank correlation is -0.61."""
    min_visible: int = 6
    """Fewest visible joints; samples that would have fewer keep all joints of their format."""


def detect(
    pose2d: Float[Tensor, "n joints 2"],
    provided: Bool[Tensor, "n joints"],
    inside: Bool[Tensor, "n joints"],
    options: DetectorOptions,
    generator: torch.Generator | None = None,
    correlation: float = 0.0,
) -> tuple[Float[Tensor, "n joints 2"], Float[Tensor, "n joints"]]:
    """Return 2D poses as a detector might detect them, and confidences.

    Args:
        pose2d: clean 2D in the joints of `BODY_46`, any scale.
        provided: joints of the simulated format.
        inside: joints inside the image.
        options: parameters.
        generator: random generator.
        correlation: correlation of the errors of consecutive rows, for rows that are the frames of
            a clip; 0: rows are independent. Levels, missing joints and exchanged sides are then
            drawn once for all rows.

    Returns:
        2D poses, zero where missing, and confidences: 0 if missing, 1 in clean samples.
    """
    n, joints, _ = pose2d.shape
    rows = n if correlation == 0 else 1
    device = pose2d.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    def chance(probability: float, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device) < probability

    is_clean = chance(options.clean, rows, 1)
    level = options.level * torch.exp(
        options.sample_spread * normal(rows, 1) + options.joint_spread * normal(rows, joints)
    )
    group = torch.randint(len(OCCLUDED) * 2, (rows,), generator=generator, device=device)
    occluded = constant(_occluded, None, device, torch.bool)[group]
    occluded = occluded & chance(options.occluded, rows, 1) & ~is_clean
    is_dropped = chance(0.5, rows, 1)
    is_truncated = chance(options.truncated, rows, 1)
    level = torch.where(occluded, level * options.hidden, level)
    level = torch.where(inside, level, level * options.extrapolated)
    visible = provided & ~(occluded & is_dropped) & (inside | ~is_truncated)
    visible = visible & (~chance(options.missing, rows, joints) | is_clean)
    visible = torch.where(visible.sum(1, keepdim=True) < options.min_visible, provided, visible)

    outlier = chance(options.outliers, rows, joints)
    deviation = torch.where(outlier, options.outlier_size, level)
    noise = correlated_normal(n, joints, correlation, normal)
    detected = pose2d + deviation[..., None] * noise * spread(pose2d, provided)
    swapped = chance(options.swaps, rows)
    which = torch.randint(len(SWAPPED), (rows,), generator=generator, device=device)
    mirror = constant(_swaps, None, device, torch.long)[which].expand(n, -1)
    exchanged = detected.gather(1, mirror[..., None].expand(-1, -1, 2))
    detected = torch.where(swapped[:, None, None], exchanged, detected)
    detected = torch.where(is_clean[..., None], pose2d, detected)

    score = confidence(level + 0.3 * swapped[:, None], normal(rows, joints))
    other = torch.rand(rows, 1, generator=generator, device=device).clamp(min=0.3)
    other = (other + 0.1 * normal(rows, joints)).clamp(0.05, 1)
    score = torch.where(chance(options.informative, rows, 1), score, other)
    score = torch.where(is_clean, 1.0, score) * visible
    return torch.where(visible[..., None], detected, 0.0), score


def confidence(
    level: Float[Tensor, "n joints"], noise: Float[Tensor, "rows joints"]
) -> Float[Tensor, "n joints"]:
    """Return imperfect confidences of joints with an error of this standard deviation.

    Measured medians: 0.95 at errors of 0.03, 0.7 at 0.1, 0.45 at 0.3; the rank correlation between
    confidence and error is -0.5.

    Args:
        level: standard deviation relative to the person's spread.
        noise: standard normal values, of each row or of all.
    """
    logit = 2.3 - 1.2 * torch.log(level.clamp(min=1e-4) / 0.03) + 0.5 * noise
    return logit.sigmoid().clamp(0.05, 1)


def spread(
    pose2d: Float[Tensor, "n joints 2"], counted: Bool[Tensor, "n joints"]
) -> Float[Tensor, "n 1 1"]:
    """Return the root mean square distance of the counted joints from their mean."""
    weight = counted.to(pose2d.dtype)[..., None]
    count = weight.sum(1, keepdim=True).clamp(min=1)
    mean = (pose2d * weight).sum(1, keepdim=True) / count
    return (((pose2d - mean).square() * weight).sum((1, 2), keepdim=True) / count).sqrt()


def correlated_normal(
    n: int, joints: int, correlation: float, normal: Any
) -> Float[Tensor, "n joints 2"]:
    """Return standard normal values; those of consecutive rows have the given correlation."""
    values = normal(n, joints, 2)
    if correlation == 0:
        return values
    innovation = (1 - correlation**2) ** 0.5
    rows = [values[0]]
    for value in values[1:]:
        rows.append(correlation * rows[-1] + innovation * value)
    return torch.stack(rows)


def _occluded(_: Any) -> list[list[bool]]:
    """Return which joints each of `OCCLUDED` and its mirror image contain, in all definitions."""
    rows = []
    for names in OCCLUDED:
        for swap in (False, True):
            group = {_mirrored(name) if swap else name for name in names}
            rows.append([_plain(joint) in group for joint in BODY_46.joints])
    return rows


def _swaps(_: Any) -> list[list[int]]:
    """Return for each of `SWAPPED` where each joint's position is taken from."""
    return [
        [
            BODY_46.mirror[i] if any(name in joint for name in names) else i
            for i, joint in enumerate(BODY_46.joints)
        ]
        for names in SWAPPED
    ]


def _plain(joint: str) -> str:
    return joint.removesuffix("_h36m").removesuffix("_centre")


def _mirrored(joint: str) -> str:
    if joint.startswith("left_"):
        return "right_" + joint.removeprefix("left_")
    return "left_" + joint.removeprefix("right_") if joint.startswith("right_") else joint
