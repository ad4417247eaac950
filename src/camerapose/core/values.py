"""Operations on columns that are numpy arrays or torch tensors."""

import operator
from functools import cache
from typing import Any

import numpy as np
from array_api_compat import is_torch_array


def row_index(index: Any, n: int) -> Any:
    """Return an index of rows that keeps the axis: slices for integers, arrays for lists.

    Args:
        index: an integer, slice, list, mask or index array of either library.
        n: number of rows.

    Raises:
        IndexError: an integer out of range.
        TypeError: any other index.
    """
    if isinstance(index, list):
        index = np.asarray(index, dtype=None if index else int)
    dimensions = getattr(index, "ndim", 0)
    if isinstance(index, slice) or dimensions == 1:
        return index
    try:
        number = None if isinstance(index, bool) or dimensions else operator.index(index)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(
            f"expected an integer, slice, mask or one-dimensional index array, got {index!r:.60}"
        )
    if not -n <= number < n:
        raise IndexError(f"index {number} is out of range for length {n}")
    return slice(number % n, number % n + 1)


def take_rows(column: Any, index: Any) -> Any:
    """Return rows of a column, by a slice, a mask or an index array of either library."""
    if is_torch_array(column):
        # five times faster than brackets
        if is_torch_array(index) and index.dtype.is_signed:
            return column.index_select(0, index)
        return column[index]
    return column[to_numpy(index)]


def to_numpy(column: Any) -> Any:
    """Return a torch tensor as a numpy array, and anything else unchanged."""
    return column.detach().cpu().numpy() if is_torch_array(column) else column


def equal(a: Any, b: Any) -> bool:
    """Return whether two columns have the same shape and values; NaN equals NaN.

    Library, device and precision of the type do not matter. None equals None only.
    """
    if a is None or b is None:
        return a is b
    if a is b:
        return True
    a, b = np.asarray(to_numpy(a)), np.asarray(to_numpy(b))
    numeric = a.dtype.kind in "fc" and b.dtype.kind in "fc"
    return bool(np.array_equal(a, b, equal_nan=numeric))


@cache
def constant(values: tuple, dtype: Any, xp: Any, device: Any) -> Any:
    """Return a short array on a device, created once: loops do not wait for copies."""
    if xp.__name__.endswith("torch"):
        import torch  # only training passes tensors

        # Tensors created in inference mode cannot be saved for backward.
        with torch.inference_mode(False):
            return torch.tensor(values, dtype=dtype, device=device)
    return xp.asarray(values, dtype=dtype)
