"""Prepared data sets, kept as memory-mapped columns so that the second start takes no time."""

import hashlib
import inspect
import json
import os
import shutil
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tqdm import tqdm

import camerapose
from camerapose.core import camera, conversion, formats, poses, skeleton
from camerapose.core.poses import Poses
from camerapose.io.assets import cache_dir as cache_folder
from camerapose.io.files import flush_folder, write_text

#: Leftovers of interrupted preparations are removed when they are older than this (seconds).
ABANDONED = 6 * 3600
#: So are parts of a preparation that never went on.
FORGOTTEN = 14 * 24 * 3600
#: Rows that are copied at a time when parts are joined.
ROWS = 100_000
#: What reading a damaged folder raises.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AssertionError)


def cached(
    load: Callable[..., Poses],
    root: str | Path | None,
    *,
    cache_dir: str | Path | None = None,
    **options: Any,
) -> Poses:
    """`load(root, **options)`, prepared once and from then on memory-mapped.

    What is kept is found again by what made it: the adapter and its source, the options, and name,
    size and time of the files it reads. A change to any of them prepares it anew. A preparation
    that is interrupted leaves nothing that is taken for whole, and a damaged one is made again.
    Of an adapter that gives its data in `parts`, those that were done are kept: the next call goes
    on with the rest, and memory holds one of them at a time.
    Where the folder can't be written, the data are used without being kept, with a warning.

    Args:
        load: an adapter's (see `camerapose.data.datasets`).
        cache_dir: `datasets` in the package's cache folder (CAMERAPOSE_CACHE) unless given.

    Returns:
        Poses whose columns may be written to; that changes the memory, never the files.
    """
    folder, key = _place(load, root, options, cache_dir)
    name, parent = load.__module__.rpartition(".")[2], folder.parent
    if folder.exists():
        try:
            return _read(folder)
        except _DAMAGE as error:
            _say(f"{folder} is damaged ({error}); preparing {name} again")
    started = time.monotonic()
    _say(f"preparing {name} (once; kept in {parent}) ...")
    parts = _parts(load, root, options)
    if parts is not None:
        try:
            _write_parts(parts, folder, key)
        except _NotKeptError as error:
            _warn(name, parent, error)
            return load(root, **options)
    else:
        prepared = load(root, **options)
        try:
            _write(prepared, folder, key)
        except OSError as error:
            _warn(name, parent, error)
            return prepared
    found = _read(folder)
    _say(f"{name}: {len(found):,} poses in {time.monotonic() - started:.1f} s")
    return found


def prepared_folder(
    load: Callable[..., Poses],
    root: str | Path | None,
    *,
    cache_dir: str | Path | None = None,
    **options: Any,
) -> Path | None:
    """Where `cached` keeps what it made with these arguments; None if it is not prepared."""
    folder, _ = _place(load, root, options, cache_dir)
    return folder if folder.exists() else None


def _place(
    load: Callable, root: str | Path | None, options: dict[str, Any], cache_dir: Any
) -> tuple[Path, dict[str, Any]]:
    key = _key(load, root, options)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    name = load.__module__.rpartition(".")[2]
    parent = Path(cache_dir).expanduser() if cache_dir else cache_folder() / "datasets"
    return parent / f"{name}-{digest}", key


def _warn(name: str, parent: Path, error: Exception) -> None:
    warnings.warn(
        f"the prepared {name} can't be kept in {parent} ({error}); it will be prepared again "
        "next time. Make room there, or set CAMERAPOSE_CACHE to a folder that can be written",
        stacklevel=3,
    )


def _parts(load: Callable, root: Any, options: dict[str, Any]) -> list | None:
    """The pieces that an adapter offers, if `load` is that adapter's."""
    adapter = sys.modules[load.__module__]
    if getattr(adapter, "load", None) is not load or not hasattr(adapter, "parts"):
        return None
    return adapter.parts(root, **options)


def _key(load: Callable, root: str | Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """All that the result depends on."""
    adapter = sys.modules[load.__module__]
    own = [Path(m.__file__) for m in (camera, conversion, formats, poses, skeleton)]
    sources = [*_sources(adapter), *own]
    return {
        "adapter": load.__module__,
        "version": camerapose.__version__,
        "sources": [hashlib.sha256(s.read_bytes()).hexdigest() for s in sources],
        "options": {name: _plain(value) for name, value in _all_options(load, options).items()},
        "files": [_fingerprint(path) for path in _files(adapter, root, options)],
    }


def _sources(adapter: ModuleType) -> list[Path]:
    """Return the source files of an adapter, which may be a package."""
    path = Path(adapter.__file__)
    return sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]


def _all_options(load: Callable, options: dict[str, Any]) -> dict[str, Any]:
    """With the defaults of those that were not given: it is the same to say them."""
    known = inspect.signature(load).parameters.values()
    defaults = {p.name: p.default for p in known if p.kind is p.KEYWORD_ONLY}
    return {k: v for k, v in defaults.items() if v is not inspect.Parameter.empty} | options


def _files(adapter: Any, root: str | Path | None, options: dict[str, Any]) -> list[Path]:
    if hasattr(adapter, "files"):
        return adapter.files(root, **options)
    if root is None:
        return []
    root = Path(root).expanduser()
    return sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]


def _fingerprint(path: Path) -> list:
    stat = path.stat()
    return [str(path.absolute()), stat.st_size, stat.st_mtime_ns]


def _plain(value: Any) -> Any:
    """An option as JSON has it, so that a list and a tuple of the same are the same."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _write(prepared: Poses, folder: Path, key: dict[str, Any]) -> None:
    """One .npy a column and a table of contents: a whole folder or none."""

    def save(part: Path) -> dict[str, list]:
        contents = {}
        for name, column in prepared.columns().items():
            np.save(part / f"{name}.npy", column, allow_pickle=False)
            contents[name] = [str(column.dtype), list(column.shape)]
        return contents

    _write_folder(folder, formats.definition(prepared.skeleton), save, key)


def _write_folder(
    folder: Path, skeleton: str, save: Callable[[Path], dict[str, list]], key: dict[str, Any]
) -> None:
    _clear(folder)
    part = folder.with_name(f"{folder.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        about = {"skeleton": skeleton, "columns": save(part), "made_by": key}
        write_text(part / "contents.json", json.dumps(about, indent=1))
        flush_folder(part)
        if folder.exists():
            shutil.rmtree(folder)
        try:
            os.rename(part, folder)
        except OSError:
            if not folder.exists():  # if it does, another process was quicker, with the same
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_parts(parts: list, folder: Path, key: dict[str, Any]) -> None:
    """Each part to a folder of its own, those that are there already left out; then all in one."""
    making = folder.with_name(f"{folder.name}.making")
    done = []
    for i, (name, make) in enumerate(tqdm(parts, desc="parts", unit="part", disable=None)):
        part = making / f"{i:03d}-{name}"
        if not _is_whole(part):
            shutil.rmtree(part, ignore_errors=True)
            made = make()
            if made is None:
                continue
            _keep(_write, made, part, key)
        done.append(part)
    if not done:
        raise ValueError(f"there are no poses in {', '.join(name for name, _ in parts)}")
    _keep(_join, done, folder, key)
    shutil.rmtree(making, ignore_errors=True)


class _NotKeptError(Exception):
    """The cache can't be written; unlike errors of the data themselves."""


def _keep(write: Callable, *arguments: Any) -> None:
    try:
        write(*arguments)
    except OSError as error:
        raise _NotKeptError(str(error)) from error


def _is_whole(folder: Path) -> bool:
    try:
        _read(folder)
    except _DAMAGE:
        return False
    return True


def _join(parts: list[Path], folder: Path, key: dict[str, Any]) -> None:
    """All parts in one folder, copied column by column and piece by piece."""
    every = [_read(part) for part in parts]
    columns = [part.columns() for part in every]
    if len({frozenset(c) for c in columns}) > 1 or len({p.skeleton for p in every}) > 1:
        return _write(Poses.cat(every), folder, key)  # says what does not go together

    def save(part: Path) -> dict[str, list]:
        contents = {}
        for name in columns[0]:
            pieces = [c[name] for c in columns]
            dtype = np.result_type(*pieces)
            shape = (sum(map(len, pieces)), *pieces[0].shape[1:])
            header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
            with (part / f"{name}.npy").open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                for piece in pieces:
                    for start in range(0, len(piece), ROWS):
                        rows = np.ascontiguousarray(piece[start : start + ROWS], dtype)
                        file.write(rows.tobytes())
            contents[name] = [str(dtype), list(shape)]
        return contents

    _write_folder(folder, formats.definition(every[0].skeleton), save, key)


def _clear(folder: Path) -> None:
    """Remove what killed preparations left behind, sparing any that may still run or go on."""
    for pattern, age in (("*.part-*", ABANDONED), ("*.making", FORGOTTEN)):
        for left in folder.parent.glob(pattern):
            if time.time() - left.stat().st_mtime > age:
                shutil.rmtree(left, ignore_errors=True)


def _read(folder: Path) -> Poses:
    about = json.loads((folder / "contents.json").read_text())
    columns = {}
    for name, (dtype, shape) in about["columns"].items():
        path = folder / f"{name}.npy"
        # Copy-on-write: torch may share the memory, and nobody can spoil the files.
        mode = "c" if all(shape) else None
        column = np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))
        if [str(column.dtype), list(column.shape)] != [dtype, shape]:
            raise ValueError(f"{path.name} is {column.dtype} {column.shape}, not {dtype} {shape}")
        columns[name] = column
    return Poses.from_columns(formats.get(about["skeleton"]), columns)


def _say(what: str) -> None:
    print(f"camerapose: {what}", file=sys.stderr)
