"""Simulated errors and confidences of 2D keypoint detectors."""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.conversion import DERIVED_CONFIDENCE, joint_weights
from camerapose.core.geometry import constant
from camerapose.core.skeleton import Skeleton

#: Joints of Human3.6M that detectors of other formats lack and that are derived from others.
DERIVED_JOINTS = ("pelvis", "spine", "thorax", "neck_nose", "head")

#: Joints that are outside the image, or occluded, together.
LIMBS = (
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
    ("left_knee", "left_ankle", "right_knee", "right_ankle"),
    ("left_ankle", "right_ankle"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
)

#: Differences of joint definitions between formats: joint, from, to, and standard deviation of the
#: displacement along from-to relative to its length. Both sides are displaced alike. Human3.6M's
#: hips are rotation centres estimated from markers, those of BlazePose and COCO are wider apart and
#: higher or lower; wrists, ankles, elbows and knees differ along their limb.
DEFINITIONS: tuple[tuple[str, str, str, float], ...] = (
    ("{}_hip", "pelvis", "{}_hip", 0.25),
    ("{}_hip", "pelvis", "thorax", 0.06),
    ("{}_shoulder", "thorax", "{}_shoulder", 0.12),
    ("{}_shoulder", "pelvis", "thorax", 0.04),
    ("{}_knee", "{}_hip", "{}_knee", 0.03),
    ("{}_ankle", "{}_knee", "{}_ankle", 0.05),
    ("{}_elbow", "{}_shoulder", "{}_elbow", 0.04),
    ("{}_wrist", "{}_elbow", "{}_wrist", 0.06),
    ("head", "thorax", "head", 0.2),
    ("thorax", "pelvis", "thorax", 0.05),
)


def detect(
    pose2d: Float[Tensor, "n joints 2"],
    confidence: Float[Tensor, "n joints"],
    skeleton: Skeleton,
    level: float = 0.08,
    missing: float = 0.04,
    interpolated: float = 0.5,
    truncated: float = 0.0,
    redefined: float = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "n joints 2"], Float[Tensor, "n joints"]]:
    """Return 2D poses as a detector might detect them, and their confidences.

    The error is Gaussian; its standard deviation varies by pose and joint. The confidence decreases
    with the standard deviation, not with the error. Some joints are missing (confidence 0, at most
    half of a pose), sometimes a whole limb. In some poses, joints are displaced along the body as
    defined by other formats (`DEFINITIONS`), and joints that detectors of other formats lack are
    derived as by `core.conversion.convert`; the head, which is then derived from the face, is
    displaced at random.

    Args:
        pose2d: clean 2D, standardised per person (standard deviation 1).
        confidence: confidence of the clean 2D; joints with confidence 0 keep it.
        skeleton: joint format.
        level: median standard deviation of the error.
        missing: probability that a joint is missing.
        interpolated: probability that trunk and head of a pose are derived from other joints.
        truncated: probability that a pose lacks a limb or both legs (`LIMBS`).
        redefined: probability that a pose has joints of another definition (`DEFINITIONS`).
        generator: random generator.
    """
    n, joints, _ = pose2d.shape
    device = pose2d.device

    def normal(*shape):
        return torch.randn(*shape, generator=generator, device=device)

    def chance(probability, *shape):
        return torch.rand(*shape, generator=generator, device=device) < probability

    pose2d = torch.where(chance(redefined, n, 1, 1), _redefine(pose2d, skeleton, normal), pose2d)
    pose2d, confidence = _derive_trunk(
        pose2d, confidence, skeleton, chance(interpolated, n, 1), normal
    )
    deviation = level * torch.exp(0.6 * normal(n, 1) + 0.5 * normal(n, joints))
    outlier = chance(0.01, n, joints)
    deviation = torch.where(outlier, deviation * 6, deviation).clamp(max=1.0)
    is_visible = ~chance(missing, n, joints)
    limb = torch.randint(len(LIMBS), (n,), generator=generator, device=device)
    limbs = constant(_limb_masks, skeleton, device, torch.bool).index_select(0, limb)
    is_visible = is_visible & ~(limbs & chance(truncated, n, 1))
    is_visible = is_visible | (is_visible.sum(1, keepdim=True) < (joints + 1) // 2)
    noisy = pose2d + deviation[..., None] * normal(n, joints, 2)
    return noisy, confidence * torch.exp(-3 * deviation).clamp(min=0.05) * is_visible


def _limb_masks(skeleton: Skeleton) -> list[list[bool]]:
    """Return for each of `LIMBS` which joints belong to it."""
    return [[joint in limb for joint in skeleton.joints] for limb in LIMBS]


def _redefine(pose2d, skeleton, normal):
    """Return poses with joints displaced as defined by another format."""
    device, dtype = pose2d.device, pose2d.dtype
    which, joints, starts, ends = constant(_moves, skeleton, device, torch.long)
    deviation = constant(_deviations, skeleton, device, dtype)
    amount = (deviation[:, None] * normal(len(DEFINITIONS), len(pose2d))).index_select(0, which)
    bones = pose2d.index_select(1, ends) - pose2d.index_select(1, starts)
    return pose2d.index_add(1, joints, amount.T[..., None] * bones)


def _moves(skeleton: Skeleton) -> list[list[int]]:
    """Return columns: row of `DEFINITIONS`, displaced joint, from, to."""
    rows = []
    for which, (joint, start, end, _) in enumerate(DEFINITIONS):
        for side in ("left", "right") if "{}" in joint else ("",):
            names = [name.format(side) for name in (joint, start, end)]
            if set(names) <= set(skeleton.joints):
                rows.append([which, *map(skeleton.index, names)])
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]


def _deviations(_: Skeleton) -> list[float]:
    return [deviation for *_, deviation in DEFINITIONS]


def _derive_trunk(pose2d, confidence, skeleton, chosen, normal):
    """Return poses, the chosen ones with trunk and head derived from hips, shoulders and face."""
    body = _limbs_and_head(skeleton)
    if body is None:
        return pose2d, confidence
    device, dtype = pose2d.device, pose2d.dtype
    is_derived, is_head = constant(_derived_and_head, skeleton, device, torch.bool)
    displacement = 0.15 * normal(len(pose2d), 2)
    displaced = pose2d + is_head[:, None] * displacement[:, None]
    joints, sources = constant(_derivations, skeleton, device, torch.long)
    shares = constant(_shares, skeleton, device, dtype)
    parts = displaced.index_select(1, sources) * shares[:, None]
    others = torch.where(is_derived[:, None], 0.0, displaced)
    converted = others.index_add(1, joints, parts)
    is_source = constant(_is_source, skeleton, device, torch.bool)
    lowest = torch.where(is_source, confidence[:, None], 1.0).amin(dim=-1)
    derived = torch.where(is_derived, DERIVED_CONFIDENCE * lowest, confidence)
    return (
        torch.where(chosen[..., None], converted, pose2d),
        torch.where(chosen, derived, confidence),
    )


def _limbs_and_head(skeleton: Skeleton) -> Skeleton | None:
    """Return the joints that all detectors have; None if the trunk cannot be derived from them."""
    limbs = [j for j in skeleton.joints if j not in DERIVED_JOINTS]
    ends = {"left_hip", "right_hip", "left_shoulder", "right_shoulder", "head"}
    if not ends <= set(skeleton.joints):
        return None
    return Skeleton("limbs_and_head", (*limbs, "head"), (None, *[limbs[0]] * len(limbs)))


def _derived_and_head(skeleton: Skeleton) -> list[list[bool]]:
    """Return which joints are derived, and which is the head."""
    return [
        [joint in DERIVED_JOINTS for joint in skeleton.joints],
        [joint == "head" for joint in skeleton.joints],
    ]


def _sources(skeleton: Skeleton) -> list[tuple[int, int, float]]:
    """Return (joint, source joint, weight) of the derived joints (`conversion.joint_weights`)."""
    body = _limbs_and_head(skeleton)
    assert body is not None
    weights = joint_weights(body, skeleton)
    return [
        (joint, skeleton.index(source), share)
        for joint, sources in enumerate(weights)
        if skeleton.joints[joint] in DERIVED_JOINTS
        for source, share in (sources or {}).items()
    ]


def _derivations(skeleton: Skeleton) -> list[list[int]]:
    return [list(column) for column in zip(*_sources(skeleton), strict=True)][:2]


def _shares(skeleton: Skeleton) -> list[float]:
    return [share for *_, share in _sources(skeleton)]


def _is_source(skeleton: Skeleton) -> list[list[bool]]:
    """Return for each joint which joints it is derived from."""
    pairs = {(joint, source) for joint, source, _ in _sources(skeleton)}
    joints = range(skeleton.n_joints)
    return [[(joint, source) in pairs for source in joints] for joint in joints]
