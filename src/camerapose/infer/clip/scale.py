"""Scale of people: known or assumed body heights."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import DEFAULT_HEIGHT, body_height, has_limbs
from camerapose.core.poses import Poses
from camerapose.infer.clip.rows import check_poses, rows_by_person

#: Accepted body heights, metres.
MIN_HEIGHT, MAX_HEIGHT = 0.3, 2.8
#: Poses whose heights are computed at once.
ROWS = 4096


def set_height(poses: Poses, height: float) -> Poses:
    """Scale each person, including the distance from the camera, to a known body height.

    The reprojection does not change. One camera cannot distinguish a nearby child from a distant
    adult; one known length resolves the ambiguity.

    Args:
        poses: numpy, with 3D and cameras.
        height: standing height of every person without shoes, metres.

    Raises:
        ValueError: implausible height, no limbs in the skeleton, or missing columns.
    """
    check_poses(poses, "pose3d", "camera")
    check_height(height)
    scale = np.ones(len(poses))
    for rows in rows_by_person(poses):
        scale[rows] = height / np.median(_heights(poses[rows]))
    return _scaled(poses, scale)


def set_median_height(poses: Poses, height: float = DEFAULT_HEIGHT) -> Poses:
    """Scale all people by one factor, so that `median_height` becomes the given height.

    For people of unknown height. The absolute size that a network predicts is a guess that varies
    between trainings; relative sizes are kept. The reprojection does not change. Poses of skeletons
    without limbs are returned unchanged.

    Args:
        poses: numpy, with 3D and cameras.
        height: median standing height of the people, metres.

    Raises:
        ValueError: implausible height, or missing columns.
    """
    check_poses(poses, "pose3d", "camera")
    check_height(height)
    if len(poses) == 0 or not has_limbs(poses.skeleton):
        return poses
    return _scaled(poses, np.full(len(poses), height / max(median_height(poses), 1e-9)))


def median_height(poses: Poses) -> float:
    """Return the median over people of the median body height of their poses, metres.

    NaN without poses, or if the skeleton has no limbs.
    """
    check_poses(poses, "pose3d")
    if len(poses) == 0 or not has_limbs(poses.skeleton):
        return float("nan")
    heights = _heights(poses)
    return float(np.median([np.median(heights[rows]) for rows in rows_by_person(poses)]))


def check_height(height: float) -> None:
    """Raise ValueError unless a body height (metres) is plausible."""
    if not MIN_HEIGHT <= height <= MAX_HEIGHT:
        raise ValueError(f"height is {height}; give metres, such as 1.75")


def _heights(poses: Poses) -> Float[np.ndarray, " n"]:
    points = np.asarray(poses.pose3d)
    parts = np.split(points, range(ROWS, len(points), ROWS))  # in float64 only part by part
    return np.concatenate([body_height(part.astype(float), poses.skeleton) for part in parts])


def _scaled(poses: Poses, scale: Float[np.ndarray, " n"]) -> Poses:
    assert poses.camera is not None
    translation = np.float32(poses.camera.translation * scale[:, None])
    std = poses.pose3d_std
    return replace(
        poses,
        pose3d=np.float32(poses.pose3d * scale[:, None, None]),
        camera=replace(poses.camera, translation=translation),
        pose3d_std=None if std is None else np.float32(std * scale[:, None]),
    )
