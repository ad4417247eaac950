"""Poses in world axes as seen by a level camera, and back."""

import numpy as np

from camerapose.core.camera import Camera
from camerapose.core.joint_formats import BODY_46
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: From the world (z up) to a camera that looks along y: x right, y down, z forward.
LEVEL = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
#: Distance (metres) and focal length of the cameras.
DISTANCE, FOCAL = 4.0, 2.0


def level_view(
    world: np.ndarray, labels: dict[str, np.ndarray], skeleton: Skeleton = BODY_46
) -> Poses:
    """Return poses (world axes, z up, metres) as a level camera sees them from the front."""
    n = len(world)
    root = skeleton.root_index
    translation = np.tile(np.float32([0, 0, DISTANCE]), (n, 1))
    pose3d = (world - world[:, root, None]) @ LEVEL.T + translation[:, None]
    focal = np.full((n, 2), FOCAL, np.float32)
    camera = Camera(focal, np.zeros_like(focal), translation)
    return Poses(
        skeleton,
        camera.project(pose3d).astype(np.float32),
        np.ones(pose3d.shape[:2], np.float32),
        pose3d.astype(np.float32),
        camera,
        np.tile(np.float32([1000, 1000]), (n, 1)),
        labels=labels,
    )


def to_world(poses: Poses) -> np.ndarray:
    """Return root-relative poses of `load` in world axes, z up."""
    return (poses.pose3d - poses.root_position[:, None]) @ LEVEL
