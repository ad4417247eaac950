"""Which way is up, and where the floor is, as the people of a video tell by how they stand.

Poses are in the camera's frame, and cameras are seldom level. Whoever stands, walks or waits holds
neck over ankles, give or take a few degrees that differ from moment to moment; so the direction in
which most of the straight bodies agree is that of gravity (docs/results.md, "Up").
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.poses import Poses
from camerapose.infer.clip.motion import body_height

#: Height of the ankle above the sole, as a share of body height (Drillis and Contini, 1966).
ANKLE = 0.039
#: Power of the share that a body is of its bones' length together: who bends hardly counts.
STRAIGHT = 20
#: Directions that are nearer to the answer than this (radians) count alike.
NEAR = 0.05
#: Share of the frames in which feet may be below the floor: what is wrong is not the floor.
BELOW = 0.05


class Ground(NamedTuple):
    """A level frame on the floor below the camera: x to the right, y up, z towards the viewer.

    Attributes:
        axes: its x, y and z as the camera sees them (camera frame, y down).
        camera_height: of the camera above the floor, metres; below 0 if the floor is above it.
    """

    axes: Float[np.ndarray, "3 3"]
    camera_height: float

    def points(self, pose3d: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
        """Points of the camera's frame in this one."""
        return pose3d @ self.axes.T + np.array([0.0, self.camera_height, 0.0])

    @property
    def pitch(self) -> float:
        """Degrees by which the camera looks down."""
        return float(np.degrees(np.arcsin(np.clip(-self.axes[1, 2], -1, 1))))

    @property
    def roll(self) -> float:
        """Degrees by which the camera is turned clockwise, as who holds it sees it."""
        return float(np.degrees(np.arctan2(-self.axes[1, 0], -self.axes[1, 1])))


def ground(poses: Poses) -> Ground:
    """The floor on which people stand before a camera that keeps still.

    Up is the geometric median of the directions from the ankles to the thorax, each weighted by
    how straight the body is. The floor is as low as their feet get, whoever stands higher.

    Args:
        poses: numpy, of one camera; with ankles, knees, pelvis and thorax.

    Raises:
        ValueError: there is no pose, or these joints lack.
    """
    if len(poses) == 0:
        raise ValueError("there is no pose to tell the floor from")
    up = _up(poses)
    back = np.array([0.0, 0.0, -1.0])
    level = back - (back @ up) * up
    if np.linalg.norm(level) < 0.1:  # straight down or up: the image's bottom is towards the viewer
        level = np.array([0.0, 1.0, 0.0]) - up[1] * up
    z = level / np.linalg.norm(level)
    axes = np.stack([np.cross(up, z), up, z])
    feet = (_joints(poses, "ankle") @ up).min(axis=0)
    ankle = ANKLE * float(np.median(body_height(poses)))
    return Ground(axes, ankle - float(np.quantile(feet, BELOW)))


def _up(poses: Poses) -> Float[np.ndarray, "3"]:
    ankles, knees = _joints(poses, "ankle").mean(0), _joints(poses, "knee").mean(0)
    chain = np.stack([ankles, knees, _joint(poses, "pelvis"), _joint(poses, "thorax")])
    whole = np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum(0)
    body = chain[-1] - chain[0]
    length = np.linalg.norm(body, axis=1)
    weight = (length / np.maximum(whole, 1e-9)) ** STRAIGHT
    directions = body / np.maximum(length, 1e-9)[:, None]
    up = _unit(weight @ directions)
    for _ in range(20):
        near = weight / np.maximum(np.linalg.norm(directions - up, axis=1), NEAR)
        up = _unit(near @ directions)
    return up


def _joints(poses: Poses, name: str) -> Float[np.ndarray, "2 n 3"]:
    return np.stack([_joint(poses, f"{side}_{name}") for side in ("left", "right")])


def _joint(poses: Poses, name: str) -> Float[np.ndarray, "n 3"]:
    if name not in poses.skeleton.joints:
        raise ValueError(f"{poses.skeleton.name} has no {name} to tell where the floor is")
    return np.asarray(poses.pose3d[:, poses.skeleton.index(name)], float)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
