"""Storage of `Poses` as a folder with one .npy file per column, complete or absent."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import joint_formats
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.files import flush_folder, write_text

#: Age in seconds after which temporary folders of killed processes are removed.
ABANDONED = 6 * 3600
#: The same for the parts of an interrupted preparation, which can be resumed until then.
EXPIRED = 14 * 24 * 3600
#: Rows copied at a time when parts are joined.
ROWS = 100_000
#: Exceptions of reading a damaged folder.
DAMAGED = (Exception,)  # numpy raises many kinds for damaged headers


def write(poses: Poses, folder: Path, key: dict[str, Any]) -> None:
    """Write poses.

    Args:
        poses: numpy columns.
        folder: final name, replaced if it exists.
        key: description of the origin, stored with the columns.
    """

    def save(path: Path) -> dict[str, list]:
        return {
            name: _write_column([np.asarray(column)], path / f"{name}.npy")
            for name, column in poses.columns().items()
        }

    _write_folder(folder, poses.skeleton, save, key)


def join(parts: Sequence[Path], folder: Path, key: dict[str, Any]) -> None:
    """Write the concatenation of stored parts, column by column, with little memory."""
    every = [read(part) for part in parts]
    columns = [part.columns() for part in every]
    if len({frozenset(c) for c in columns}) > 1 or len({p.skeleton for p in every}) > 1:
        return write(Poses.cat(every), folder, key)  # raises an error that names the difference

    def save(path: Path) -> dict[str, list]:
        return {
            name: _write_column([c[name] for c in columns], path / f"{name}.npy")
            for name in columns[0]
        }

    _write_folder(folder, every[0].skeleton, save, key)


def read(folder: Path) -> Poses:
    """Return the poses of a folder, memory-mapped.

    Columns may be written to: pages are copied on write, and the files never change.

    Raises:
        Exception: one of `DAMAGED` if the folder is damaged or incomplete.
    """
    contents = json.loads((folder / "contents.json").read_text())
    columns = {}
    for name, (dtype, shape) in contents["columns"].items():
        path = folder / f"{name}.npy"
        mode = "c" if all(shape) else None
        column = np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))
        if [str(column.dtype), list(column.shape)] != [dtype, shape]:
            raise ValueError(f"{path.name} is {column.dtype} {column.shape}, not {dtype} {shape}")
        columns[name] = column
    return Poses.from_columns(joint_formats.get(contents["skeleton"]), columns)


def is_complete(folder: Path) -> bool:
    """Return whether a folder can be read."""
    try:
        read(folder)
    except DAMAGED:
        return False
    return True


def _write_folder(
    folder: Path, skeleton: Skeleton, save: Callable[[Path], dict[str, list]], key: dict[str, Any]
) -> None:
    _remove_abandoned(folder.parent)
    part = folder.with_name(f"{folder.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        contents = {
            "skeleton": joint_formats.definition(skeleton),
            "columns": save(part),
            "made_by": key,
        }
        write_text(part / "contents.json", json.dumps(contents, indent=1))
        flush_folder(part)
        if folder.exists():
            shutil.rmtree(folder)
        try:
            os.rename(part, folder)
        except OSError:
            if not folder.exists():  # otherwise another process has written the same
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_column(pieces: list[np.ndarray], path: Path) -> list:
    """Write one column and return its dtype and shape.

    Not by `np.save`, which loses the last bytes on a full disk without an error.
    """
    dtype = np.result_type(*pieces)
    shape = (sum(map(len, pieces)), *pieces[0].shape[1:])
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            for start in range(0, len(piece), ROWS):
                rows = np.ascontiguousarray(piece[start : start + ROWS], dtype)
                file.write(rows.tobytes())
    return [str(dtype), list(shape)]


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left, but nothing that may still be written or resumed."""
    for pattern, age in (("*.part-*", ABANDONED), ("*.making", EXPIRED)):
        for path in parent.glob(pattern):
            if time.time() - path.stat().st_mtime > age:
                shutil.rmtree(path, ignore_errors=True)
