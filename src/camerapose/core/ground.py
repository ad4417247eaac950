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

    @staticmethod
    def of(up: Float[np.ndarray, "3"], camera_height: float) -> "Ground":
        """Return the frame of a vertical.

        Args:
            up: upward unit vector in the camera frame.
            camera_height: metres above the floor.
        """
        back = np.array([0.0, 0.0, -1.0])
        level = back - (back @ up) * up
        if np.linalg.norm(level) < 0.1:  # camera looks straight down or up: use the image's y axis
            level = np.array([0.0, 1.0, 0.0]) - up[1] * up
        z = level / np.linalg.norm(level)
        return Ground(np.stack([np.cross(up, z), up, z]), camera_height)

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
