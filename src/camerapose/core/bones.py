"""Poses as bone vectors, for numpy arrays (`camerapose.core.geometry` is its torch counterpart)."""

import numpy as np
from jaxtyping import Float

from camerapose.core.skeleton import Skeleton


def bone_vectors(
    pose3d: Float[np.ndarray, "n joints 3"], skeleton: Skeleton
) -> Float[np.ndarray, "n bones 3"]:
    """Return child minus parent of every bone, in the order of `skeleton.bones`."""
    children, parents = zip(*skeleton.bones, strict=True)
    return pose3d[:, list(children)] - pose3d[:, list(parents)]


def bone_lengths(
    pose3d: Float[np.ndarray, "n joints 3"], skeleton: Skeleton
) -> Float[np.ndarray, "n bones"]:
    """Return the length of every bone in the unit of the pose, in double precision."""
    return np.linalg.norm(bone_vectors(np.asarray(pose3d, float), skeleton), axis=-1)


def pose_from_bones(
    bones: Float[np.ndarray, "n bones 3"], skeleton: Skeleton
) -> Float[np.ndarray, "n joints 3"]:
    """Return the root-relative pose with the given bone vectors: the inverse of `bone_vectors`."""
    above = {child: (bone, parent) for bone, (child, parent) in enumerate(skeleton.bones)}
    joints: dict[int, np.ndarray] = {skeleton.root_index: np.zeros_like(bones[:, 0])}

    def position(joint: int) -> np.ndarray:
        if joint not in joints:
            bone, parent = above[joint]
            joints[joint] = position(parent) + bones[:, bone]
        return joints[joint]

    return np.stack([position(joint) for joint in range(skeleton.n_joints)], axis=1)


def unit(vectors: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
    """Return vectors of length one in the same directions; vectors below 1e-9 tend to zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
