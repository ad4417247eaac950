"""Random bone lengths: the same poses on other bodies."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import bone_vectors, pose_from_bones
from camerapose.core.joint_formats import BODY_46

#: Standard deviation of the logarithm of each bone length, by the bone's outer joint without side;
#: bones that are not listed have `LIMB`. The distance of a surface point from the joint centre
#: depends on the annotator as well as on the body and varies more.
LIMB = 0.06
SURFACE = 0.25
WIDTH = {"hip_centre": 0.10, "shoulder_centre": 0.10, "hip_h36m": 0.15, "shoulder_h36m": 0.15}
_SURFACE_JOINTS = ("hip", "shoulder", "knee", "ankle", "elbow", "wrist")


def deviations(limb: float = LIMB, surface: float = SURFACE) -> dict[str, float]:
    """Return the standard deviation of the logarithm of each bone length, by joint without side."""
    joints = {_without_side(joint) for joint in BODY_46.joints}
    given: dict[str, float] = dict.fromkeys(joints, limb)
    return given | WIDTH | dict.fromkeys(_SURFACE_JOINTS, surface)


def vary_bone_lengths(
    pose3d: Float[Tensor, "n joints 3"],
    deviation: Mapping[str, float],
    stature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n joints 3"]:
    """Return poses with scaled bone lengths; bone directions and left-right symmetry are kept.

    Each length is multiplied by exp(d z) with a standard normal z per pose and pair of bones.

    Args:
        pose3d: joints of `BODY_46`; metres.
        deviation: d per joint without side (`deviations`).
        stature: d of a factor for the whole body.
        generator: random generator.

    Returns:
        Poses with the root joint where it was.
    """
    names = [_without_side(joint) for joint in ATTACHED.bone_names]
    groups = sorted(set(names))
    index = torch.tensor([groups.index(name) for name in names], device=pose3d.device)
    spread = pose3d.new_tensor([deviation.get(name, 0.0) for name in groups])
    z = torch.randn(len(pose3d), len(groups) + 1, generator=generator, device=pose3d.device)
    scale = (z[:, :-1] * spread).index_select(1, index) + stature * z[:, -1:]
    bones = bone_vectors(pose3d, ATTACHED) * scale.exp()[..., None]
    return pose_from_bones(bones, ATTACHED, pose3d[:, ATTACHED.root_index])


def _without_side(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")
