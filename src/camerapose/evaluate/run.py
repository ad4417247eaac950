"""Evaluation of weights on a test set: load, measure, summarise, print."""

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from camerapose.core.poses import Poses
from camerapose.evaluate import protocols, statistics
from camerapose.evaluate.measure import check_joints, joint_errors, lift, measure_lifted
from camerapose.evaluate.models import Model, OnnxModel, load_for_evaluation
from camerapose.evaluate.tables import (
    COLUMNS,
    comparison_text,
    interval_text,
    joint_table,
    summarize,
    table,
)
from camerapose.evaluate.training_data import read_card, trained_subjects
from camerapose.evaluate.worst import Report, draw_worst
from camerapose.io.files import write_text
from camerapose.models.device import torch_device

#: Metrics with a confidence interval.
INTERVALS = ("mpjpe", "pa_mpjpe", "root_error", "reprojection_error")


def evaluate(
    weights: str | os.PathLike,
    dataset: str = "human36m",
    root: str | os.PathLike | None = None,
    *,
    detections: str | None = None,
    subjects: Sequence[str] | None = None,
    frame_step: int = 1,
    flip_averaging: bool = False,
    rotated_views: bool = False,
    device: str = "auto",
    json_file: Path | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Measure weights on a test set and print a table by action.

    Args:
        weights: name or path, see `models.load_for_evaluation`.
        dataset: name of the test set, see `protocols.load`.
        root: folder of its files; None: the default folder of the data set.
        detections: name of the detected 2D; None: ground-truth 2D.
        subjects: subjects of the data set, see `protocols.load`.
        frame_step: keep every n-th frame.
        flip_averaging: average over input and mirrored input.
        rotated_views: average over rotated views (`camerapose.infer.rotated_views`).
        device: cpu, cuda, cuda:N or auto, see `models.load_for_evaluation`.
        json_file: file for the result; its folder is created.
        report: what to print and write in addition.

    Returns:
        The protocol and all means, in the units of `tables.COLUMNS`.
    """
    report = report or Report()
    protocols.check_options(dataset, detections, frame_step)
    model, path = load_for_evaluation(weights, device)
    test = protocols.load(
        dataset, root, skeleton=model.skeleton.name, detections=detections, subjects=subjects,
        frame_step=frame_step,
    )  # fmt: skip
    poses = test.poses
    if len(poses) == 0:
        raise ValueError(f"{dataset} in {root} has no poses with all joints annotated")
    place = torch_device(device if torch.cuda.is_available() else "cpu")
    target2d = None if test.target2d is None else torch.tensor(test.target2d).to(place)
    on_device, views = poses.to_torch(place), (flip_averaging, rotated_views)
    predicted, arrays = _measured(model, on_device, target2d, test.joints, *views)
    result = {
        "weights": str(path),
        "runtime": "ONNX Runtime" if isinstance(model, OnnxModel) else f"PyTorch on {place.type}",
        **_describe(dataset, test),
        "flip_averaging": flip_averaging,
        "rotated_views": rotated_views,
        "frame_step": frame_step,
        "poses": len(poses),
        **summarize(arrays, poses.labels.get("action"), poses.labels.get("subject")),
        **_intervals(arrays, poses),
        "trained_subjects": trained_subjects(read_card(path), dataset, poses),
    }
    if poses.pose3d is not None:
        errors = 1000 * joint_errors(predicted, on_device).double().mean(0).cpu().numpy()
        result["by_joint"] = dict(zip(poses.skeleton.joints, map(float, errors), strict=True))
    if report.compare is not None:
        other, other_path = load_for_evaluation(report.compare, device)
        _, others = _measured(other, on_device, target2d, test.joints, *views)
        result["comparison"] = {"weights": str(other_path), **_compared(arrays, others, poses)}
    _print(result, report)
    if report.gallery is not None:
        draw_worst(arrays, poses, predicted.to_numpy(), report)
    if json_file is not None:
        Path(json_file).parent.mkdir(parents=True, exist_ok=True)
        write_text(json_file, json.dumps(result, indent=1))
    return result


def _measured(
    model: Model,
    poses: Poses,
    target2d: torch.Tensor | None,
    scored: Sequence[str] | None,
    flip_averaging: bool,
    rotated_views: bool,
) -> tuple[Poses, dict[str, np.ndarray]]:
    """Return the lifted poses, in the joints of the model, and one value per pose and metric."""
    check_joints(model, poses, scored)
    predicted = lift(
        model, poses.to(model.skeleton), flip_averaging=flip_averaging, rotated_views=rotated_views
    )
    values = measure_lifted(predicted, poses, target2d=target2d, scored=scored)
    return predicted, {name: value.double().cpu().numpy() for name, value in values.items()}


def _intervals(arrays: dict[str, np.ndarray], poses: Poses) -> dict[str, Any]:
    groups, noun = statistics.recordings(poses)
    chosen = [name for name in INTERVALS if name in arrays]
    factors = {name: COLUMNS[name][2] for name in chosen}
    intervals = {
        name: statistics.bootstrap(factors[name] * arrays[name], groups) for name in chosen
    }
    return {
        "intervals": {name: list(interval) for name, interval in intervals.items()},
        "bootstrap_over": f"{int(groups.max()) + 1:,} {noun}",
    }


def _compared(
    first: dict[str, np.ndarray], second: dict[str, np.ndarray], poses: Poses
) -> dict[str, Any]:
    """Return the differences of two models in millimetres.

    Raises:
        ValueError: the poses have no 3D to compare.
    """
    groups, _ = statistics.recordings(poses)
    if "mpjpe" not in first:
        raise ValueError("a comparison requires 3D ground truth, which this data set does not have")
    rows = {}
    for name in ("mpjpe", "pa_mpjpe"):
        result = statistics.compare(1000 * first[name], 1000 * second[name], groups)
        rows[name] = result._asdict() | {"interval": list(result.interval)}
    return {"metrics": rows}


def _print(result: dict[str, Any], report: Report) -> None:
    print(table(result))
    if result["intervals"]:
        print(interval_text(result))
    if report.per_joint and "by_joint" in result:
        print(joint_table(result["by_joint"]))
    if "comparison" in result:
        print(comparison_text(result["comparison"]))
    if result["trained_subjects"]:
        warnings.warn(
            f"the model was trained on {', '.join(result['trained_subjects'])} of this data set; "
            "these errors are not test errors",
            stacklevel=3,
        )


def _describe(dataset: str, test: protocols.TestSet) -> dict[str, Any]:
    """Return the protocol, the joint format and the source of the 2D for the result."""
    return {
        "dataset": dataset,
        "protocol": f"{dataset}: {test.protocol}; root-relative; {_scored(test.joints)}",
        "skeleton": test.poses.skeleton.name,
        "joints": test.poses.skeleton.n_joints,
        "source2d": test.source2d,
    }


def _scored(joints: Sequence[str] | None) -> str:
    if joints is None:
        return "all joints, root included"
    return f"errors over {len(joints)} joints ({', '.join(joints)})"
