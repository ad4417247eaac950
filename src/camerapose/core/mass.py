"""The centre of mass of a person, from joint positions."""

import numpy as np
from jaxtyping import Float

from camerapose.core.skeleton import Skeleton

#: Segments of de Leva (J. Biomech. 1996, Table 4), means of women and men: (joints, weights of the
#: joints in the segment's centre of mass, share of the body mass). Without side: a pair.
#: The trunk extends between the midpoints of shoulders and hips. The hand's centre extends the
#: forearm by 0.24 of its length (de Leva's lengths). Without points on the foot, its mass is at the
#: ankle; that of the head is at the joint `head`, which is inside the skull.
SEGMENTS: dict[str, tuple[tuple[str, ...], tuple[float, ...], float]] = {
    "trunk": (("thorax", "pelvis"), (0.5954, 0.4046), 0.43015),
    "head": (("head",), (1.0,), 0.0681),
    "upper_arm": (("shoulder", "elbow"), (0.4237, 0.5763), 0.0263),
    "forearm": (("elbow", "wrist"), (0.54335, 0.45665), 0.0150),
    "hand": (("wrist", "elbow"), (1.24, -0.24), 0.00585),
    "thigh": (("hip", "knee"), (0.61465, 0.38535), 0.1447),
    "shank": (("knee", "ankle"), (0.56265, 0.43735), 0.0457),
    "foot": (("ankle",), (1.0,), 0.0133),
}
_CENTRAL = ("trunk", "head")


def has_mass(skeleton: Skeleton) -> bool:
    """Return whether a skeleton has the joints that `center_of_mass` needs."""
    return not set(_weights()) - set(skeleton.joints)


def center_of_mass(
    points: Float[np.ndarray, "*batch joints 3"], skeleton: Skeleton
) -> Float[np.ndarray, "*batch 3"]:
    """Return the centre of mass, in the unit and frame of the points.

    Raises:
        ValueError: the skeleton lacks a joint; convert the poses to h36m_16.
    """
    weights = _weights()
    missing = sorted(set(weights) - set(skeleton.joints))
    if missing:
        raise ValueError(
            f"{skeleton.name} has no {', '.join(missing)}, which the centre of mass needs; convert "
            "the poses to h36m_16"
        )
    share = np.array([weights.get(joint, 0.0) for joint in skeleton.joints])
    return np.einsum("...jd,j->...d", np.asarray(points, float), share / share.sum())


def center_of_mass_std(
    std: Float[np.ndarray, "*batch joints"], skeleton: Skeleton
) -> Float[np.ndarray, "*batch"]:
    """Return the standard deviation of each coordinate of the centre of mass relative to the root.

    Errors of different joints are taken as independent. `skeleton` has mass (`has_mass`).

    Args:
        std: of each coordinate of a joint, in the unit of the result.
    """
    weights = _weights()
    used = [skeleton.index(joint) for joint in weights]
    share = np.array(list(weights.values())) / sum(weights.values())
    return np.sqrt(((np.asarray(std, float)[..., used] * share) ** 2).sum(-1))


def _weights() -> dict[str, float]:
    """Return the share of the mass at each joint."""
    result: dict[str, float] = {}
    for segment, (joints, shares, mass) in SEGMENTS.items():
        sides = ("",) if segment in _CENTRAL else ("left_", "right_")
        for side in sides:
            for joint, share in zip(joints, shares, strict=True):
                result[side + joint] = result.get(side + joint, 0.0) + share * mass
    return result
