"""Weighted loss terms of a batch: L_phi on pairs and L_phi' on 2D-only poses."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from camerapose.core.camera import Camera
from camerapose.core.geometry import constant, root_relative
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.models import losses
from camerapose.models.camerapose import Lifted
from camerapose.models.crop import VirtualCamera
from camerapose.train.config import Config, LossWeights

#: Minimum weight of a joint in the refinement loss, so that missing joints are estimated as well.
MIN_REFINEMENT_WEIGHT = 0.1
#: Interpolated joints that are not on a straight line between others: they have no ground-truth 2D.
WITHOUT_GROUND_TRUTH = ("spine",)


class LossForms(NamedTuple):
    """Forms of the losses; accepted values are those of the fields of `Config`."""

    pose: str = "mean_square"
    camera: str = "logarithmic"
    reprojection: str = "relative"
    refinement: str = "crop"

    def camera_loss(self, predicted: Camera, target: Camera) -> Tensor:
        """Return L_cam (Eq. 8)."""
        loss = losses.printed_camera_loss if self.camera == "printed" else losses.camera_loss
        return loss(
            predicted.focal, predicted.center, predicted.translation,
            target.focal, target.center, target.translation,
        )  # fmt: skip

    def reprojection_loss(
        self, reprojection: Tensor, target2d: Tensor, confidence: Tensor
    ) -> Tensor:
        """Return L_2D (Eq. 7)."""
        printed = self.reprojection == "printed"
        loss = losses.printed_reprojection_loss if printed else losses.reprojection_loss
        return loss(reprojection, target2d, confidence)

    def pose_loss(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return L_3D (Eq. 9)."""
        distance = self.pose == "mean_distance"
        return (losses.joint_distance_loss if distance else losses.pose_loss)(predicted, target)


DEFAULT_FORMS = LossForms()


def forms(config: Config) -> LossForms:
    """Return the forms of the losses that a configuration sets."""
    return LossForms(
        config.pose_loss, config.camera_loss, config.reprojection_loss, config.refinement_loss
    )


def refinement_term(
    refined2d: Tensor, confidence: Tensor, target: Poses, weight: Tensor, form: str = "crop"
) -> Tensor:
    """Return L_ref (Eq. 4).

    Args:
        refined2d: output of the refinement network (n, joints, 2), normalised image coordinates.
        confidence: confidence of its input (n, joints).
        target: poses with clean 2D.
        weight: weights of the joints of `target` (n, joints).
        form: "crop": in crop coordinates, so that the distance of a person has no influence;
            "printed": in normalised image coordinates.
    """
    if form == "printed":
        return losses.refinement_loss(refined2d, target.pose2d, confidence)
    view = VirtualCamera.fit(target.pose2d, target.confidence)
    weight = confidence.clamp(min=MIN_REFINEMENT_WEIGHT) * weight
    return losses.refinement_loss(view.to_crop(refined2d), view.to_crop(target.pose2d), weight)


def pair_terms(
    lifted: Lifted,
    confidence: Tensor,
    pairs: Poses,
    weights: LossWeights,
    forms: LossForms = DEFAULT_FORMS,
    taught: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return the weighted terms of L_phi (Eq. 16): refinement, camera, reprojection and 3D pose.

    Bone directions and distillation, which the paper does not have, are added if their weight is
    not 0.

    Args:
        lifted: prediction for the observed 2D.
        confidence: confidence of the observed 2D (n, joints).
        pairs: ground truth.
        forms: forms of the losses.
        taught: root-relative poses that teachers predict (n, joints, 3).
    """
    camera, skeleton = pairs.camera, pairs.skeleton
    predicted = root_relative(lifted.pose3d, skeleton)
    target = root_relative(pairs.pose3d, skeleton)
    printed = forms.reprojection == "printed"  # otherwise without lens distortion
    target2d = pairs.pose2d if printed else camera.project(pairs.pose3d)
    terms = {
        "refine": weights.refine
        * refinement_term(lifted.refined2d, confidence, pairs, pairs.confidence, forms.refinement),
        "camera": weights.camera * forms.camera_loss(lifted.camera, camera),
        "reprojection": weights.reprojection
        * forms.reprojection_loss(lifted.reprojection, target2d, pairs.confidence),
        "pose": weights.pose * forms.pose_loss(predicted, target),
    }
    if weights.bone_direction:
        direction = losses.bone_direction_loss(predicted, target, skeleton)
        terms["bone_direction"] = weights.bone_direction * direction
    if weights.distillation and taught is not None:
        distance = losses.joint_distance_loss(predicted, taught)
        terms["distillation"] = weights.distillation * distance
    return terms


def unlabelled_terms(
    lifted: Lifted,
    confidence: Tensor,
    unlabelled: Poses,
    discriminators: dict[str, nn.Module],
    weights: LossWeights,
    forms: LossForms = DEFAULT_FORMS,
) -> dict[str, Tensor]:
    """Return the weighted terms of L_phi' (Eq. 17) on 2D-only poses; no 3D label is read.

    Args:
        lifted: prediction for the observed 2D.
        confidence: confidence of the observed 2D (n, joints).
        unlabelled: 2D annotations.
        discriminators: `d2d` and `d3d`, required where their weight is not 0.
        forms: forms of the losses.
    """
    weight = ground_truth_weight(unlabelled)
    reprojection = lifted.reprojection
    body = root_relative(lifted.pose3d, unlabelled.skeleton)
    terms = {
        "refine_unlabelled": weights.refine_unlabelled
        * refinement_term(lifted.refined2d, confidence, unlabelled, weight, forms.refinement),
        "reprojection_unlabelled": weights.reprojection_unlabelled
        * forms.reprojection_loss(reprojection, unlabelled.pose2d, weight),
    }
    if weights.bone_prior_unlabelled:
        prior = losses.bone_prior_loss(body, unlabelled.skeleton)
        terms["bone_prior_unlabelled"] = weights.bone_prior_unlabelled * prior
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
