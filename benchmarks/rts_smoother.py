"""The Rauch-Tung-Striebel smoother of noisy values over time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class _State(NamedTuple):
    """Position and velocity with the entries xx, xv and vv of their covariance."""

    x: np.ndarray
    v: np.ndarray
    xx: np.ndarray
    xv: np.ndarray
    vv: np.ndarray


def rts_smooth(
    values: Float[np.ndarray, " t *shape"],
    times: Float[np.ndarray, " t"],
    cutoff: float,
    weight: Float[np.ndarray, "..."] | float = 1.0,
) -> Float[np.ndarray, " t *shape"]:
    """Remove changes of values over time that are faster than a cutoff frequency, without delay.

    Fixed-interval smoothing (Rauch, Tung and Striebel, AIAA Journal, 1965) of a motion with
    constant velocity and white-noise acceleration, whose power follows from the cutoff. Time steps
    may vary. The diffuse prior does not pull towards the first value.

    Args:
        values: one row per time; each component is smoothed independently.
        times: strictly increasing, seconds.
        cutoff: hertz.
        weight: weight of each value, broadcast to `values`; one of weight 0.25 is treated as
            measured with twice the standard deviation.
    """
    shape = np.shape(values)
    values = np.asarray(values, float).reshape(len(values), -1)
    weight = np.broadcast_to(np.asarray(weight, float), shape).reshape(values.shape)
    steps = np.diff(times)
    step = float(np.median(steps)) if len(steps) else 1.0
    power = step * (2 * np.pi * cutoff) ** 4  # for measurement variance one
    variance = 1 / weight
    velocity = np.zeros_like(values[0])
    diffuse = np.full_like(velocity, power * step * 100)
    states = [_State(values[0], velocity, variance[0], velocity, diffuse)]
    for value, error, dt in zip(values[1:], variance[1:], steps, strict=True):
        states.append(_updated(_predicted(states[-1], dt, power), value, error))
    x, v = states[-1].x, states[-1].v
    smoothed = [x]
    for state, dt in zip(states[-2::-1], steps[::-1], strict=True):
        x, v = _backward(state, x, v, dt, power)
        smoothed.append(x)
    return np.stack(smoothed[::-1]).reshape(shape)


def _predicted(state: _State, dt: float, power: float) -> _State:
    """Return the state one time step later (constant velocity, random acceleration)."""
    x, v, xx, xv, vv = state
    return _State(
        x + dt * v,
        v,
        xx + 2 * dt * xv + dt * dt * vv + power * dt**3 / 3,
        xv + dt * vv + power * dt**2 / 2,
        vv + power * dt,
    )


def _updated(state: _State, value: np.ndarray, error: np.ndarray) -> _State:
    """Return the state after a measurement of the position (Kalman filter)."""
    x, v, xx, xv, vv = state
    gain_x, gain_v = xx / (xx + error), xv / (xx + error)
    residual = value - x
    return _State(
        x + gain_x * residual,
        v + gain_v * residual,
        (1 - gain_x) * xx,
        (1 - gain_x) * xv,
        vv - gain_v * xv,
    )


def _backward(
    state: _State, x: np.ndarray, v: np.ndarray, dt: float, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothed position and velocity, given those one time step later."""
    predicted = _predicted(state, dt, power)
    determinant = predicted.xx * predicted.vv - predicted.xv * predicted.xv
    # covariance times the transposed transition matrix
    m11, m12 = state.xx + dt * state.xv, state.xv
    m21, m22 = state.xv + dt * state.vv, state.vv
    g11 = (m11 * predicted.vv - m12 * predicted.xv) / determinant
    g12 = (m12 * predicted.xx - m11 * predicted.xv) / determinant
    g21 = (m21 * predicted.vv - m22 * predicted.xv) / determinant
    g22 = (m22 * predicted.xx - m21 * predicted.xv) / determinant
    dx, dv = x - predicted.x, v - predicted.v
    return state.x + g11 * dx + g12 * dv, state.v + g21 * dx + g22 * dv
