"""Available data sets: list them, parse their options, prepare one.

Nothing here depends on a particular data set: every module in `datasets/` that keeps the contract
described there is listed and prepared.
"""

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from camerapose.core import plugins, toml
from camerapose.core.poses import Poses
from camerapose.data.cache import cached, prepared_folder


class Entry(NamedTuple):
    """One data set in the list."""

    name: str
    summary: str
    root: Path | None
    state: str


def entries() -> list[Entry]:
    """Return every data set, and whether its files are in the default folder."""
    result = []
    for name in plugins.available("datasets"):
        try:
            adapter = plugins.load("datasets", name)
        except ImportError as error:
            result.append(Entry(name, "", None, f"cannot be loaded: {error}"))
            continue
        summary = (adapter.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        root = default_root(name)
        result.append(Entry(name, summary, root, _state(adapter, root)))
    return result


def _state(adapter: ModuleType, root: Path) -> str:
    try:
        if not _files(adapter, root):
            return "needs no files" if not _takes_root(adapter) else f"not in {root}"
        ready = prepared_folder(adapter.load, root) is not None
    except (OSError, ValueError):
        return f"not in {root}"
    return f"in {root}" + (", prepared" if ready else "")


def _takes_root(adapter: ModuleType) -> bool:
    first = next(iter(inspect.signature(adapter.load).parameters.values()))
    return first.default is inspect.Parameter.empty


def _files(adapter: ModuleType, root: Path) -> list[Path]:
    """Return the existing files that `load` would read."""
    if hasattr(adapter, "files"):
        return [path for path in adapter.files(root) if path.exists()]
    return [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []


def default_root(name: str) -> Path:
    """Return the folder used if none is given: the adapter's `ROOT`, otherwise `data/NAME`."""
    return Path(getattr(plugins.load("datasets", name), "ROOT", f"data/{name}"))


def parse_options(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """Parse settings such as `subjects=S9,S11 frame_step=5` into the options of `load`.

    Raises:
        ValueError: the data set has no such option, or a setting is not KEY=VALUE.
    """
    known = inspect.signature(plugins.load("datasets", name).load).parameters
    names = [p.name for p in known.values() if p.kind is p.KEYWORD_ONLY]
    options = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if key not in names or not equals:
            similar = get_close_matches(key, names, n=1)
            raise ValueError(
                f"{name} has no option {setting!r}; give KEY=VALUE with one of "
                f"{', '.join(names) or 'none'}"
                + (f"; did you mean {similar[0]!r}?" if similar else "")
            )
        options[key] = _value(text, known[key])
    return options


def _value(text: str, parameter: inspect.Parameter) -> Any:
    """Parse a TOML value or a plain string; commas separate the values of a sequence."""
    try:
        value = toml.parse(f"value = {text}")["value"]
    except ValueError:
        value = text
    is_sequence = isinstance(parameter.default, (tuple, list)) or "Sequence" in str(
        parameter.annotation
    )
    if is_sequence and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(value) if isinstance(value, list) else value


def prepare(
    name: str, root: Path | None = None, options: Mapping[str, Any] | None = None
) -> tuple[Poses, Path | None]:
    """Return the poses of a data set and its folder in the cache, preparing it if necessary.

    Args:
        name: data set (a module in `datasets/`).
        root: folder of its files; None: `default_root`.
        options: keyword arguments of its `load`.
    """
    options = options or {}
    adapter = plugins.load("datasets", name)
    if root is not None:
        root = Path(root).expanduser()
    elif _takes_root(adapter):
        root = default_root(name)
    poses = cached(adapter.load, root, **options)
    return poses, prepared_folder(adapter.load, root, **options)
