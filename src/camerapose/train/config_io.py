"""Read, check and write training configurations (TOML).

A file lists differences from the defaults. With `extends = "other.toml"` it lists differences from
another file instead, whose path is relative to its own folder.
"""

import dataclasses
import json
import math
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from camerapose.core import toml
from camerapose.train.config import Config

#: Key that names the file whose settings are inherited.
EXTENDS = "extends"
#: Human3.6M's test subjects.
TEST_SUBJECTS = {"S9", "S11"}

#: Settings that older versions lacked, with the values that they had in effect.
OLDER = {"data": {"validation_share": 0.0}}
#: File of a run folder from which a training is resumed.
STATE = "training.pt"
#: Largest absolute value of a number without a range of its own.
MAX_NUMBER = 1e12


def read(path: Path | str, defaults: Any = None) -> Any:
    """Read a configuration file, including the files that it extends.

    Args:
        path: TOML file.
        defaults: settings of another recipe; None: `Config()`.

    Tables are merged key by key. A setting with a table as its value (`model.lifter_arguments`,
    `data.pairs`, `data.unlabelled`) is one value: it replaces the inherited one. The config.toml of
    a run that an older version began keeps the behaviour of that version.

    Raises:
        FileNotFoundError: the file or a file that it extends does not exist.
        ValueError: not TOML, an unknown key, a value of another type or out of range, or files
            that extend each other.
    """
    config = Config() if defaults is None else defaults
    if defaults is None and (Path(path).parent / STATE).exists():
        config = update(config, OLDER, "an older version")
    for file, differences in _chain(Path(path)):
        config = update(config, differences, str(file))
    return config


def recipe(path: Path | str) -> str:
    """Return the setting `recipe` of a file or the files it extends; "stages" if there is none."""
    return next((d["recipe"] for _, d in reversed(_chain(Path(path))) if "recipe" in d), "stages")


def read_differences(path: Path | str) -> dict[str, Any]:
    """Return all differences from the defaults that a file and the files it extends list.

    Raises:
        FileNotFoundError, ValueError: as `read`.
    """
    config, merged = Config(), {}
    for file, differences in _chain(Path(path)):
        config = update(config, differences, str(file))
        merged = _merged(merged, differences, config)
    return merged


def _merged(base: dict[str, Any], differences: dict[str, Any], config: Any) -> dict[str, Any]:
    merged = dict(base)
    for key, value in differences.items():
        nested = getattr(config, key)
        if dataclasses.is_dataclass(nested):
            value = _merged(base.get(key, {}), value, nested)
        merged[key] = value
    return merged


def _chain(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the file and the files it extends with their settings, base file first."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    visited: list[Path] = []
    while True:
        resolved = path.resolve()
        if resolved in visited:
            names = " -> ".join(p.name for p in [*visited, resolved])
            raise ValueError(f"{path}: configuration files extend each other: {names}")
        visited.append(resolved)
        differences = _parse(path)
        base = differences.pop(EXTENDS, None)
        chain.insert(0, (path, differences))
        if base is None:
            return chain
        if not isinstance(base, str):
            raise ValueError(f"{path}: extends = {base!r}; accepted: the path of a .toml file")
        path = path.parent / base


def _parse(path: Path) -> dict[str, Any]:
    try:
        return toml.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no configuration at {path}; pass a .toml file such as configs/quick.toml"
        ) from None
    except ValueError as error:  # also of other encodings
        raise ValueError(f"{path} is not a TOML file: {error}") from None


def update(
    config: Any,
    differences: dict[str, Any],
    source: str,
    prefix: str = "",
    *,
    merge: bool = False,
) -> Any:
    """Return a copy of a settings dataclass with some fields changed.

    Args:
        config: `Config` or one of its tables.
        differences: nested dictionaries of the fields to change.
        source: origin of the differences, named in errors.
        prefix: key of the table, with a final dot.
        merge: keep the other keys of fields that are dictionaries.

    Raises:
        ValueError: an unknown key, or a value of another type or out of range.
    """
    known = {f.name: f for f in dataclasses.fields(config)}
    changes = {}
    for key, value in differences.items():
        name = f"{prefix}{key}"
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {prefix}{near[0]}? " if near else ""
            raise ValueError(
                f"{source}: unknown key {name}; {hint}accepted keys: {', '.join(known)}"
            )
        old = getattr(config, key)
        if merge and isinstance(old, dict) and isinstance(value, dict):
            value = old | value
        if not dataclasses.is_dataclass(old):
            changes[key] = _checked(known[key], old, value, f"{source}: {name}")
        elif isinstance(value, dict):
            changes[key] = update(old, value, source, f"{name}.", merge=merge)
        else:
            raise ValueError(f"{source}: {name} = {value!r}; {name} is a table: write [{name}]")
    return dataclasses.replace(config, **changes)


def _checked(field: dataclasses.Field, old: Any, value: Any, where: str) -> Any:
    """Return the value converted to the type of the field, or raise a ValueError."""
    if isinstance(old, tuple) and isinstance(value, list | tuple):
        kind = get_args(field.type)[0]
        if any(type(v) is not kind for v in value):
            raise ValueError(f"{where} = {value!r}; accepted: a list with elements of {kind}")
        return tuple(value)
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(None) in get_args(field.type):  # optional: false disables it
        if value is False or value is None:
            return None
        old = ""
    if type(value) is not type(old):
        raise ValueError(
            f"{where} = {value!r} is of type {type(value).__name__}; accepted: "
            f"{type(old).__name__}, for example {old!r}"
        )
    _check_value(field, value, where)
    return value


def _check_value(field: dataclasses.Field, value: Any, where: str) -> None:
    """Raise a ValueError if a value is outside the accepted range or choices."""
    if get_origin(field.type) is Literal and value not in get_args(field.type):
        choices = ", ".join(map(repr, get_args(field.type)))
        raise ValueError(f"{where} = {value!r}; accepted: {choices}")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    low = field.metadata.get("min", -MAX_NUMBER)
    above = field.metadata.get("above", -math.inf)
    high = field.metadata.get("max", MAX_NUMBER)
    if not (low <= value <= high and value > above):  # also NaN
        raise ValueError(f"{where} = {value!r}; accepted: {_range(field.metadata)}")


def _range(metadata: Any) -> str:
    if "max" in metadata:
        return f"{metadata['min']} to {metadata['max']}"
    if "above" in metadata:
        return f"a number above {metadata['above']}, at most {MAX_NUMBER:g}"
    return f"{metadata.get('min', -MAX_NUMBER):g} to {MAX_NUMBER:g}"


def check(config: Config) -> Config:
    """Return the same configuration if a run with it is possible.

    Raises:
        ValueError: a value out of range, or training or validation on the test set.
    """
    _check_table(config, "")
    if (config.weights.distillation > 0) != bool(config.teachers):
        raise ValueError(
            f"weights.distillation = {config.weights.distillation} with {len(config.teachers)} "
            "teachers; set both weights.distillation above 0 and teachers, or neither"
        )
    for name in ("subjects", "held_out"):
        test = TEST_SUBJECTS & set(getattr(config.data, name))
        if test:
            raise ValueError(
                f"data.{name} contains {', '.join(sorted(test))}, which belong to the test set of "
                "Human3.6M; accepted: S1, S5, S6, S7, S8"
            )
    return config


def _check_table(config: Any, prefix: str) -> None:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            _check_table(value, f"{prefix}{field.name}.")
        else:
            _check_value(field, value, f"{prefix}{field.name}")


def as_dict(config: Any) -> dict[str, Any]:
    """Return nested dictionaries, with lists for tuples, as accepted by `update` and JSON."""
    plain = {}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if dataclasses.is_dataclass(value):
            value = as_dict(value)
        plain[f.name] = list(value) if isinstance(value, tuple) else value
    return plain


def to_toml(config: Any) -> str:
    """Return the complete configuration as TOML that `read` accepts."""
    lines, tables = [], []
    for key, entry in as_dict(config).items():
        if dataclasses.is_dataclass(getattr(config, key)):
            tables += [f"\n[{key}]", *(f"{k} = {_toml(v)}" for k, v in entry.items())]
        else:
            lines.append(f"{key} = {_toml(entry)}")
    return "\n".join(lines + tables) + "\n"


def _toml(value: Any) -> str:
    if value is None:
        return "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
