"""The translation of a root-relative pose from its 2D keypoints, in closed form."""

from typing import Any

from array_api_compat import array_namespace
from jaxtyping import Float

#: Smallest and largest distance of a root joint from the camera plane, metres.
MIN_DEPTH, MAX_DEPTH = 0.3, 1000.0
#: Smallest variance of the rays of a pose: below it, all joints lie on one ray.
_MIN_VARIANCE = 1e-8


def solve_translation(
    relative: Float[Any, "n joints 3"],
    pose2d: Float[Any, "n joints 2"],
    weight: Float[Any, "n joints"],
    focal: Float[Any, "n 2"],
    center: Float[Any, "n 2"],
) -> Float[Any, "n 3"]:
    """Return the translation with which a root-relative pose projects best onto its 2D.

    With rays u = (x - c) / f, the projection of Eq. 7 requires u (Z + t_z) = X + t_x, and likewise
    for y, which is linear in t. Weighted least squares over the joints gives t_z from the
    deviations from the weighted means, then t_x and t_y from the means. For numpy arrays and torch
    tensors; gradients flow through all arguments.

    Args:
        relative: root-relative pose in the axes of the camera, metres.
        pose2d: 2D joints in the unit of `focal` and `center`.
        weight: non-negative weight per joint; a pose whose weights are all 0 has equal weights.
        focal: focal lengths.
        center: principal points.

    Returns:
        Position of the root joint in the camera frame, metres, with a depth from `MIN_DEPTH` to
        `MAX_DEPTH`.
    """
    xp = array_namespace(relative, pose2d)

    def total(values: Any, axis: Any = 1) -> Any:
        return xp.sum(values, axis=axis, keepdims=True)

    weight = xp.where(total(weight) > 0, weight, 1.0)[..., None]
    weight = weight / total(weight)
    rays = (pose2d - center[:, None]) / focal[:, None]
    offset = relative[..., :2] - rays * relative[..., 2:]
    ray_mean, offset_mean = total(weight * rays), total(weight * offset)
    deviation = rays - ray_mean
    weighted = weight * deviation
    covariance = total(weighted * (offset - offset_mean), (1, 2))
    variance = total(weighted * deviation, (1, 2))
    depth = (covariance / variance.clip(_MIN_VARIANCE)).clip(MIN_DEPTH, MAX_DEPTH)
    return xp.concat([depth * ray_mean - offset_mean, depth], axis=2)[:, 0]
