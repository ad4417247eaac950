"""Losses of `BodyModel` on simulated and on 2D-only poses."""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.camera import MIN_DEPTH
from camerapose.core.geometry import bone_lengths, root_relative
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.core.poses import Poses
from camerapose.data.augment.engine import Sample
from camerapose.models.body_model import Prediction, place
from camerapose.models.losses import bone_prior_loss
from camerapose.train.simulated.config import SimulatedWeights

_H36M = [BODY_46.index(f"{joint}_h36m") for joint in H36M_16.joints]
#: Largest reprojection error that counts, relative to the person's spread.
MAX_ERROR = 0.5


def facing_target(predicted: Prediction, sample: Sample) -> Float[Tensor, "n joints 3"]:
    """Return the true root-relative pose in the axes of the camera that faces the person."""
    rotation = predicted.view.rotation(sample.focal, sample.center)
    return root_relative(sample.pose3d, BODY_46) @ rotation


def supervised_terms(
    predicted: Prediction, sample: Sample, weights: SimulatedWeights
) -> dict[str, Tensor]:
    """Return the weighted losses of simulated poses.

    Joints without ground truth (NaN) are left out. The likelihood trains the standard deviations
    and leaves the pose to the distance, which is robust: its residuals carry no gradient.
    """
    target = facing_target(predicted, sample)
    labelled = target.isfinite().all(-1)
    error = predicted.facing - torch.where(labelled[..., None], target, 0.0)
    count = labelled.sum().clamp(min=1)
    distance = torch.linalg.vector_norm(error + 1e-9, dim=-1)
    squared = error.detach().square().sum(-1)
    log_std = predicted.log_std
    likelihood = squared / 6 * torch.exp(-2 * log_std) + log_std / 2
    is_known = ~sample.known[:, 0].isnan()
    zoom = (predicted.focal[:, 0] / sample.focal[:, 0]).log().abs()
    return {
        "pose": weights.pose * (distance * labelled).sum() / count,
        "likelihood": weights.likelihood * (likelihood * labelled).sum() / count,
        "focal": weights.focal * torch.where(is_known, 0.0, zoom).mean(),
        "bones": weights.bones * _bone_length_error(predicted.facing, target).mean(),
    }


def _bone_length_error(
    facing: Float[Tensor, "n joints 3"], target: Float[Tensor, "n joints 3"]
) -> Float[Tensor, "n bones"]:
    """Return the absolute error of the lengths of Human3.6M's bones, 0 without ground truth.

    The mean of several possible poses, which the distance asks for, has bones that are too short.
    """
    predicted = bone_lengths(facing[:, _H36M], H36M_16)
    true = bone_lengths(target[:, _H36M], H36M_16)
    return (predicted - torch.where(true.isfinite(), true, predicted.detach())).abs()


def unlabelled_terms(
    predicted: Prediction,
    annotated: Poses,
    pose2d: Float[Tensor, "n joints 2"],
    confidence: Float[Tensor, "n joints"],
    weights: SimulatedWeights,
) -> dict[str, Tensor]:
    """Return the weighted losses of 2D-only poses.

    Args:
        predicted: prediction for the simulated detections.
        annotated: annotations.
        pose2d, confidence: simulated detections.
    """
    relative, translation = place(predicted, pose2d, confidence)
    pose3d = relative + translation[:, None]
    depth = pose3d[..., 2:].clamp(min=MIN_DEPTH)
    projected = pose3d[..., :2] / depth * predicted.focal[:, None] + predicted.center[:, None]
    given = (annotated.confidence > 0).to(projected.dtype)
    error = torch.linalg.vector_norm(projected - annotated.pose2d + 1e-9, dim=-1)
    error = (error / predicted.view.scale[..., 0]).clamp(max=MAX_ERROR)
    return {
        "reprojection": weights.reprojection * (error * given).sum() / given.sum().clamp(min=1),
        "prior": weights.prior * bone_prior_loss(predicted.facing[:, _H36M], H36M_16),
    }
