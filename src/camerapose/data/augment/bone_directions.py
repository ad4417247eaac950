"""Turn limbs and head of bodies in all joint definitions to given bone directions."""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.attachment import ATTACHED
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.data.retarget import GROUPS, LIMBS

#: Segments in order from the trunk outwards: the segment before, and the ends of the bone.
SEGMENTS = {"head": ("upper", "thorax", "head")} | LIMBS
#: Joints of `H36M_16` in `BODY_46`.
H36M_JOINTS = [BODY_46.index(f"{joint}_h36m") for joint in H36M_16.joints]
#: Cosine below which directions are opposite, and their smallest rotation is undefined.
_OPPOSITE = -0.999


def turn_bones(
    poses: Float[Tensor, "n 46 3"], target: Float[Tensor, "n 16 3"]
) -> Float[Tensor, "n 46 3"]:
    """Return bodies whose limbs and heads have the directions of target poses.

    Each segment is rotated, by the smallest rotation from where the segment before it carries it,
    with all joints that are attached to it. All lengths and the trunk are unchanged.

    Args:
        poses: joints of `BODY_46`; any axes.
        target: joints of `H36M_16` in the same axes; only directions count.
    """
    given = poses[:, H36M_JOINTS]
    identity = torch.eye(3, dtype=poses.dtype, device=poses.device).expand(len(poses), 3, 3)
    rotation = {"lower": identity, "upper": identity}
    for name, (before, start, end) in SEGMENTS.items():
        i, j = H36M_16.index(end), H36M_16.index(start)
        carried = _rotate(rotation[before], given[:, i] - given[:, j])
        rotation[name] = smallest_rotation(carried, target[:, i] - target[:, j]) @ rotation[before]
    segment_of = {joint: name for name, joints in GROUPS.items() for joint in joints}
    result: dict[str, Tensor] = {BODY_46.root: poses[:, BODY_46.root_index]}
    parents = dict(zip(ATTACHED.joints, ATTACHED.parents, strict=True))

    def position(joint: str) -> Tensor:
        parent = parents[joint]
        if joint not in result and parent is not None:
            bone = poses[:, BODY_46.index(joint)] - poses[:, BODY_46.index(parent)]
            result[joint] = position(parent) + _rotate(rotation[segment_of[joint]], bone)
        return result[joint]

    return torch.stack([position(joint) for joint in BODY_46.joints], dim=1)


def smallest_rotation(
    start: Float[Tensor, "n 3"], end: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 3 3"]:
    """Return the smallest rotations between directions; the identity for opposite ones."""
    a, b = (torch.nn.functional.normalize(v, dim=-1, eps=1e-9) for v in (start, end))
    axis, cosine = torch.linalg.cross(a, b), (a * b).sum(-1)
    zero = torch.zeros_like(cosine)
    x, y, z = axis.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    scale = torch.where(cosine > _OPPOSITE, 1 / (1 + cosine).clamp(min=1e-6), 0.0)
    cross = torch.where((cosine > _OPPOSITE)[:, None, None], cross, 0.0)
    identity = torch.eye(3, dtype=a.dtype, device=a.device)
    return identity + cross + cross @ cross * scale[:, None, None]


def _rotate(rotations: Tensor, vectors: Tensor) -> Tensor:
    return (rotations @ vectors[..., None])[..., 0]
