"""Bone-length augmentation: the same postures with other body proportions."""

from dataclasses import replace

import torch

from camerapose.core.geometry import bone_vectors, constant, pose_from_bones
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Deviation of the size of the whole body relative to that of single bones. A larger value costs
#: more accuracy in size, which 2D hardly determines, than it gains in pose.
WHOLE_BODY = 0.5


def vary_bone_lengths(
    pairs: Poses, detections: Poses | None, deviation: float, generator: torch.Generator
) -> tuple[Poses, Poses | None]:
    """Scale every bone by a random factor, to compensate for the few people in a laboratory.

    The size of the whole body and the length of each bone vary log-normally, alike on both sides.
    The lower ankle keeps its position, so that people who stand on the floor still do. Detections
    move with the joints: they keep their error.

    Args:
        pairs: poses with clean 2D, 3D and camera (torch).
        detections: detections of the same rows.
        deviation: standard deviation of the logarithm of each bone's length; that of the size of
            the whole body is `WHOLE_BODY` times this.
        generator: random generator.

    Returns:
        The pairs and the detections with other bone lengths.
    """
    skeleton, n, device = pairs.skeleton, len(pairs), pairs.pose3d.device
    bones = bone_vectors(pairs.pose3d, skeleton)
    draw = torch.randn(n, bones.shape[1] + 1, generator=generator, device=device)
    per_bone = draw.index_select(1, constant(_first_side, skeleton, device, torch.long))
    factor = torch.exp(deviation * (per_bone + WHOLE_BODY * draw[:, -1:]))
    pose3d = pose_from_bones(bones * factor[..., None], skeleton, pairs.root_position)
    ankles = constant(_ankles, skeleton, device, torch.long)
    before = pairs.pose3d.index_select(1, ankles)
    offset, lower = before - pose3d.index_select(1, ankles), before[..., 1].argmax(1)
    pose3d = pose3d + offset[torch.arange(n, device=device), lower][:, None]
    camera = replace(pairs.camera, translation=pose3d[:, skeleton.root_index])
    varied = replace(pairs, pose3d=pose3d, camera=camera, pose2d=camera.project(pose3d))
    if detections is not None:
        pose2d = detections.pose2d + varied.pose2d - pairs.pose2d
        detections = replace(detections, pose2d=pose2d)
    return varied, detections


def _ankles(skeleton: Skeleton) -> list[int]:
    return [skeleton.index(f"{side}_ankle") for side in ("left", "right")]


def _first_side(skeleton: Skeleton) -> list[int]:
    """Return for each bone the index of itself or its mirror bone, whichever comes first."""
    return [min(bone, mirror) for bone, mirror in enumerate(skeleton.bone_mirror)]
