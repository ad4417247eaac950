"""What is reported: one value a pose, in the unit of the input. Nothing is averaged over poses.

Every joint counts alike, the root included; say which joints a number was taken over. `mpjpe`,
`n_mpjpe`, `pck` and `auc` compare poses as they are: give both root-relative
(`geometry.root_relative`), or both absolute to have the error of place as well. A pose with NaN
or infinity in it has the value NaN (`pck` and `auc`: such a joint is wrong) and leaves the others
alone. There is no mask: for poses of which only some joints are labelled, give those joints.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.geometry import procrustes_align
from camerapose.losses import bone_deviations
from camerapose.skeleton import Skeleton


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
    """
    return mpjpe(procrustes_align(predicted, target), target)


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
    """Share (0 to 1) of a pose's bones outside human proportions (`losses.PROPORTIONS`, relative
    to the whole of the bones, with its margin). Needs no truth."""
    excess, _ = bone_deviations(pose3d, skeleton)
    return (excess > 0).to(pose3d.dtype).mean(dim=-1)


def asymmetry(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Mean relative difference of the lengths of left and right bones. Needs no truth."""
    _, difference = bone_deviations(pose3d, skeleton)
    return difference.abs().mean(dim=-1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vector_norm(a - b, dim=-1)
