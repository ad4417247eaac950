"""What is reported: one value a pose, in the unit of the input. Nothing is averaged over poses.

Every joint counts alike, the root included; say which joints a number was taken over. `mpjpe`,
`n_mpjpe`, `pck` and `auc` compare poses as they are: give both root-relative
(`geometry.root_relative`), or both absolute to have the error of place as well. A pose with NaN
or infinity in it has the value NaN (`pck` and `auc`: such a joint is wrong) and leaves the others
alone. There is no mask: for poses of which only some joints are labelled, give those joints.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from camerapose.core.geometry import procrustes_align
from camerapose.core.skeleton import Skeleton
from camerapose.models.losses import bone_deviations

#: Poses that PA-MPJPE looks at together: so many stay in a processor core's cache.
AT_ONCE = 4096
#: Steps of Newton's method; a root that still moves by more than `CONVERGED` of itself is not
#: taken, nor one that leaves the rotation uncertain (`_aligned_distance`).
NEWTON_STEPS = 5
CONVERGED = 1e-9
CERTAIN = 0.02


def mpjpe(predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]) -> Float[Tensor, " n"]:
    """Mean per joint position error: the mean distance of the joints ("Protocol 1").

    For root-relative poses the root's distance is zero and counts: over 16 joints it makes the
    value 15/16 of the mean over the others.
    """
    return _distance(predicted, target).mean(dim=-1)


def pa_mpjpe(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, " n"]:
    """Mean joint distance after the best rotation, translation and scale ("Protocol 2").

    The alignment is the similarity, without reflection, that minimises the squared distance
    (Umeyama, 1991). Each pose is aligned by itself; absolute and root-relative poses give the
    same. A pose whose joints all coincide is only moved (`geometry.procrustes_align`).

    The rotation is found in closed form (`_aligned_distance`), ten times as fast as by singular
    values; those decide where the closed form has not converged, or hardly says which rotation is
    best: poses that are mirrored, collinear, coincident or not finite.
    """
    values, sure = [predicted.new_zeros(0)], [torch.ones(0, dtype=torch.bool)]
    for x, y in zip(predicted.split(AT_ONCE), target.split(AT_ONCE), strict=True):
        value, certain = _aligned_distance(x, y)
        values.append(value)
        sure.append(certain.cpu())
    found, rest = torch.cat(values), (~torch.cat(sure)).nonzero()[:, 0].to(predicted.device)
    if len(rest):
        x, y = (points.index_select(0, rest) for points in (predicted, target))
        found = found.index_copy(0, rest, mpjpe(procrustes_align(x, y), y))
    return found


def _aligned_distance(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Mean joint distance after the best similarity, in closed form; and where to trust it.

    With B = sum y x^T over the joints about their means, the largest root of a polynomial of
    degree four is L = max tr(R^T B); it gives R without eigenvectors (Markley, "Attitude
    determination using vector observations: a fast optimal matrix algorithm", J. Astronautical
    Sciences 41, 1993). Newton's method comes down to L from a bound above it. R is uncertain by
    rounding over (zeta / L^3), which is near zero where two rotations are about as good.
    """
    # (3, j, n): poses last, so that all is long vectors; copies, which may be written to
    x, y = (points.permute(2, 1, 0).clone(memory_format=torch.contiguous_format)
            for points in (predicted, target))  # fmt: skip
    (x, size, x_spread), (y, _, y_spread) = _centred(x), _centred(y)
    b = torch.stack([(row * x).sum(dim=1) for row in y]).double()
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
    turn = torch.addcmul(root * cofactors, b[:, 0, None], inner[0])
    turn.addcmul_(b[:, 1, None], inner[1]).addcmul_(b[:, 2, None], inner[2])
    turn = turn.mul_(root / (zeta * size)).to(x.dtype)
    offset = torch.addcmul(-y, turn[:, 0, None], x[0])
    offset.addcmul_(turn[:, 1, None], x[1]).addcmul_(turn[:, 2, None], x[2])
    distance = offset.square_().sum(dim=0).sqrt_().mean(dim=0)
    converged = (root - before).abs() <= CONVERGED * root
    sure = converged & (zeta > CERTAIN * root**3) & distance.isfinite()
    return distance, sure & x_spread & y_spread


def _centred(
    points: Float[Tensor, "3 j n"],
) -> tuple[Float[Tensor, "3 j n"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Points about their mean, the sum of their squares, and whether it is more than rounding."""
    mean = points.mean(dim=1, keepdim=True)
    points = points.sub_(mean)
    size = points.square().sum(dim=(0, 1))
    rounding = (8 * torch.finfo(points.dtype).eps) ** 2 * points.shape[1]
    return points, size, size > rounding * mean.square().sum(dim=(0, 1))


def n_mpjpe(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, " n"]:
    """Mean joint distance after the best scale, for root-relative poses.

    The scale minimises the squared distance (Rhodin et al., CVPR 2018). A predicted pose that is
    zero throughout is compared as it is.
    """
    size = predicted.square().sum(dim=(-2, -1))
    scale = (predicted * target).sum(dim=(-2, -1)) / torch.where(size > 0, size, 1.0)
    return mpjpe(predicted * scale[:, None, None], target)


def pck(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], threshold: float = 0.150
) -> Float[Tensor, " n"]:
    """Share (0 to 1) of the joints less than `threshold` away from where they should be.

    Source: Mehta et al. (3DV 2017), 150 mm; the default takes metres.
    """
    return (_distance(predicted, target) < threshold).to(predicted.dtype).mean(dim=-1)


def auc(
    predicted: Float[Tensor, "n j 3"],
    target: Float[Tensor, "n j 3"],
    limit: float = 0.150,
    thresholds: int = 31,
) -> Float[Tensor, " n"]:
    """Mean of `pck` over evenly spaced thresholds from 0 to `limit` (Mehta et al., 3DV 2017).

    No joint is less than 0 away, so the threshold 0 counts as 0 and a perfect pose has 30/31 with
    the defaults, as in the field's own evaluation. Distances within rounding of a threshold may
    fall on either side of it.
    """
    steps = thresholds - 1
    passed = steps - torch.floor(_distance(predicted, target) * (steps / limit))
    return passed.nan_to_num(nan=0.0).clamp(min=0).mean(dim=-1) / thresholds


def root_error(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], skeleton: Skeleton
) -> Float[Tensor, " n"]:
    """Distance of the root joints of absolute poses (camera frame)."""
    root = skeleton.root_index
    return _distance(predicted[:, root], target[:, root])


def reprojection_error(
    reprojection: Float[Tensor, "n j 2"],
    pose2d: Float[Tensor, "n j 2"],
    confidence: Float[Tensor, "n j"],
) -> Float[Tensor, " n"]:
    """Mean distance in the image over the joints seen (confidence above 0, all weighted alike).

    A pose of which nothing is seen has the value 0, as in `Poses.reprojection_error`. What stands
    at joints not seen does not matter.
    """
    seen = confidence > 0
    distance = torch.where(seen, _distance(reprojection, pose2d), 0.0)
    return distance.sum(dim=-1) / seen.sum(dim=-1).clamp(min=1)


def focal_error(
    predicted: Float[Tensor, "n 2"], target: Float[Tensor, "n 2"]
) -> Float[Tensor, " n"]:
    """Relative error of the focal length, mean of both axes: 0.05 is five per cent."""
    return (predicted / target - 1).abs().mean(dim=-1)


def implausible_bones(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Return the share (0 to 1) of a pose's bones with implausible lengths.

    Relative to the sum of the bone lengths, outside `anatomy.BONE_PROPORTIONS` with its tolerance.
    Needs no ground truth.
    """
    excess, _ = bone_deviations(pose3d, skeleton)
    return (excess > 0).to(pose3d.dtype).mean(dim=-1)


def asymmetry(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Mean relative difference of the lengths of left and right bones. Needs no truth."""
    _, difference = bone_deviations(pose3d, skeleton)
    return difference.abs().mean(dim=-1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    squared = (a - b).square()
    if squared.shape[-1] != 3:
        return squared.sum(dim=-1).sqrt()
    # twice as fast as a sum, or a norm, over so short a dimension
    return (squared[..., 0] + squared[..., 1] + squared[..., 2]).sqrt()
