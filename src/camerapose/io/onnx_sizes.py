"""Sizes of the tensors that an ONNX file declares, found without building the graph.

ONNX Runtime computes constant parts of a graph when it is loaded, and allocates what the graph
declares when it runs; a few bytes can declare any size. The file is read by the field numbers of
onnx.proto3 (ONNX IR version 3 to 13) in the wire format of protobuf.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from camerapose.core.limits import DEFAULT, Limits

#: Bytes of an element by its type in the file; others have at most 8.
_ITEM_SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 9: 1, 10: 2, 12: 4, 15: 16, 16: 2}
#: Element types whose values are read, and the field that may contain them: float, int32, int64.
_VALUES = {1: ("<f4", 4), 6: ("<i4", 5), 7: ("<i8", 7)}
#: Longest tensor whose values are read: those of shapes are short.
_MAX_VALUES = 64
_KEEPS_VALUES = ("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Flatten")
_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "Max": np.maximum, "Min": np.minimum,
}  # fmt: skip


class _Tensor(NamedTuple):
    """A constant: its shape, the bytes of an element, and its values if they are few."""

    shape: tuple[int, ...]
    item: int = 8
    values: np.ndarray | None = None

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.item


class _Node(NamedTuple):
    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, list[tuple[int, Any]]]


def check_sizes(data: memoryview, limits: Limits = DEFAULT) -> None:
    """Check what a model declares.

    Args:
        data: content of an .onnx file.

    Raises:
        ValueError: inputs, outputs or computed constants are too large, the graph has too many or
            too deeply nested nodes, or the file is damaged.
    """
    reader = _Reader(limits)
    for number, value in _fields(data):
        if number == 7:
            reader.graph(_message(value), {}, 0)
        elif number == 25:  # a function has nodes (7) like a graph (1)
            reader.nodes([_message(v) for n, v in _fields(_message(value)) if n == 7], {}, 0)


class _Reader:
    """Adds up what graphs declare."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.n_nodes = self.n_bytes = 0

    def graph(self, data: memoryview, outer: dict[str, _Tensor], depth: int) -> None:
        if depth > self.limits.max_depth:
            raise ValueError(f"its graphs are nested more than {self.limits.max_depth} levels deep")
        known, nodes = dict(outer), []
        for number, value in _fields(data):
            if number == 1:
                nodes.append(_message(value))
            elif number == 5:
                name, tensor = _tensor(_message(value))
                known[name] = tensor
            elif number == 15:
                name, tensor = _sparse(_message(value))
                self.add(name, tensor)
                known[name] = tensor
            elif number in (11, 12, 13):
                self.declared(_message(value))
        self.nodes(nodes, known, depth)

    def nodes(self, nodes: Sequence[memoryview], known: dict[str, _Tensor], depth: int) -> None:
        self.n_nodes += len(nodes)
        if self.n_nodes > self.limits.max_objects:
            raise ValueError(f"it has more than {self.limits.max_objects} nodes")
        for data in nodes:
            node = _node(data)
            for fields in node.attributes.values():
                for number, value in fields:
                    if number in (6, 11):
                        self.graph(_message(value), known, depth + 1)
            result = _result(node, [known.get(name) for name in node.inputs])
            if result is not None and node.outputs:
                self.add(f"{node.operator} {node.outputs[0]}", result)
                known[node.outputs[0]] = result

    def add(self, name: str, tensor: _Tensor) -> None:
        self.n_bytes += tensor.n_bytes
        if self.n_bytes > self.limits.max_generated_bytes:
            raise ValueError(
                f"its constants, such as {name[:100]}, have {self.n_bytes / 1e9:.1f} GB when "
                f"computed; at most {self.limits.max_generated_bytes / 1e9:.1f} GB are accepted"
            )

    def declared(self, data: memoryview) -> None:
        """Check the type of an input, output or intermediate value."""
        fields = dict(_fields(data))
        tensor = _nested(fields.get(2), 1)
        shape, item = 1, 1
        for number, value in _fields(tensor):
            if number == 1:
                item = _ITEM_SIZES.get(_signed(value), 8)
            elif number == 2:
                dimensions = [_message(v) for n, v in _fields(_message(value)) if n == 1]
                sizes = [_signed(v) for d in dimensions for n, v in _fields(d) if n == 1]
                shape = math.prod(max(size, 1) for size in sizes)
        if shape * item > self.limits.max_generated_bytes:
            name = bytes(_message(fields.get(1, memoryview(b"")))).decode("utf-8", "replace")
            raise ValueError(
                f"its value {name[:100]} has {shape * item / 1e9:.1f} GB; at most "
                f"{self.limits.max_generated_bytes / 1e9:.1f} GB are accepted"
            )


def _result(node: _Node, inputs: list[_Tensor | None]) -> _Tensor | None:
    """Return the result of a node that depends on constants only, or a lower bound of its size."""
    operator = node.operator
    if operator == "Constant":
        return _constant(node)
    if operator in ("RandomNormal", "RandomUniform"):
        return _Tensor(tuple(_integers(node.attributes.get("shape", []))), 8)
    shape = _declared_shape(operator, inputs)
    if shape is not None:
        return _Tensor(tuple(max(int(n), 0) for n in shape))
    if None in inputs or not inputs:
        return None
    tensors = [tensor for tensor in inputs if tensor is not None]
    values = _values(operator, tensors)
    return _broadcast(operator, tensors, values)


def _declared_shape(operator: str, inputs: list[_Tensor | None]) -> Any:
    """Return the shape that an operator receives as an input; None if it is not constant."""

    def values(i: int) -> Any:
        tensor = inputs[i] if i < len(inputs) else None
        return None if tensor is None or tensor.values is None else tensor.values.tolist()

    shape = inputs[0].shape if inputs and inputs[0] is not None else ()
    if operator == "ConstantOfShape":
        return values(0)
    if operator == "Expand" and (target := values(1)) is not None:
        return _broadcast_shape(shape, tuple(int(n) for n in target))
    if operator == "Tile" and (repeats := values(1)) is not None:
        return [n * r for n, r in zip(_padded(shape, len(repeats)), repeats, strict=True)]
    if operator == "OneHot" and (depth := values(1)) is not None:
        return [*shape, *depth]
    if operator == "Pad" and (pads := values(1)) is not None:
        half = len(pads) // 2
        sizes = zip(_padded(shape, half), pads[:half], pads[half : 2 * half], strict=True)
        return [max(n + a + b, 1) for n, a, b in sizes]
    if operator == "Range" and None not in (limits := [values(i) for i in range(3)]):
        start, stop, step = (limit[0] for limit in limits)
        return [math.ceil((stop - start) / step)] if step and math.isfinite(stop - start) else None
    if operator in ("Resize", "Upsample"):
        if operator == "Resize" and (sizes := values(3)):
            return sizes
        if scales := values(2 if operator == "Resize" else 1):
            return [n * s for n, s in zip(_padded(shape, len(scales)), scales, strict=True)]
    return None


def _values(operator: str, tensors: list[_Tensor]) -> np.ndarray | None:
    """Return the values of a short result, flat."""
    if operator == "Shape":
        return np.array(tensors[0].shape, np.int64)
    few = [tensor.values for tensor in tensors if tensor.values is not None]
    if operator in _KEEPS_VALUES:
        return tensors[0].values
    if len(few) < len(tensors):
        return None
    if operator == "Concat":
        joined = np.concatenate(few)
        return joined if len(joined) <= _MAX_VALUES else None
    if operator in _ELEMENTWISE and len(few) == 2:
        try:
            with np.errstate(all="ignore"):
                return np.atleast_1d(_ELEMENTWISE[operator](*[v.astype(float) for v in few]))
        except ValueError:  # shapes do not fit
            return None
    return None


def _broadcast(operator: str, tensors: list[_Tensor], values: np.ndarray | None) -> _Tensor | None:
    shapes, item = [tensor.shape for tensor in tensors], max(tensor.item for tensor in tensors)
    if operator in _ELEMENTWISE or operator in ("Where", "Equal", "Less", "Greater", "And", "Or"):
        shape = shapes[0]
        for other in shapes[1:]:
            shape = _broadcast_shape(shape, other)
        return _Tensor(shape, item, values)
    if operator == "MatMul" and all(len(shape) >= 2 for shape in shapes):
        first, second = shapes[0], shapes[1]
        outer = _broadcast_shape(first[:-2], second[:-2])
        return _Tensor((*outer, first[-2], second[-1]), item)
    if values is not None:
        return _Tensor((len(values),), item, values)
    return _Tensor(shapes[0], item) if operator in _KEEPS_VALUES else None


def _broadcast_shape(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    length = max(len(first), len(second))
    pairs = zip(_padded(first, length), _padded(second, length), strict=True)
    return tuple(max(a, b) for a, b in pairs)


def _padded(shape: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Return a shape with ones in front."""
    return ((1,) * length + tuple(shape))[-length:] if length else ()


# --- messages -----------------------------------------------------------------------------------


def _node(data: memoryview) -> _Node:
    node = _Node("", [], [], {})
    operator = ""
    for number, value in _fields(data):
        if number in (1, 2):
            (node.inputs if number == 1 else node.outputs).append(_text(value))
        elif number == 4:
            operator = _text(value)
        elif number == 5:
            fields = list(_fields(_message(value)))
            name = next((_text(v) for n, v in fields if n == 1), "")
            node.attributes[name] = fields
    return node._replace(operator=operator)


def _constant(node: _Node) -> _Tensor | None:
    for name, fields in node.attributes.items():
        contents = dict(fields)
        if name == "value" and 5 in contents:
            return _tensor(_message(contents[5]))[1]
        if name == "sparse_value" and 22 in contents:
            return _sparse(_message(contents[22]))[1]
        if name in ("value_int", "value_ints"):
            values = np.array(_integers(fields), np.float64)
            return _Tensor((len(values),), 8, values if len(values) <= _MAX_VALUES else None)
    return None


def _tensor(data: memoryview) -> tuple[str, _Tensor]:
    """Return name and size of a tensor, and its values if they are few."""
    fields = list(_fields(data))
    shape = tuple(_all_integers(fields, 1))
    if any(n < 0 for n in shape):
        raise ValueError(f"a tensor has the shape {shape}")
    name = next((_text(v) for n, v in fields if n == 8), "")
    kind = next((_signed(v) for n, v in fields if n == 2), 0)
    values = None
    if kind in _VALUES and math.prod(shape) <= _MAX_VALUES:
        dtype, place = _VALUES[kind]
        raw = next((v for n, v in fields if n == 9), None)
        if raw is not None:
            content = _message(raw)
            values = np.frombuffer(content[: len(content) // int(dtype[2]) * int(dtype[2])], dtype)
        elif kind != 1:
            values = np.array(_all_integers(fields, place), np.int64)
        else:
            values = _floats(fields, place)
    return name, _Tensor(shape, _ITEM_SIZES.get(kind, 8), values)


def _sparse(data: memoryview) -> tuple[str, _Tensor]:
    fields = list(_fields(data))
    name, tensor = next((_tensor(_message(v)) for n, v in fields if n == 1), ("", _Tensor(())))
    return name, _Tensor(tuple(_all_integers(fields, 3)), tensor.item)


def _integers(fields: list[tuple[int, Any]]) -> list[int]:
    """Return the integers of an attribute (fields 3 and 8)."""
    return [*_all_integers(fields, 3), *_all_integers(fields, 8)]


def _all_integers(fields: list[tuple[int, Any]], number: int) -> list[int]:
    """Return the integers of a repeated field, packed or not."""
    result = []
    for n, value in fields:
        if n == number and isinstance(value, int):
            result.append(_signed(value))
        elif n == number:
            place = 0
            while place < len(value):
                one, place = _varint(value, place)
                result.append(_signed(one))
    return result


def _floats(fields: list[tuple[int, Any]], number: int) -> np.ndarray:
    content = b"".join(bytes(_message(value)) for n, value in fields if n == number)
    return np.frombuffer(content[: len(content) // 4 * 4], "<f4")


def _nested(value: Any, number: int) -> memoryview:
    """Return a message inside a message; empty if there is none."""
    inner = [v for n, v in _fields(_message(value)) if n == number] if value is not None else []
    return _message(inner[-1]) if inner else memoryview(b"")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield number and content of each field: an integer, or its bytes."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, place = _varint(data, place)
        else:
            length = {1: 8, 5: 4}.get(kind, -1)
        if length < 0 or place + length > len(data):
            raise ValueError("its fields are damaged")
        yield tag >> 3, data[place : place + length]
        place += length


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("its fields are damaged")


def _signed(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("its fields are damaged")
    return value - (1 << 64) if value >= 1 << 63 else value


def _message(value: Any) -> memoryview:
    if isinstance(value, int):
        raise ValueError("its fields are damaged")
    return value


def _text(value: Any) -> str:
    return bytes(_message(value)).decode("utf-8", "replace")
