"""Normal equations of the frames of a window and of the variables that they share."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass
class Normal:
    """Normal equations: Gauss-Newton blocks of the frames, and of the shared variables.

    Attributes:
        near: blocks of a frame with itself.
        next: blocks of frame t + 1 (rows) with frame t (columns).
        second: the same for frame t + 2.
        gradient: of the frames.
        cross: frames by shared variables.
        shared: shared variables by themselves.
        shared_gradient: their gradient.
        cost: robust cost.
    """

    near: np.ndarray
    next: np.ndarray
    second: np.ndarray
    gradient: np.ndarray
    cross: np.ndarray
    shared: np.ndarray
    shared_gradient: np.ndarray
    cost: float = 0.0

    @staticmethod
    def zeros(t: int, n: int, n_shared: int) -> "Normal":
        """Return empty equations of t frames with n variables each."""
        return Normal(
            np.zeros((t, n, n)), np.zeros((max(t - 1, 0), n, n)), np.zeros((max(t - 2, 0), n, n)),
            np.zeros((t, n)), np.zeros((t, n, n_shared)), np.zeros((n_shared, n_shared)),
            np.zeros(n_shared),
        )  # fmt: skip

    def add(
        self,
        residual: Float[np.ndarray, "t rows"],
        local: Float[np.ndarray, "t rows n"],
        shared: Float[np.ndarray, "t rows shared"],
    ) -> None:
        """Add weighted residuals of single frames and their Jacobians."""
        transposed = np.swapaxes(local, 1, 2)
        self.near += transposed @ local
        self.gradient += (transposed @ residual[..., None])[..., 0]
        self.cross += transposed @ shared
        rows = shared.reshape(-1, shared.shape[-1])
        self.shared += rows.T @ rows
        self.shared_gradient += rows.T @ residual.reshape(-1)
