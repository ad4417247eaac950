"""What is minimised: one scalar each, from plain tensors. Weights and sums are the stages' matter.

Equations are those of CameraPose (Yang et al., WACV 2023) unless another source is named.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.anatomy import (
    BONE_PROPORTIONS,
    DEFAULT_HEIGHT,
    HEIGHT_RANGE,
    PROPORTION_TOLERANCE,
)
from camerapose.core.geometry import bone_vectors, constant
from camerapose.core.skeleton import Skeleton

#: People smaller than this in the image (rms spread, normalised units) count as of this size.
SMALLEST_PERSON = 0.01
#: Focal lengths and depths (normalised units, metres) below this count as this.
SMALLEST_CAMERA = 1e-3
#: The generator's mean change of bone directions (1 - cosine) that is free of charge (PoseAug).
BONE_ANGLE_RANGE = (0.04, 0.37)
#: The generator's relative change of a bone's length that is free of charge (PoseAug).
BONE_LENGTH_RANGE = 0.1
#: Lifter errors (metres) below this count as this where they divide.
SMALLEST_ERROR = 1e-3
#: PoseAug's feedback: joints (without their side) that are judged together, and their weights.
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
    """Mean squared distance in the image, joints weighted by their confidence (Eqs. 3 and 4).

    Weights are the confidences divided by their sum over the pose, so a joint of confidence 0
    teaches nothing; give ones to teach those as well. A pose without confidence counts 0.
    """
    share = confidence / confidence.sum(dim=-1, keepdim=True).clamp(min=1e-8)
    return (share * _squared_distance(refined2d, target2d)).mean()


def pose_loss(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, ""]:
    """Mean over poses and joints of the squared distance (Eq. 9), square metres."""
    return _squared_distance(predicted, target).mean()


def joint_distance_loss(
    predicted: Float[Tensor, "n j 3"], target: Float[Tensor, "n j 3"]
) -> Float[Tensor, ""]:
    """Mean distance of joints (not squared), metres: what MPJPE reports; Eq. 9's alternative."""
    return torch.linalg.vector_norm(predicted - target, dim=-1).mean()


def camera_loss(
    focal: Float[Tensor, "n 2"],
    center: Float[Tensor, "n 2"],
    translation: Float[Tensor, "n 3"],
    target_focal: Float[Tensor, "n 2"],
    target_center: Float[Tensor, "n 2"],
    target_translation: Float[Tensor, "n 3"],
) -> Float[Tensor, ""]:
    """Squared error of the seven camera parameters, summed, mean over poses (Eq. 8).

    Compared as log f, c, t_xy / t_z and log t_z: all seven are then near one in size, where the
    squares of raw pixels or metres would drown all but one. Focal lengths and depths of 0 or less
    count as `SMALLEST_CAMERA`.
    """
    predicted = _camera_numbers(focal, center, translation)
    target = _camera_numbers(target_focal, target_center, target_translation)
    return _squared_distance(predicted, target).mean()


def _camera_numbers(focal: Tensor, center: Tensor, translation: Tensor) -> Tensor:
    depth = translation[:, 2:].clamp(min=SMALLEST_CAMERA)
    log_focal = focal.clamp(min=SMALLEST_CAMERA).log()
    return torch.cat([log_focal, center, translation[:, :2] / depth, depth.log()], dim=-1)


def reprojection_loss(
    reprojection: Float[Tensor, "n j 2"],
    pose2d: Float[Tensor, "n j 2"],
    confidence: Float[Tensor, "n j"],
    limit: float = 0.2,
) -> Float[Tensor, ""]:
    """Squared distance of the reprojected pose in the image (Eq. 7), made robust.

    Distances are measured in the person's own size (rms spread of the joints seen), so that near
    and far people count alike, and grow linearly beyond `limit` of it (Huber, 1964), so that a
    wrong annotation does not rule. Within a pose the joints are averaged by confidence (0: left
    out), then poses are averaged; poses of which nothing is seen are left out.
    """
    seen = confidence > 0
    size = _size(pose2d, seen.to(pose2d.dtype))
    offset = torch.where(seen[..., None], reprojection - pose2d, 0.0) / size[:, None, None]
    loss = (_huber(offset.square().sum(dim=-1), limit) * confidence).sum(dim=-1)
    loss = loss / confidence.sum(dim=-1).clamp(min=1e-8)
    return loss.sum() / seen.any(dim=-1).sum().clamp(min=1)


def _size(pose2d: Tensor, seen: Tensor) -> Tensor:
    """Rms distance of the joints seen from their mean; a measure, so no gradient flows."""
    points, weight = pose2d.detach(), seen[..., None]
    count = seen.sum(dim=-1).clamp(min=1)
    mean = (points * weight).sum(dim=1) / count[:, None]
    variance = (_squared_distance(points, mean[:, None]) * seen).sum(dim=-1) / count
    return variance.sqrt().clamp(min=SMALLEST_PERSON)


def _huber(squared: Tensor, limit: float) -> Tensor:
    """x squared up to the limit, from there the tangent; from x squared, smooth at zero."""
    linear = 2 * limit * squared.clamp(min=limit**2).sqrt() - limit**2
    return torch.where(squared <= limit**2, squared, linear)


def discriminator_loss(
    real_scores: Float[Tensor, "n_real heads"], fake_scores: Float[Tensor, "n_fake heads"]
) -> Float[Tensor, ""]:
    """Least-squares GAN: real poses are to score 1, fakes 0 (Eqs. 12-15; Mao et al., 2017)."""
    return 0.5 * (real_scores - 1).square().mean() + 0.5 * fake_scores.square().mean()


def adversarial_loss(fake_scores: Float[Tensor, "n heads"]) -> Float[Tensor, ""]:
    """Least-squares GAN for the generator: its fakes are to score 1 (Mao et al., 2017)."""
    return 0.5 * (fake_scores - 1).square().mean()


def bone_angle_range_loss(cosine_change: Float[Tensor, "n bones"]) -> Float[Tensor, ""]:
    """Keeps a pose's mean change of bone directions within `BONE_ANGLE_RANGE` (PoseAug).

    The squared distance to the range's middle, where the mean lies outside the range.

    Args:
        cosine_change: 1 - cosine between each bone before and after.
    """
    low, high = BONE_ANGLE_RANGE
    distance = cosine_change.mean(dim=-1) - (low + high) / 2
    return _outside(distance, (high - low) / 2).mean()


def bone_length_range_loss(ratio: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Keeps each bone's relative change of length within `BONE_LENGTH_RANGE` (PoseAug)."""
    return _outside(ratio, BONE_LENGTH_RANGE).mean()


def feedback_loss(
    errors_original: Float[Tensor, "n j"],
    errors_augmented: Float[Tensor, "n j"],
    skeleton: Skeleton,
    target: float,
    width: float,
) -> Float[Tensor, ""]:
    """Keeps augmented poses harder for the lifter by about a target ratio (PoseAug, feedback).

    For each pose and group of joints (`FEEDBACK_GROUPS`): the ratio of the lifter's error on the
    augmented pose to that on the original; squared distance to `target` where it is more than
    `width` away.

    Args:
        errors_original, errors_augmented: the lifter's distance of every joint, metres.
    """
    weights = constant(_feedback_weights, skeleton, errors_original.device, errors_original.dtype)
    easy = (errors_original @ weights).clamp(min=SMALLEST_ERROR)
    hard = errors_augmented @ weights
    return _outside(hard / easy - target, width).mean()


def _feedback_weights(skeleton: Skeleton) -> list[list[float]]:
    """Joints by groups; each group's weights sum to one. Groups the skeleton lacks are left out."""
    columns = [[group.get(_sideless(j), 0.0) for j in skeleton.joints] for group in FEEDBACK_GROUPS]
    columns = [[w / sum(column) for w in column] for column in columns if any(column)]
    return [list(row) for row in zip(*columns, strict=True)]


def _outside(distance: Tensor, width: float) -> Tensor:
    """The square of a distance where it is larger than the width, else zero."""
    return torch.where(distance.abs() > width, distance.square(), 0.0)


def bone_prior_loss(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, ""]:
    """Keeps a pose's bones to human proportions, left and right alike, and the body's size human.

    For poses without 3D labels, where reprojection alone (Eq. 11) allows any depth, and a giant
    far away as well as a person nearby. The squares of both columns of `bone_deviations`, means
    over bones, and the squared relative distance of the `prior_height` beyond `HEIGHT_RANGE`;
    summed, mean over poses. Zero for a symmetric body of usual proportions and size; a skeleton
    with no listed bone has the loss zero.
    """
    excess, difference = bone_deviations(pose3d, skeleton)
    tall = prior_height(pose3d, skeleton)
    low, high = HEIGHT_RANGE
    beyond = (tall / high - 1).clamp(min=0) + (1 - tall / low).clamp(min=0)
    if excess.shape[1] == 0:
        beyond = torch.zeros_like(beyond)
    return _mean_square(excess) + _mean_square(difference) + _mean_square(beyond)


def height_loss(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, ""]:
    """Squared relative distance of the `prior_height` from `DEFAULT_HEIGHT`, mean over poses.

    For poses without 3D labels: no picture tells whether somebody is small and near or tall and
    far, so the usual height is the best guess. Reprojection holds no size, and sizes drift with
    what else is learned. Zero for a skeleton with no listed bone.
    """
    tall = prior_height(pose3d, skeleton)
    return _mean_square(tall / DEFAULT_HEIGHT - 1) if _listed_bones(skeleton) else 0.0 * tall.sum()


def prior_height(pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, " n"]:
    """Return the body height, metres, that fits all bones of the prior: the prior's unit of length.

    The sum of the bones in `BONE_PROPORTIONS` relative to the sum of their central proportions, so
    the gradient reaches every bone. To measure people, use `anatomy.body_height`, which takes the
    limbs only; trained weights depend on this definition, which differs by about 2 per cent.
    """
    bones = bone_vectors(pose3d, skeleton)
    listed = constant(_listed_bones, skeleton, bones.device, torch.long)
    middle = constant(_bounds, skeleton, bones.device, bones.dtype).mean(dim=-1)
    return _lengths(bones, listed).sum(dim=-1) / middle.sum().clamp(min=1e-6)


def bone_deviations(
    pose3d: Float[Tensor, "n j 3"], skeleton: Skeleton
) -> tuple[Float[Tensor, "n listed"], Float[Tensor, "n pairs"]]:
    """How far bones are from human proportions, and left from right.

    Each bone listed in `BONE_PROPORTIONS` is compared with the sum of the listed bones, so the
    result does not depend on the person's size.

    Returns:
        The relative distance of each listed bone beyond the plausible range (0 within it); for
        each pair of bones the difference left less right, relative to their mean.
    """
    bones = bone_vectors(pose3d, skeleton)
    listed = constant(_listed_bones, skeleton, bones.device, torch.long)
    low, high = constant(_bounds, skeleton, bones.device, bones.dtype).unbind(dim=-1)
    lengths = _lengths(bones, listed)
    middle = (low + high) / 2
    usual = lengths.sum(dim=-1, keepdim=True) / middle.sum() * middle
    slack = (high - low) / 2 / middle + PROPORTION_TOLERANCE
    excess = ((lengths / usual.clamp(min=1e-6) - 1).abs() - slack).clamp(min=0)
    lefts, rights = constant(_sides, skeleton, bones.device, torch.long)
    left, right = _lengths(bones, lefts), _lengths(bones, rights)
    return excess, 2 * (left - right) / (left + right).clamp(min=1e-6)


def _lengths(bones: Tensor, which: Tensor) -> Tensor:
    return torch.linalg.vector_norm(bones.index_select(1, which), dim=-1)


def _mean_square(values: Tensor) -> Tensor:
    """The mean of the squares; zero where there are no columns."""
    return values.square().sum() / max(values.numel(), 1)


def _listed_bones(skeleton: Skeleton) -> list[int]:
    return [bone for bone, ends in enumerate(_ends(skeleton)) if ends in BONE_PROPORTIONS]


def _bounds(skeleton: Skeleton) -> list[tuple[float, float]]:
    return [BONE_PROPORTIONS[ends] for ends in _ends(skeleton) if ends in BONE_PROPORTIONS]


def _ends(skeleton: Skeleton) -> list[tuple[str, str]]:
    names = [_sideless(joint) for joint in skeleton.joints]
    return [(names[child], names[parent]) for child, parent in skeleton.bones]


def _sides(skeleton: Skeleton) -> list[list[int]]:
    """Bones of one side, and in the same order those of the other."""
    pairs = [(bone, other) for bone, other in enumerate(skeleton.bone_mirror) if bone < other]
    return [[a for a, _ in pairs], [b for _, b in pairs]]


def _sideless(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def _squared_distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(dim=-1)
