"""Estimation of the vertical and the floor from people who stand and walk.

Poses are in the frame of a camera, which is seldom level. People who stand or walk hold the neck
above the ankles, within a few degrees that vary over time, so the direction in which most straight
bodies agree is the vertical.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import ANKLE_HEIGHT, body_height
from camerapose.core.bones import unit
from camerapose.core.conversion import has_definitions
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer.clip.rows import check_poses

#: Exponent of a body's straightness in its weight: bent bodies hardly count.
_STRAIGHTNESS_POWER = 20
#: Smallest distance in the geometric median, radians: it bounds the weight of a direction.
_MIN_DISTANCE = 0.05
#: The ground of poses that `align` returned.
LEVEL = Ground(np.diag([1.0, -1.0, -1.0]), 0.0)
#: Quantile of the foot heights that defines the floor; lower feet are treated as errors.
_FLOOR_QUANTILE = 0.05


def estimate_ground(poses: Poses) -> Ground:
    """Estimate the floor on which people stand in front of a static camera.

    The vertical is the geometric median of the directions from the ankles to the thorax, weighted
    by the straightness of the body. The floor lies at a low quantile of the foot heights.

    Args:
        poses: numpy, with 3D, of one camera; the skeleton needs ankles, knees, pelvis and thorax.

    Raises:
        ValueError: no poses, missing 3D, or missing joints.
    """
    check_poses(poses, "pose3d")
    if len(poses) == 0:
        raise ValueError("there are no poses to estimate the ground from; pass at least one")
    if has_definitions(poses.skeleton):
        poses = poses.to(H36M_16)
    up = _vertical(poses)
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


def _vertical(poses: Poses) -> Float[np.ndarray, "3"]:
    """Return the upward unit vector in the camera frame (Weiszfeld's algorithm)."""
    ankles, knees = _joints(poses, "ankle").mean(0), _joints(poses, "knee").mean(0)
    chain = np.stack([ankles, knees, _joint(poses, "pelvis"), _joint(poses, "thorax")])
    chain_length = np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum(0)
    body = chain[-1] - chain[0]
    length = np.linalg.norm(body, axis=1)
    weight = (length / np.maximum(chain_length, 1e-9)) ** _STRAIGHTNESS_POWER
    directions = body / np.maximum(length, 1e-9)[:, None]
    up = unit(weight @ directions)
    for _ in range(20):
        distance = np.linalg.norm(directions - up, axis=1)
        up = unit((weight / np.maximum(distance, _MIN_DISTANCE)) @ directions)
    return up


def _joints(poses: Poses, name: str) -> Float[np.ndarray, "2 n 3"]:
    return np.stack([_joint(poses, f"{side}_{name}") for side in ("left", "right")])


def _joint(poses: Poses, name: str) -> Float[np.ndarray, "n 3"]:
    if name not in poses.skeleton.joints:
        raise ValueError(
            f"{poses.skeleton.name} has no {name}; the ground needs ankles, knees, pelvis, thorax"
        )
    return np.asarray(poses.pose3d)[:, poses.skeleton.index(name)].astype(float)
