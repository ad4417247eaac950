"""Least squares over windows of frames that share a few variables."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.lib.stride_tricks import as_strided
from scipy.linalg import cholesky_banded
from scipy.linalg.lapack import dtbtrs

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
) -> tuple[list[Motion], Shared, Float[np.ndarray, "shared shared"]]:
    """Minimise the cost (Levenberg-Marquardt).

    Args:
        motions: initial values, one for each window.
        shared: initial values.
        iterations: largest number of steps.
        free: which shared variables are estimated.

    Returns:
        Motions, shared variables, and the covariance of the shared variables; zero where they are
        not free.
    """
    damping = 1e-4
    systems, cost = _linearise(problem, motions, shared)
    covariance = np.zeros((problem.n_shared, problem.n_shared))
    for _ in range(iterations):
        for _ in range(6):
            step, steps, covariance = _step(problem, systems, shared, free, damping)
            candidates = [_moved(m, s) for m, s in zip(motions, steps, strict=True)]
            candidate = _moved_shared(problem, shared, step)
            tried, new_cost = _linearise(problem, candidates, candidate)
            if new_cost <= cost:
                break
            damping *= 10
        else:
            break
        gain, damping = (cost - new_cost) / max(cost, 1e-12), max(damping / 10, 1e-9)
        motions, shared, systems, cost = candidates, candidate, tried, new_cost
        if gain < TOLERANCE:
            break
    if free.any():
        _, _, covariance = _step(problem, systems, shared, free, 0.0)
    return motions, shared, covariance


def _linearise(
    problem: Problem, motions: list[Motion], shared: Shared
) -> tuple[list[Normal], float]:
    systems = [
        normal_equations(
            window, motion, shared, problem.body, problem.weights, problem.n_shared,
            problem.first_length(window.person),
        )
        for window, motion in zip(problem.windows, motions, strict=True)
    ]  # fmt: skip
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


def _step(
    problem: Problem,
    systems: list[Normal],
    shared: Shared,
    free: Bool[np.ndarray, " shared"],
    damping: float,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the steps of the shared variables and of each window, and the covariance."""
    residual, jacobian = _prior_residuals(problem, shared)
    matrix, gradient = jacobian.T @ jacobian, jacobian.T @ residual
    solved = []
    for system in systems:
        t, n = system.gradient.shape
        cross = system.cross[..., free].reshape(t * n, -1)
        factor = _factor(system, damping)
        # Half of the solution, L^-1 [gradient, cross], is enough for the shared variables.
        half = _substitute(factor, np.column_stack([system.gradient.reshape(-1), cross]), False)
        solved.append((factor, half))
        matrix = matrix + system.shared
        gradient = gradient + system.shared_gradient
        matrix[np.ix_(free, free)] -= half[:, 1:].T @ half[:, 1:]
        gradient[free] -= half[:, 1:].T @ half[:, 0]
    step, covariance = np.zeros(len(free)), np.zeros_like(matrix)
    if free.any():
        inner = matrix[np.ix_(free, free)]
        inner = (inner + inner.T) / 2
        inverse = np.linalg.pinv(inner + np.diag(np.diag(inner)) * damping, hermitian=True)
        step[free] = -inverse @ gradient[free]
        covariance[np.ix_(free, free)] = inverse
    both = np.array([1.0, *step[free]])[:, None]
    steps = [
        -_substitute(factor, half @ both, True).reshape(system.gradient.shape)
        for (factor, half), system in zip(solved, systems, strict=True)
    ]
    return step, steps, covariance


def _factor(system: Normal, damping: float) -> Float[np.ndarray, "width n"]:
    """Return the banded Cholesky factor of the frames' matrix, one column per variable."""
    t, n = system.gradient.shape
    width = min(2 * n + ROOT, t * n)
    # Column c of a frame, from its diagonal downwards, for all frames at once: the blocks below
    # each other, read along their diagonals. Bones are only coupled to themselves over two frames.
    padded = np.concatenate([system.blocks, np.zeros((t, ROOT, n))], axis=1)
    frame, row, column = padded.strides
    band = as_strided(padded, (t, n, width), (frame, row + column, row)).copy()
    band[..., 0] *= 1 + damping
    band[..., 0] += 1e-9
    return cholesky_banded(
        band.reshape(t * n, width).T, lower=True, overwrite_ab=True, check_finite=False
    )


def _substitute(
    factor: Float[np.ndarray, "width n"], right: Float[np.ndarray, "n columns"], transposed: bool
) -> Float[np.ndarray, "n columns"]:
    """Solve L x = right, or L^T x = right."""
    answer, info = dtbtrs(factor, right, uplo="L", trans="T" if transposed else "N")
    if info:
        raise np.linalg.LinAlgError(f"singular at variable {info}")
    return answer


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
