"""Metrics: one value per pose, in the unit of the input, without averaging over poses.

All joints have equal weight, including the root. `mpjpe`, `n_mpjpe`, `pck` and `auc` compare poses
as they are: pass both root-relative (`geometry.root_relative`), or both absolute to include the
error of the position. A pose that contains NaN or infinity has the value NaN (`pck` and `auc`: such
a joint counts as wrong) and does not affect the others. There is no mask: if only some joints are
labelled, pass those joints.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from camerapose.core.geometry import procrustes_align
from camerapose.core.skeleton import Skeleton
from camerapose.models.losses import bone_deviations

#: Poses processed together by PA-MPJPE, such that they fit into the cache of a CPU core.
BATCH = 4096
#: Steps of Newton's method, accepted relative change of the last step, and accepted condition of
#: the rotation (`_aligned_distance`); other poses use singular values.
NEWTON_STEPS = 5
MAX_CHANGE = 1e-9
MIN_CONDITION = 0.02


def mpjpe(predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]) -> Float[Tensor, " n"]:
    """Return the mean per joint position error: the mean joint distance ("Protocol 1").

    The root of root-relative poses has the distance 0 and counts: for 16 joints the value is 15/16
    of the mean over the other joints.
    """
    parts = zip(predicted.split(BATCH), target.split(BATCH), strict=True)
    return torch.cat([_distance(x, y).mean(dim=-1) for x, y in parts])


@torch.no_grad()
def pa_mpjpe(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, " n"]:
    """Return the mean joint distance after optimal similarity alignment ("Protocol 2").

    The alignment is the rotation, translation and scale, without reflection, that minimises the
    squared distance (Umeyama, 1991). Each pose is aligned separately; absolute and root-relative
    poses give the same value. A pose whose joints all coincide is only translated
    (`geometry.procrustes_align`).

    The rotation is computed in closed form (`_aligned_distance`), ten times as fast as by singular
    values. Those are used where the closed form has not converged or is ill-conditioned: poses that
    are mirrored, collinear, coincident or not finite. There is no gradient.
    """
    values, reliable = [predicted.new_zeros(0)], [torch.ones(0, dtype=torch.bool)]
    # New memory for each product would take longer than the products.
    dtype = torch.promote_types(predicted.dtype, target.dtype)
    memory = predicted.new_empty(3, predicted[:BATCH].numel(), dtype=dtype)
    for x, y in zip(predicted.split(BATCH), target.split(BATCH), strict=True):
        value, is_reliable = _aligned_distance(x, y, memory[:, : x.numel()])
        values.append(value)
        reliable.append(is_reliable.cpu())
    distance, rest = torch.cat(values), (~torch.cat(reliable)).nonzero()[:, 0].to(predicted.device)
    if len(rest):
        x, y = (points.index_select(0, rest) for points in (predicted, target))
        distance = distance.index_copy(0, rest, mpjpe(procrustes_align(x, y), y))
    return distance


def _aligned_distance(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], memory: Float[Tensor, "3 v"]
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Return the mean joint distance after optimal alignment, in closed form, and its reliability.

    With B = sum y x^T over the centred joints, L = max tr(R^T B) is the largest root of a
    polynomial of degree four and determines R without eigenvectors (Markley, "Attitude
    determination using vector observations: a fast optimal matrix algorithm", J. Astronautical
    Sciences 41, 1993). Newton's method converges to L from an upper bound. The error of R is the
    rounding error divided by (zeta / L^3), which is near zero if two rotations are almost equally
    good.

    Args:
        memory: working memory for three arrays of the size of `predicted`.
    """
    # (3, j, n): poses last, for long vectors
    x, y, product = (part.view(3, predicted.shape[1], len(predicted)) for part in memory)
    x.copy_(predicted.permute(2, 1, 0))
    y.copy_(target.permute(2, 1, 0))
    (x, size, x_extended), (y, _, y_extended) = _centred(x, product), _centred(y, product)
    b = torch.stack([torch.mul(row, x, out=product).sum(dim=1) for row in y]).double()
    (b00, b01, b02), (b10, b11, b12), (b20, b21, b22) = (row.unbind() for row in b.unbind())
    cofactors = torch.stack(
        [
            b11 * b22 - b12 * b21, b12 * b20 - b10 * b22, b10 * b21 - b11 * b20,
            b02 * b21 - b01 * b22, b00 * b22 - b02 * b20, b01 * b20 - b00 * b21,
            b01 * b12 - b02 * b11, b02 * b10 - b00 * b12, b00 * b11 - b01 * b10,
        ]
    ).unflatten(0, (3, 3))  # fmt: skip
    determinant = (b[0] * cofactors[0]).sum(dim=0)
    squares, cofactor_squares = b.square().sum(dim=(0, 1)), cofactors.square().sum(dim=(0, 1))
    root = torch.add(squares, cofactor_squares.sqrt(), alpha=2 * math.sqrt(3)).sqrt()
    # p(L) = (L^2 - |B|^2)^2 - 8 L det B - 4 |cof B|^2, and p'(L) = 4 (L (L^2 - |B|^2) - 2 det B)
    minus, linear, constant, slope = (
        -squares, -8 * determinant, -4 * cofactor_squares, -2 * determinant,
    )  # fmt: skip
    for _ in range(NEWTON_STEPS):
        before = root
        q = torch.addcmul(minus, root, root)
        value = torch.addcmul(constant, q, q).addcmul_(root, linear)
        root = torch.addcdiv(root, value, torch.addcmul(slope, root, q), value=-0.25)
    kappa = (root * root - squares) / 2
    zeta = kappa * root - determinant
    # R = ((kappa + |B|^2) B + L cof B - B B^T B) / zeta; the best scale is L / |x|^2
    inner = torch.addcmul(b[0, :, None] * b[0], b[1, :, None], b[1]).addcmul_(b[2, :, None], b[2])
    inner = inner.neg_()
    inner.diagonal().add_((kappa + squares)[:, None])
    rotation = torch.addcmul(root * cofactors, b[:, 0, None], inner[0])
    rotation.addcmul_(b[:, 1, None], inner[1]).addcmul_(b[:, 2, None], inner[2])
    rotation = rotation.mul_(root / (zeta * size)).to(x.dtype)
    offset = torch.addcmul(y.neg_(), rotation[:, 0, None], x[0], out=product)
    offset.addcmul_(rotation[:, 1, None], x[1]).addcmul_(rotation[:, 2, None], x[2])
    first, second, third = offset.square_()
    distance = first.add_(second).add_(third).sqrt_().mean(dim=0)
    converged = (root - before).abs() <= MAX_CHANGE * root
    reliable = converged & (zeta > MIN_CONDITION * root**3) & distance.isfinite()
    return distance, reliable & x_extended & y_extended


def _centred(
    points: Float[Tensor, "3 j n"], squares: Float[Tensor, "3 j n"]
) -> tuple[Float[Tensor, "3 j n"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Return centred points, the sum of their squares, and whether it exceeds rounding errors.

    Args:
        points: overwritten.
        squares: memory, overwritten.
    """
    mean = points.mean(dim=1, keepdim=True)
    points = points.sub_(mean)
    size = torch.square(points, out=squares).sum(dim=(0, 1))
    rounding = (8 * torch.finfo(points.dtype).eps) ** 2 * points.shape[1]
    return points, size, size > rounding * mean.square().sum(dim=(0, 1))


def n_mpjpe(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, " n"]:
    """Return the mean joint distance after optimal scaling, for root-relative poses.

    The scale minimises the squared distance (Rhodin et al., CVPR 2018). A predicted pose of zeros
    is not scaled.
    """
    size = predicted.square().sum(dim=(-2, -1))
    scale = (predicted * target).sum(dim=(-2, -1)) / torch.where(size > 0, size, 1.0)
    return mpjpe(predicted * scale[:, None, None], target)


def pck(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], threshold: float = 0.150
) -> Float[Tensor, " n"]:
    """Return the share (0 to 1) of joints with an error below `threshold`.

    Source: Mehta et al. (3DV 2017), 150 mm; the default is in metres.
    """
    return (_distance(predicted, target) < threshold).to(predicted.dtype).mean(dim=-1)


def auc(
    predicted: Float[Tensor, "n j 3"],
    target: Float[Tensor, "n j 3"],
    limit: float = 0.150,
    thresholds: int = 31,
) -> Float[Tensor, " n"]:
    """Return the mean of `pck` over equidistant thresholds from 0 to `limit` (Mehta et al., 2017).

    No distance is below the threshold 0, so a perfect pose has the value 30/31 with the defaults,
    as in the official evaluation. Distances within rounding errors of a threshold may count either
    way.
    """
    steps = thresholds - 1
    passed = steps - torch.floor(_distance(predicted, target) * (steps / limit))
    return passed.nan_to_num(nan=0.0).clamp(min=0).mean(dim=-1) / thresholds


def within_std(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], std: Float[Tensor, "n j"]
) -> Float[Tensor, " n"]:
    """Return the share of coordinate errors of a pose that are within a standard deviation.

    Joints without error, such as the root of root-relative poses, are left out. Calibrated
    standard deviations contain 68.3% of Gaussian errors, two of them 95.4%.
    """
    error = (predicted - target).abs()
    counted = (error > 0).any(-1)
    inside = ((error <= std[..., None]).to(predicted.dtype).mean(-1) * counted).sum(-1)
    return inside / counted.sum(-1).clamp(min=1)


def root_error(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], skeleton: Skeleton
) -> Float[Tensor, " n"]:
    """Return the distance of the root joints of absolute poses (camera frame)."""
    root = skeleton.root_index
    return _distance(predicted[:, root], target[:, root])


def reprojection_error(
    reprojection: Float[Tensor, "n j 2"],
    pose2d: Float[Tensor, "n j 2"],
    confidence: Float[Tensor, "n j"],
) -> Float[Tensor, " n"]:
    """Return the mean image distance over the visible joints (confidence above 0).

    A pose without visible joints has the value 0, as in `Poses.reprojection_error`. The coordinates
    of other joints are ignored.
    """
    is_visible = confidence > 0
    distance = torch.where(is_visible, _distance(reprojection, pose2d), 0.0)
    return distance.sum(dim=-1) / is_visible.sum(dim=-1).clamp(min=1)


def focal_error(
    predicted: Float[Tensor, "n 2"], target: Float[Tensor, "n 2"]
) -> Float[Tensor, " n"]:
    """Return the relative error of the focal length (0.05 is 5 %), mean of both axes."""
    return (predicted / target - 1).abs().mean(dim=-1)


def implausible_bones(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Return the share (0 to 1) of a pose's bones with implausible lengths.

    Relative to the sum of the bone lengths, outside `anatomy.BONE_PROPORTIONS` with its tolerance.
    Needs no ground truth.
    """
    excess, _ = bone_deviations(pose3d, skeleton)
    return (excess > 0).to(pose3d.dtype).mean(dim=-1)


def asymmetry(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Return the mean relative difference of left and right bone lengths (no ground truth)."""
    _, difference = bone_deviations(pose3d, skeleton)
    return difference.abs().mean(dim=-1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    squared = (a - b).square()
    if squared.shape[-1] != 3:
        return squared.sum(dim=-1).sqrt()
    # twice as fast as a sum or norm over such a short dimension
    return (squared[..., 0] + squared[..., 1] + squared[..., 2]).sqrt()
