"""Human body measures: body height, and plausible bone lengths relative to it."""

from typing import Any

from array_api_compat import array_namespace
from jaxtyping import Float

from camerapose.core.skeleton import Skeleton

#: Lengths of the limb segments of adults relative to body height, by the outer joint: thigh, shank,
#: upper arm and forearm (Drillis and Contini, 1966).
LIMB_LENGTHS = {"knee": 0.245, "ankle": 0.246, "elbow": 0.172, "wrist": 0.157}
#: Height of the ankle above the sole relative to body height (Drillis and Contini, 1966).
ANKLE_HEIGHT = 0.039
#: Body height (metres) assumed where it is unknown: the mean of women and men.
DEFAULT_HEIGHT = 1.7
#: Plausible body heights of people of unknown size, children included, metres.
HEIGHT_RANGE = (1.1, 2.1)
#: Shortest and longest plausible bones, (child, parent) without side, relative to body height.
#: One end is the segment of Drillis and Contini (1966; Winter, "Biomechanics and motor control of
#: human movement", Fig. 4.1), measured at the skin. The other is the same bone between the joint
#: centres of motion capture (subjects of Human3.6M), which lie closer together at hips, shoulders
#: and head.
BONE_PROPORTIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("hip", "pelvis"): (0.070, 0.0955),
    ("knee", "hip"): (0.240, 0.260),
    ("ankle", "knee"): (0.240, 0.260),
    ("spine", "pelvis"): (0.125, 0.151),
    ("thorax", "spine"): (0.137, 0.150),
    ("thorax", "pelvis"): (0.262, 0.300),
    ("head", "thorax"): (0.100, 0.182),
    ("neck_nose", "thorax"): (0.050, 0.075),
    ("head", "neck_nose"): (0.050, 0.130),
    ("upper_neck", "thorax"): (0.040, 0.075),
    ("head_top", "upper_neck"): (0.050, 0.150),
    ("shoulder", "thorax"): (0.080, 0.129),
    ("elbow", "shoulder"): (0.150, 0.186),
    ("wrist", "elbow"): (0.136, 0.150),
}
#: Relative tolerance beyond either end of `BONE_PROPORTIONS`.
PROPORTION_TOLERANCE = 0.15


def has_limbs(skeleton: Skeleton) -> bool:
    """Return whether a skeleton has the bones that `body_height` measures."""
    return bool(_limbs(skeleton))


def body_height(pose3d: Float[Any, "*batch joints 3"], skeleton: Skeleton) -> Float[Any, "*batch"]:
    """Return body heights estimated from the lengths of the limbs, in any posture.

    The sum of the limb lengths divided by the sum of `LIMB_LENGTHS`. Stature is estimated from the
    long bones, as in anthropometry (Trotter and Gleser, 1952): joint formats agree on the joints
    of the limbs, while hip width, trunk and head depend on where a format places its joints. For
    numpy arrays and torch tensors.

    Args:
        pose3d: joints, metres; the origin does not matter.
        skeleton: joint format of the pose.

    Returns:
        Standing height without shoes, metres.

    Raises:
        ValueError: the skeleton has no limbs.
    """
    limbs = _limbs(skeleton)
    if not limbs:
        raise ValueError(f"{skeleton.name} has no arm or leg bones to estimate body height from")
    xp = array_namespace(pose3d)
    bones = [pose3d[..., child, :] - pose3d[..., parent, :] for child, parent, _ in limbs]
    lengths = xp.linalg.vector_norm(xp.stack(bones, axis=-2), axis=-1)
    return xp.sum(lengths, axis=-1) / sum(share for *_, share in limbs)


def _limbs(skeleton: Skeleton) -> list[tuple[int, int, float]]:
    """Return (child, parent, relative length) of the limb bones that a skeleton has."""
    shares = {f"{side}_{j}": s for j, s in LIMB_LENGTHS.items() for side in ("left", "right")}
    return [
        (child, parent, shares[skeleton.joints[child]])
        for child, parent in skeleton.bones
        if skeleton.joints[child] in shares
    ]
