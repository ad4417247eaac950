"""Measure a model on data with truth, and say under which protocol."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camerapose.core.anatomy import body_height
from camerapose.core.camera import Camera, denormalize
from camerapose.core.conversion import joint_weights
from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses, mean
from camerapose.core.skeleton import Skeleton
from camerapose.evaluate import metrics, protocols
from camerapose.evaluate.protocols import TEST_SUBJECTS
from camerapose.infer import clip
from camerapose.infer import rotated_views as views
from camerapose.infer.predictor import Predictor
from camerapose.io.files import write_text
from camerapose.io.weights import find_weights
from camerapose.models.camerapose import CameraPose, Lifted
from camerapose.models.checkpoint import load_model

#: What is reported, with its unit and number of digits. Metres become millimetres.
COLUMNS = {
    "mpjpe": ("MPJPE", "mm", 1000.0),
    "pa_mpjpe": ("PA-MPJPE", "mm", 1000.0),
    "n_mpjpe": ("N-MPJPE", "mm", 1000.0),
    "pck": ("PCK@150", "%", 100.0),
    "auc": ("AUC", "%", 100.0),
    "root_error": ("root", "mm", 1000.0),
    "root_error_calibrated": ("root, calib.", "mm", 1000.0),
    "focal_error": ("focal", "%", 100.0),
    "reprojection_error": ("reproj.", "px", 1.0),
    "implausible_bones": ("odd bones", "%", 100.0),
    "asymmetry": ("asymmetry", "%", 100.0),
    "height": ("height", "cm", 100.0),
}


MEANS = "frame-wise: over all poses alike; action-wise: mean of the actions' means"


class Graph:
    """An exported graph in the place of the model it came from, so that it can be measured."""

    training = False

    def __init__(self, path: Path | str):
        self._predictor = Predictor(path)
        self.skeleton = self._predictor.skeleton

    def __call__(self, pose2d: Tensor, confidence: Tensor) -> Lifted:
        found = self._predictor.run(pose2d.cpu().numpy(), confidence.cpu().numpy())
        return Lifted(**{k: torch.from_numpy(v).to(pose2d.device) for k, v in found.items()})

    def train(self, mode: bool = True) -> "Graph":
        return self

    def eval(self) -> "Graph":
        return self

    def to(self, device: torch.device) -> "Graph":
        return self


def lift(
    model: CameraPose | Graph,
    poses: Poses,
    mirror: bool = False,
    batch: int = 8192,
    turned: bool = False,
) -> Poses:
    """Lift the 2D of `poses`, in eval mode and without gradient.

    Args:
        mirror: average with the prediction for the mirrored pose (test-time mirroring).
        turned: average over rotated views (`infer.rotated_views`), each mirrored if `mirror`.
    """
    if turned:
        where = poses.pose2d.device

        def predict(view: Poses) -> Poses:
            return lift(model, view.to_torch(where), mirror, batch).to_numpy()

        return views.lift(predict, poses.to_numpy()).to_torch(where)
    training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [_lift(model, poses[i : i + batch]) for i in range(0, len(poses), batch)]
        if mirror:
            turned = replace(poses, labels={}, camera=None, pose3d=None).mirror()
            others = [_lift(model, turned[i : i + batch]) for i in range(0, len(poses), batch)]
            parts = [mean(a, b.mirror()) for a, b in zip(parts, others, strict=True)]
    model.train(training)
    return Poses.cat(parts)


def _lift(model: CameraPose | Graph, poses: Poses) -> Poses:
    lifted = model(poses.pose2d, poses.confidence)
    camera = Camera(lifted.focal, lifted.center, lifted.translation)
    return Poses(
        poses.skeleton, poses.pose2d, poses.confidence, lifted.pose3d, camera,
        poses.image_size, lifted.refined2d, poses.labels,
    )  # fmt: skip


def measure(
    model: CameraPose | Graph,
    poses: Poses,
    mirror: bool = False,
    truth2d: Tensor | None = None,
    scored: Sequence[str] | None = None,
    turned: bool = False,
) -> dict[str, Tensor]:
    """One value a pose for each of `COLUMNS` (metres, shares, pixels where image sizes are known).

    `root_error_calibrated` is the root error where focal length and principal point are given.

    Poses in another joint format than the model's are converted for it, and what it predicts is
    converted back: errors are over the joints of `poses`.

    Args:
        truth2d: what the reprojection is compared with; None: the 2D given.
        scored: joints over which errors of shape are taken; None is all. The root need not be
            among them: poses are root-relative all the same.
        mirror, turned: see `lift`.

    Raises:
        ValueError: the model's joints cannot tell where one of them is.
    """
    joints, seen = poses.skeleton, poses.to(model.skeleton)
    scored = joints.joints if scored is None else tuple(scored)
    _check_joints(model.skeleton, joints, scored if poses.pose3d is not None else ())
    predicted = lift(model, seen, mirror, turned=turned)
    found = {
        "implausible_bones": metrics.implausible_bones(predicted.pose3d, model.skeleton),
        "asymmetry": metrics.asymmetry(predicted.pose3d, model.skeleton),
        "height": body_height(predicted.pose3d, model.skeleton),
    }
    if poses.pose3d is not None:
        found["root_error_calibrated"] = _calibrated_root_error(predicted, poses)
    camera, predicted = predicted.camera, predicted.to(joints)
    given = poses.pose2d if truth2d is None else truth2d
    again = predicted.reprojection
    if poses.image_size is not None:
        given, again = (denormalize(p, poses.image_size) for p in (given, again))
    found["reprojection_error"] = metrics.reprojection_error(again, given, poses.confidence)
    if poses.pose3d is not None:
        body = root_relative(predicted.pose3d, joints)
        truth = root_relative(poses.pose3d, joints)
        rows = [joints.index(joint) for joint in scored]
        body, truth = body[:, rows], truth[:, rows]
        for name in ("mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc"):
            found[name] = getattr(metrics, name)(body, truth)
        found["root_error"] = metrics.root_error(predicted.pose3d, poses.pose3d, joints)
        found["focal_error"] = metrics.focal_error(camera.focal, poses.camera.focal)
    return {name: found[name] for name in COLUMNS if name in found}


def _calibrated_root_error(predicted: Poses, poses: Poses) -> Tensor:
    """Root error where the camera is told, as in a laboratory, instead of predicted."""
    told = poses.camera.map(lambda column: column.double().cpu().numpy())
    placed = clip.replace_camera(predicted.to_numpy(), told.focal, told.center).to(poses.skeleton)
    pose3d = torch.as_tensor(placed.pose3d).to(poses.pose3d)
    return metrics.root_error(pose3d, poses.pose3d, poses.skeleton)


def _check_joints(known: Skeleton, wanted: Skeleton, scored: Sequence[str]) -> None:
    made = dict(zip(wanted.joints, joint_weights(known, wanted), strict=True))
    unknown = [joint for joint in scored if made[joint] is None]
    if unknown:
        raise ValueError(
            f"the model predicts {known.name}, which does not tell where {', '.join(unknown)} of "
            f"{wanted.name} are; take a protocol of fewer joints, or a model of {wanted.name}"
        )


def evaluate(
    weights: Path | str,
    dataset: str = "human36m",
    root: Path | str = "data/h36m",
    *,
    detections: str | None = None,
    subjects: Sequence[str] = TEST_SUBJECTS,
    frame_step: int = 1,
    mirror: bool = False,
    turned: bool = False,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Measure weights on a data set and print a table by action.

    Args:
        weights: name or path, see `camerapose.io.weights.find_weights`; a checkpoint is preferred
            over an exported graph.
        dataset: one of `protocols.DATASETS`; mpii has 2D truth alone.
        root: folder of the data set.
        detections: NAME of data_2d_h36m_NAME.npz to take as 2D, or poses2d of 3DPW; None: ground
            truth.
        mirror: average over the mirrored input.
        turned: average over turned views (`camerapose.infer.rotated_views`).
        json_file: also write everything here.
    """
    path = find_weights(weights, (".safetensors", ".onnx"))
    model = Graph(path) if path.suffix == ".onnx" else load_model(path)
    test = protocols.load(
        dataset, root, skeleton=model.skeleton.name, detections=detections, subjects=subjects,
        frame_step=frame_step,
    )  # fmt: skip
    poses, truth2d = test.poses, test.truth2d
    if len(poses) == 0:
        raise ValueError(
            f"nobody to measure on in the {dataset} under {root}: it takes people with all joints"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    on_device = poses.to_torch(device)
    values = measure(
        model,
        on_device,
        mirror,
        truth2d if truth2d is None else torch.tensor(truth2d).to(device),
        test.joints,
        turned,
    )
    values = {name: value.double().cpu().numpy() for name, value in values.items()}
    result = {
        "weights": str(path),
        "dataset": dataset,
        "protocol": f"{dataset}: {test.protocol}; root-relative; {_scored(test)}",
        "skeleton": poses.skeleton.name,
        "joints": poses.skeleton.n_joints,
        "source2d": test.source2d,
        "mirror": mirror,
        "turned": turned,
        "frame_step": frame_step,
        "poses": len(poses),
        **_summary(values, poses.labels.get("action")),
    }
    print(table(result))
    if json_file is not None:
        Path(json_file).parent.mkdir(parents=True, exist_ok=True)
        write_text(json_file, json.dumps(result, indent=1))
    return result


def _scored(test: protocols.TestSet) -> str:
    if test.joints is None:
        return "all joints, root included"
    return f"errors over {len(test.joints)} joints ({', '.join(test.joints)})"


def _summary(values: dict[str, np.ndarray], actions: np.ndarray | None) -> dict[str, Any]:
    from camerapose.data.datasets.human36m.recordings import action_name

    def means(rows: Any) -> dict[str, float]:
        return {n: float(v[rows].mean() * COLUMNS[n][2]) for n, v in values.items()}

    summary: dict[str, Any] = {"frame_wise": means(slice(None))}
    if actions is not None:
        names = np.array([action_name(a) for a in np.unique(actions)])
        of_row = names[np.unique(actions, return_inverse=True)[1]]
        by_action = {str(name): means(of_row == name) for name in np.unique(names)}
        columns = summary["frame_wise"]
        summary["by_action"] = by_action
        summary["action_wise"] = {
            c: float(np.mean([row[c] for row in by_action.values()])) for c in columns
        }
    return summary


def table(result: dict[str, Any]) -> str:
    """What `evaluate` found, as text."""
    columns = list(result["frame_wise"])
    rows = [(name, row) for name, row in result.get("by_action", {}).items()]
    rows.append(("all, frame-wise", result["frame_wise"]))
    if "action_wise" in result:
        rows.append(("all, action-wise", result["action_wise"]))
    width = max(len(name) for name, _ in rows)
    heads = [f"{COLUMNS[c][0]} {COLUMNS[c][1]}" for c in columns]
    lines = [
        f"{result['weights']}",
        f"protocol {result['protocol']}",
        *(["P1 is MPJPE, P2 is PA-MPJPE; " + MEANS] if "mpjpe" in columns else []),
        f"joints: {result['skeleton']} ({result['joints']})   2D: {result['source2d']}   "
        f"poses: {result['poses']:,}"
        + (f" (1 frame in {result['frame_step']})" if result["frame_step"] > 1 else "")
        + ("   test-time mirroring" if result["mirror"] else "")
        + ("   turned views" if result["turned"] else ""),
        "",
        " " * width + "".join(f"  {head:>11}" for head in heads),
    ]
    for name, row in rows:
        cells = "".join(f"  {row[c]:>11.2f}" for c in columns)
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)
