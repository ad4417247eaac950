"""MATLAB files: "v5" (versions 5 to 7), and version 7.3, which is HDF5 (read by h5py).

v5 is read here with every length checked, because scipy.io.loadmat (1.17) crashes on damaged files.
The format is "MAT-File Format" (The MathWorks), chapter 1.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.limits import DEFAULT, Budget
from camerapose.io.hdf5 import Hdf5, open_hdf5

#: Storage types of v5 by number; 16 to 18 are text in UTF-8, -16 and -32.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
           13: "u8", 16: "u1", 17: "u2", 18: "u4"}  # fmt: skip
#: Classes of numeric arrays by number.
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4


def read_mat(path: Path, names: Sequence[str], how_to_get: str = "") -> dict[str, Any]:
    """Read variables of a .mat file.

    Numeric arrays have MATLAB's axes in its order, at least two. Cell arrays become lists of their
    cells, column by column; arrays of structs lists of dicts; text strings. Variables that the file
    lacks are omitted.

    Args:
        path: the file.
        names: variables to read; others are not loaded.
        how_to_get: last sentence of errors.

    Raises:
        ValueError: the file is damaged or not a MATLAB file, or it has version 7.3 and h5py is not
            installed.
    """
    try:
        with path.open("rb") as file:
            start = file.read(128)
        hdf5 = b"MATLAB 7.3" in start or start.startswith(b"\x89HDF\r\n\x1a\n")
        return (_from_hdf5 if hdf5 else _from_v5)(path, names)
    except FileNotFoundError:
        raise
    except Exception as error:  # h5py raises many types for damaged files
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as a MATLAB file ({reason}). {how_to_get}"
        ) from error


# --- version 7.3 --------------------------------------------------------------------------------


def _from_hdf5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Read HDF5, which has MATLAB's axes in reverse order and cells as references."""
    with open_hdf5(path) as file:
        return {name: _value(file, file[name]) for name in names if name in file}


def _value(file: Hdf5, item: Any, depth: int = 0) -> Any:
    if depth == DEFAULT.max_depth:
        raise ValueError(f"it has cells {depth} deep")
    if not hasattr(item, "dtype"):  # a group
        return _members(file, item, depth)
    is_text = item.attrs.get("MATLAB_class", b"") == b"char"
    if is_text and item.size > DEFAULT.max_text:
        raise ValueError(f"it has text of {item.size} characters")
    content = file.read(item)
    if content.dtype == object:  # references; ravel of HDF5's order is MATLAB's column by column
        return [_value(file, file.follow(reference), depth + 1) for reference in content.ravel()]
    if item.attrs.get("MATLAB_empty", 0):
        shape = tuple(int(n) for n in content.ravel()[:8])
        if math.prod(shape):
            raise ValueError(f"it has an empty array of shape {shape}")
        return np.zeros(shape)
    if is_text:
        return "".join(map(chr, content.ravel()))
    return content.T


def _members(file: Hdf5, group: Any, depth: int) -> list[dict[str, Any]]:
    """Return structs: a group of members, or for arrays a group of lists of references."""
    members = file.members(group)
    plain = [m for m in members.values() if "MATLAB_class" in m.attrs or not hasattr(m, "dtype")]
    if plain or not members:
        return [{key: _value(file, member, depth + 1) for key, member in members.items()}]
    columns = {key: file.read(member).ravel() for key, member in members.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError(f"the members of {group.name} differ in length")
    return [
        {key: _value(file, file.follow(column[i]), depth + 1) for key, column in columns.items()}
        for i in range(len(next(iter(columns.values()))))
    ]


# --- versions 5 to 7 ----------------------------------------------------------------------------


class _Bytes:
    """Sequential reader of the elements of a v5 file."""

    def __init__(self, data: memoryview, order: str, budget: Budget):
        self.data, self.order, self.budget, self.place = data, order, budget, 0

    def take(self, n: int) -> memoryview:
        if n < 0 or self.place + n > len(self.data):
            raise ValueError(f"it ends {self.place + n - len(self.data)} bytes too early")
        self.place += n
        return self.data[self.place - n : self.place]

    def element(self) -> tuple[int, memoryview]:
        """Return type and content of the next element, and skip its padding."""
        (kind,) = struct.unpack(self.order + "I", self.take(4))
        if kind >> 16:  # up to four bytes next to the type
            content = self.take(4)[: kind >> 16]
            return kind & 0xFFFF, content
        (length,) = struct.unpack(self.order + "I", self.take(4))
        content = self.take(length)
        if kind != _COMPRESSED:
            self.take(min(-length % 8, len(self.data) - self.place))
        return kind, content

    def numbers(self) -> np.ndarray:
        kind, content = self.element()
        if kind not in _STORED:
            raise ValueError(f"it has an element of type {kind} instead of numbers")
        return np.frombuffer(content, np.dtype(self.order + _STORED[kind]))

    def text(self) -> str:
        return bytes(self.element()[1]).decode("latin1")


def _from_v5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    budget = Budget()
    budget.spend(path.stat().st_size)
    content = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    if order is None:
        raise ValueError("its header is not that of version 5 or 7.3")
    variables = {}
    for variable in _variables(_Bytes(content[128:], order, budget)):
        _, _, name = _header(_Bytes(variable(4096), order, budget))
        if name in names:
            variables[name] = _array(_Bytes(variable(), order, budget), inside=False)
    return variables


def _variables(file: _Bytes) -> Iterator[Any]:
    """Yield for each variable a function that returns its first bytes, or all."""
    while file.place < len(file.data):
        kind, content = file.element()
        if kind == _COMPRESSED:
            yield lambda n=0, content=content: memoryview(_inflate(content, n, file))
        elif kind == _MATRIX:
            yield lambda n=0, content=content: content
        else:
            raise ValueError(f"it has a variable of type {kind}")


def _inflate(content: memoryview, n: int, file: _Bytes) -> bytes:
    """Return the first n bytes (0: all) of a compressed matrix, without its tag."""
    inflater = zlib.decompressobj()
    data = inflater.decompress(content, n + 8 if n else 8)
    if n:
        return data[8:]
    if len(data) < 8:
        raise ValueError("a compressed variable is truncated")
    size = struct.unpack(file.order + "I", data[4:])[0]
    file.budget.spend(size, len(content))
    if inflater.unconsumed_tail:
        data = inflater.decompress(inflater.unconsumed_tail, size + 8)  # and padding
    if not inflater.eof or len(data) < size:
        raise ValueError(f"a compressed variable does not have its declared {size} bytes")
    return data


def _header(data: _Bytes) -> tuple[int, tuple[int, ...], str]:
    """Return class, shape and name of a matrix."""
    flags, shape, name = data.numbers(), data.numbers(), data.text()
    if len(flags) < 1 or len(shape) < 2 or shape.dtype.kind not in "iu" or (shape < 0).any():
        raise ValueError(f"it has an array of the shape {shape.tolist()}")
    return int(flags[0]) & 0xFF, tuple(int(n) for n in shape), name


def _array(data: _Bytes, inside: bool = True, depth: int = 0) -> Any:
    """Return a matrix; `inside` a cell or struct it may be empty."""
    if inside and not len(data.data):
        data.budget.count(1)
        return np.empty((0, 0))
    kind, shape, _ = _header(data)
    size = math.prod(shape)
    data.budget.count(1)
    if kind in (_CELL, _STRUCT):
        if depth == DEFAULT.max_depth:
            raise ValueError(f"it has cells {depth} deep")
        return _cells(data, size, depth) if kind == _CELL else _structs(data, size, depth)
    if kind == _CHAR:
        return _characters(data)
    if kind not in _CLASSES:
        raise ValueError(f"it has an array of class {kind}, expected numbers, text, cell or struct")
    values = data.numbers()  # an imaginary part would follow
    if len(values) != size:
        raise ValueError(f"it has {len(values)} numbers in an array of shape {shape}")
    data.budget.spend(size * np.dtype(_CLASSES[kind]).itemsize)
    return values.astype(_CLASSES[kind], copy=False).reshape(shape, order="F")


def _child(data: _Bytes, depth: int) -> Any:
    kind, content = data.element()
    if kind != _MATRIX:
        raise ValueError(f"it has an element of type {kind} in a cell or struct")
    return _array(_Bytes(content, data.order, data.budget), depth=depth + 1)


def _cells(data: _Bytes, size: int, depth: int) -> list:
    if size * 8 > len(data.data):
        raise ValueError(f"it ends before {size} cells")
    return [_child(data, depth) for _ in range(size)]


def _structs(data: _Bytes, size: int, depth: int) -> list[dict[str, Any]]:
    length, names = int(data.numbers().sum()), bytes(data.element()[1])
    if not 0 < length <= 64:
        raise ValueError(f"it has a struct with names of {length} characters")
    fields = [names[i : i + length] for i in range(0, len(names), length)]
    keys = [field.partition(b"\0")[0].decode("latin1") for field in fields]
    if size * 8 * max(len(keys), 1) > len(data.data):
        raise ValueError(f"it ends before {size} structs")
    return [{key: _child(data, depth) for key in keys} for _ in range(size)]


def _characters(data: _Bytes) -> str:
    kind, content = data.element()
    if len(content) > DEFAULT.max_text:
        raise ValueError(f"it has text of {len(content)} bytes")
    if kind in (16, 17, 18):
        coding = {16: "utf-8", 17: "utf-16", 18: "utf-32"}[kind]
        end = "" if kind == 16 else {"<": "-le", ">": "-be"}[data.order]
        return bytes(content).decode(coding + end, errors="replace")
    if kind not in _STORED or kind in (7, 9):
        raise ValueError(f"it has text of type {kind}")
    codes = np.frombuffer(content, np.dtype(data.order + _STORED[kind]))
    return "".join(chr(code) for code in codes.astype(np.int64) & 0xFFFF)
