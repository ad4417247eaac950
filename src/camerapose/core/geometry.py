"""Differentiable geometry of poses on torch tensors, for training and evaluation.

Bone vectors, part-aware kinematic chain space, rotations and Procrustes alignment. Constant indices
and matrices are created once per skeleton, device and dtype, so that no function synchronises with
the device or loops over joints.
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
    """Return `make(skeleton)` as a tensor on a device, created once, so that loops do not wait."""
    key = (make, skeleton, device, dtype)
    if key not in _CONSTANTS:
        with torch.inference_mode(False):  # inference tensors cannot be saved for backward
            value = torch.tensor(make(skeleton), device=device, dtype=dtype)
        if type(value) is not Tensor:  # the placeholder of a tracer must not be kept
            return value
        _CONSTANTS[key] = value
    return _CONSTANTS[key]


def _children(skeleton: Skeleton) -> list[int]:
    return [child for child, _ in skeleton.bones]


def _parents(skeleton: Skeleton) -> list[int]:
    return [parent for _, parent in skeleton.bones]


def _paths(skeleton: Skeleton) -> list[list[float]]:
    """Return joints by bones: 1 where the bone is on the path from the root to the joint."""
    bone_above = {child: (bone, parent) for bone, (child, parent) in enumerate(skeleton.bones)}
    paths = [[0.0] * len(skeleton.bones) for _ in skeleton.joints]
    for joint, path in enumerate(paths):
        while joint != skeleton.root_index:
            bone, joint = bone_above[joint]
            path[bone] = 1.0
    return paths


def _part_pairs(skeleton: Skeleton) -> list[list[list[float]]]:
    """Return parts by bones by bones: 1 where both bones belong to the part."""
    bones = range(len(skeleton.bones))
    return [
        [[float(a in part and b in part) for b in bones] for a in bones]
        for part in skeleton.parts.values()
    ]


def root_relative(pose3d: Float[Tensor, "*b j d"], skeleton: Skeleton) -> Float[Tensor, "*b j d"]:
    """Return poses with the root joint at the origin (exactly zero); 2D or 3D."""
    root = skeleton.root_index
    return pose3d - pose3d[..., root : root + 1, :]


def insert_root(
    others: Float[Tensor, "*b others d"], skeleton: Skeleton
) -> Float[Tensor, "*b j d"]:
    """Insert a root joint at the origin, at its index in the skeleton."""
    root = skeleton.root_index
    if root == 0:  # a single operation
        return torch.nn.functional.pad(others, (0, 0, 1, 0))
    zero = torch.zeros_like(others[..., :1, :])
    return torch.cat([others[..., :root, :], zero, others[..., root:, :]], dim=-2)


def bone_vectors(
    points: Float[Tensor, "*b j d"], skeleton: Skeleton
) -> Float[Tensor, "*b bones d"]:
    """Return child minus parent of every bone, in the order of `skeleton.bones`."""
    child = constant(_children, skeleton, points.device, torch.long)
    parent = constant(_parents, skeleton, points.device, torch.long)
    return points.index_select(-2, child) - points.index_select(-2, parent)


def bone_lengths(points: Float[Tensor, "*b j d"], skeleton: Skeleton) -> Float[Tensor, "*b bones"]:
    """Return the length of every bone; the gradient of a length of zero is zero."""
    return torch.linalg.vector_norm(bone_vectors(points, skeleton), dim=-1)


def pose_from_bones(
    bones: Float[Tensor, "*b bones d"],
    skeleton: Skeleton,
    root: Float[Tensor, "*b d"] | None = None,
) -> Float[Tensor, "*b j d"]:
    """Return the pose with the given bone vectors and root position (None: the origin)."""
    paths = constant(_paths, skeleton, bones.device, bones.dtype)
    with torch.autocast(bones.device.type, enabled=False):  # bfloat16 has errors of millimetres
        pose = torch.einsum("jb,...bd->...jd", paths, bones)  # one product; @ loops over the batch
    return pose if root is None else pose + root[..., None, :]


def rotvec_to_rotmat(rotvec: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Return rotation matrices of rotation vectors, radians (Rodrigues' formula).

    The function of the same name in roma takes ten times as many operations. The gradient at the
    zero vector is finite.
    """
    device, dtype = rotvec.device, rotvec.dtype
    column, row = rotvec[..., None], rotvec[..., None, :]
    angle = torch.linalg.vector_norm(column, dim=-2, keepdim=True)
    cross = (column[..., None] * constant(_cross_matrices, None, device, dtype)).sum(dim=-3)
    sine, half = torch.sinc(angle / math.pi), torch.sinc(angle / (2 * math.pi))
    one = constant(_identity, None, device, dtype)
    return angle.cos() * one + sine * cross + half.square() / 2 * (column * row)


def _cross_matrices(_: Any) -> list:
    """Return the cross-product matrix of each axis."""
    return [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ]


def _identity(_: Any) -> list:
    return [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def unit(vectors: Float[Tensor, "*b d"], eps: float = 1e-8) -> Float[Tensor, "*b d"]:
    """Return vectors of length one in the same directions.

    Vectors of length `eps` or less are returned unchanged (with the gradient of the identity).
    """
    squared = vectors.square().sum(dim=-1, keepdim=True)
    return vectors * torch.where(squared > eps**2, squared, 1.0).rsqrt()


def kcs(points: Float[Tensor, "n j d"], skeleton: Skeleton) -> Float[Tensor, "n parts bones bones"]:
    """Return the part-aware kinematic chain space: cosines between the bones of each body part.

    The Gram matrix of unit bone vectors, once per part of `skeleton.parts`, with zeros for bones
    of other parts. Invariant to translation, rotation and scale of the pose, and to bone lengths.
    For 2D and 3D points.

    Source: Wandt and Rosenhahn (CVPR 2019) for KCS; PoseAug (CVPR 2021), section 3.3, for parts.
    """
    directions = unit(bone_vectors(points, skeleton))
    pairs = constant(_part_pairs, skeleton, points.device, points.dtype)
    return (directions @ directions.mT)[:, None] * pairs


def procrustes_align(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, "n j 3"]:
    """Return predicted poses aligned with the target by a similarity transform.

    The transform without reflection that minimises the sum of squared distances (Umeyama, 1991),
    per pose. If all joints of either pose coincide, the pose is only translated. Poses with values
    that are not finite give NaN. Computed in double precision.
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
    """Return centred points, their mean, and their norm, which is zero below rounding errors.

    Args:
        eps: relative rounding error of the points.
    """
    mean = points.mean(dim=-2, keepdim=True)
    centred = points - mean
    size = torch.linalg.vector_norm(centred, dim=(-2, -1), keepdim=True)
    noise = torch.linalg.vector_norm(points, dim=(-2, -1), keepdim=True)
    noise = noise * (8 * eps)
    return centred, mean, torch.where(size > noise, size, 0.0)
