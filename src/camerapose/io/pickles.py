"""Safe reading of pickles of plain data: malicious files are refused, not executed.

Loading a pickle can execute any program, so no name in a file is looked up. Only dictionaries,
lists, tuples, sets, strings, numbers and numpy arrays are accepted. The calls that numpy writes
into pickles are replaced by stand-ins that check their arguments and become arrays at the end.
Pickles of Python 2 are accepted (strings as latin1).
"""

import io
import math
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.limits import check_archive

#: Accepted element types of pickled arrays; "O" is any plain object.
_DTYPE = re.compile(r"[<>|=]?(?:[biufc](?:1|2|4|8|16)|[SU]\d{1,4}|O8?)")


def read_pickle(path: Path, how_to_get: str = "") -> Any:
    """Read a .pkl file of plain Python objects and numpy arrays (not writable).

    Args:
        path: the file.
        how_to_get: last sentence of errors.

    Raises:
        ValueError: the file is damaged or contains more than plain data.
    """
    return _guarded(path, "as a pickle of plain data", how_to_get, lambda: _load(path.open("rb")))


def read_pickled(path: Path, member: str, default: Any = ..., how_to_get: str = "") -> Any:
    """Read one member of an .npz whose arrays may be pickled objects (numpy's allow_pickle).

    Raises:
        ValueError: the member is missing and there is no default, or the file cannot be read.
    """
    return _guarded(
        path, f"as an .npz with {member}", how_to_get, lambda: _member(path, member, default)
    )


def parse_pickle(data: bytes) -> Any:
    """Return the plain Python objects and arrays of a pickle.

    Raises:
        pickle.UnpicklingError: it is damaged, or asks for more than plain data.
    """
    return _load(io.BytesIO(data))


def numbers(value: Any, where: str, how_to_get: str = "") -> np.ndarray:
    """Return an array of real numbers; ValueError with `where` for anything else."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "iuf":
        kind = f"{array.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"{where}: got {kind}, not an array of numbers. {how_to_get}".strip())
    return array


def _guarded(path: Path, meaning: str, how_to_get: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, lzma, zlib, pickle and numpy raise many types
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read {meaning} ({reason}). {how_to_get}".strip()
        ) from error


def _member(path: Path, member: str, default: Any) -> Any:
    check_archive(path)
    with zipfile.ZipFile(path) as file:
        if f"{member}.npy" not in file.namelist():
            if default is not ...:
                return default
            raise ValueError(f"it has no {member}, but {', '.join(file.namelist()) or 'nothing'}")
        stream = io.BytesIO(file.read(f"{member}.npy"))
    first = np.lib.format.read_magic(stream) == (1, 0)
    header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(stream)
    if not dtype.hasobject:
        stream.seek(0)
        return np.load(stream, allow_pickle=False)
    array = _load(stream)
    return array.item() if shape == () else array


def _load(stream: Any) -> Any:
    with stream:
        content = io.BytesIO(stream.read())
    return _plain(_Unpickler(content, encoding="latin1").load(), {})


def _refuse(what: str) -> None:
    raise pickle.UnpicklingError(f"{what}, which no array needs")


class _Call:
    """A function that a pickle may call, without attributes that a pickle could set."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable):
        object.__setattr__(self, "_make", make)

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse(f"it sets {name} of a function")

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


class _Dtype:
    """Stand-in for numpy.dtype: its code and byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            _refuse(f"it asks for arrays of {code!r:.40}")
        self.code, self.order = code, ""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 3 or any(state[2:5]):
            _refuse("it asks for arrays of structures")
        if state[1] not in ("<", ">", "|", "="):
            _refuse(f"it has the byte order {state[1]!r:.20}")
        self.order = state[1].replace("|", "")

    @property
    def made(self) -> np.dtype:
        code = self.code.lstrip("<>|=").replace("O8", "O")
        order = "" if code == "O" else self.order or self.code.removesuffix(code).strip("|")
        return np.dtype(order + code)


class _Array:
    """Stand-in for numpy.ndarray until its state is set."""

    __slots__ = ("value",)

    def __init__(self, *_: Any):
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            _refuse("it has an array with an invalid state")
        _, shape, dtype, fortran, data = state
        self.value = _build_array(data, dtype, shape, "F" if fortran is True else "C")


def _build_array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """Return an array of elements; objects are given as a list, others as bytes."""
    natural = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not natural or not isinstance(dtype, _Dtype) or order not in ("C", "F"):
        _refuse("it has an array without shape or type")
    if isinstance(data, str):  # Python 2's bytes
        data = data.encode("latin1")
    size = math.prod(shape)
    if dtype.made.hasobject:
        if not isinstance(data, list) or len(data) != size:
            _refuse(f"it has an array of {size} objects without them")
        flat = np.empty(size, object)
        for i, item in enumerate(data):
            flat[i] = item
    else:
        if not isinstance(data, (bytes, bytearray)) or len(data) != size * dtype.made.itemsize:
            _refuse(f"it has an array of shape {shape} with fewer or more elements")
        flat = np.frombuffer(data, dtype.made) if size else np.empty(0, dtype.made)
    return flat.reshape(shape, order=order)


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.value = _build_array(bytes(data), dtype, shape, order)
    return array


def _scalar(dtype: Any, data: Any) -> Any:
    return _build_array(data, dtype, (1,), "C")[0]


def _bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        _refuse(f"it encodes {type(text).__name__} as {encoding!r:.40}")
    return text.encode("latin1")


def _byte_array(data: Any = b"", encoding: Any = "latin1") -> bytearray:
    if not isinstance(data, bytes):
        data = _bytes(data, encoding)
    return bytearray(data)


_NDARRAY = _Call(_Array)
_ADMITTED = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Call(_Dtype),
    ("numpy._core.multiarray", "_reconstruct"): _Call(lambda *_: _Array()),
    ("numpy._core.multiarray", "scalar"): _Call(_scalar),
    ("numpy._core.numeric", "_frombuffer"): _Call(_from_buffer),
    ("_codecs", "encode"): _Call(_bytes),
    ("collections", "OrderedDict"): _Call(dict),
    ("builtins", "bytes"): _Call(_bytes),
    ("builtins", "bytearray"): _Call(_byte_array),
    ("builtins", "complex"): _Call(complex),
    ("builtins", "frozenset"): _Call(frozenset),
    ("builtins", "set"): _Call(set),
    ("builtins", "slice"): _Call(slice),
}


class _Unpickler(pickle._Unpickler):
    """The Python implementation; the C one allocates any amount of memory that a file declares."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # name in numpy 1
        module = "builtins" if module == "__builtin__" else module
        if (module, name) not in _ADMITTED:
            _refuse(f"it asks for {module}.{name}")
        return _ADMITTED[module, name]

    def get_extension(self, code: int) -> None:
        _refuse("it asks for an extension")


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Return a value with stand-ins replaced by arrays; lists and dicts are changed in place."""
    if id(value) in done:
        return done[id(value)][0]
    if isinstance(value, (_Call, _Dtype)) or (isinstance(value, _Array) and value.value is None):
        _refuse("it contains a function, a type or an incomplete array")
    result = value
    if isinstance(value, (dict, list, tuple, _Array)):
        done[id(value)] = result, value  # keeping the value keeps its id unique
    if isinstance(value, dict):
        items = [(_plain(k, done), _plain(v, done)) for k, v in value.items()]
        value.clear()
        value.update(items)
    elif isinstance(value, list):
        value[:] = [_plain(item, done) for item in value]
    elif isinstance(value, (set, frozenset)):
        result = type(value)(_plain(item, done) for item in value)
    elif isinstance(value, tuple):
        result = tuple(_plain(item, done) for item in value)
        done[id(value)] = result, value
    elif isinstance(value, _Array):
        result = value.value
        done[id(value)] = result, value
        if result.dtype.hasobject:
            for index in np.ndindex(result.shape):
                result[index] = _plain(result[index], done)
    return result
