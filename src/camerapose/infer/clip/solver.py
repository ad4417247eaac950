"""Least squares over windows of frames that share a few variables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from camerapose.infer.clip import lapack
from camerapose.infer.clip.body import ROOT, Body
from camerapose.infer.clip.normal import Normal
from camerapose.infer.clip.term_weights import Weights
from camerapose.infer.clip.terms import normal_equations
from camerapose.infer.clip.variables import (
    FLOOR,
    FOCAL,
    LENGTHS,
    UP,
    Motion,
    Shared,
    Window,
    tangents,
)

#: Applies a function to each item, in order, as `map` does.
Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
#: Relative decrease of the cost at which the iteration stops.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Prior:
    """Independent normal priors of the shared variables, infinite where there is none.

    Attributes:
        log_focal, log_focal_deviation: of the logarithm of the focal length; 0: fixed.
        log_length, log_length_deviation: of the logarithms of the bone lengths of each person.
        size_share: derivatives of the logarithm of each person's size by `log_length`.
        log_size_deviation: of the logarithm of each person's size; 0: fixed.
        up, up_deviation: vertical in the camera frame and its standard deviations along the
            camera's axes, radians.
    """

    log_focal: float
    log_focal_deviation: float
    log_length: list[Float[np.ndarray, " groups"]]
    log_length_deviation: float
    size_share: list[Float[np.ndarray, " groups"]]
    log_size_deviation: list[float]
    up: Float[np.ndarray, "3"]
    up_deviation: Float[np.ndarray, "3"]


@dataclass
class Problem:
    """All windows of a clip and what they share."""

    body: Body
    weights: Weights
    prior: Prior
    windows: list[Window]

    @property
    def n_groups(self) -> int:
        """Number of bone lengths of a person."""
        return int(self.body.group.max()) + 1

    @property
    def n_shared(self) -> int:
        """Number of shared variables."""
        return LENGTHS + self.n_groups * len(self.prior.log_length)

    def first_length(self, person: int) -> int:
        """Return the index of a person's first bone length."""
        return LENGTHS + self.n_groups * person


def free_variables(problem: Problem) -> Bool[np.ndarray, " shared"]:
    """Return which shared variables are estimated."""
    free = np.ones(problem.n_shared, bool)
    free[FOCAL] = problem.prior.log_focal_deviation > 0
    floor = any(w.has_floor for w in problem.windows) and bool(problem.body.ankles)
    free[UP] = floor and any(np.isfinite(w.vertical.deviation).any() for w in problem.windows)
    free[FLOOR] = floor and any(w.contact.any() for w in problem.windows)
    free[LENGTHS:] = problem.prior.log_length_deviation > 0
    return free


def solve(
    problem: Problem,
    motions: list[Motion],
    shared: Shared,
    *,
    iterations: int,
    free: Bool[np.ndarray, " shared"],
    each: Map = map,
) -> tuple[list[Motion], Shared, Float[np.ndarray, "shared shared"]]:
    """Minimise the cost (Levenberg-Marquardt).

    Args:
        motions: initial values, one for each window.
        shared: initial values.
        iterations: largest number of steps.
        free: which shared variables are estimated.
        each: applies a function to every window, such as `Workers.map`.

    Returns:
        Motions, shared variables, and the covariance of the shared variables; zero where they are
        not free.
    """
    damping = 1e-4
    n_shared = problem.n_shared if free.any() else 0
    covariance = np.zeros((problem.n_shared, problem.n_shared))
    for _ in range(iterations):
        systems, cost = _linearise(problem, motions, shared, n_shared, each)
        for _ in range(6):
            step, steps, covariance = _step(problem, systems, shared, free, damping, each)
            candidates = [_moved(m, s) for m, s in zip(motions, steps, strict=True)]
            candidate = _moved_shared(problem, shared, step)
            # Many steps are rejected, and then only their cost is needed.
            new_cost = _linearise(problem, candidates, candidate, n_shared, each, True)[1]
            if new_cost <= cost:
                break
            damping *= 10
        else:
            break
        gain, damping = (cost - new_cost) / max(cost, 1e-12), max(damping / 10, 1e-9)
        motions, shared = candidates, candidate
        systems = []  # frees them before the next ones are computed
        if gain < TOLERANCE:
            break
    if free.any():
        systems, _ = _linearise(problem, motions, shared, n_shared, each)
        _, _, covariance = _step(problem, systems, shared, free, 0.0, each)
    return motions, shared, covariance


def _linearise(
    problem: Problem,
    motions: list[Motion],
    shared: Shared,
    n_shared: int,
    each: Map = map,
    only_cost: bool = False,
) -> tuple[list[Normal], float]:
    """Return the normal equations of the windows, and the cost.

    Args:
        n_shared: number of shared variables; 0: they are fixed.
        only_cost: leave the equations out.
    """

    def equations(index: int) -> Normal:
        window = problem.windows[index]
        return normal_equations(
            window, motions[index], shared, problem.body, problem.weights, n_shared,
            problem.first_length(window.person), only_cost,
        )  # fmt: skip

    systems = list(each(equations, range(len(motions))))
    residual, _ = _prior_residuals(problem, shared)
    return systems, sum(s.cost for s in systems) + float(residual @ residual) / 2


def _prior_residuals(
    problem: Problem, shared: Shared
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, "rows shared"]]:
    """Return residuals of the priors and their derivatives by the shared variables."""
    prior, n, groups = problem.prior, problem.n_shared, problem.n_groups
    rows, values = [], []
    if prior.log_focal_deviation > 0:
        values.append((shared.log_focal - prior.log_focal) / prior.log_focal_deviation)
        rows.append(np.eye(n)[FOCAL] / prior.log_focal_deviation)
    basis = tangents(shared.up)
    for axis in range(3):
        values.append((shared.up - prior.up)[axis] / prior.up_deviation[axis])
        row = np.zeros(n)
        row[UP] = basis[axis] / prior.up_deviation[axis]
        rows.append(row)
    for person, expected in enumerate(prior.log_length):
        first = problem.first_length(person)
        off = shared.log_length[person] - expected
        if prior.log_length_deviation > 0:
            proportion = np.eye(groups) - prior.size_share[person]
            values += list(proportion @ off / prior.log_length_deviation)
            for line in proportion / prior.log_length_deviation:
                row = np.zeros(n)
                row[first : first + groups] = line
                rows.append(row)
        size = max(prior.log_size_deviation[person], 1e-3)
        values.append(prior.size_share[person] @ off / size)
        row = np.zeros(n)
        row[first : first + groups] = prior.size_share[person] / size
        rows.append(row)
    return np.array(values), np.array(rows)


class _Eliminated(NamedTuple):
    """Equations of a window, solved for given shared variables.

    Attributes:
        factor: banded Cholesky factor L of the frames' matrix.
        half: L^-1 [gradient, cross], one per row; enough for the equations of the shared variables.
    """

    factor: Float[np.ndarray, "n width"]
    half: Float[np.ndarray, "columns n"]


def _step(
    problem: Problem,
    systems: list[Normal],
    shared: Shared,
    free: Bool[np.ndarray, " shared"],
    damping: float,
    each: Map,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the steps of the shared variables and of each window, and the covariance."""
    windows = list(each(partial(_eliminated, free=free, damping=damping), systems))
    step, covariance = np.zeros(len(free)), np.zeros((len(free),) * 2)
    if free.any():
        residual, jacobian = _prior_residuals(problem, shared)
        matrix, gradient = jacobian.T @ jacobian, jacobian.T @ residual
        for system, (_, half) in zip(systems, windows, strict=True):
            matrix = matrix + system.shared
            gradient = gradient + system.shared_gradient
            matrix[np.ix_(free, free)] -= half[1:] @ half[1:].T
            gradient[free] -= half[1:] @ half[0]
        inner = matrix[np.ix_(free, free)]
        inner = (inner + inner.T) / 2
        inverse = np.linalg.pinv(inner + np.diag(np.diag(inner)) * damping, hermitian=True)
        step[free] = -inverse @ gradient[free]
        covariance[np.ix_(free, free)] = inverse
    both = np.array([1.0, *step[free]])

    def frames(window: _Eliminated) -> np.ndarray:
        return -lapack.substitute(window.factor, (both @ window.half)[None], transposed=True)[0]

    steps = [
        flat.reshape(system.gradient.shape)
        for flat, system in zip(each(frames, windows), systems, strict=True)
    ]
    return step, steps, covariance


def _eliminated(system: Normal, free: Bool[np.ndarray, " shared"], damping: float) -> _Eliminated:
    band = system.band()
    band[:, 0] *= 1 + damping
    band[:, 0] += 1e-9
    factor = lapack.factor(band)
    right = np.empty((1 + np.count_nonzero(free), len(band)))
    right[0] = system.gradient.reshape(-1)
    if len(right) > 1:
        right[1:] = system.cross[..., free].reshape(len(band), -1).T
    return _Eliminated(factor, lapack.substitute(factor, right, transposed=False))


def _moved(motion: Motion, step: Float[np.ndarray, "t n"]) -> Motion:
    """Return the motion after a step; angles are limited to half a radian."""
    bones = motion.direction.shape[1]
    angles = step[:, ROOT:].reshape(len(step), bones, 2)
    size = np.linalg.norm(angles, axis=-1, keepdims=True)
    angles = angles * np.minimum(1.0, 0.5 / np.maximum(size, 1e-9))
    direction = motion.direction + (tangents(motion.direction) @ angles[..., None])[..., 0]
    return Motion(
        motion.place + step[:, :2],
        motion.log_distance + np.clip(step[:, 2], -0.7, 0.7),
        direction / np.linalg.norm(direction, axis=-1, keepdims=True),
    )


def _moved_shared(problem: Problem, shared: Shared, step: Float[np.ndarray, " shared"]) -> Shared:
    up = shared.up + tangents(shared.up) @ np.clip(step[UP], -0.3, 0.3)
    lengths = [
        own
        + np.clip(step[(first := problem.first_length(i)) : first + problem.n_groups], -0.3, 0.3)
        for i, own in enumerate(shared.log_length)
    ]
    return Shared(
        shared.log_focal + float(np.clip(step[FOCAL], -0.3, 0.3)),
        up / np.linalg.norm(up),
        shared.floor + float(step[FLOOR]),
        lengths,
    )
