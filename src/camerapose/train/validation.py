"""A look at the model while it trains: numbers and pictures of poses it does not learn from."""

from dataclasses import replace
from pathlib import Path

import torch

from camerapose.evaluate import metrics
from camerapose.evaluate.measure import lift, measure
from camerapose.models.camerapose import CameraPose
from camerapose.train.data import TrainingData, truth_weight


def validate(model: CameraPose, data: TrainingData) -> dict[str, float]:
    """Means over the validation poses, millimetres; the reprojection of 2D-only ones in units of
    the image's half width. Where nobody is held out there is no 3D to measure on."""
    values = {}
    if data.validation is not None:
        found = measure(model, data.validation)
        for name in ("mpjpe", "pa_mpjpe", "root_error"):
            values[name] = 1000 * float(found[name].mean())
        predicted = lift(model, data.validation)
        values["focal_error"] = float(
            (predicted.camera.focal / data.validation.camera.focal - 1).abs().mean()
        )
    if data.wild_validation is not None:
        wild = data.wild_validation
        again = lift(model, wild).reprojection
        error = metrics.reprojection_error(again, wild.pose2d, truth_weight(wild))
        values["wild_reprojection"] = float(error.mean())
    return values


def draw(model: CameraPose, data: TrainingData, count: int, path: Path) -> None:
    """Pictures of a few validation poses: truth and prediction side by side."""
    shown = data.validation if data.validation is not None else data.wild_validation
    if shown is None or count == 0:
        return
    from camerapose.view.comparison import draw_against_ground_truth
    from camerapose.view.layout import save_figure

    rows = torch.linspace(0, len(shown) - 1, count).long().to(shown.pose2d.device)
    truth = shown[rows]
    predicted = lift(model, truth)
    figure = draw_against_ground_truth(truth.to_numpy(), replace(predicted, labels={}).to_numpy())
    save_figure(figure, path)
