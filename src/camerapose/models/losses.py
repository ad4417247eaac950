"""Loss functions: each returns one scalar; weights are applied in `train.loss_terms`.

Equations are those of CameraPose (Yang et al., WACV 2023) unless another source is named.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from camerapose.core.anatomy import (
    BONE_PROPORTIONS,
    DEFAULT_HEIGHT,
    HEIGHT_RANGE,
    PROPORTION_TOLERANCE,
)
from camerapose.core.geometry import bone_vectors, constant
from camerapose.core.skeleton import Skeleton

#: Lower limit of a person's size in the image (rms spread, normalised units) in denominators.
MIN_PERSON_SIZE = 0.01
#: Lower limit of focal lengths (normalised) and depths (metres) in logarithms and denominators.
MIN_CAMERA = 1e-3
#: Range of the generator's mean change of bone directions (1 - cosine) without penalty (PoseAug).
BONE_ANGLE_RANGE = (0.04, 0.37)
#: Relative change of a bone's length by the generator without penalty (PoseAug).
BONE_LENGTH_RANGE = 0.1
#: Lower limit of lifter errors (metres) in denominators.
MIN_ERROR = 1e-3
#: Groups of joints (without side) in PoseAug's feedback, and the weights of the joints.
FEEDBACK_GROUPS: tuple[dict[str, float], ...] = (
    {"hip": 5.0, "shoulder": 5.0},
    {"knee": 2.0, "elbow": 2.0, "head": 1.0},
    {"ankle": 1.0, "wrist": 1.0},
)


def refinement_loss(
    refined2d: Float[Tensor, "n j 2"],
    target2d: Float[Tensor, "n j 2"],
    confidence: Float[Tensor, "n j"],
) -> Float[Tensor, ""]:
    """Return the mean squared 2D distance, weighted by confidence (Eqs. 3 and 4).

    The weights are the confidences divided by their sum over the pose. A joint of confidence 0 has
    no influence; a pose with no confidence at all contributes 0.
    """
    share = confidence / confidence.sum(dim=-1, keepdim=True).clamp(min=1e-8)
    return (share * _squared_distance(refined2d, target2d)).mean()


def pose_loss(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, ""]:
    """Return the mean squared distance over poses and joints (Eq. 9), in square metres."""
    return _squared_distance(predicted, target).mean()


def joint_distance_loss(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, ""]:
    """Return the mean distance over poses and joints (MPJPE), in metres; alternative to Eq. 9."""
    return torch.linalg.vector_norm(predicted - target, dim=-1).mean()


def camera_loss(
    focal: Float[Tensor, "n 2"],
    center: Float[Tensor, "n 2"],
    translation: Float[Tensor, "n 3"],
    target_focal: Float[Tensor, "n 2"],
    target_center: Float[Tensor, "n 2"],
    target_translation: Float[Tensor, "n 3"],
) -> Float[Tensor, ""]:
    """Return the squared error of the seven camera parameters (Eq. 8), mean over poses.

    The parameters are compared as log f, c, t_xy / t_z and log t_z, which have similar magnitude;
    with pixels and metres, one of them would dominate. Focal lengths and depths are limited to
    `MIN_CAMERA` from below.
    """
    predicted = _camera_parameters(focal, center, translation)
    target = _camera_parameters(target_focal, target_center, target_translation)
    return _squared_distance(predicted, target).mean()


def bone_direction_loss(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"], skeleton: Skeleton
) -> Float[Tensor, ""]:
    """Return one minus the cosine of the angle of each bone to its target, mean.

    Bones without length count 1.
    """
    bones = (bone_vectors(pose, skeleton) for pose in (predicted, target))
    return (1 - cosine_similarity(*bones, dim=-1)).mean()


def printed_camera_loss(
    focal: Float[Tensor, "n 2"],
    center: Float[Tensor, "n 2"],
    translation: Float[Tensor, "n 3"],
    target_focal: Float[Tensor, "n 2"],
    target_center: Float[Tensor, "n 2"],
    target_translation: Float[Tensor, "n 3"],
) -> Float[Tensor, ""]:
    """Return Eq. 8 as printed, mean over poses: ||M - M'||^2 + ||t - t'||^2.

    M contains focal lengths and principal point in normalised image coordinates; t is in metres.
    """
    matrix = _squared_distance(focal, target_focal) + _squared_distance(center, target_center)
    return (matrix + _squared_distance(translation, target_translation)).mean()


def printed_reprojection_loss(
    reprojection: Float[Tensor, "n j 2"],
    pose2d: Float[Tensor, "n j 2"],
    confidence: Float[Tensor, "n j"],
) -> Float[Tensor, ""]:
    """Return Eq. 7 as printed: squared distances, sum over the joints, mean over the poses.

    Coordinates are normalised image coordinates. Joints of confidence 0, which have no annotation,
    are left out.
    """
    visible = (confidence > 0)[..., None]
    offset = torch.where(visible, reprojection - pose2d, 0.0)
    return offset.square().sum(dim=(1, 2)).mean()


def _camera_parameters(focal: Tensor, center: Tensor, translation: Tensor) -> Tensor:
    depth = translation[:, 2:].clamp(min=MIN_CAMERA)
    log_focal = focal.clamp(min=MIN_CAMERA).log()
    return torch.cat([log_focal, center, translation[:, :2] / depth, depth.log()], dim=-1)


def reprojection_loss(
    reprojection: Float[Tensor, "n j 2"],
    pose2d: Float[Tensor, "n j 2"],
    confidence: Float[Tensor, "n j"],
    limit: float = 0.2,
) -> Float[Tensor, ""]:
    """Return the robust squared 2D distance of the reprojected pose (Eq. 7).

    Distances are relative to the size of the person in the image (rms spread of the visible
    joints), so that the distance to the camera has no influence. Beyond `limit` the loss is linear
    (Huber, 1964), so that wrong annotations do not dominate. The joints of a pose are averaged with
    their confidence as weight, then the poses; poses without visible joints are ignored.
    """
    visible = confidence > 0
    size = _person_size(pose2d, visible.to(pose2d.dtype))
    offset = torch.where(visible[..., None], reprojection - pose2d, 0.0) / size[:, None, None]
    loss = (_huber(offset.square().sum(dim=-1), limit) * confidence).sum(dim=-1)
    loss = loss / confidence.sum(dim=-1).clamp(min=1e-8)
    return loss.sum() / visible.any(dim=-1).sum().clamp(min=1)


def _person_size(pose2d: Tensor, visible: Tensor) -> Tensor:
    """Return the rms distance of the visible joints from their mean, without gradient."""
    points, weight = pose2d.detach(), visible[..., None]
    count = visible.sum(dim=-1).clamp(min=1)
    mean = (points * weight).sum(dim=1) / count[:, None]
    variance = (_squared_distance(points, mean[:, None]) * visible).sum(dim=-1) / count
    return variance.sqrt().clamp(min=MIN_PERSON_SIZE)


def _huber(squared: Tensor, limit: float) -> Tensor:
    """Return x^2 up to the limit and its tangent beyond, as a function of x^2."""
    linear = 2 * limit * squared.clamp(min=limit**2).sqrt() - limit**2
    return torch.where(squared <= limit**2, squared, linear)


def discriminator_loss(
    real_scores: Float[Tensor, "n_real heads"], fake_scores: Float[Tensor, "n_fake heads"]
) -> Float[Tensor, ""]:
    """Return the least-squares GAN loss: target 1 for real, 0 for fake (Eqs. 12-15; Mao et al.,
    2017)."""
    return 0.5 * (real_scores - 1).square().mean() + 0.5 * fake_scores.square().mean()


def adversarial_loss(fake_scores: Float[Tensor, "n heads"]) -> Float[Tensor, ""]:
    """Return the least-squares GAN loss of the generator: target 1 for fakes (Mao et al., 2017)."""
    return 0.5 * (fake_scores - 1).square().mean()


def bone_angle_range_loss(cosine_change: Float[Tensor, "n bones"]) -> Float[Tensor, ""]:
    """Penalise a mean change of bone directions outside `BONE_ANGLE_RANGE` (PoseAug).

    The squared distance to the centre of the range, where the mean is outside of it.

    Args:
        cosine_change: 1 - cosine between each bone before and after.
    """
    low, high = BONE_ANGLE_RANGE
    distance = cosine_change.mean(dim=-1) - (low + high) / 2
    return _outside(distance, (high - low) / 2).mean()


def bone_length_range_loss(ratio: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Penalise relative changes of bone lengths beyond `BONE_LENGTH_RANGE` (PoseAug)."""
    return _outside(ratio, BONE_LENGTH_RANGE).mean()


def feedback_loss(
    errors_original: Float[Tensor, "n j"],
    errors_augmented: Float[Tensor, "n j"],
    skeleton: Skeleton,
    target: float,
    width: float,
) -> Float[Tensor, ""]:
    """Penalise generated poses that are too easy or too hard for the lifter (PoseAug, feedback).

    For each pose and group of joints (`FEEDBACK_GROUPS`), the ratio of the lifter's errors on the
    augmented and on the original pose is compared with `target`: squared distance, where it
    exceeds `width`.

    Args:
        errors_original: error of the lifter at each joint of the original pose, metres.
        errors_augmented: the same for the generated pose.
        skeleton: joint format of the poses.
        target: desired ratio of the errors.
        width: deviation from `target` without penalty.
    """
    weights = constant(_feedback_weights, skeleton, errors_original.device, errors_original.dtype)
    original = (errors_original @ weights).clamp(min=MIN_ERROR)
    augmented = errors_augmented @ weights
    return _outside(augmented / original - target, width).mean()


def _feedback_weights(skeleton: Skeleton) -> list[list[float]]:
    """Return weights (joints, groups) that sum to one per group, without empty groups."""
    columns = [[group.get(_sideless(j), 0.0) for j in skeleton.joints] for group in FEEDBACK_GROUPS]
    columns = [[w / sum(column) for w in column] for column in columns if any(column)]
    return [list(row) for row in zip(*columns, strict=True)]


def _outside(distance: Tensor, width: float) -> Tensor:
    """Return the squared distance where it exceeds the width, otherwise zero."""
    return torch.where(distance.abs() > width, distance.square(), 0.0)


def bone_prior_loss(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, ""]:
    """Penalise implausible bone proportions, asymmetry and body size of poses without 3D labels.

    Reprojection alone (Eq. 11) is invariant to depth and to the scale of the body. The loss is the
    sum of the mean squares of both results of `bone_deviations` and of the relative distance of
    `prior_height` beyond `HEIGHT_RANGE`. It is zero for a symmetric body of usual proportions and
    size, and for a skeleton without bones in `BONE_PROPORTIONS`.
    """
    excess, difference = bone_deviations(pose3d, skeleton)
    height = prior_height(pose3d, skeleton)
    low, high = HEIGHT_RANGE
    beyond = (height / high - 1).clamp(min=0) + (1 - height / low).clamp(min=0)
    if excess.shape[1] == 0:
        beyond = torch.zeros_like(beyond)
    return _mean_square(excess) + _mean_square(difference) + _mean_square(beyond)


def height_loss(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, ""]:
    """Return the mean squared relative distance of `prior_height` from `DEFAULT_HEIGHT`.

    For poses without 3D labels, whose scale reprojection does not determine. It is zero for a
    skeleton without bones in `BONE_PROPORTIONS`.
    """
    height = prior_height(pose3d, skeleton)
    if not _listed_bones(skeleton):
        return 0.0 * height.sum()
    return _mean_square(height / DEFAULT_HEIGHT - 1)


def prior_height(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Return the body height, metres, that fits all bones of the prior: the prior's unit of length.

    The sum of the bones in `BONE_PROPORTIONS` relative to the sum of their central proportions, so
    the gradient reaches every bone. To measure people, use `anatomy.body_height`, which takes the
    limbs only; trained weights depend on this definition, which differs by about 2 per cent.
    """
    bones = bone_vectors(pose3d, skeleton)
    listed = constant(_listed_bones, skeleton, bones.device, torch.long)
    centre = constant(_bounds, skeleton, bones.device, bones.dtype).mean(dim=-1)
    return _lengths(bones, listed).sum(dim=-1) / centre.sum().clamp(min=1e-6)


def bone_deviations(
    pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton
) -> tuple[Float[Tensor, "n listed"], Float[Tensor, "n pairs"]]:
    """Return the deviations of bones from human proportions and from left-right symmetry.

    Each bone listed in `BONE_PROPORTIONS` is compared with the sum of the listed bones, so the
    result does not depend on the person's size.

    Returns:
        The relative distance of each listed bone beyond the plausible range (0 within it); for
        each pair of bones the difference left minus right, relative to their mean.
    """
    bones = bone_vectors(pose3d, skeleton)
    listed = constant(_listed_bones, skeleton, bones.device, torch.long)
    low, high = constant(_bounds, skeleton, bones.device, bones.dtype).unbind(dim=-1)
    lengths = _lengths(bones, listed)
    centre = (low + high) / 2
    expected = lengths.sum(dim=-1, keepdim=True) / centre.sum() * centre
    tolerance = (high - low) / 2 / centre + PROPORTION_TOLERANCE
    excess = ((lengths / expected.clamp(min=1e-6) - 1).abs() - tolerance).clamp(min=0)
    lefts, rights = constant(_sides, skeleton, bones.device, torch.long)
    left, right = _lengths(bones, lefts), _lengths(bones, rights)
    return excess, 2 * (left - right) / (left + right).clamp(min=1e-6)


def _lengths(bones: Tensor, which: Tensor) -> Tensor:
    return torch.linalg.vector_norm(bones.index_select(1, which), dim=-1)


def _mean_square(values: Tensor) -> Tensor:
    """Return the mean square; zero without values."""
    return values.square().sum() / max(values.numel(), 1)


def _listed_bones(skeleton: Skeleton) -> list[int]:
    return [bone for bone, ends in enumerate(_ends(skeleton)) if ends in BONE_PROPORTIONS]


def _bounds(skeleton: Skeleton) -> list[tuple[float, float]]:
    return [BONE_PROPORTIONS[ends] for ends in _ends(skeleton) if ends in BONE_PROPORTIONS]


def _ends(skeleton: Skeleton) -> list[tuple[str, str]]:
    names = [_sideless(joint) for joint in skeleton.joints]
    return [(names[child], names[parent]) for child, parent in skeleton.bones]


def _sides(skeleton: Skeleton) -> list[list[int]]:
    """Return the bones of one side and, in the same order, those of the other."""
    pairs = [(bone, other) for bone, other in enumerate(skeleton.bone_mirror) if bone < other]
    return [[a for a, _ in pairs], [b for _, b in pairs]]


def _sideless(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def _squared_distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(dim=-1)
