"""Random postures: limbs exchanged between poses of a batch, and small rotations of segments."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import bone_vectors, constant, pose_from_bones, rotvec_to_rotmat
from camerapose.core.joint_formats import BODY_46
from camerapose.data.retarget import GROUPS

#: Segments in an order in which each follows the one that it continues; None: the pelvis.
_CONTINUES: dict[str, str | None] = {
    "lower": None, "upper": "lower", "head": "upper",
    **{f"{side}_{segment}": before.format(side=side)
       for segment, before in (("thigh", "lower"), ("shank", "{side}_thigh"),
                               ("arm", "upper"), ("forearm", "{side}_arm"))
       for side in ("left", "right")},
}  # fmt: skip
_SEGMENTS = list(_CONTINUES)
#: Parts of the body that are exchanged, and their segments. Legs keep their orientation relative to
#: the pelvis; arms and head, relative to the shoulders.
_PARTS = {
    "left_leg": ("left_thigh", "left_shank"), "right_leg": ("right_thigh", "right_shank"),
    "left_arm": ("left_arm", "left_forearm"), "right_arm": ("right_arm", "right_forearm"),
    "head": ("head",),
}  # fmt: skip
#: Share of exchanges of legs, and of arms, that exchange one side only.
_ONE_SIDE = 0.3


def exchange_limbs(
    pose3d: Float[Tensor, "n joints 3"],
    probability: float,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n joints 3"]:
    """Return poses some of which have the legs, the arms or the head of another pose.

    Bone lengths are those of the pose that receives the limbs. The crossover of poses of
    Li et al., "Cascaded deep monocular 3D human pose estimation with evolutionary training data"
    (CVPR 2020).

    Args:
        pose3d: joints of `BODY_46`; the other poses are random rows.
        probability: of legs, of arms, and of the head.
        generator: random generator.

    Returns:
        Poses with the root joint where it was.
    """
    n, device = len(pose3d), pose3d.device

    def chance(p: float, count: int) -> Tensor:
        return torch.rand(n, count, generator=generator, device=device) < p

    is_given = chance(probability, 3)
    one_side, left_side = chance(_ONE_SIDE, 2), chance(0.5, 2)
    left, right = ~one_side | left_side, ~one_side | ~left_side
    chosen = torch.stack(
        [is_given[:, 0] & left[:, 0], is_given[:, 0] & right[:, 0],
         is_given[:, 1] & left[:, 1], is_given[:, 1] & right[:, 1], is_given[:, 2]], dim=1,
    )  # fmt: skip
    partners = torch.randint(n, (3, n), generator=generator, device=device)
    bones = bone_vectors(pose3d, ATTACHED)
    frames = [_frame(pose3d, ends) for ends in ("hip_centre", "shoulder_centre")]
    part_of_bone = constant(_part_of_bone, None, device, torch.long)
    result = bones
    for part, (group, frame) in enumerate(((0, 0), (0, 0), (1, 1), (1, 1), (2, 1))):
        rows = partners[group]
        columns = torch.nonzero(part_of_bone == part)[:, 0]
        turn = frames[frame] @ frames[frame][rows].mT
        own, other = bones[:, columns], bones[rows][:, columns]
        length = [torch.linalg.vector_norm(b, dim=-1, keepdim=True) for b in (own, other)]
        replaced = other @ turn.mT * (length[0] / length[1].clamp(min=1e-6))
        result = result.index_copy(
            1, columns, torch.where(chosen[:, part, None, None], replaced, own)
        )
    return pose_from_bones(result, ATTACHED, pose3d[:, ATTACHED.root_index])


def rotate_segments(
    pose3d: Float[Tensor, "n joints 3"],
    deviation: float,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n joints 3"]:
    """Return poses whose segments are rotated by small random angles; bone lengths are kept.

    Args:
        pose3d: joints of `BODY_46`.
        deviation: standard deviation of each component of the rotation vector, radians.
        generator: random generator.

    Returns:
        Poses with the root joint where it was.
    """
    n, device = len(pose3d), pose3d.device
    vectors = torch.randn(n, len(_SEGMENTS), 3, generator=generator, device=device)
    local = rotvec_to_rotmat(deviation * vectors)
    turns: list[Tensor] = []
    for i, before in enumerate(_CONTINUES.values()):
        own = local[:, i]
        turns.append(own if before is None else turns[_SEGMENTS.index(before)] @ own)
    segment = constant(_segment_of_bone, None, device, torch.long)
    turn = torch.stack(turns, dim=1).index_select(1, segment)
    bones = (turn @ bone_vectors(pose3d, ATTACHED)[..., None])[..., 0]
    return pose_from_bones(bones, ATTACHED, pose3d[:, ATTACHED.root_index])


def _frame(pose3d: Tensor, ends: str) -> Float[Tensor, "n 3 3"]:
    """Return axes (columns): to the left along hips or shoulders, along the trunk, their normal."""
    joint = {name: pose3d[:, BODY_46.index(name)] for name in BODY_46.joints}
    up = _unit(joint["thorax_h36m"] - joint["pelvis_h36m"])
    across = joint[f"left_{ends}"] - joint[f"right_{ends}"]
    across = _unit(across - (across * up).sum(-1, keepdim=True) * up)
    return torch.stack([across, up, torch.linalg.cross(across, up)], dim=-1)


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1, eps=1e-6)


def _segment_of_bone(_: Any) -> list[int]:
    """Return for each bone of `ATTACHED` the index of the segment that it moves with."""
    segment = {joint: name for name, joints in GROUPS.items() for joint in joints}
    return [_SEGMENTS.index(segment[joint]) for joint in ATTACHED.bone_names]


def _part_of_bone(_: Any) -> list[int]:
    """Return for each bone of `ATTACHED` the index of its part in `_PARTS`, or -1."""
    part = {segment: i for i, segments in enumerate(_PARTS.values()) for segment in segments}
    return [part.get(_SEGMENTS[segment], -1) for segment in _segment_of_bone(None)]
