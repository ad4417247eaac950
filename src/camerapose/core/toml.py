"""Parse TOML of unknown origin."""

import tomllib
from typing import Any

from camerapose.core.limits import DEFAULT

#: Largest absolute value of an integer, exclusive: those of TOML have 64 bits.
MAX_INTEGER = 1 << 63


def parse(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        ValueError: no TOML, too long, too deeply nested, or an integer of more than 64 bits.
    """
    if len(text) > DEFAULT.max_text:
        raise ValueError(
            f"the text has {len(text)} characters; at most {DEFAULT.max_text} are read"
        )
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {DEFAULT.max_depth} levels deep") from None
    _check(content)
    return content


def _check(content: Any) -> None:
    level = [content]
    for _ in range(DEFAULT.max_depth):
        if any(type(value) is int and abs(value) >= MAX_INTEGER for value in level):
            raise ValueError("an integer has more than 64 bits")
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ValueError(f"nested more than {DEFAULT.max_depth} levels deep")
