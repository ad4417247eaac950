"""Prepared data sets, kept as memory-mapped columns so that the second start takes no time."""

import hashlib
import json
import os
import shutil
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import camerapose
from camerapose import camera, poses, skeleton
from camerapose.assets import cache_dir as cache_folder
from camerapose.poses import Poses

#: Leftovers of interrupted preparations are removed when they are older than this (seconds).
ABANDONED = 6 * 3600


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
    Where the folder can't be written, the data are used without being kept, with a warning.

    Args:
        load: an adapter's (see `camerapose.datasets`).
        cache_dir: `datasets` in the package's cache folder (CAMERAPOSE_CACHE) unless given.

    Returns:
        Poses whose columns may be written to; that changes the memory, never the files.
    """
    key = _key(load, root, options)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    name = load.__module__.rpartition(".")[2]
    parent = Path(cache_dir).expanduser() if cache_dir else cache_folder() / "datasets"
    folder = parent / f"{name}-{digest}"
    if folder.exists():
        try:
            return _read(folder)
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            _say(f"{folder} is damaged ({error}); preparing {name} again")
    started = time.monotonic()
    _say(f"preparing {name} (once; kept in {parent}) ...")
    prepared = load(root, **options)
    try:
        _write(prepared, folder, key)
    except OSError as error:
        warnings.warn(
            f"the prepared {name} can't be kept in {parent} ({error}); it will be prepared again "
            "next time. Make room there, or set CAMERAPOSE_CACHE to a folder that can be written",
            stacklevel=2,
        )
        return prepared
    _say(f"{name}: {len(prepared):,} poses in {time.monotonic() - started:.1f} s")
    return _read(folder)


def _key(load: Callable, root: str | Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """All that the result depends on."""
    adapter = sys.modules[load.__module__]
    sources = [module.__file__ for module in (adapter, camera, poses, skeleton)]
    return {
        "adapter": load.__module__,
        "version": camerapose.__version__,
        "sources": [hashlib.sha256(Path(s).read_bytes()).hexdigest() for s in sources],
        "options": {name: _plain(value) for name, value in options.items()},
        "files": [_fingerprint(path) for path in _files(adapter, root, options)],
    }


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
    _clear(folder)
    part = folder.with_name(f"{folder.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        contents = {}
        for name, column in prepared.columns().items():
            np.save(part / f"{name}.npy", column, allow_pickle=False)
            contents[name] = [str(column.dtype), list(column.shape)]
        about = {"skeleton": prepared.skeleton.definition, "columns": contents, "made_by": key}
        (part / "contents.json").write_text(json.dumps(about, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        try:
            os.rename(part, folder)
        except OSError:
            if not folder.exists():  # if it does, another process was quicker, with the same
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what killed preparations left behind, sparing any that may still run."""
    for part in folder.parent.glob("*.part-*"):
        if time.time() - part.stat().st_mtime > ABANDONED:
            shutil.rmtree(part, ignore_errors=True)


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
    return Poses.from_columns(skeleton.get(about["skeleton"]), columns)


def _say(what: str) -> None:
    print(f"camerapose: {what}", file=sys.stderr)
