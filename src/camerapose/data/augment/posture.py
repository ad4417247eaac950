"""Random postures: extended legs, exchanged limbs, and small rotations of segments."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import bone_vectors, constant, pose_from_bones, rotvec_to_rotmat
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.bone_directions import smallest_rotation
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
#: Standard deviation of the flexion of knees that `extend_legs` straightens, radians.
_STRAIGHT = 0.08


def extend_legs(
    pose3d: Float[Tensor, "n joints 3"],
    shortening: tuple[float, float],
    generator: torch.Generator | None = None,
    *,
    one_person: bool = False,
) -> Float[Tensor, "n joints 3"]:
    """Return poses with straighter knees, as if the recorded person had shorter legs.

    Motion that was transferred to a skeleton with longer legs than the recorded person's, with the
    feet where they were, has bent knees in all postures: those of CMU's motion capture in BVH
    files are hardly ever flexed by less than 10 to 20 degrees. Here, the distance from hip to
    ankle is divided by a random factor, up to a straight leg. Its direction, the plane of the
    knee, the orientation of the feet and all bone lengths are kept.

    Args:
        pose3d: joints of `BODY_46`.
        shortening: range of the factor, the same for both legs; (1, 1): no change.
        generator: random generator.
        one_person: the poses are frames of one person, with one factor.

    Returns:
        Poses with the root joint where it was.
    """
    n, device = len(pose3d), pose3d.device
    people = 1 if one_person else n
    low, high = shortening
    factor = low + (high - low) * torch.rand(people, 1, generator=generator, device=device)
    flexion = _STRAIGHT * torch.randn(people, 2, generator=generator, device=device)
    identity = torch.eye(3, dtype=pose3d.dtype, device=device).expand(n, 3, 3)
    turns = [identity] * (len(_SEGMENTS) + 1)
    for side, bend in (("left", flexion[:, :1]), ("right", flexion[:, 1:])):
        hip, knee, ankle = (
            pose3d[:, BODY_46.index(f"{side}_{joint}")]
            for joint in ("hip_centre", "knee_h36m", "ankle_h36m")
        )
        new_knee, new_ankle = _extended(hip, knee, ankle, factor, bend)
        thigh = smallest_rotation(knee - hip, new_knee - hip)
        shank = smallest_rotation(ankle - knee, new_ankle - new_knee)
        turns[_SEGMENTS.index(f"{side}_thigh")] = thigh
        turns[_SEGMENTS.index(f"{side}_shank")] = shank
    segment = constant(_segment_or_foot, None, device, torch.long)
    turn = torch.stack(turns, dim=1).index_select(1, segment)
    bones = (turn @ bone_vectors(pose3d, ATTACHED)[..., None])[..., 0]
    return pose_from_bones(bones, ATTACHED, pose3d[:, ATTACHED.root_index])


def _extended(
    hip: Tensor, knee: Tensor, ankle: Tensor, factor: Tensor, flexion: Tensor
) -> tuple[Tensor, Tensor]:
    """Return positions of knee and ankle; `flexion` is the smallest of an extended leg."""
    along, distance = _unit(ankle - hip), torch.linalg.vector_norm(ankle - hip, dim=-1)[:, None]
    a = torch.linalg.vector_norm(knee - hip, dim=-1)[:, None]
    b = torch.linalg.vector_norm(ankle - knee, dim=-1)[:, None]
    longest = (a.square() + b.square() + 2 * a * b * flexion.cos()).sqrt()
    new = torch.minimum(distance / factor, longest).maximum(distance)
    forward = (knee - hip) - ((knee - hip) * along).sum(-1, keepdim=True) * along
    cosine = ((a.square() + new.square() - b.square()) / (2 * a * new).clamp(min=1e-6)).clamp(-1, 1)
    sine = (1 - cosine.square()).clamp(min=0).sqrt()
    return hip + a * (cosine * along + sine * _unit(forward)), hip + new * along


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


def _segment_or_foot(_: Any) -> list[int]:
    """Return the same, with an index of their own for bones of the feet."""
    feet = {"heel", "big_toe", "small_toe"}
    segments = zip(ATTACHED.bone_names, _segment_of_bone(None), strict=True)
    return [len(_SEGMENTS) if name.partition("_")[2] in feet else i for name, i in segments]


def _part_of_bone(_: Any) -> list[int]:
    """Return for each bone of `ATTACHED` the index of its part in `_PARTS`, or -1."""
    part = {segment: i for i, segments in enumerate(_PARTS.values()) for segment in segments}
    return [part.get(_SEGMENTS[segment], -1) for segment in _segment_of_bone(None)]
