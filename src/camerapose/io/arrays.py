"""Arrays of .npz files, checked before they are used."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from camerapose.core.limits import check_archive

#: Largest absolute value that coordinates and camera parameters of a sound file have.
MAX_VALUE = 1e6


def read_arrays(
    path: Path, shapes: Mapping[str, tuple[str | int, ...]], how_to_get: str = ""
) -> dict[str, np.ndarray]:
    """Read arrays of an .npz file without pickles.

    Args:
        path: the file.
        shapes: shape of each array: numbers, or names of sizes that are equal in all arrays.
        how_to_get: advice that ends the error messages.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, too large when decompressed, an array is missing or has another shape,
            or a number is not finite or above `MAX_VALUE`.
    """
    check_archive(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in shapes if name in file.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise ValueError(f"{path} cannot be read as an .npz ({error}). {how_to_get}") from error
    if missing := set(shapes) - set(arrays):
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}. {how_to_get}")
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        expected = shapes[name]
        fits = array.ndim == len(expected) and all(
            n == (sizes.setdefault(size, n) if isinstance(size, str) else size)
            for n, size in zip(array.shape, expected, strict=True)
        )
        if not fits:
            wanted = ", ".join(str(sizes.get(str(size), size)) for size in expected)
            raise ValueError(
                f"{path}: {name} has shape {array.shape}, expected ({wanted}). {how_to_get}"
            )
        _check_values(path, name, array, how_to_get)
    return arrays


def _check_values(path: Path, name: str, array: np.ndarray, how_to_get: str) -> None:
    if array.dtype.kind not in "biufU":
        raise ValueError(f"{path}: {name} is of type {array.dtype}. {how_to_get}")
    if array.dtype.kind in "iuf" and not (np.abs(array.astype(np.float64)) <= MAX_VALUE).all():
        raise ValueError(
            f"{path}: {name} has values that are not finite or above {MAX_VALUE:g}. {how_to_get}"
        )


def check_rows(path: Path, name: str, rows: np.ndarray, n: int) -> None:
    """Raise ValueError unless all are row numbers of an array with n rows."""
    if rows.dtype.kind not in "iu" or (len(rows) and not 0 <= rows.min() <= rows.max() < n):
        raise ValueError(f"{path}: {name} does not refer to the {n} rows of the file")
