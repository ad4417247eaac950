"""The ground plane below a camera, as a value."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Ground(NamedTuple):
    """A level frame with its origin on the floor below the camera.

    Its axes are x to the right, y up, and z towards the viewer.

    Attributes:
        axes: rows are the x, y and z axis in the camera frame (y down).
        camera_height: height of the camera above the floor, metres; negative below the floor.
    """

    axes: Float[np.ndarray, "3 3"]
    camera_height: float

    def points(self, pose3d: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Transform points from the camera frame to this frame, metres."""
        return pose3d @ self.axes.T + np.array([0.0, self.camera_height, 0.0])

    @property
    def pitch(self) -> float:
        """Downward pitch of the camera, degrees."""
        return float(np.degrees(np.arcsin(np.clip(-self.axes[1, 2], -1, 1))))

    @property
    def roll(self) -> float:
        """Clockwise roll of the camera, as seen from behind it, degrees."""
        return float(np.degrees(np.arctan2(-self.axes[1, 0], -self.axes[1, 1])))
