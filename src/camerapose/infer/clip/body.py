"""Topology of the bodies of a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from camerapose.core.skeleton import Skeleton

#: Variables of a frame before the bones: image position of the root (2), logarithm of its distance.
ROOT = 3
#: Endings of the names of joints at the sole of the foot.
SOLES = ("heel", "toe", "foot_index")


@dataclass(frozen=True)
class Body:
    """Topology of a skeleton.

    Attributes:
        path: whether a bone lies between the root and a joint.
        group: number of the bone's length; both sides share one.
        ankles: joints of the feet; empty if the skeleton lacks them.
        knees: likewise.
        soles: heels and toes, as far as the skeleton has them.
    """

    skeleton: Skeleton
    path: Float[np.ndarray, "joints bones"]
    group: Int[np.ndarray, " bones"]
    ankles: tuple[int, ...]
    knees: tuple[int, ...]
    soles: tuple[int, ...]

    @staticmethod
    def of(skeleton: Skeleton) -> "Body":
        """Return the topology of a skeleton with one definition of each joint."""
        above = {child: (bone, parent) for bone, (child, parent) in enumerate(skeleton.bones)}
        path = np.zeros((skeleton.n_joints, len(skeleton.bones)))
        for joint in range(skeleton.n_joints):
            current = joint
            while current in above:
                bone, current = above[current]
                path[joint, bone] = 1.0
        pairs = [min(i, j) for i, j in enumerate(skeleton.bone_mirror)]
        group = np.unique(pairs, return_inverse=True)[1]
        soles = tuple(i for i, name in enumerate(skeleton.joints) if name.endswith(SOLES))
        return Body(
            skeleton, path, group, _pair(skeleton, "ankle"), _pair(skeleton, "knee"), soles,
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of variables of a frame."""
        return ROOT + 2 * self.path.shape[1]

    def variables(self, joints: Sequence[int]) -> Int[np.ndarray, " n"]:
        """Return the indices of the variables of a frame that move these joints."""
        bones = np.flatnonzero(self.path[list(joints)].any(0))
        return np.concatenate([np.arange(ROOT), np.ravel(ROOT + 2 * bones[:, None] + (0, 1))])


def _pair(skeleton: Skeleton, joint: str) -> tuple[int, ...]:
    """Return the left and the right joint; empty if the skeleton lacks them."""
    names = (f"left_{joint}", f"right_{joint}")
    return tuple(skeleton.index(name) for name in names if name in skeleton.joints)
