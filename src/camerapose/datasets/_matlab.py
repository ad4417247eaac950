"""MATLAB files of both kinds: "v5" (up to version 7, by scipy) and 7.3 (HDF5, by h5py)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def read_mat(path: Path, names: Sequence[str], how_to_get: str = "") -> dict[str, Any]:
    """Variables of a .mat file as MATLAB has them: its axes in its order, at least two of them.

    A cell array comes as a list of its cells, column by column. A variable that the file lacks is
    not in the result.

    Args:
        names: of the variables to read; no other is taken into memory.
        how_to_get: last sentence of errors.

    Raises:
        ValueError: the file is damaged or no MATLAB file; or it is one of version 7.3, and h5py
            is not installed.
    """
    with path.open("rb") as file:
        hdf5 = b"MATLAB 7.3" in file.read(128) or _is_hdf5(path)
    try:
        return (_from_hdf5 if hdf5 else _from_v5)(path, names)
    except ImportError:
        raise
    except Exception as error:  # damaged files: each library has errors of many kinds
        why = str(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as a MATLAB file ({why}). {how_to_get}") from error


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _from_v5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    from scipy.io import loadmat

    found = loadmat(path, variable_names=list(names))
    return {
        name: list(value.ravel("F")) if value.dtype == object else value
        for name, value in found.items()
        if name in names and isinstance(value, np.ndarray)
    }


def open_hdf5(path: Path) -> Any:
    """An h5py.File to read; ValueError says what to install."""
    try:
        import h5py
    except ModuleNotFoundError:
        raise ValueError(
            f'{path} takes h5py to read; install it with pip install "camerapose[data]"'
        ) from None
    return h5py.File(path, "r")


def _from_hdf5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """HDF5 lists MATLAB's axes from the last to the first; cells are references."""
    with open_hdf5(path) as file:
        return {name: _value(file, file[name]) for name in names if name in file}


def _value(file: Any, item: Any) -> Any:
    content = item[()]
    if content.dtype == object:  # references; ravel of HDF5's order is MATLAB's column by column
        return [_value(file, file[reference]) for reference in content.ravel()]
    if item.attrs.get("MATLAB_empty", 0):
        return np.zeros(tuple(int(n) for n in content.ravel()[:8]))
    return content.T
