"""Quantities of one person over time: joint angles, distance, heights, confidence, errors."""

import numpy as np

from camerapose.core import angles
from camerapose.core.poses import Poses
from camerapose.view.displayed import displayed

#: Angles that are shown, by the title of their panel; see `camerapose.core.angles`.
ANGLES = {"knee flexion": "knee_angle", "hip flexion": "hip_flexion", "elbow flexion": "elbow_flex"}

#: Joints with a panel of their own in formats with feet.
HEELS = ("left_heel", "right_heel")


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
    drawn = displayed(poses)
    joints = drawn.skeleton.joints
    top = [name for name in ("head", "head_top") if name in joints][:1]
    ends = [*top, drawn.skeleton.root]
    heights = {
        name: -drawn.pose3d[:, joints.index(name), 1] for name in (*ends, *HEELS) if name in joints
    }
    heels = {name.replace("_", " "): heights.pop(name) for name in HEELS if name in heights}
    panels |= {
        "distance, m": {"distance": np.linalg.norm(poses.root_position, axis=1)},
        f"height of {' and '.join(ends).replace('_', ' ')} above the camera, m": heights,
        "height of the heels above the camera, m": heels,
        "mean confidence": {"confidence": poses.confidence.mean(1)},
        "reprojection error, pixels": {"error": poses.reprojection_error},
    }
    if poses.pose3d_std is not None:
        std = np.where(np.isfinite(poses.pose3d_std), poses.pose3d_std, np.nan)
        mean = {"standard deviation": 1000 * np.nanmean(std, axis=1)}
        panels["mean standard deviation, mm"] = mean
    return {title: lines for title, lines in panels.items() if lines}
