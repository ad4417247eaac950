"""Banded Cholesky factors by LAPACK, without Python's global interpreter lock.

SciPy's own functions keep the lock, so that threads would wait for each other. The same routines
are called through the pointers that `scipy.linalg.cython_lapack` publishes.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, byref, c_char, c_double, c_int
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import LowLevelCallable
from scipy.linalg import cython_lapack, lapack

_INT, _ARRAY = POINTER(c_int), POINTER(c_double)
#: Types of the arguments; `_routine` compares them with the declarations in `cython_lapack`.
_FACTOR = (POINTER(c_char), _INT, _INT, _ARRAY, _INT, _INT)
_SOLVE = (*(POINTER(c_char),) * 3, *(_INT,) * 3, _ARRAY, _INT, _ARRAY, _INT, _INT)
_NAMES = {POINTER(c_char): "char", _INT: "int", _ARRAY: "__pyx_t_5scipy_6linalg_13cython_lapack_d"}


def factor(band: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n width"]:
    """Return the banded Cholesky factor of a positive definite matrix.

    Args:
        band: each column from its diagonal downwards, contiguous; overwritten by the factor.

    Raises:
        numpy.linalg.LinAlgError: the matrix is not positive definite.
    """
    if _dpbtrf is None:
        result, info = lapack.dpbtrf(band.T, lower=1, overwrite_ab=1)
        band = result.T
    else:
        info = _called(_dpbtrf, b"L", len(band), band.shape[1] - 1, band, band.shape[1])
    if info:
        raise np.linalg.LinAlgError(f"not positive definite at variable {info}")
    return band


def substitute(
    band: Float[np.ndarray, "n width"], right: Float[np.ndarray, "columns n"], transposed: bool
) -> Float[np.ndarray, "columns n"]:
    """Solve L x = y, or L^T x = y, for several y.

    Args:
        band: the factor L, as of `factor`.
        right: one y per row, contiguous; overwritten by the solutions.

    Raises:
        numpy.linalg.LinAlgError: L is singular.
    """
    trans = b"T" if transposed else b"N"
    if _dtbtrs is None:
        result, info = lapack.dtbtrs(band.T, right.T, uplo="L", trans=trans, overwrite_b=1)
        right = result.T
    else:
        n, width = band.shape
        info = _called(
            _dtbtrs, b"L", trans, b"N", n, width - 1, len(right), band, width,
            right, n,
        )  # fmt: skip
    if info:
        raise np.linalg.LinAlgError(f"singular at variable {info}")
    return right


def _called(routine: Callable[..., None], *arguments: bytes | int | np.ndarray) -> int:
    """Call a routine and return its last argument, `info`."""
    info = c_int()
    routine(*map(_reference, arguments), byref(info))
    return info.value


def _reference(value: bytes | int | np.ndarray) -> Any:
    if isinstance(value, np.ndarray):
        assert value.dtype == np.float64 and value.flags.c_contiguous
        return value.ctypes.data_as(_ARRAY)
    return byref(c_char(value) if isinstance(value, bytes) else c_int(value))


def _routine(name: str, types: tuple[Any, ...]) -> Callable[..., None] | None:
    """Return a routine of LAPACK; None if its arguments have other types, such as long integers."""
    try:
        found = LowLevelCallable.from_cython(cython_lapack, name)
    except ValueError:
        return None
    signature = f"void ({', '.join(f'{_NAMES[kind]} *' for kind in types)})"
    if found.signature != signature:
        return None
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer = prototype(("PyCapsule_GetPointer", ctypes.pythonapi))
    return ctypes.CFUNCTYPE(None, *types)(pointer(found.function, signature.encode()))


_dpbtrf, _dtbtrs = _routine("dpbtrf", _FACTOR), _routine("dtbtrs", _SOLVE)
