"""Weighted loss terms of a batch: L_phi on pairs and L_phi' on 2D-only poses."""

import torch
from torch import Tensor, nn

from camerapose.core.geometry import constant, root_relative
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.models import losses
from camerapose.models.camerapose import Lifted
from camerapose.models.crop import VirtualCamera
from camerapose.train.config import LossWeights

#: Minimum weight of a joint in the refinement loss, so that missing joints are estimated as well.
MIN_REFINEMENT_WEIGHT = 0.1
#: Interpolated joints that are not on a straight line between others: they have no ground-truth 2D.
WITHOUT_GROUND_TRUTH = ("spine",)


def refinement_term(refined2d: Tensor, confidence: Tensor, target: Poses, weight: Tensor) -> Tensor:
    """Return L_ref in crop coordinates, so that the distance of a person has no influence.

    Args:
        refined2d: output of the refinement network (n, joints, 2), normalised image coordinates.
        confidence: confidence of its input (n, joints).
        target: poses with clean 2D.
        weight: weights of the joints of `target` (n, joints).
    """
    view = VirtualCamera.fit(target.pose2d, target.confidence)
    weight = confidence.clamp(min=MIN_REFINEMENT_WEIGHT) * weight
    return losses.refinement_loss(view.to_crop(refined2d), view.to_crop(target.pose2d), weight)


def pair_terms(
    lifted: Lifted,
    confidence: Tensor,
    pairs: Poses,
    weights: LossWeights,
    pose_loss: str = "mean_square",
) -> dict[str, Tensor]:
    """Return the weighted terms of L_phi (Eq. 16): refinement, camera, reprojection and 3D pose.

    Args:
        lifted: prediction for the observed 2D.
        confidence: confidence of the observed 2D (n, joints).
        pairs: ground truth.
        pose_loss: form of L_3D, "mean_square" or "mean_distance".
    """
    camera, skeleton = pairs.camera, pairs.skeleton
    pose_term = losses.joint_distance_loss if pose_loss == "mean_distance" else losses.pose_loss
    predicted = root_relative(lifted.pose3d, skeleton)
    target2d = camera.project(pairs.pose3d)  # ground truth without lens distortion
    return {
        "refine": weights.refine
        * refinement_term(lifted.refined2d, confidence, pairs, pairs.confidence),
        "camera": weights.camera
        * losses.camera_loss(
            lifted.focal, lifted.center, lifted.translation,
            camera.focal, camera.center, camera.translation,
        ),
        "reprojection": weights.reprojection
        * losses.reprojection_loss(lifted.reprojection, target2d, pairs.confidence),
        "pose": weights.pose * pose_term(predicted, root_relative(pairs.pose3d, skeleton)),
    }  # fmt: skip


def unlabelled_terms(
    lifted: Lifted,
    confidence: Tensor,
    unlabelled: Poses,
    discriminators: dict[str, nn.Module],
    weights: LossWeights,
) -> dict[str, Tensor]:
    """Return the weighted terms of L_phi' (Eq. 17) on 2D-only poses; no 3D label is read.

    Args:
        lifted: prediction for the observed 2D.
        confidence: confidence of the observed 2D (n, joints).
        unlabelled: 2D annotations.
        discriminators: `d2d` and `d3d`, required where their weight is not 0.
    """
    weight = ground_truth_weight(unlabelled)
    reprojection = lifted.reprojection
    body = root_relative(lifted.pose3d, unlabelled.skeleton)
    terms = {
        "refine_unlabelled": weights.refine_unlabelled
        * refinement_term(lifted.refined2d, confidence, unlabelled, weight),
        "reprojection_unlabelled": weights.reprojection_unlabelled
        * losses.reprojection_loss(reprojection, unlabelled.pose2d, weight),
        "bone_prior_unlabelled": weights.bone_prior_unlabelled
        * losses.bone_prior_loss(body, unlabelled.skeleton),
    }
    if weights.height_unlabelled:
        height = losses.height_loss(body, unlabelled.skeleton)
        terms["height_unlabelled"] = weights.height_unlabelled * height
    for name, scale, pose in (
        ("d2d", weights.d2d_unlabelled, reprojection),
        ("d3d", weights.d3d_unlabelled, body),
    ):
        if scale:
            score = losses.adversarial_loss(discriminators[name](pose))
            terms[f"{name}_unlabelled"] = scale * score
    return terms


def ground_truth_weight(poses: Poses) -> Tensor:
    """Return the weight of each joint's 2D as ground truth (n, joints).

    It is the confidence, but 0 for joints that were interpolated without ground truth.
    """
    weight = constant(_has_ground_truth, poses.skeleton, poses.confidence.device, torch.float32)
    # Confidence 1: the joint exists in the format of the data set.
    return torch.where(poses.confidence < 1, poses.confidence * weight, poses.confidence)


def _has_ground_truth(skeleton: Skeleton) -> list[float]:
    return [float(joint not in WITHOUT_GROUND_TRUTH) for joint in skeleton.joints]
