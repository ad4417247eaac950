"""Quantities of one person over time: joint angles, distance, heights, confidence, errors."""

import numpy as np

from camerapose.core.poses import Poses

#: Joints whose angle is shown, and the joints at the ends of the two bones, without side.
ANGLES = {"knee": ("hip", "ankle"), "elbow": ("shoulder", "wrist"), "hip": ("shoulder", "knee")}


def time_axis(poses: Poses) -> tuple[np.ndarray, str]:
    """Return the time of each pose and its unit: "seconds" of a video, or the "frame" number."""
    if "time" in poses.labels:
        return np.asarray(poses.labels["time"], float), "seconds"
    return np.asarray(poses.labels["frame"], float), "frame"


def joint_angles(poses: Poses) -> dict[str, np.ndarray]:
    """Return angles (n,) in degrees by name, such as "left knee"; 180 is a straight limb."""
    skeleton, angles = poses.skeleton, {}
    for joint, (above, below) in ANGLES.items():
        for side in ("left", "right"):
            names = [f"{side}_{name}" for name in (above, joint, below)]
            if set(names) <= set(skeleton.joints):
                a, b, c = (poses.pose3d[:, skeleton.index(name)] for name in names)
                u, v = a - b, c - b
                length = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
                cosine = (u * v).sum(1) / np.maximum(length, 1e-9)
                angles[f"{side} {joint}"] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return angles


def curves(poses: Poses) -> dict[str, dict[str, np.ndarray]]:
    """Return the curves (n,) by panel title and name."""
    angles = joint_angles(poses)
    panels = {
        f"{joint}s, degrees": {name: v for name, v in angles.items() if name.endswith(joint)}
        for joint in ANGLES
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
