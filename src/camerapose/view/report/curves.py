"""Quantities of one person over time: joint angles, distance, heights, confidence, errors."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core import angles
from camerapose.core.conversion import has_definitions
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import H36M_23
from camerapose.core.poses import Poses
from camerapose.view.displayed import displayed
from camerapose.view.style import LEFT, RIGHT, TEXT

#: Angles that are shown, by the title of their panel; see `camerapose.core.angles`.
ANGLES = {
    "knee flexion": "knee_angle",
    "hip flexion": "hip_flexion",
    "ankle dorsiflexion": "ankle_angle",
    "elbow flexion": "elbow_flex",
    "shoulder elevation": "shoulder_elevation",
}
#: Angles of the trunk, by their name in the panel.
TRUNK = {"extension": "lumbar_extension", "bending": "lumbar_bending"}
#: Joints with a panel of their own in formats with feet.
HEELS = ("left_heel", "right_heel")
SECOND = "#8A5FBF"
#: Colours by the first word of a curve's name; others have the colour of text.
COLORS = {"left": LEFT, "right": RIGHT, "bending": SECOND, "head": SECOND}


class Line(NamedTuple):
    """A curve; `std` is None where the model does not predict standard deviations."""

    name: str
    values: Float[np.ndarray, " n"]
    std: Float[np.ndarray, " n"] | None = None

    @property
    def color(self) -> str:
        """Return a hex code."""
        return COLORS.get(self.name.partition(" ")[0], TEXT)


class Panel(NamedTuple):
    """Curves that share an axis; `digits` are those after the decimal point."""

    title: str
    lines: list[Line]
    digits: int = 0


def time_axis(poses: Poses) -> tuple[np.ndarray, str]:
    """Return the time of each pose and its unit: "seconds" of a video, or the "frame" number."""
    if "time" in poses.labels:
        return np.asarray(poses.labels["time"], float), "seconds"
    return np.asarray(poses.labels["frame"], float), "frame"


def angle_panels(poses: Poses) -> list[Panel]:
    """Return the joint angles in degrees; 0 is a straight limb or an upright trunk.

    Formats with several definitions of a joint have the angles of exported files.
    """
    if has_definitions(poses.skeleton):
        poses = poses.to(H36M_23)
    upright = np.asarray(poses.pose3d, float) * [1.0, -1.0, -1.0]
    known = angles.joint_angles(upright, poses.skeleton)
    std: dict[str, np.ndarray] = {}
    if poses.pose3d_std is not None:
        std = angles.joint_angle_std(upright, poses.pose3d_std, poses.skeleton)
    panels = []
    for title, name in ANGLES.items():
        keys = {side: f"{name}_{side[0]}" for side in ("left", "right")}
        panels.append((title, {side: key for side, key in keys.items() if key in known}))
    panels.append(("trunk", {title: key for title, key in TRUNK.items() if key in known}))
    return [
        Panel(f"{title}, degrees", [Line(n, known[k], std.get(k)) for n, k in names.items()])
        for title, names in panels
        if names
    ]


def panels(poses: Poses, ground: Ground | None = None) -> list[Panel]:
    """Return all panels of one person; heights are above the floor, or without it the camera."""
    others = [
        Panel("distance from the camera, m", [Line("distance", _distance(poses))], 2),
        *_heights(poses, ground),
        Panel("mean confidence", [Line("confidence", displayed(poses).confidence.mean(1))], 2),
    ]
    if poses.camera is not None:
        error = Line("error", poses.reprojection_error)
        others.append(Panel("reprojection error, pixels", [error], 1))
    if poses.pose3d_std is not None:
        std = np.where(np.isfinite(poses.pose3d_std), poses.pose3d_std, np.nan)
        mean = Line("standard deviation", 1000 * np.nanmean(std, axis=1))
        others.append(Panel("mean standard deviation, mm", [mean]))
    return angle_panels(poses) + others


def _heights(poses: Poses, ground: Ground | None) -> list[Panel]:
    """Return the heights of head and root and, in formats with feet, of the heels."""
    drawn = displayed(poses)
    joints = drawn.skeleton.joints
    points = np.asarray(drawn.pose3d, float)
    height = -points[..., 1] if ground is None else ground.points(points)[..., 1]
    level = "camera" if ground is None else "floor"
    top = [name for name in ("head", "head_top") if name in joints][:1]
    groups = [
        (f"height of {' and '.join([*top, drawn.skeleton.root])}", (*top, drawn.skeleton.root)),
        ("height of the heels", HEELS),
    ]
    return [
        Panel(
            f"{title} above the {level}, m".replace("_", " "),
            [Line(n.replace("_", " "), height[:, joints.index(n)]) for n in names],
            2,
        )
        for title, names in groups
        if all(name in joints for name in names)
    ]


def _distance(poses: Poses) -> np.ndarray:
    return np.linalg.norm(poses.root_position, axis=1)
