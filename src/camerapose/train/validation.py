"""Metrics and figures of validation poses during training."""

from dataclasses import replace
from pathlib import Path

import torch

from camerapose.evaluate import metrics
from camerapose.evaluate.measure import lift, measure
from camerapose.models.camerapose import CameraPose
from camerapose.train.data import TrainingData
from camerapose.train.loss_terms import ground_truth_weight


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
