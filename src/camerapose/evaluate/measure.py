"""Lifting of many poses, and all metrics of the result."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from camerapose.core.anatomy import body_height
from camerapose.core.camera import Camera, denormalize
from camerapose.core.conversion import has_definitions, joint_weights
from camerapose.core.geometry import root_relative
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses, mean
from camerapose.core.skeleton import Skeleton
from camerapose.evaluate import metrics
from camerapose.evaluate.models import Model
from camerapose.infer import clip, rotated_views
from camerapose.models.body_model import Absolute

#: Metrics of `measure`, in the order of the tables.
METRICS = (
    "mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc", "root_error", "root_error_calibrated",
    "focal_error", "reprojection_error", "implausible_bones", "asymmetry", "height",
)  # fmt: skip
#: Further metrics of models that predict standard deviations.
STD_METRICS = ("within_1_std", "within_2_std")


def lift(
    model: Model,
    poses: Poses,
    *,
    flip_averaging: bool = False,
    rotated_views: bool = False,
    batch: int = 8192,
) -> Poses:
    """Lift the 2D of `poses`, in eval mode and without gradient.

    Args:
        model: its skeleton is that of the poses.
        poses: torch columns on the device of the model; only the 2D is used.
        flip_averaging: average with the prediction for the mirrored input.
        rotated_views: average over rotated views (`infer.rotated_views`).
        batch: number of poses lifted at a time.
    """
    if rotated_views:
        return _lift_rotated(model, poses, flip_averaging, batch)
    training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [_lift(model, poses[i : i + batch]) for i in range(0, len(poses), batch)]
        if flip_averaging:
            mirrored = replace(poses, labels={}, camera=None, pose3d=None).mirror()
            others = [_lift(model, mirrored[i : i + batch]) for i in range(0, len(poses), batch)]
            parts = [mean(a, b.mirror()) for a, b in zip(parts, others, strict=True)]
    model.train(training)
    return Poses.cat(parts)


def _lift_rotated(model: Model, poses: Poses, flip_averaging: bool, batch: int) -> Poses:
    device = poses.pose2d.device

    def predict(view: Poses) -> Poses:
        torch_view = view.to_torch(device)
        return lift(model, torch_view, flip_averaging=flip_averaging, batch=batch).to_numpy()

    return rotated_views.lift(predict, poses.to_numpy()).to_torch(device)


def _lift(model: Model, poses: Poses) -> Poses:
    lifted = model(poses.pose2d, poses.confidence)
    camera = Camera(lifted.focal, lifted.center, lifted.translation)
    return Poses(
        poses.skeleton, poses.pose2d, poses.confidence, lifted.pose3d, camera,
        poses.image_size, lifted.refined2d, poses.labels,
        pose3d_std=lifted.pose3d_std if isinstance(lifted, Absolute) else None,
    )  # fmt: skip


def measure(
    model: Model,
    poses: Poses,
    *,
    target2d: Tensor | None = None,
    scored: Sequence[str] | None = None,
    flip_averaging: bool = False,
    rotated_views: bool = False,
) -> dict[str, Tensor]:
    """Return one value per pose for each of `METRICS` and `STD_METRICS` that the poses allow.

    Distances are in metres, shares from 0 to 1; the reprojection error is in pixels if image sizes
    are known, otherwise in normalised units. `root_error_calibrated` is the root error for given
    focal length and principal point; `within_1_std` and `within_2_std` are the shares of coordinate
    errors within one and two predicted standard deviations. Poses in another joint format than the
    model's are converted for it and the predictions are converted back: errors are over the joints
    of `poses`. Bones of models of several joint definitions are those of Human3.6M.

    Args:
        model: a model or exported graph.
        poses: torch columns on the device of the model; without pose3d, only the metrics that need
            no 3D ground truth.
        target2d: reference of the reprojection error; None: the input 2D.
        scored: joints of the pose errors; None: all. The root need not be among them; poses are
            root-relative in any case.
        flip_averaging: see `lift`.
        rotated_views: see `lift`.

    Raises:
        ValueError: a scored joint cannot be derived from the model's joints.
    """
    check_joints(model, poses, scored)
    predicted = lift(
        model, poses.to(model.skeleton), flip_averaging=flip_averaging, rotated_views=rotated_views
    )
    return measure_lifted(predicted, poses, target2d=target2d, scored=scored)


def measure_lifted(
    predicted: Poses,
    poses: Poses,
    *,
    target2d: Tensor | None = None,
    scored: Sequence[str] | None = None,
) -> dict[str, Tensor]:
    """Return the metrics of `measure` for lifted poses, which have the joints of the model."""
    joints = poses.skeleton
    scored = joints.joints if scored is None else tuple(scored)
    bones = predicted.to(H36M_16) if has_definitions(predicted.skeleton) else predicted
    values = {
        "implausible_bones": metrics.implausible_bones(bones.pose3d, bones.skeleton),
        "asymmetry": metrics.asymmetry(bones.pose3d, bones.skeleton),
        "height": body_height(predicted.pose3d, predicted.skeleton),
    }
    converted = predicted.to(joints)
    values["reprojection_error"] = _reprojection_error(converted, poses, target2d)
    if poses.pose3d is not None:
        values["root_error_calibrated"] = _calibrated_root_error(predicted, poses)
        values["focal_error"] = metrics.focal_error(predicted.camera.focal, poses.camera.focal)
        values["root_error"] = metrics.root_error(converted.pose3d, poses.pose3d, joints)
        rows = [joints.index(joint) for joint in scored]
        body, target = (root_relative(p, joints)[:, rows] for p in (converted.pose3d, poses.pose3d))
        for name in ("mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc"):
            values[name] = getattr(metrics, name)(body, target)
        if converted.pose3d_std is not None:
            for n in (1, 2):
                values[f"within_{n}_std"] = metrics.within_std(
                    body, target, n * converted.pose3d_std[:, rows]
                )
    return {name: values[name] for name in (*METRICS, *STD_METRICS) if name in values}


def _reprojection_error(predicted: Poses, poses: Poses, target2d: Tensor | None) -> Tensor:
    target = poses.pose2d if target2d is None else target2d
    reprojection = predicted.reprojection
    if poses.image_size is not None:
        target, reprojection = (denormalize(p, poses.image_size) for p in (target, reprojection))
    return metrics.reprojection_error(reprojection, target, poses.confidence)


def _calibrated_root_error(predicted: Poses, poses: Poses) -> Tensor:
    """Return the root error with the ground-truth intrinsics in place of the predicted ones."""
    camera = poses.camera.map(lambda column: column.double().cpu().numpy())
    moved = clip.replace_camera(predicted.to_numpy(), camera.focal, camera.center)
    pose3d = torch.as_tensor(moved.to(poses.skeleton).pose3d).to(poses.pose3d)
    return metrics.root_error(pose3d, poses.pose3d, poses.skeleton)


def joint_errors(predicted: Poses, poses: Poses) -> Tensor:
    """Return the distance of each joint in root-relative poses (n, joints), metres."""
    joints = poses.skeleton
    body = root_relative(predicted.to(joints).pose3d, joints)
    return torch.linalg.vector_norm(body - root_relative(poses.pose3d, joints), dim=-1)


def check_joints(model: Model, poses: Poses, scored: Sequence[str] | None = None) -> None:
    """Raise ValueError if a scored joint (None: any) cannot be derived from the model's joints."""
    if poses.pose3d is not None:
        joints = poses.skeleton.joints if scored is None else scored
        _check_joints(model.skeleton, poses.skeleton, joints)


def _check_joints(model: Skeleton, wanted: Skeleton, scored: Sequence[str]) -> None:
    weights = dict(zip(wanted.joints, joint_weights(model, wanted), strict=True))
    unknown = [joint for joint in scored if weights[joint] is None]
    if unknown:
        raise ValueError(
            f"the model predicts {model.name}, which does not determine {', '.join(unknown)} of "
            f"{wanted.name}; use a protocol with fewer joints, or a model of {wanted.name}"
        )
