"""Poses as bones, part-aware kinematic chains, and the best similarity between two poses.

Pure functions on torch tensors. Rotations come from roma; joints are named by a `Skeleton`.
Constant index lists and matrices are made once for each skeleton, device and dtype, so that no
function here waits for the device or loops over joints.
"""

import math
from collections.abc import Callable
from typing import Any

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.skeleton import Skeleton

_CONSTANTS: dict[tuple, Tensor] = {}


def constant(
    make: Callable[[Any], list], skeleton: Skeleton | None, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """`make(skeleton)` as a tensor on a device, made once and kept: no copy waits in a loop."""
    key = (make, skeleton, device, dtype)
    if key not in _CONSTANTS:
        with torch.inference_mode(False):  # a constant first made in inference also serves training
            value = torch.tensor(make(skeleton), device=device, dtype=dtype)
        if type(value) is not Tensor:  # a tracer's stand-in: true only while it traces
            return value
        _CONSTANTS[key] = value
    return _CONSTANTS[key]


def _children(skeleton: Skeleton) -> list[int]:
    return [child for child, _ in skeleton.bones]


def _parents(skeleton: Skeleton) -> list[int]:
    return [parent for _, parent in skeleton.bones]


def _paths(skeleton: Skeleton) -> list[list[float]]:
    """Joints by bones: 1 where the bone lies between the root and the joint."""
    bone_above = {child: (bone, parent) for bone, (child, parent) in enumerate(skeleton.bones)}
    paths = [[0.0] * len(skeleton.bones) for _ in skeleton.joints]
    for joint, path in enumerate(paths):
        while joint != skeleton.root_index:
            bone, joint = bone_above[joint]
            path[bone] = 1.0
    return paths


def _part_pairs(skeleton: Skeleton) -> list[list[list[float]]]:
    """Parts by bones by bones: 1 where both bones belong to the part."""
    bones = range(len(skeleton.bones))
    return [
        [[float(a in part and b in part) for b in bones] for a in bones]
        for part in skeleton.parts.values()
    ]


def root_relative(pose3d: Float[Tensor, "*b j d"], skeleton: Skeleton) -> Float[Tensor, "*b j d"]:
    """The pose with its root joint at the origin (exactly zero). Works in 2D as well."""
    root = skeleton.root_index
    return pose3d - pose3d[..., root : root + 1, :]


def insert_root(
    others: Float[Tensor, "*b others d"], skeleton: Skeleton
) -> Float[Tensor, "*b j d"]:
    """Put a root at the origin among the other joints, at its place in the skeleton."""
    root = skeleton.root_index
    zero = torch.zeros_like(others[..., :1, :])
    return torch.cat([others[..., :root, :], zero, others[..., root:, :]], dim=-2)


def bone_vectors(
    points: Float[Tensor, "*b j d"], skeleton: Skeleton
) -> Float[Tensor, "*b bones d"]:
    """Child minus parent of every bone, in the order of `skeleton.bones`."""
    child = constant(_children, skeleton, points.device, torch.long)
    parent = constant(_parents, skeleton, points.device, torch.long)
    return points.index_select(-2, child) - points.index_select(-2, parent)


def bone_lengths(points: Float[Tensor, "*b j d"], skeleton: Skeleton) -> Float[Tensor, "*b bones"]:
    """Length of every bone, in the points' unit. A bone of length zero has the gradient zero."""
    return torch.linalg.vector_norm(bone_vectors(points, skeleton), dim=-1)


def pose_from_bones(
    bones: Float[Tensor, "*b bones d"],
    skeleton: Skeleton,
    root: Float[Tensor, "*b d"] | None = None,
) -> Float[Tensor, "*b j d"]:
    """The pose whose `bone_vectors` these are; its root joint at `root` (None: the origin)."""
    paths = constant(_paths, skeleton, bones.device, bones.dtype)
    with torch.autocast(bones.device.type, enabled=False):  # bfloat16 would cost millimetres
        pose = torch.einsum("jb,...bd->...jd", paths, bones)  # one product, where @ loops
    return pose if root is None else pose + root[..., None, :]


def rotvec_to_rotmat(rotvec: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Rotations about an axis, by the vector's length in radians (Rodrigues' formula).

    For training loops: roma's of the same name takes ten times as many operations. The gradient
    at the zero vector is finite.
    """
    device, dtype = rotvec.device, rotvec.dtype
    column, row = rotvec[..., None], rotvec[..., None, :]
    angle = torch.linalg.vector_norm(column, dim=-2, keepdim=True)
    cross = (column[..., None] * constant(_cross_matrices, None, device, dtype)).sum(dim=-3)
    sine, half = torch.sinc(angle / math.pi), torch.sinc(angle / (2 * math.pi))
    one = constant(_identity, None, device, dtype)
    return angle.cos() * one + sine * cross + half.square() / 2 * (column * row)


def _cross_matrices(_: Any) -> list:
    """For each axis the matrix of the cross product with it."""
    return [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ]


def _identity(_: Any) -> list:
    return [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def unit(vectors: Float[Tensor, "*b d"], eps: float = 1e-8) -> Float[Tensor, "*b d"]:
    """Vectors of length one in the same directions.

    Vectors no longer than `eps` have no direction and come back as they are (zero stays zero,
    with the gradient of the identity).
    """
    squared = vectors.square().sum(dim=-1, keepdim=True)
    return vectors * torch.where(squared > eps**2, squared, 1.0).rsqrt()


def kcs(points: Float[Tensor, "n j d"], skeleton: Skeleton) -> Float[Tensor, "n parts bones bones"]:
    """Part-aware kinematic chain space: cosines between the bones of each body part.

    The Gram matrix of unit bone vectors, once for each of `skeleton.parts` with the rows and
    columns of other parts' bones zero. It does not change when the pose is moved, turned or
    scaled, or when a bone changes its length. For 2D and 3D points.

    Source: Wandt and Rosenhahn (CVPR 2019) for KCS; PoseAug (CVPR 2021), section 3.3, for parts.
    """
    directions = unit(bone_vectors(points, skeleton))
    pairs = constant(_part_pairs, skeleton, points.device, points.dtype)
    return (directions @ directions.mT)[:, None] * pairs


def procrustes_align(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, "n j 3"]:
    """`predicted` moved, turned and scaled to lie as near `target` as it can.

    The similarity, without reflection, that minimises the sum of squared distances (Umeyama,
    1991). Each pose is aligned by itself. Where the joints of either pose all coincide there is
    no scale or rotation to find: that pose is only moved. Poses with values that are not finite
    come back as NaN. Sums and rotations are computed in double precision.
    """
    kind, eps = predicted.dtype, torch.finfo(predicted.dtype).eps
    predicted, target = predicted.double(), target.double()
    finite = (predicted + target).isfinite().all(dim=-1).all(dim=-1)[:, None, None]
    x, _, x_size = _centred(torch.where(finite, predicted, 0.0), eps)
    y, y_mean, y_size = _centred(torch.where(finite, target, 0.0), eps)
    spread = (x_size > 0) & (y_size > 0)
    x_unit = x / torch.where(spread, x_size, 1.0)
    y_unit = y / torch.where(spread, y_size, 1.0)
    with torch.autocast(x.device.type, enabled=False):
        rotated = x_unit @ roma.special_procrustes(y_unit.mT @ x_unit).mT
    scale = (rotated * y_unit).sum(dim=(-2, -1), keepdim=True) * y_size
    aligned = torch.where(spread, rotated * scale, x) + y_mean
    return torch.where(finite, aligned, torch.nan).to(kind)


def _centred(
    points: Float[Tensor, "n j d"], eps: float
) -> tuple[Float[Tensor, "n j d"], Float[Tensor, "n 1 d"], Float[Tensor, "n 1 1"]]:
    """Points about their mean, the mean, and their size.

    The size is zero where rounding is all there is.

    Args:
        eps: rounding of the numbers that the points come from.
    """
    mean = points.mean(dim=-2, keepdim=True)
    centred = points - mean
    size = torch.linalg.vector_norm(centred, dim=(-2, -1), keepdim=True)
    noise = torch.linalg.vector_norm(points, dim=(-2, -1), keepdim=True)
    noise = noise * (8 * eps)
    return centred, mean, torch.where(size > noise, size, 0.0)
