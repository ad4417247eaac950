"""Settings of an ONNX model from the TOML file next to it."""

from pathlib import Path
from typing import TypeVar

from camerapose.core import joint_formats, toml

Settings = TypeVar("Settings", bound=tuple)


def read_settings(model: Path, kind: type[Settings]) -> Settings:
    """Read the .toml file with the name of a model; the defaults without such a file.

    Args:
        kind: NamedTuple of the settings; may have `skeleton` (a joint format), `mean` and `std`
            (of three channels).

    Raises:
        ValueError: the file is no TOML, has unknown settings or invalid values.
    """
    path = model.with_suffix(".toml")
    if not path.is_file():
        return kind()
    try:
        values = toml.parse(path.read_text(encoding="utf-8"))
        known = kind._fields  # type: ignore[attr-defined]
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        settings = kind(**values)
        if skeleton := getattr(settings, "skeleton", ""):
            joint_formats.get(skeleton)
        std = getattr(settings, "std", (1, 1, 1))
        if len(getattr(settings, "mean", std)) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError("expected three numbers as mean and three above 0 as std")
    except (ValueError, TypeError) as error:
        raise ValueError(f"invalid settings in {path}: {error}") from error
    return settings
