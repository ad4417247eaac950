"""Normal equations of the frames of a window and of the variables that they share."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import as_strided

from camerapose.infer.clip.body import ROOT


@dataclass
class Normal:
    """Normal equations: Gauss-Newton blocks of the frames, and of the shared variables.

    Attributes:
        columns: of each variable of each frame, n - 1 elements above the diagonal, whose values
            have no meaning, and `width` from the diagonal downwards (t, n, n - 1 + width).
        gradient: of the frames.
        cross: frames by shared variables; none if these are fixed.
        shared: shared variables by themselves.
        shared_gradient: their gradient.
        cost: robust cost.
        only_cost: nothing else is needed.
    """

    columns: np.ndarray
    gradient: np.ndarray
    cross: np.ndarray
    shared: np.ndarray
    shared_gradient: np.ndarray
    cost: float = 0.0
    only_cost: bool = False

    @staticmethod
    def zeros(t: int, n: int, n_shared: int) -> "Normal":
        """Return empty equations of t frames with n variables each.

        All variables of two consecutive frames are coupled, and over two frames those of the root,
        and those of a bone.
        """
        return Normal(
            np.zeros((t, n, n - 1 + 2 * n + ROOT)), np.zeros((t, n)), np.zeros((t, n, n_shared)),
            np.zeros((n_shared, n_shared)), np.zeros(n_shared),
        )  # fmt: skip

    @property
    def n_shared(self) -> int:
        """Number of shared variables; 0 if they are fixed."""
        return len(self.shared)

    def block(self, frames: int) -> np.ndarray:
        """Return the blocks of each frame (columns) with the one `frames` later (rows), a view.

        Elements above the diagonal of the matrix, and elements two frames later that are not
        coupled, have no meaning.
        """
        t, n = self.gradient.shape
        frame, column, row = self.columns.strides
        first = self.columns[: max(t - frames, 0), 0, (frames + 1) * n - 1 :]
        return as_strided(first, (len(first), n, n), (frame, row, column - row))

    def band(self) -> Float[np.ndarray, "variables width"]:
        """Return a copy of the matrix of the frames: columns from the diagonal downwards."""
        t, n = self.gradient.shape
        return self.columns.reshape(t * n, -1)[:, n - 1 :][:, : t * n].copy()

    def add(
        self,
        residual: Float[np.ndarray, "t rows"],
        local: Float[np.ndarray, "t rows n"],
        shared: Float[np.ndarray, "t rows shared"] | None,
        variables: Int[np.ndarray, " n"] | None = None,
    ) -> None:
        """Add weighted residuals of single frames and their Jacobians.

        Args:
            shared: derivatives by the shared variables; None if these are fixed.
            variables: those of a frame to which `local` belongs; None: all.
        """
        transposed = np.swapaxes(local, 1, 2)
        index = slice(None) if variables is None else variables
        block = (index, index) if variables is None else (variables[:, None], variables)
        # The product is symmetric, and columns are contiguous.
        self.block(0).swapaxes(1, 2)[:, *block] += transposed @ local
        self.gradient[:, index] += (transposed @ residual[..., None])[..., 0]
        if shared is not None:
            self.cross[:, index] += transposed @ shared
            self.add_shared(residual, shared)

    def add_shared(
        self,
        residual: Float[np.ndarray, "t rows"],
        shared: Float[np.ndarray, "t rows shared"],
    ) -> None:
        """Add weighted residuals to the equations of the shared variables."""
        rows = shared.reshape(-1, shared.shape[-1])
        self.shared += rows.T @ rows
        self.shared_gradient += rows.T @ residual.reshape(-1)
