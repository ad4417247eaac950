"""Evaluation of weights on a test set: load, measure, summarise, print."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from camerapose.evaluate import protocols
from camerapose.evaluate.measure import measure
from camerapose.evaluate.models import load_for_evaluation
from camerapose.evaluate.tables import summarize, table
from camerapose.io.files import write_text


def evaluate(
    weights: str | os.PathLike,
    dataset: str = "human36m",
    root: str | os.PathLike = "data/h36m",
    *,
    detections: str | None = None,
    subjects: Sequence[str] = protocols.TEST_SUBJECTS,
    frame_step: int = 1,
    flip_averaging: bool = False,
    rotated_views: bool = False,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Measure weights on a test set and print a table by action.

    Args:
        weights: name or path, see `camerapose.io.weights.find_weights`; a checkpoint is preferred
            over an exported graph.
        dataset: name of the test set, see `protocols.load`.
        root: folder of its files.
        detections: name of the detected 2D; None: ground-truth 2D.
        subjects: subjects of Human3.6M.
        frame_step: keep every n-th frame.
        flip_averaging: average over input and mirrored input.
        rotated_views: average over rotated views (`camerapose.infer.rotated_views`).
        json_file: file for the result; its folder is created.

    Returns:
        The protocol and all means, in the units of `tables.COLUMNS`.
    """
    protocols.check_options(dataset, detections, frame_step)
    model, path = load_for_evaluation(weights)
    test = protocols.load(
        dataset, root, skeleton=model.skeleton.name, detections=detections, subjects=subjects,
        frame_step=frame_step,
    )  # fmt: skip
    poses = test.poses
    if len(poses) == 0:
        raise ValueError(f"{dataset} in {root} has no poses with all joints annotated")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    target2d = None if test.target2d is None else torch.tensor(test.target2d).to(device)
    values = measure(
        model.to(device), poses.to_torch(device), target2d=target2d, scored=test.joints,
        flip_averaging=flip_averaging, rotated_views=rotated_views,
    )  # fmt: skip
    arrays = {name: value.double().cpu().numpy() for name, value in values.items()}
    result = {
        "weights": str(path),
        **_describe(dataset, test),
        "flip_averaging": flip_averaging,
        "rotated_views": rotated_views,
        "frame_step": frame_step,
        "poses": len(poses),
        **summarize(arrays, poses.labels.get("action")),
    }
    print(table(result))
    if json_file is not None:
        Path(json_file).parent.mkdir(parents=True, exist_ok=True)
        write_text(json_file, json.dumps(result, indent=1))
    return result


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
