"""Normal equations of the frames of a window and of the variables that they share."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass
class Normal:
    """Normal equations: Gauss-Newton blocks of the frames, and of the shared variables.

    Attributes:
        blocks: rows of frames t, t + 1 and t + 2 by the columns of frame t (t, 3 n, n).
        gradient: of the frames.
        cross: frames by shared variables.
        shared: shared variables by themselves.
        shared_gradient: their gradient.
        cost: robust cost.
    """

    blocks: np.ndarray
    gradient: np.ndarray
    cross: np.ndarray
    shared: np.ndarray
    shared_gradient: np.ndarray
    cost: float = 0.0

    @staticmethod
    def zeros(t: int, n: int, n_shared: int) -> "Normal":
        """Return empty equations of t frames with n variables each."""
        return Normal(
            np.zeros((t, 3 * n, n)), np.zeros((t, n)), np.zeros((t, n, n_shared)),
            np.zeros((n_shared, n_shared)), np.zeros(n_shared),
        )  # fmt: skip

    def block(self, frames: int) -> np.ndarray:
        """Return the blocks of each frame (columns) with the one `frames` later (rows), a view."""
        t, n = self.gradient.shape
        return self.blocks[: max(t - frames, 0), frames * n : (frames + 1) * n]

    def add(
        self,
        residual: Float[np.ndarray, "t rows"],
        local: Float[np.ndarray, "t rows n"],
        shared: Float[np.ndarray, "t rows shared"],
        variables: Int[np.ndarray, " n"] | None = None,
    ) -> None:
        """Add weighted residuals of single frames and their Jacobians.

        Args:
            variables: those of a frame to which `local` belongs; None: all.
        """
        transposed = np.swapaxes(local, 1, 2)
        index = slice(None) if variables is None else variables
        block = (index, index) if variables is None else (variables[:, None], variables)
        self.block(0)[:, *block] += transposed @ local
        self.gradient[:, index] += (transposed @ residual[..., None])[..., 0]
        self.cross[:, index] += transposed @ shared
        rows = shared.reshape(-1, shared.shape[-1])
        self.shared += rows.T @ rows
        self.shared_gradient += rows.T @ residual.reshape(-1)
