"""Quantities of one person over time: joint angles, distance, heights, confidence, errors."""

import numpy as np

from camerapose.core import angles
from camerapose.core.poses import Poses

#: Angles that are shown, by the title of their panel; see `camerapose.core.angles`.
ANGLES = {"knee flexion": "knee_angle", "hip flexion": "hip_flexion", "elbow flexion": "elbow_flex"}


def time_axis(poses: Poses) -> tuple[np.ndarray, str]:
    """Return the time of each pose and its unit: "seconds" of a video, or the "frame" number."""
    if "time" in poses.labels:
        return np.asarray(poses.labels["time"], float), "seconds"
    return np.asarray(poses.labels["frame"], float), "frame"


def joint_angles(poses: Poses) -> dict[str, np.ndarray]:
    """Return angles (n,) in degrees by name, such as "left knee flexion"; 0 is a straight limb."""
    upright = np.asarray(poses.pose3d, float) * [1.0, -1.0, -1.0]
    known = angles.joint_angles(upright, poses.skeleton)
    return {
        f"{side} {title}": known[f"{name}_{side[0]}"]
        for title, name in ANGLES.items()
        for side in ("left", "right")
        if f"{name}_{side[0]}" in known
    }


def curves(poses: Poses) -> dict[str, dict[str, np.ndarray]]:
    """Return the curves (n,) by panel title and name."""
    values = joint_angles(poses)
    panels = {
        f"{title}, degrees": {name: v for name, v in values.items() if name.endswith(title)}
        for title in ANGLES
    }
    ends = [name for name in ("head", poses.skeleton.root) if name in poses.skeleton.joints]
    heights = {name: -poses.pose3d[:, poses.skeleton.index(name), 1] for name in ends}
    panels |= {
        "distance, m": {"distance": np.linalg.norm(poses.root_position, axis=1)},
        f"height of {' and '.join(ends)} above the camera, m": heights,
        "mean confidence": {"confidence": poses.confidence.mean(1)},
        "reprojection error, pixels": {"error": poses.reprojection_error},
    }
    return {title: lines for title, lines in panels.items() if lines}
