"""The vertical that the balance of a standing person indicates.

On average over time, the centre of mass of people who stand or walk is above the middle of their
support, otherwise they would fall.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from camerapose.core.bones import unit
from camerapose.core.conversion import joint_weights
from camerapose.core.joint_formats import H36M_16
from camerapose.core.mass import center_of_mass
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Distance of the middle of the support in front of the ankles, relative to the length of a leg
#: from hip to ankle. Chosen on training subjects of Human3.6M.
SUPPORT = 0.1
#: Standard deviation of the vertical of a straight body, radians, and exponent of its straightness
#: (distance from ankles to thorax relative to the length of the chain) in the weight: people who
#: sit or bend hardly count.
DEVIATION, STRAIGHTNESS_POWER = 0.07, 40
#: Number of independent poses that all poses count for at most: errors of a lifter are partly
#: constant, and people who lie all the time must not outweigh the prior.
MAX_POSES = 20.0
#: Squared error (in standard deviations) of the scale of both losses.
ROBUST = 4.0
#: Usual upward direction in the camera frame, of a camera that looks down by 10 degrees, and its
#: standard deviations along the camera's axes (roll and pitch), those of `data.augment.cameras`.
PRIOR_UP = np.array([0.0, -np.cos(np.radians(10)), -np.sin(np.radians(10))])
PRIOR_DEVIATION = np.array([0.14, 1.0, 0.31])
#: Joints of `H36M_16` that are needed.
JOINTS = (
    *(f"{side}_{joint}" for side in ("left", "right")
      for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")),
    "pelvis", "thorax", "head",
)  # fmt: skip


@dataclass(frozen=True)
class Vertical:
    """The vertical that each pose indicates.

    Attributes:
        up: upward unit vectors, in the axes of the poses.
        deviation: their standard deviations, radians; infinite: none.
    """

    up: Float[np.ndarray, "n 3"]
    deviation: Float[np.ndarray, " n"]

    def __getitem__(self, rows: np.ndarray | slice) -> "Vertical":
        return Vertical(self.up[rows], self.deviation[rows])


def missing_joints(skeleton: Skeleton) -> list[str]:
    """Return the joints that `indicated_verticals` needs and the skeleton lacks."""
    weights = joint_weights(skeleton, H36M_16)
    return [joint for joint in JOINTS if weights[H36M_16.index(joint)] is None]


def indicated_verticals(poses: Poses) -> Vertical:
    """Return the vertical that each pose indicates; none if the skeleton lacks joints.

    Args:
        poses: numpy, with 3D.
    """
    if missing_joints(poses.skeleton):
        return no_verticals(len(poses))
    points = np.asarray(poses.to(H36M_16).pose3d, float)
    weight = np.maximum(straightness(points), 1e-3) ** (STRAIGHTNESS_POWER / 2)
    return Vertical(balance(points), DEVIATION / weight)


def no_verticals(n: int) -> Vertical:
    """Return the verticals of n poses that indicate none."""
    return Vertical(np.tile([0.0, -1.0, 0.0], (n, 1)), np.full(n, np.inf))


def robust(squared: Float[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """Return losses and weights of squared errors (in standard deviations).

    The loss of Barron ("A general and adaptive robust loss function", CVPR 2019) with shape -1: it
    is bounded, so that people who lie or do a handstand do not turn the vertical.
    """
    scaled = 1 + squared / ROBUST
    return 2 * ROBUST * (1 - scaled**-0.5), scaled**-1.5


def prior_deviation(up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """Return the standard deviations of the prior along the camera's axes for a vertical near `up`.

    The prior has heavy tails (Student's): few cameras are much inclined, but those that are can be
    inclined by any angle.
    """
    error = (up - PRIOR_UP) / PRIOR_DEVIATION
    return PRIOR_DEVIATION * np.sqrt(1 + error**2 / ROBUST)


def balance(points: Float[np.ndarray, "n 16 3"]) -> Float[np.ndarray, "n 3"]:
    """Return the directions from the middle of the support to the centre of mass (`H36M_16`)."""
    hips, knees, ankles = (_pair(points, joint) for joint in ("hip", "knee", "ankle"))
    legs = np.linalg.norm(hips - knees, axis=-1) + np.linalg.norm(knees - ankles, axis=-1)
    body = center_of_mass(points, H36M_16) - ankles.mean(0)
    front = unit(np.cross(hips[0] - hips[1], body))
    return unit(body - SUPPORT * legs.mean(0)[:, None] * front)


def straightness(points: Float[np.ndarray, "n 16 3"]) -> Float[np.ndarray, " n"]:
    """Return the distance from ankles to thorax relative to the length of the chain between."""
    pelvis, thorax = (points[:, H36M_16.index(joint)] for joint in ("pelvis", "thorax"))
    knees, ankles = (_pair(points, joint).mean(0) for joint in ("knee", "ankle"))
    chain = np.stack([ankles, knees, pelvis, thorax])
    total = np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum(0)
    return np.linalg.norm(thorax - ankles, axis=-1) / np.maximum(total, 1e-9)


def _pair(points: np.ndarray, joint: str) -> Float[np.ndarray, "2 n 3"]:
    return np.stack([points[:, H36M_16.index(f"{side}_{joint}")] for side in ("left", "right")])
