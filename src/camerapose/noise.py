"""A model of 2D detectors: what a pose looks like after one of them, and how sure it is."""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.skeleton import MADE_CONFIDENCE, Skeleton, convert

#: Joints of Human3.6M that detectors of other formats lack.
MADE_JOINTS = ("pelvis", "spine", "thorax", "neck_nose", "head")

#: Joints that leave the picture, or hide, together.
CUT = (
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
    ("left_knee", "left_ankle", "right_knee", "right_ankle"),
    ("left_ankle", "right_ankle"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
)

#: How joint definitions differ between formats: a joint lies off along a bone-like direction (from,
#: to) by a normal share of its length. Left and right alike, since one definition serves both:
#: Human3.6M's hips are markers' rotation centres, BlazePose's and COCO's lie wider and lower or
#: higher on the trunk; wrists, ankles, elbows and knees differ along their limb.
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
    made: float = 0.5,
    cut: float = 0.0,
    definitions: float = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "n joints 2"], Float[Tensor, "n joints"]]:
    """2D poses as a detector might give them.

    Each pose draws how hard it is, each joint how hard it is in that pose; the error is Gaussian
    with that spread, and the confidence falls with the spread, not with the error. Some joints
    are missing (confidence 0, never more than half of a pose), sometimes a whole limb. In some
    poses hips, shoulders, head and limbs end elsewhere along the body, as other formats define
    them (`DEFINITIONS`), and the joints that detectors of other formats lack are made from the
    others, as `skeleton.convert` makes them; the head, which then comes from the face, is
    displaced at random.

    Args:
        pose2d: in the person's own coordinates (spread one).
        confidence: of the exact joints; joints of confidence 0 stay so.
        level: median spread of the error.
        missing: probability of a joint to be missing.
        made: probability of a pose to have its trunk and head made from other joints.
        cut: probability of a pose to lack a limb or both legs (`CUT`).
        definitions: probability of a pose to have joints of another definition (`DEFINITIONS`).
    """
    n, joints, _ = pose2d.shape
    device = pose2d.device

    def normal(*shape):
        return torch.randn(*shape, generator=generator, device=device)

    def chance(probability, *shape):
        return torch.rand(*shape, generator=generator, device=device) < probability

    pose2d = torch.where(chance(definitions, n, 1, 1), _redefined(pose2d, skeleton, normal), pose2d)
    pose2d, confidence = _without_trunk(pose2d, confidence, skeleton, chance(made, n, 1), normal)
    spread = level * torch.exp(0.6 * normal(n, 1) + 0.5 * normal(n, joints))
    outlier = chance(0.01, n, joints)
    spread = torch.where(outlier, spread * 6, spread).clamp(max=1.0)
    seen = ~chance(missing, n, joints)
    limbs = torch.tensor(
        [[j in limb for j in skeleton.joints] for limb in CUT], device=device
    )  # fmt: skip
    limb = torch.randint(len(CUT), (n,), generator=generator, device=device)
    seen = seen & ~(limbs[limb] & chance(cut, n, 1))
    seen = seen | (seen.sum(1, keepdim=True) < (joints + 1) // 2)
    noisy = pose2d + spread[..., None] * normal(n, joints, 2)
    return noisy, confidence * torch.exp(-3 * spread).clamp(min=0.05) * seen


def _redefined(pose2d, skeleton, normal):
    """The same people, their joints placed as another format might define them."""
    moved = pose2d.clone()
    for joint, start, end, spread in DEFINITIONS:
        amount = spread * normal(len(pose2d), 1)
        for side in ("left", "right") if "{}" in joint else ("",):
            names = [name.format(side) for name in (joint, start, end)]
            if set(names) <= set(skeleton.joints):
                at, a, b = (skeleton.index(name) for name in names)
                moved[:, at] = moved[:, at] + amount * (pose2d[:, b] - pose2d[:, a])
    return moved


def _without_trunk(pose2d, confidence, skeleton, chosen, normal):
    """In the chosen poses, trunk and head as made from hips, shoulders and face."""
    made = [skeleton.index(j) for j in MADE_JOINTS if j in skeleton.joints]
    limbs = [j for j in skeleton.joints if j not in MADE_JOINTS]
    if not made or not {"left_hip", "right_hip", "left_shoulder", "right_shoulder"} <= set(limbs):
        return pose2d, confidence
    body = Skeleton("limbs_and_head", (*limbs, "head"), (None, *[limbs[0]] * len(limbs)))
    kept = [skeleton.index(j) for j in body.joints]
    head = pose2d[:, kept].clone()
    head[:, -1] = head[:, -1] + 0.15 * normal(len(pose2d), 2)
    converted, sure = convert(head, confidence[:, kept], body, skeleton)
    is_head = torch.tensor([j == "head" for j in skeleton.joints], device=pose2d.device)
    sure = torch.where(is_head, sure * MADE_CONFIDENCE, sure)
    return (
        torch.where(chosen[..., None], converted, pose2d),
        torch.where(chosen, sure, confidence),
    )
