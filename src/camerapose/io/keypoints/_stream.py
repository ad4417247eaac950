"""Parse large JSON files with little memory: objects as columns, lists of numbers as arrays."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import orjson

#: Characters that are read at once, and rows whose values are packed together.
CHUNK, ROWS = 1 << 22, 4096
#: Blocks of rows that are joined to one: large arrays are returned to the system when freed.
BLOCKS = 64
#: Shorter lists of numbers stay lists.
MIN_PACKED = 6
#: Suffixes of files with one JSON object per line.
LINES = (".jsonl", ".ndjson")
#: Keys whose values can be large and never hold keypoints.
_IGNORED = frozenset({"segmentation", "bbox", "box", "area"})
#: The beginning of the next object in a list, up to its first key.
_NEXT_OBJECT = re.compile(r'\s*(,)\s*\{\s*"[^"\\]*"')


class Table:
    """A JSON list of objects, stored by columns.

    Columns of numbers, and of lists of numbers that have one length, are arrays; others are lists.
    A key that an object lacks has the value None.
    """

    def __init__(self) -> None:
        self._length = 0
        self._keys: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []
        self._blocks: list[tuple[int, dict[str, Any]]] = []  # number of rows, and columns
        self._small = 0

    def append(self, row: dict[str, Any]) -> None:
        """Add an object."""
        self._rows.append(row)
        self._length += 1
        if len(self._rows) >= ROWS:
            self.pack()

    def extend(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add many objects at once."""
        self.pack()
        self._length += len(rows)
        for first in range(0, len(rows), ROWS):
            self._pack(rows[first : first + ROWS])

    def pack(self) -> None:
        """Convert the rows that were appended last to columns."""
        if self._rows:
            self._pack(self._rows)
            self._rows = []

    def _pack(self, rows: Sequence[dict[str, Any]]) -> None:
        keys = dict.fromkeys(chain.from_iterable(rows))
        for key in _IGNORED & keys.keys():
            del keys[key]
        self._keys |= keys
        block = {key: _packed(_column(rows, key)) for key in keys}
        self._blocks.append((len(rows), block))
        self._small += 1
        if self._small == BLOCKS:
            parts, self._blocks = self._blocks[-BLOCKS:], self._blocks[:-BLOCKS]
            joined = {key: _joined(key, parts) for key in self._keys}
            self._blocks.append((sum(length for length, _ in parts), joined))
            self._small = 0

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
        return _joined(key, self._blocks)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the objects."""
        for length, block in self._blocks:
            for i in range(length):
                row = {key: part[i] for key, part in block.items() if part is not None}
                yield {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}

    def first(self) -> dict[str, Any]:
        """Return the first object; empty if there is none."""
        return next(iter(self), {})


def _joined(key: str, blocks: Sequence[tuple[int, dict[str, Any]]]) -> Any:
    """Return a column of several blocks, and drop it from each: an array if possible."""
    parts = [block.pop(key, None) for _, block in blocks]
    lengths = [length for length, _ in blocks]
    shapes = {(p.shape[1:], p.dtype) if isinstance(p, np.ndarray) else None for p in parts}
    if len(shapes) == 1 and (shape := shapes.pop()):
        joined = np.empty((sum(lengths), *shape[0]), shape[1])
        start = 0
        for i, length in enumerate(lengths):
            joined[start : start + length] = parts[i]
            parts[i] = None
            start += length
        return joined
    values: list[Any] = []
    for length, part in zip(lengths, parts, strict=True):
        if part is None:
            values.extend([None] * length)
        elif isinstance(part, np.ndarray) and part.ndim == 1:
            values.extend(part.tolist())
        else:
            values.extend(part)
    return values


def load(path: Path) -> Any:
    """Parse a JSON file.

    Returns:
        What `json.loads` returns, except that a list of objects at the top, or directly in an
        object at the top, is a `Table`, and that lists of numbers are float32 arrays. JSON Lines
        (suffixes `LINES`) are a list.

    Raises:
        ValueError: the file is not JSON.
    """
    with open(path, "rb") as file:
        encoding = json.detect_encoding(file.read(4))
    with open(path, encoding=encoding, errors="surrogatepass") as text:
        parser = _Parser(text)
        try:
            return parser.lines() if path.suffix.lower() in LINES else parser.document()
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class _Parser:
    """Decodes the elements of the outermost lists and objects.

    One by one, except for objects of a list that begin alike: these are decoded in one call.
    """

    def __init__(self, file: Any):
        self._file, self._text, self._at, self._ended = file, "", 0, False
        self._decode = json.JSONDecoder().raw_decode
        self._are_alike = True

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

    def lines(self) -> Table:
        """Parse one object after the other."""
        table = Table()
        while self._next():
            value = self._value()
            if not isinstance(value, dict):
                raise ValueError(f"line {len(table) + 1} is a {type(value).__name__}, no object")
            table.append(_compact_row(value))
        table.pack()
        return table

    def _list(self) -> Any:
        """Parse a list: a `Table` if all elements are objects."""
        table = Table()
        others: list[Any] = []
        for _ in self._members("[", "]"):
            value = self._value()
            if isinstance(value, dict) and not others:
                table.append(_compact_row(value))
                if more := self._objects():
                    table.extend(more)
            else:
                others.append(compact(value))
        table.pack()
        if others:
            return compact([*table, *others])
        return table

    def _objects(self) -> list[dict[str, Any]]:
        """Parse further objects of a list, up to the last one that the text surely completes."""
        match = _NEXT_OBJECT.match(self._text, self._at) if self._are_alike else None
        if match is None:
            return []
        end = self._text.rfind("}" + match.group(), self._at) + 1
        if end <= self._at:
            return []
        rows = _decode_objects(f"[{self._text[match.end(1) : end]}]")
        self._are_alike = rows is not None
        if rows is None:
            return []
        self._at = end
        return rows

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


def _decode_objects(text: str) -> list[dict[str, Any]] | None:
    """Return the objects of a list; None if this is not a list of objects."""
    rows: Any
    try:
        rows = orjson.loads(text)
        ids = [key for key in rows[0] if key.endswith("id")]
        if any(type(v) is float and abs(v) >= 2**62 for key in ids for v in _column(rows, key)):
            rows = json.loads(text)  # reads whole numbers of any length exactly
    except (AttributeError, TypeError, ValueError):  # json also accepts NaN and Infinity
        try:
            rows = json.loads(text)
        except ValueError:
            return None
    return rows if all(type(row) is dict for row in rows) else None


def _column(rows: Sequence[dict[str, Any]], key: str) -> list[Any]:
    return [row.get(key) for row in rows]


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
    """Return values of one column as an array if they have one type and shape.

    Lists of a single number, such as the identities of some programs, are that number.
    """
    kinds = set(map(type, values))
    if kinds <= {int, float} and kinds:
        return _scalars(values, kinds)
    if kinds == {list}:
        lengths = set(map(len, values))
        length = lengths.pop() if len(lengths) == 1 else 0
        if length == 1 and (inner := {type(value[0]) for value in values}) <= {int, float}:
            return _scalars([value[0] for value in values], inner)
        if length >= MIN_PACKED and (array := _table(values)) is not None:
            return array
    if list in kinds or dict in kinds:
        values = [compact(value) for value in values]
    if set(map(type, values)) == {np.ndarray} and len({value.shape for value in values}) == 1:
        return np.stack(values)
    return values


def _scalars(values: list[Any], kinds: set[type]) -> Any:
    """Return numbers as an array if they are all int, and not too large, or all float."""
    if kinds == {float}:
        return np.array(values, np.float64)
    if kinds == {int} and max(values) < 2**62 and min(values) > -(2**62):
        return np.array(values, np.int64)
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
