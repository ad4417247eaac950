"""Terms of a static camera: feet in contact, the floor, the vertical."""

import numpy as np
from jaxtyping import Float, Int

from camerapose.infer.clip.body import ROOT, Body
from camerapose.infer.clip.floor import LEVEL_GAP
from camerapose.infer.clip.normal import Normal
from camerapose.infer.clip.term_weights import Weights
from camerapose.infer.clip.timing import share, stance_share
from camerapose.infer.clip.variables import (
    FLOOR,
    FOCAL,
    UP,
    Geometry,
    Shared,
    Window,
    tangents,
)
from camerapose.infer.clip.vertical import robust


def add_ground(
    system: Normal, window: Window, shape: Geometry, shared: Shared, body: Body, weights: Weights
) -> None:
    """Add the terms of contacts, floor and vertical for a skeleton with ankles."""
    _add_contacts(system, window, shape, body, weights)
    _add_floor(system, window, shape, shared, body, weights)
    _add_vertical(system, window, shared, weights)


def _joint_jacobian(
    shape: Geometry, variables: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "t 3 n"]:
    """Return the derivatives of a joint's position by the variables that move it (root first)."""
    return np.concatenate([shape.root_jacobian, _by_angles(shape, variables[ROOT:] - ROOT)], axis=2)


def _by_angles(shape: Geometry, angles: Int[np.ndarray, " n"]) -> Float[np.ndarray, "t 3 n"]:
    """Return the derivatives of the bones' vectors by angles, two per bone."""
    return np.swapaxes(shape.scaled[:, angles // 2, :, angles % 2], 0, 1).swapaxes(1, 2)


def _by_shared(
    shape: Geometry, body: Body, joint: int, n_shared: int
) -> Float[np.ndarray, "t 3 shared"]:
    """Return the derivatives of a joint's position by the shared variables."""
    result = np.zeros((len(shape.root), 3, n_shared))
    result[..., FOCAL] = shape.root_by_focal
    groups = np.eye(body.group.max() + 1)[body.group] * body.path[joint][:, None]
    result[..., shape.first : shape.first + groups.shape[1]] = (
        np.swapaxes(shape.bones, 1, 2) @ groups
    )
    return result


def _add_contacts(
    system: Normal, window: Window, shape: Geometry, body: Body, weights: Weights
) -> None:
    """Feet in contact in two consecutive frames do not move."""
    if len(window.times) < 2:
        return
    step = np.diff(window.times)
    part = np.minimum(step / weights.contact_time, 1.0)
    for foot, joint in enumerate(body.ankles):
        both = window.contact[1:, foot] * window.contact[:-1, foot]
        weight = (np.sqrt(part * both) / weights.contact_speed / step)[:, None]
        place = shape.joints[:, joint]
        residual = (place[1:] - place[:-1]) * weight
        system.cost += float((residual**2).sum()) / 2
        if system.only_cost:
            continue
        index = body.variables((joint,))
        jacobian = _joint_jacobian(shape, index)
        later, earlier = jacobian[1:] * weight[..., None], jacobian[:-1] * weight[..., None]
        for rows, own, sign in ((slice(1, None), later, 1.0), (slice(None, -1), earlier, -1.0)):
            transposed = np.swapaxes(own, 1, 2)
            system.block(0)[rows, index[:, None], index] += transposed @ own
            system.gradient[rows, index] += sign * (transposed @ residual[..., None])[..., 0]
        system.block(1)[:, index[:, None], index] -= np.swapaxes(later, 1, 2) @ earlier
        if system.n_shared:
            by_shared = _by_shared(shape, body, joint, system.n_shared)
            by_shared = (by_shared[1:] - by_shared[:-1]) * weight[..., None]
            system.cross[1:, index] += np.swapaxes(later, 1, 2) @ by_shared
            system.cross[:-1, index] -= np.swapaxes(earlier, 1, 2) @ by_shared
            system.add_shared(residual, by_shared)


def _add_floor(
    system: Normal, window: Window, shape: Geometry, shared: Shared, body: Body, weights: Weights
) -> None:
    """Feet in contact are on the floor or on a ledge, and no foot is below it.

    The former is robust, since people also stand on steps and objects, the latter less so.
    """
    joints = [*body.ankles, *(body.soles if np.isfinite(weights.sole) else ())]
    place = shape.joints[:, joints]
    height = place @ shared.up + shared.floor
    height[:, :2] -= window.ankle
    # In contact.
    amount, robust = np.zeros_like(height), weights.robust
    for foot in (0, 1):
        contact = window.contact[:, foot] * (height[:, foot] < LEVEL_GAP)
        amount[:, foot] = stance_share(window.times, contact, weights.floor_time)
    residual = height / weights.floor
    system.cost += float((amount * robust * np.log1p(residual**2 / robust)).sum()) / 2
    scale = np.sqrt(amount / (1 + residual**2 / robust)) / weights.floor
    # Below the floor: Huber's loss.
    deviation = np.array([weights.below_floor] * 2 + [weights.sole] * (len(joints) - 2))
    parts = [share(window.times, time) for time in (weights.floor_time, weights.sole_time)]
    amount = np.stack(parts, axis=1)[:, [0, 0] + [1] * (len(joints) - 2)]
    depth, limit = np.maximum(-height, 0) / deviation, np.sqrt(robust)
    loss = np.where(depth < limit, depth**2, limit * (2 * depth - limit))
    system.cost += float((amount * loss).sum()) / 2
    if system.only_cost:
        return
    below = np.sqrt(amount * np.minimum(1, limit / np.maximum(depth, limit))) * (depth > 0)
    scale = np.hypot(scale, below / deviation)
    variables = body.variables(joints)
    by_pose, by_shared = _height_jacobians(shape, shared.up, body, joints, system, variables)
    scaled = scale[..., None]
    if by_shared is not None:
        by_shared[..., UP] = place @ tangents(shared.up)
        by_shared[..., FLOOR] = 1.0
        by_shared *= scaled
    system.add(height * scale, by_pose * scaled, by_shared, variables)


def _height_jacobians(
    shape: Geometry, up: np.ndarray, body: Body, joints: list[int], system: Normal,
    variables: np.ndarray,
) -> tuple[
    Float[np.ndarray, "t joints n"], Float[np.ndarray, "t joints shared"] | None
]:  # fmt: skip
    """Return the derivatives of the heights of joints, for a constant vertical.

    Those by the shared variables are None if these are fixed.
    """
    t, path = len(shape.root), body.path[joints]
    own = variables[ROOT:] - ROOT
    flat = (up @ _by_angles(shape, own))[:, None]
    root = np.repeat((up @ shape.root_jacobian)[:, None], len(joints), axis=1)
    by_pose = np.concatenate([root, flat * path[:, own // 2]], axis=2)
    if not system.n_shared:
        return by_pose, None
    by_shared = np.zeros((t, len(joints), system.n_shared))
    by_shared[..., FOCAL] = (shape.root_by_focal @ up)[:, None]
    groups = np.eye(body.group.max() + 1)[body.group]
    lengths = ((shape.bones @ up)[:, None] * path) @ groups
    by_shared[..., shape.first : shape.first + groups.shape[1]] = lengths
    return by_pose, by_shared


def _add_vertical(system: Normal, window: Window, shared: Shared, weights: Weights) -> None:
    """The vertical is that which the poses indicate."""
    scale = 1 / (window.vertical.deviation[:, None] * weights.vertical)
    residual = (shared.up - window.up) * scale
    part = share(window.times, weights.vertical_time)
    loss, weight = robust((residual**2).sum(1))
    system.cost += float(part @ loss) / 2
    if system.only_cost or not system.n_shared:
        return
    weight = np.sqrt(part * weight)[:, None]
    by_up = (tangents(shared.up) * (scale * weight)[..., None]).reshape(-1, 2)
    system.shared[UP, UP] += by_up.T @ by_up
    system.shared_gradient[UP] += by_up.T @ (residual * weight).reshape(-1)
