"""Decide whether a run may be resumed with other settings than it began with."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

#: Settings that do not affect the state of a run.
HARMLESS = ("checkpoint_minutes", "compile", "device", "figures")


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one dictionary with dotted keys."""
    result: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def check_settings(
    old: dict[str, Any],
    new: dict[str, Any],
    out: Path,
    *,
    growing: Collection[str],
    is_folder: Callable[[str], bool],
) -> None:
    """Check that a run with the settings `old` can go on with the settings `new`.

    Allowed are changes of `HARMLESS` settings, of folders, and larger values of `growing`.

    Args:
        old, new: nested settings, as `config_io.as_dict` returns them.
        out: run folder, named in the error.
        growing: dotted keys whose value may increase, to extend a run.
        is_folder: tells whether a dotted key is the folder of a data set, which may be moved.

    Raises:
        ValueError: other settings differ; the message contains both values of each.
    """
    before, after = flat(old), flat(new)
    rejected = []
    for key in sorted(before.keys() | after.keys()):
        a, b = before.get(key), after.get(key)
        moved = is_folder(key) and isinstance(a, str) and isinstance(b, str)
        if a == b or key in HARMLESS or moved or (key in growing and b > a):
            continue
        rejected.append(f"{key} = {_text(a)}, not {_text(b)}")
    if rejected:
        raise ValueError(
            f"{out} contains a run with {'; '.join(rejected)}; resume it with "
            f"{out / 'config.toml'} or choose another output folder (folders of data, "
            f"{', '.join(HARMLESS)} may change, {', '.join(growing)} may increase)"
        )


def _text(value: Any) -> str:
    return "false" if value is None or value is False or value == {} else str(value)
