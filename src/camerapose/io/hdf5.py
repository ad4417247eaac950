"""Read HDF5 files of unknown origin: declared sizes first, and nothing outside the file."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.limits import Budget, Limits


class Hdf5:
    """Access to the arrays of an open file within limits; see `open_hdf5`.

    Args:
        file: an h5py.File.
    """

    def __init__(self, file: Any, limits: Limits | None = None):
        self._file = file
        self._budget = Budget(limits)

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def __getitem__(self, name: str) -> Any:
        """Return the array or group of a name, which may be a path such as "pose/2d".

        Raises:
            KeyError: there is none.
            ValueError: it is a link, which may lead into another file.
        """
        item = self._file
        for part in name.split("/"):
            item = _member(item, part)
        return item

    def members(self, group: Any) -> dict[str, Any]:
        """Return the arrays and groups in a group; raises as `self[name]`."""
        self._budget.count(len(group))
        return {name: _member(group, name) for name in group}

    def follow(self, reference: Any) -> Any:
        """Return the array or group that a reference stands for."""
        self._budget.count(1)
        return self._file[reference]

    def read(self, item: Any) -> np.ndarray:
        """Return the values of an array.

        Raises:
            ValueError: it is no array, too large when decompressed, has values of unlimited length
                (such as strings), or refers to other files.
        """
        if not hasattr(item, "dtype"):
            raise ValueError(f"{item.name} is no array")
        if item.shape is None:
            raise ValueError(f"{item.name} is empty")
        if item.external or item.is_virtual:
            raise ValueError(f"the values of {item.name} are in other files, which are not read")
        stored = int(item.id.get_storage_size())
        self._budget.spend(_decompressed(item, self._budget.limits), stored)
        return item[()]


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5]:
    """Open an HDF5 file for reading.

    Raises:
        ValueError: h5py is not installed; the message names the package. Or, in the context, the
            file is damaged.
        OSError: the file is not HDF5.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise ValueError(f'reading {path} requires h5py: pip install "camerapose[data]"') from None
    try:
        with h5py.File(path, "r") as file:
            yield Hdf5(file)
    except RuntimeError as error:  # h5py's, for damaged structures in the file
        raise ValueError(f"{path} is damaged: {error}") from error


def _member(group: Any, name: str) -> Any:
    """Return a member of a group that is stored in it."""
    import h5py

    if name in group and not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, which is not followed")
    return group[name]


def _decompressed(item: Any, limits: Limits) -> int:
    """Return the bytes that reading an array takes, whole chunks included."""
    if item.dtype.hasobject and item.dtype.metadata is None:
        raise ValueError(f"{item.name} has values of type {item.dtype}")
    if item.dtype.hasobject and "vlen" in item.dtype.metadata:
        raise ValueError(f"{item.name} has values of unlimited length")
    size = item.size * item.dtype.itemsize
    if item.chunks is None:
        return size
    chunk = math.prod(item.chunks) * item.dtype.itemsize
    if chunk > limits.max_chunk_bytes:
        raise ValueError(
            f"{item.name} has chunks of {chunk / 1e9:.1f} GB; at most "
            f"{limits.max_chunk_bytes / 1e9:.1f} GB are read"
        )
    pairs = zip(item.shape, item.chunks, strict=True)
    return math.prod(-(-length // step) for length, step in pairs) * chunk
