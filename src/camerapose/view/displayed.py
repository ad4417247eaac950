"""Which joints of a pose are drawn."""

from dataclasses import replace

import numpy as np

from camerapose.core.conversion import has_definitions
from camerapose.core.joint_formats import H36M_23, HALPE_26
from camerapose.core.poses import Poses

#: What is drawn of a format with several definitions of a joint: COCO's joints with feet, neck and
#: head top, or Human3.6M's joints with feet if more of them are given in 2D.
DRAWN = (HALPE_26, H36M_23)


def displayed(poses: Poses) -> Poses:
    """Return poses in a joint format that has each joint once; most formats are unchanged.

    Networks of the others have no refinement: their `refined2d`, the projection, is left out.
    """
    if not has_definitions(poses.skeleton):
        return poses
    candidates = [poses.to(skeleton) for skeleton in DRAWN]
    given = [float((p.confidence > 0).mean()) if len(p) else 0.0 for p in candidates]
    return replace(candidates[int(np.argmax(given))], refined2d=None)


def std_pixels(poses: Poses) -> np.ndarray | None:
    """Return the standard deviations of the joints (n, joints) in pixels of the image.

    Zero where unknown; None if the poses have none.
    """
    if poses.pose3d_std is None or poses.camera is None or poses.image_size is None:
        return None
    assert poses.pose3d is not None
    focal = poses.camera.in_pixels(poses.image_size).focal.mean(axis=1)
    depth = np.maximum(poses.pose3d[..., 2], 0.1)
    radius = poses.pose3d_std * focal[:, None] / depth
    return np.where(np.isfinite(radius), np.minimum(radius, poses.image_size.max()), 0.0)
