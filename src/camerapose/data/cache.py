"""Cache of data sets: each is prepared once and memory-mapped afterwards."""

import contextlib
import hashlib
import inspect
import json
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tqdm import tqdm

import camerapose
from camerapose.core import camera, conversion, joint_formats, poses, skeleton
from camerapose.core.poses import Poses
from camerapose.data import store
from camerapose.io.assets import cache_dir as cache_folder
from camerapose.io.locks import lock_cache


def cached(
    load: Callable[..., Poses],
    root: str | Path | None,
    *,
    cache_dir: str | Path | None = None,
    **options: Any,
) -> Poses:
    """Return `load(root, **options)`, prepared once and memory-mapped afterwards.

    Files that the adapter can `make` are made first, if they are missing. The cache key consists of
    the source of the adapter, the options, and name, size and time of the files that it reads; a
    change of any of them prepares the data set again. An interrupted preparation is never taken as
    complete, and a damaged one is repeated. If the adapter has `parts`, completed parts are kept:
    the next call resumes with the others, and only one part at a time is in memory. If the cache
    folder cannot be written, the data are returned uncached, with a warning.

    Args:
        load: function of an adapter (see `camerapose.data.datasets`).
        root: folder of the data set's files.
        cache_dir: default: `datasets` in the package's cache folder (CAMERAPOSE_CACHE).
        options: keyword arguments of `load`.

    Returns:
        Poses whose columns may be written to without changing the cache.
    """
    adapter = sys.modules[load.__module__]
    if getattr(adapter, "load", None) is load and hasattr(adapter, "make"):
        adapter.make(root)
    folder, key = _entry(load, root, options, cache_dir)
    with contextlib.ExitStack() as stack:
        if not folder.exists():  # otherwise no lock is needed, and the folder may be read-only
            with contextlib.suppress(OSError):  # reported when the data are written
                lock = lock_cache(folder.parent, f".{folder.name}.lock", _log)
                stack.enter_context(lock)
        return _read_or_prepare(load, root, options, folder, key)


def _read_or_prepare(
    load: Callable[..., Poses],
    root: str | Path | None,
    options: dict[str, Any],
    folder: Path,
    key: dict[str, Any],
) -> Poses:
    """Return the poses in a folder of the cache, after preparing them if they are not there."""
    name, parent = _name(load), folder.parent
    if folder.exists():
        try:
            return store.read(folder)
        except store.DAMAGED as error:
            _log(f"{folder} is damaged ({error}); preparing {name} again")
    started = time.monotonic()
    _log(f"preparing {name} (once; cached in {parent}) ...")
    parts = _parts(load, root, options)
    if parts is not None:
        try:
            _prepare_parts(parts, folder, key)
        except _CacheError as error:
            _warn(name, parent, error)
            return load(root, **options)
    else:
        prepared = load(root, **options)
        try:
            store.write(prepared, folder, key)
        except OSError as error:
            _warn(name, parent, error)
            return prepared
    result = store.read(folder)
    _log(f"{name}: {len(result):,} poses in {time.monotonic() - started:.1f} s")
    return result


def prepared_folder(
    load: Callable[..., Poses],
    root: str | Path | None,
    *,
    cache_dir: str | Path | None = None,
    **options: Any,
) -> Path | None:
    """Return the folder in which `cached` keeps these data; None if they are not prepared."""
    folder, _ = _entry(load, root, options, cache_dir)
    return folder if folder.exists() else None


class _CacheError(Exception):
    """The cache cannot be written, as opposed to errors of the data set."""


def _prepare_parts(parts: list, folder: Path, key: dict[str, Any]) -> None:
    """Store each part in a folder of its own unless it exists, then join them."""
    temporary = folder.with_name(f"{folder.name}.making")
    stored = []
    for i, (name, make) in enumerate(tqdm(parts, desc="parts", unit="part", disable=None)):
        part = temporary / f"{i:03d}-{name}"
        if not store.is_complete(part):
            shutil.rmtree(part, ignore_errors=True)
            prepared = make()
            if prepared is None:
                continue
            _write(store.write, prepared, part, key)
        stored.append(part)
    if not stored:
        raise ValueError(f"no poses in {', '.join(name for name, _ in parts)}")
    _write(store.join, stored, folder, key)
    shutil.rmtree(temporary, ignore_errors=True)


def _write(write: Callable, *arguments: Any) -> None:
    try:
        write(*arguments)
    except OSError as error:
        raise _CacheError(str(error)) from error


def _parts(load: Callable, root: Any, options: dict[str, Any]) -> list | None:
    """Return the parts of an adapter, if it has them and `load` is its own."""
    adapter = sys.modules[load.__module__]
    if getattr(adapter, "load", None) is not load or not hasattr(adapter, "parts"):
        return None
    return adapter.parts(root, **options)


# --- keys ---------------------------------------------------------------------------------------


def _entry(
    load: Callable, root: str | Path | None, options: dict[str, Any], cache_dir: Any
) -> tuple[Path, dict[str, Any]]:
    """Return folder and key of these data."""
    key = _key(load, root, options)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    parent = Path(cache_dir).expanduser() if cache_dir else cache_folder() / "datasets"
    return parent / f"{_name(load)}-{digest}", key


def _name(load: Callable) -> str:
    return load.__module__.rpartition(".")[2]


def _key(load: Callable, root: str | Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return everything that the result depends on."""
    adapter = sys.modules[load.__module__]
    core = [_path(module) for module in (camera, conversion, joint_formats, poses, skeleton)]
    return {
        "adapter": load.__module__,
        "version": camerapose.__version__,
        "sources": [
            hashlib.sha256(path.read_bytes()).hexdigest() for path in [*_sources(adapter), *core]
        ],
        "options": {name: _plain(value) for name, value in _all_options(load, options).items()},
        "files": [_fingerprint(path) for path in _files(adapter, root, options)],
    }


def _sources(adapter: ModuleType) -> list[Path]:
    """Return the source files of an adapter, which may be a package."""
    path = _path(adapter)
    return sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]


def _path(module: ModuleType) -> Path:
    assert module.__file__ is not None
    return Path(module.__file__)


def _all_options(load: Callable, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that determine the result, with the defaults of the others."""
    known = inspect.signature(load).parameters.values()
    defaults = {p.name: p.default for p in known if p.kind is p.KEYWORD_ONLY}
    values = {k: v for k, v in defaults.items() if v is not inspect.Parameter.empty} | options
    ignored = getattr(sys.modules[load.__module__], "UNCACHED_OPTIONS", ())
    return {name: value for name, value in values.items() if name not in ignored}


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
    """Return an option as JSON stores it, such that equal lists and tuples are equal."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


# --- messages -----------------------------------------------------------------------------------


def _warn(name: str, parent: Path, error: Exception) -> None:
    warnings.warn(
        f"{name} cannot be cached in {parent} ({error}) and will be prepared again next time; free "
        "some space, or set CAMERAPOSE_CACHE to a writable folder",
        stacklevel=3,
    )


def _log(message: str) -> None:
    print(f"camerapose: {message}", file=sys.stderr)
