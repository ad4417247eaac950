"""Metrics and figures of validation poses during training."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from camerapose.evaluate import metrics
from camerapose.evaluate.measure import lift, measure
from camerapose.models.camerapose import CameraPose
from camerapose.models.crop import VirtualCamera
from camerapose.train.augmentation import observe
from camerapose.train.config import NoiseConfig
from camerapose.train.data import TrainingData
from camerapose.train.loss_terms import ground_truth_weight
from camerapose.train.steps import evaluation_mode

#: Seed of the simulated detections for validation of the refinement network.
SEED = 5


def validate_refiner(model: CameraPose, data: TrainingData, noise: NoiseConfig) -> dict[str, float]:
    """Return mean 2D errors of simulated detections and of the refined 2D.

    Relative to the person's size (rms spread of the joints); the simulated detections are the same
    in every call. Empty without a refinement network or validation poses.
    """
    poses = data.validation if data.validation is not None else data.unlabelled_validation
    if model.refiner is None or poses is None:
        return {}
    rng = torch.Generator(poses.pose2d.device).manual_seed(SEED)
    with torch.no_grad(), evaluation_mode(model):
        pose2d, confidence = observe(poses, None, noise, rng)
        view = model.view(pose2d, confidence)
        refined = view.to_image(model.refiner(view.to_crop(pose2d), confidence))
    scale = VirtualCamera.fit(poses.pose2d, poses.confidence).scale[..., 0]
    visible = (confidence > 0) & (poses.confidence > 0)

    def error(points: Tensor) -> float:
        distance = torch.linalg.vector_norm(points - poses.pose2d, dim=-1) / scale
        return float(distance[visible].mean())

    return {"input_2d": error(pose2d), "refined_2d": error(refined)}


def validate(model: CameraPose, data: TrainingData) -> dict[str, float]:
    """Return mean errors on the validation poses.

    3D errors are in millimetres and require held-out pairs; `focal_error` is relative; the
    reprojection error of 2D-only poses is in normalised image coordinates.
    """
    values = {}
    if data.validation is not None:
        measured = measure(model, data.validation)
        for name in ("mpjpe", "pa_mpjpe", "root_error"):
            values[name] = 1000 * float(measured[name].mean())
        predicted = lift(model, data.validation)
        ratio = predicted.camera.focal / data.validation.camera.focal
        values["focal_error"] = float((ratio - 1).abs().mean())
    if data.unlabelled_validation is not None:
        unlabelled = data.unlabelled_validation
        error = metrics.reprojection_error(
            lift(model, unlabelled).reprojection,
            unlabelled.pose2d,
            ground_truth_weight(unlabelled),
        )
        values["unlabelled_reprojection"] = float(error.mean())
    return values


def draw(model: CameraPose, data: TrainingData, count: int, path: Path) -> None:
    """Draw ground truth and prediction of a few validation poses; nothing if there are none."""
    poses = data.validation if data.validation is not None else data.unlabelled_validation
    if poses is None or count == 0:
        return
    from camerapose.view.comparison import draw_against_ground_truth
    from camerapose.view.layout import save_figure

    rows = torch.linspace(0, len(poses) - 1, count).long().to(poses.pose2d.device)
    chosen = poses[rows]
    predicted = lift(model, chosen)
    figure = draw_against_ground_truth(chosen.to_numpy(), replace(predicted, labels={}).to_numpy())
    save_figure(figure, path)
