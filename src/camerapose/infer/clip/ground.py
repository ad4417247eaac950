"""Estimation of the vertical and the floor from people who stand and walk.

Poses are in the frame of a camera, which is seldom level.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import ANKLE_HEIGHT, body_height
from camerapose.core.bones import unit
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer.clip.rows import check_poses
from camerapose.infer.clip.variables import tangents
from camerapose.infer.clip.vertical import (
    MAX_POSES,
    PRIOR_UP,
    Vertical,
    indicated_verticals,
    missing_joints,
    prior_deviation,
    robust,
)

#: The ground of poses that `align` returned.
LEVEL = Ground(np.diag([1.0, -1.0, -1.0]), 0.0)
#: Quantile of the foot heights that defines the floor; lower feet are treated as errors.
_FLOOR_QUANTILE = 0.05


def estimate_ground(poses: Poses) -> Ground:
    """Estimate the floor on which people stand in front of a static camera.

    The vertical is a robust mean of those that the balance of standing people indicates
    (`infer.clip.vertical`) and of that of usual cameras. The floor lies at a low quantile of the
    foot heights.

    Args:
        poses: numpy, with 3D, of one camera; the skeleton needs limbs, thorax and head.

    Raises:
        ValueError: no poses, missing 3D, or missing joints.
    """
    check_poses(poses, "pose3d")
    if len(poses) == 0:
        raise ValueError("there are no poses to estimate the ground from; pass at least one")
    if missing := missing_joints(poses.skeleton):
        raise ValueError(
            f"{poses.skeleton.name} has no {', '.join(missing)}; the ground needs limbs, thorax, "
            "head"
        )
    up = mean_vertical(indicated_verticals(poses))
    poses = poses.to(H36M_16)
    feet = (_joints(poses, "ankle") @ up).min(axis=0)
    ankle = ANKLE_HEIGHT * float(np.median(body_height(poses.pose3d, poses.skeleton)))
    return Ground.of(up, ankle - float(np.quantile(feet, _FLOOR_QUANTILE)))


def align(poses: Poses, ground: Ground) -> Poses:
    """Return the poses in a level frame with its origin on the floor below the camera.

    The axes are x to the right, y down and z forward, as in the frame of a level camera. The
    camera's rotation turns them into the camera frame; its translation is still the position of the
    root in the camera frame, so the reprojection does not change.

    Args:
        poses: numpy, with 3D and cameras, camera frame.
        ground: vertical and floor.
    """
    check_poses(poses, "pose3d", "camera")
    assert poses.camera is not None
    level = LEVEL.axes @ ground.axes
    origin = np.array([0.0, ground.camera_height, 0.0])
    pose3d = np.float32(np.asarray(poses.pose3d, float) @ level.T - origin)
    rotation = np.tile(np.float32(level.T), (len(poses), 1, 1))
    return replace(poses, pose3d=pose3d, camera=replace(poses.camera, rotation=rotation))


def mean_vertical(indicated: Vertical) -> Float[np.ndarray, "3"]:
    """Return the upward unit vector in the camera frame: a robust mean that starts at the prior."""
    precision = min(MAX_POSES / len(indicated.up), 1.0) / indicated.deviation**2
    up = PRIOR_UP
    for _ in range(20):
        squared = ((indicated.up - up) ** 2).sum(1) / indicated.deviation**2
        weight = precision * robust(squared)[1]
        prior = 1 / prior_deviation(up) ** 2
        force = prior * (PRIOR_UP - up) + weight @ (indicated.up - up)
        basis = tangents(up)
        stiffness = (basis.T * (prior + weight.sum())) @ basis
        up = unit(up + basis @ np.linalg.solve(stiffness, basis.T @ force))
    return up


def _joints(poses: Poses, name: str) -> Float[np.ndarray, "2 n 3"]:
    rows = [poses.skeleton.index(f"{side}_{name}") for side in ("left", "right")]
    return np.moveaxis(np.asarray(poses.pose3d)[:, rows].astype(float), 1, 0)
