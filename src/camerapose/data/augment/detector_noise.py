"""A model of 2D detectors: what a pose looks like after one of them, and how sure it is."""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.conversion import DERIVED_CONFIDENCE, joint_weights
from camerapose.core.geometry import constant
from camerapose.core.skeleton import Skeleton

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
    others, as `core.conversion.convert` makes them; the head, which then comes from the face, is
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
    limb = torch.randint(len(CUT), (n,), generator=generator, device=device)
    limbs = constant(_cut_masks, skeleton, device, torch.bool).index_select(0, limb)
    seen = seen & ~(limbs & chance(cut, n, 1))
    seen = seen | (seen.sum(1, keepdim=True) < (joints + 1) // 2)
    noisy = pose2d + spread[..., None] * normal(n, joints, 2)
    return noisy, confidence * torch.exp(-3 * spread).clamp(min=0.05) * seen


def _cut_masks(skeleton: Skeleton) -> list[list[bool]]:
    """For each limb of `CUT` which joints are on it."""
    return [[joint in limb for joint in skeleton.joints] for limb in CUT]


def _redefined(pose2d, skeleton, normal):
    """The same people, their joints placed as another format might define them."""
    device, dtype = pose2d.device, pose2d.dtype
    which, joints, starts, ends = constant(_moves, skeleton, device, torch.long)
    spread = constant(_spreads, skeleton, device, dtype)
    amount = (spread[:, None] * normal(len(DEFINITIONS), len(pose2d))).index_select(0, which)
    bones = pose2d.index_select(1, ends) - pose2d.index_select(1, starts)
    return pose2d.index_add(1, joints, amount.T[..., None] * bones)


def _moves(skeleton: Skeleton) -> list[list[int]]:
    """Columns of numbers: row of `DEFINITIONS`, joint that is moved, from and to which joint."""
    rows = []
    for which, (joint, start, end, _) in enumerate(DEFINITIONS):
        for side in ("left", "right") if "{}" in joint else ("",):
            names = [name.format(side) for name in (joint, start, end)]
            if set(names) <= set(skeleton.joints):
                rows.append([which, *map(skeleton.index, names)])
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]


def _spreads(_: Skeleton) -> list[float]:
    return [spread for *_, spread in DEFINITIONS]


def _without_trunk(pose2d, confidence, skeleton, chosen, normal):
    """In the chosen poses, trunk and head as made from hips, shoulders and face."""
    body = _limbs_and_head(skeleton)
    if body is None:
        return pose2d, confidence
    device, dtype = pose2d.device, pose2d.dtype
    made, head = constant(_made_and_head, skeleton, device, torch.bool)
    jitter = 0.15 * normal(len(pose2d), 2)
    shaken = pose2d + head[:, None] * jitter[:, None]
    joints, sources = constant(_made_from, skeleton, device, torch.long)
    shares = constant(_shares, skeleton, device, dtype)
    parts = shaken.index_select(1, sources) * shares[:, None]
    others = torch.where(made[:, None], 0.0, shaken)
    converted = others.index_add(1, joints, parts)
    used = constant(_used, skeleton, device, torch.bool)
    least = torch.where(used, confidence[:, None], 1.0).amin(dim=-1)
    sure = torch.where(made, DERIVED_CONFIDENCE * least, confidence)
    return (
        torch.where(chosen[..., None], converted, pose2d),
        torch.where(chosen, sure, confidence),
    )


def _limbs_and_head(skeleton: Skeleton) -> Skeleton | None:
    """What detectors of other formats find; None where that does not make a trunk."""
    limbs = [j for j in skeleton.joints if j not in MADE_JOINTS]
    ends = {"left_hip", "right_hip", "left_shoulder", "right_shoulder", "head"}
    if not ends <= set(skeleton.joints):
        return None
    return Skeleton("limbs_and_head", (*limbs, "head"), (None, *[limbs[0]] * len(limbs)))


def _made_and_head(skeleton: Skeleton) -> list[list[bool]]:
    """Which joints are made, and which is the head."""
    return [
        [joint in MADE_JOINTS for joint in skeleton.joints],
        [joint == "head" for joint in skeleton.joints],
    ]


def _made(skeleton: Skeleton) -> list[tuple[int, int, float]]:
    """(joint, joint that it is made from, share) for the made ones (`conversion.joint_weights`)."""
    weights = joint_weights(_limbs_and_head(skeleton), skeleton)
    return [
        (joint, skeleton.index(source), share)
        for joint, sources in enumerate(weights)
        if skeleton.joints[joint] in MADE_JOINTS
        for source, share in sources.items()
    ]


def _made_from(skeleton: Skeleton) -> list[list[int]]:
    return [[joint for joint, *_ in _made(skeleton)], [source for _, source, _ in _made(skeleton)]]


def _shares(skeleton: Skeleton) -> list[float]:
    return [share for *_, share in _made(skeleton)]


def _used(skeleton: Skeleton) -> list[list[bool]]:
    """For each joint the joints that it is made from."""
    pairs = {(joint, source) for joint, source, _ in _made(skeleton)}
    joints = range(skeleton.n_joints)
    return [[(joint, source) in pairs for source in joints] for joint in joints]
