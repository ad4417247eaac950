"""Parse TOML of unknown origin."""

import tomllib
from typing import Any

#: Longest text that is parsed, in characters.
MAX_LENGTH = 1_000_000
#: Largest absolute value of an integer, exclusive: those of TOML have 64 bits.
MAX_INTEGER = 1 << 63
#: Deepest nesting of tables and arrays.
MAX_DEPTH = 32


def parse(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        ValueError: no TOML, too long, too deeply nested, or an integer of more than 64 bits.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the text has {len(text)} characters; at most {MAX_LENGTH} are read")
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from None
    _check(content)
    return content


def _check(content: Any) -> None:
    level = [content]
    for _ in range(MAX_DEPTH):
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
    raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
