"""Parse large JSON files with little memory: objects as columns, lists of numbers as arrays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

#: Characters that are read at once, and rows whose values are packed together.
CHUNK, ROWS = 1 << 22, 4096
#: Shorter lists of numbers stay lists.
MIN_PACKED = 6
#: Keys whose values can be large and never hold keypoints.
_IGNORED = frozenset({"segmentation"})


class Table:
    """A JSON list of objects, stored by columns.

    Columns of numbers, and of lists of numbers that have one length, are arrays; others are lists.
    A key that an object lacks has the value None.
    """

    def __init__(self) -> None:
        self._length = 0
        self._keys: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []
        self._blocks: list[tuple[int, dict[str, Any]]] = []

    def append(self, row: dict[str, Any]) -> None:
        """Add an object."""
        self._rows.append(row)
        self._length += 1
        if len(self._rows) >= ROWS:
            self.pack()

    def pack(self) -> None:
        """Convert the rows that were appended last to columns."""
        if not self._rows:
            return
        keys = dict.fromkeys(key for row in self._rows for key in row if key not in _IGNORED)
        self._keys |= keys
        block = {key: _packed([row.get(key) for row in self._rows]) for key in keys}
        self._blocks.append((len(self._rows), block))
        self._rows = []

    def __len__(self) -> int:
        return self._length

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, in order of appearance."""
        return tuple(self._keys)

    def take(self, key: str) -> Any:
        """Return the values of a key, and drop them from the table.

        An array if all values have one type and shape, else a list; None where there is no value.
        """
        self._keys.pop(key, None)
        parts = [block.pop(key, None) for _, block in self._blocks]
        shapes = {(p.shape[1:], p.dtype) if isinstance(p, np.ndarray) else None for p in parts}
        if len(shapes) == 1 and (shape := shapes.pop()):
            joined = np.empty((len(self), *shape[0]), shape[1])
            for i, (start, stop) in enumerate(self._ranges()):
                joined[start:stop] = parts[i]
                parts[i] = None
            return joined
        values: list[Any] = []
        for (start, stop), part in zip(self._ranges(), parts, strict=True):
            if part is None:
                values.extend([None] * (stop - start))
            elif isinstance(part, np.ndarray) and part.ndim == 1:
                values.extend(part.tolist())
            else:
                values.extend(part)
        return values

    def _ranges(self) -> Iterator[tuple[int, int]]:
        start = 0
        for length, _ in self._blocks:
            yield start, start + length
            start += length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the objects."""
        for length, block in self._blocks:
            for i in range(length):
                row = {key: part[i] for key, part in block.items()}
                yield {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}

    def first(self) -> dict[str, Any]:
        """Return the first object; empty if there is none."""
        return next(iter(self), {})


def load(path: Path) -> Any:
    """Parse a JSON file.

    Returns:
        What `json.loads` returns, except that a list of objects at the top, or directly in an
        object at the top, is a `Table`, and that lists of numbers are float32 arrays.

    Raises:
        ValueError: the file is not JSON.
    """
    with open(path, "rb") as file:
        encoding = json.detect_encoding(file.read(4))
    with open(path, encoding=encoding, errors="surrogatepass") as text:
        try:
            return _Parser(text).document()
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class _Parser:
    """Decodes the elements of the outermost lists and objects one by one."""

    def __init__(self, file: Any):
        self._file, self._text, self._at, self._ended = file, "", 0, False
        self._decode = json.JSONDecoder().raw_decode

    def document(self) -> Any:
        opening = self._next()
        if opening == "[":
            content: Any = self._list()
        elif opening == "{":
            content = {}
            for key in self._members("{", "}"):
                content[key] = self._list() if self._next() == "[" else compact(self._value())
        else:
            content = self._value()
        if self._next():
            raise ValueError(f"extra data: {self._text[self._at : self._at + 20]!r}")
        return content

    def _list(self) -> Any:
        """Parse a list: a `Table` if all elements are objects."""
        table = Table()
        others: list[Any] = []
        for _ in self._members("[", "]"):
            value = self._value()
            if isinstance(value, dict) and not others:
                table.append(_compact_row(value))
            else:
                others.append(compact(value))
        table.pack()
        if others:
            return compact([*table, *others])
        return table

    def _members(self, opening: str, closing: str) -> Iterator[str]:
        """Walk over the elements of a list, or the keys of an object; the caller reads values."""
        self._skip(opening)
        if self._next() == closing:
            self._at += 1
            return
        while True:
            key = ""
            if opening == "{":
                key = self._value()
                if not isinstance(key, str):
                    raise ValueError(f"an object has the key {key!r}")
                self._skip(":")
            yield key
            found = self._next()
            if found not in (",", closing):
                raise ValueError(f"expected ',' or {closing!r}, got {found or 'the end'!r}")
            self._at += 1
            if found == closing:
                return

    def _skip(self, expected: str) -> None:
        if self._next() != expected:
            raise ValueError(f"expected {expected!r}, got {self._next() or 'the end'!r}")
        self._at += 1

    def _next(self) -> str:
        """Return the next character that is not white space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _value(self) -> Any:
        self._next()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():  # a number may go on
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Read more text; False at the end of the file."""
        if self._ended:
            return False
        left = self._text[self._at :]
        chunk = self._file.read(max(CHUNK, len(left)))
        self._ended = not chunk
        self._text, self._at = left + chunk, 0
        return bool(chunk)


def compact(value: Any) -> Any:
    """Return a parsed value whose lists of numbers are float32 arrays."""
    if isinstance(value, dict):
        return {key: compact(item) for key, item in value.items() if key not in _IGNORED}
    if isinstance(value, list):
        if (array := _array(value)) is not None:
            return array
        return [compact(item) for item in value]
    return value


def _compact_row(row: dict[str, Any]) -> dict[str, Any]:
    """Compact an object of a table, except for flat lists of numbers, which the table packs."""
    return {
        key: compact(item)
        if isinstance(item, dict) or (isinstance(item, list) and item and _is_nested(item))
        else item
        for key, item in row.items()
    }


def _is_nested(values: list) -> bool:
    return any(isinstance(value, (list, dict)) for value in values[:MIN_PACKED])


def _array(values: list) -> np.ndarray | None:
    """Return a list as an array of numbers; None if it is short, or not of numbers alone.

    None in a list of numbers, and in a list of points, is NaN.
    """
    first = next((value for value in values if value is not None), None)
    if isinstance(first, list):
        if not first or not all(type(v) in (int, float, type(None)) for v in first):
            return None
        if any(value is None for value in values):
            missing = [None] * len(first)
            values = [missing if value is None else value for value in values]
    elif type(first) not in (int, float) or len(values) < MIN_PACKED:
        return None
    return _numbers(values)


def _numbers(values: list) -> np.ndarray | None:
    try:
        array = np.array(values, np.float32)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.ndim <= 2 else None


def _packed(values: list[Any]) -> Any:
    """Return values of one column as an array if they have one type and shape."""
    kinds = set(map(type, values))
    if kinds <= {int, float} and kinds:
        if kinds == {int} and all(abs(value) < 2**62 for value in values):
            return np.array(values, np.int64)
        return np.array(values, np.float64) if kinds == {float} else values
    if kinds == {np.ndarray}:
        if len({value.shape for value in values}) == 1:
            return np.stack(values)
    elif kinds == {list}:
        lengths = set(map(len, values))
        if len(lengths) == 1 and lengths.pop() >= MIN_PACKED:
            array = _table(values)
            if array is not None:
                return array
        return [compact(value) for value in values]
    return values


def _table(rows: list[list]) -> np.ndarray | None:
    """Return rows of numbers of one length as an array; None if they are anything else."""
    try:
        array = np.array(rows)
    except ValueError:  # lists of different lengths in a row
        return None
    if array.ndim == 2 and array.dtype.kind in "if":
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    numbers = _numbers(rows) if _is_flat(rows) else None
    return numbers if numbers is not None and numbers.ndim == 2 else None


def _is_flat(rows: list[list]) -> bool:
    """Whether rows hold only numbers and None: strings of digits are no numbers."""
    kinds: set[type] = set()
    for row in rows:
        kinds.update(map(type, row))
    return kinds <= {int, float, type(None)}
