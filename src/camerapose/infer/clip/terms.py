"""Terms of the clip optimisation for one person in consecutive frames, with their Jacobians."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from camerapose.infer.clip.body import ROOT, Body
from camerapose.infer.clip.ground_terms import add_ground
from camerapose.infer.clip.normal import Normal
from camerapose.infer.clip.term_weights import Weights
from camerapose.infer.clip.timing import share
from camerapose.infer.clip.variables import FOCAL, Geometry, Motion, Shared, Window, geometry


def normal_equations(
    window: Window,
    motion: Motion,
    shared: Shared,
    body: Body,
    weights: Weights,
    n_shared: int,
    first_length: int,
    only_cost: bool = False,
) -> Normal:
    """Return the normal equations of all terms of a window.

    Args:
        n_shared: number of shared variables; 0: they are fixed.
        first_length: index of the person's first bone length among them.
        only_cost: leave out everything but the cost.
    """
    system = Normal.zeros(len(motion), body.size, n_shared)
    system.only_cost = only_cost
    shape = geometry(window, motion, shared, body, first_length)
    _add_detections(system, window, shape, body, weights)
    _add_lifter(system, window, shape, weights)
    _add_acceleration(system, window, shape, weights)
    if window.has_floor and body.ankles:
        add_ground(system, window, shape, shared, body, weights)
    return system


def _add_detections(
    system: Normal, window: Window, shape: Geometry, body: Body, weights: Weights
) -> None:
    t, joints, _ = window.points.shape
    depth = np.maximum(shape.joints[..., 2], 0.05)
    plane = shape.joints[..., :2] / depth[..., None]
    deviation = window.deviation[..., None] * weights.pixel_scale
    residual = (plane * shape.focal + window.center - window.points) / deviation
    squared = (residual**2).sum(-1)
    part = share(window.times, weights.pixel_time)[:, None]
    system.cost += float((part * weights.robust * np.log1p(squared / weights.robust)).sum()) / 2
    if system.only_cost:
        return
    weight = np.sqrt(part / (1 + squared / weights.robust))[..., None]
    scale = weight / deviation
    by_point = np.zeros((t, joints, 2, 3))
    by_point[..., 0, 0] = by_point[..., 1, 1] = shape.focal / depth
    by_point[..., 2] = -plane * (shape.focal / depth)[..., None]
    by_point *= scale[..., None]
    rows = by_point.reshape(t, joints * 2, 3)
    path = np.repeat(body.path, 2, axis=0)
    local = np.empty((t, joints * 2, body.size))
    local[..., :ROOT] = rows @ shape.root_jacobian
    flat = np.moveaxis(shape.scaled, 1, 2).reshape(t, 3, -1)
    np.matmul(rows, flat, out=local[..., ROOT:])
    local[..., ROOT:] *= np.repeat(path, 2, axis=1)
    by_shared = None
    if system.n_shared:
        by_shared = np.zeros((t, joints * 2, system.n_shared))
        by_shared[..., FOCAL] = (rows @ shape.root_by_focal[..., None])[..., 0]
        by_shared[..., FOCAL] += (plane * shape.focal * scale).reshape(t, -1)
        groups = np.eye(body.group.max() + 1)[body.group]
        lengths = (rows @ np.swapaxes(shape.bones, 1, 2)) * path
        by_shared[..., shape.first : shape.first + groups.shape[1]] = lengths @ groups
    system.add((residual * weight).reshape(t, -1), local, by_shared)


def _add_lifter(system: Normal, window: Window, shape: Geometry, weights: Weights) -> None:
    part = share(window.times, weights.lifter_time)[:, None]
    weight = np.sqrt(part) / window.lifted_deviation
    residual = (shape.direction - window.lifted) * weight[..., None]
    system.cost += float((residual**2).sum()) / 2
    if system.only_cost:
        return
    diagonal = np.einsum("tnn->tn", system.block(0))  # a view
    diagonal[:, ROOT:] += np.repeat(weight**2, 2, axis=1)
    product = (np.swapaxes(shape.tangent, 2, 3) * weight[..., None, None] @ residual[..., None])[
        ..., 0
    ]
    system.gradient[:, ROOT:] += product.reshape(len(product), -1)


def _add_acceleration(system: Normal, window: Window, shape: Geometry, weights: Weights) -> None:
    t = len(window.times)
    if t < 3:
        _add_velocity(system, window, shape, weights)
        return
    before, after = np.diff(window.times)[:-1], np.diff(window.times)[1:]
    middle = (before + after) / 2
    factors = np.stack([1 / (before * middle), -1 / before / middle - 1 / after / middle,
                        1 / (after * middle)])  # fmt: skip
    scale = 1 / np.array([weights.root_acceleration] * 2 + [weights.depth_acceleration])
    # With a constant focal length: otherwise errors of the depth, which are proportional to it,
    # would cost less the shorter it is.
    constant = np.array([1.0, 1.0, np.exp(window.log_focal) / shape.focal]) * scale
    root = (shape.root * constant)[:, None]
    _add_chain(system, factors * np.sqrt(middle), root,
               lambda: (shape.root_jacobian * constant[:, None])[:, None], 0)  # fmt: skip
    bone_weight = np.sqrt(middle) / weights.bone_acceleration
    _add_chain(system, factors * bone_weight, shape.direction, lambda: shape.tangent, ROOT)


def _add_chain(
    system: Normal,
    factors: Float[np.ndarray, "3 t"],
    values: Float[np.ndarray, "n items 3"],
    derivatives: Callable[[], Float[np.ndarray, "n items 3 d"]],
    first: int,
) -> None:
    """Add second differences of several items whose variables are independent of each other."""
    n, items, _ = values.shape
    t = n - 2
    # Coordinates first: operations on whole arrays are several times faster than `einsum`.
    values = np.moveaxis(values, 2, 0)
    residual = sum(factors[i][:, None] * values[:, i : t + i] for i in range(3))
    system.cost += float((residual**2).sum()) / 2
    if system.only_cost:
        return
    jacobian = np.ascontiguousarray(np.moveaxis(derivatives(), (2, 3), (0, 1)))
    weighted = np.zeros((3, n, items))
    for i in range(3):
        weighted[:, i : t + i] += factors[i][:, None] * residual
    d = jacobian.shape[1]
    span = slice(first, first + items * d)
    product = (jacobian * weighted[:, None]).sum(0)
    system.gradient[:, span] += np.moveaxis(product, 0, 2).reshape(n, -1)
    for lag in range(3):
        weight = np.zeros(n - lag)
        for i in range(3 - lag):
            weight[i : t + i] += factors[i] * factors[i + lag]
        later = jacobian[:, :, lag:] * weight[:, None]
        block = system.block(lag)[:, span, span].reshape(n - lag, items, d, items, d)
        own = np.einsum("tidie->deti", block)  # a view
        own += (later[:, :, None] * jacobian[:, None, :, : n - lag]).sum(0)


def _add_velocity(system: Normal, window: Window, shape: Geometry, weights: Weights) -> None:
    """Two frames have no acceleration: their depths differ by no more than a person can walk."""
    if len(window.times) < 2:
        return
    step = window.times[1] - window.times[0]
    weight = 1 / (weights.depth_acceleration * 2 * np.sqrt(step))
    jacobian = shape.root_jacobian * weight
    residual = (shape.root[1] - shape.root[0]) * weight
    system.cost += float(residual @ residual) / 2
    if system.only_cost:
        return
    for row, sign in ((0, -1.0), (1, 1.0)):
        system.block(0)[row, :ROOT, :ROOT] += jacobian[row].T @ jacobian[row]
        system.gradient[row, :ROOT] += sign * jacobian[row].T @ residual
    system.block(1)[0, :ROOT, :ROOT] -= jacobian[1].T @ jacobian[0]
