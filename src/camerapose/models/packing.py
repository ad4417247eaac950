"""The checkpoint that an ONNX graph contains, and weights of ten bits.

A checkpoint shares its large matrices with the graph: they are stored once, times one factor per
output channel, into which batch norm is folded.

A weight of ten bits is an integer from -511 to 511 times a factor. The graph stores eight bits of
each integer in one array and, four to a byte, the two others in a second one; ONNX Runtime computes
the weights when it loads the graph.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8, UInt8
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

#: Largest integer.
MAX_CODE = 511
#: Suffixes of the two arrays of a matrix of ten bits in the graph, and of one in half precision.
HIGH, LOW, HALF = "_high", "_low", "_half"
#: Two bits at each of four places, by the value of their byte.
_BITS = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
#: Key of the checkpoint in the metadata of a graph: a .safetensors file in base64, with the factors
#: and all small arrays.
CHECKPOINT = "checkpoint"
#: Key of the matrices in the metadata of the checkpoint: names in the graph, by name.
MATRICES = "matrices"


def pack(
    codes: Float[np.ndarray, "..."],
) -> tuple[Int8[np.ndarray, "q 4"], UInt8[np.ndarray, " q"]]:
    """Return eight bits of each integer, and the others.

    Raises:
        ValueError: the number of integers is not a multiple of four.
    """
    if codes.size % 4:
        raise ValueError(f"{codes.size} weights cannot be packed four by four")
    integers = codes.reshape(-1, 4).astype(np.int64)
    high = integers // 4
    low = ((integers - 4 * high) << np.array([0, 2, 4, 6])).sum(1)
    return high.astype(np.int8), low.astype(np.uint8)


def unpack(high: Int8[np.ndarray, "q 4"], low: UInt8[np.ndarray, " q"]) -> Float[np.ndarray, " n"]:
    """Return the integers, as float32."""
    return (high.astype(np.int16) * 4 + _BITS[low]).astype(np.float32).ravel()


def checkpoint_entry(
    arrays: dict[str, Tensor],
    matrices: dict[str, tuple[list[str], list[int]]],
    metadata: dict[str, str],
) -> str:
    """Return the checkpoint for the metadata of a graph, under the key `CHECKPOINT`.

    Args:
        arrays: small arrays, and `NAME.factor` of each matrix.
        matrices: names of the parts in the graph, and the shape, by name.
        metadata: of the checkpoint.
    """
    content = save(arrays, metadata | {MATRICES: json.dumps(matrices)})
    return base64.b64encode(content).decode()


def store(graph: Any, name: str, codes: np.ndarray, factor: np.ndarray) -> None:
    """Replace an initializer by nodes that compute it from integers.

    Args:
        graph: `onnx.GraphProto`, changed in place.
        name: of the initializer.
        codes: integers, of its shape.
        factor: broadcastable to its shape.
    """
    from onnx import TensorProto, helper, numpy_helper

    (old,) = (w for w in graph.initializer if w.name == name)
    graph.initializer.remove(old)
    high, low = pack(codes)
    constants = {
        "quarters": (_BITS / 4).astype(np.float32),
        name + HIGH: high,
        name + LOW: low,
        f"{name}_shape": np.array(codes.shape, np.int64),
        f"{name}_factor": (4 * factor).astype(np.float32),
    }
    known = {w.name for w in graph.initializer}
    graph.initializer.extend(
        numpy_helper.from_array(value, key) for key, value in constants.items() if key not in known
    )
    index, bits, whole, flat, shaped = (
        f"{name}_{step}" for step in ("index", "bits", "whole", "flat", "shaped")
    )
    steps = [
        helper.make_node("Cast", [name + LOW], [index], to=TensorProto.INT32),
        helper.make_node("Gather", ["quarters", index], [bits]),
        helper.make_node("Cast", [name + HIGH], [whole], to=TensorProto.FLOAT),
        helper.make_node("Add", [whole, bits], [flat]),
        helper.make_node("Reshape", [flat, f"{name}_shape"], [shaped]),
        helper.make_node("Mul", [shaped, f"{name}_factor"], [name]),
    ]
    nodes = [*steps, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return metadata and arrays of the checkpoint in a graph, as in its .safetensors file.

    Raises:
        ValueError: the graph contains no checkpoint, or a damaged one.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(path, load_external_data=False)
        stored = {entry.key: entry.value for entry in graph.metadata_props}[CHECKPOINT]
        content = base64.b64decode(stored, validate=True)
        arrays, length = load(content), int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        weights = {w.name: w for w in graph.graph.initializer}
        for name, (parts, shape) in json.loads(metadata.pop(MATRICES)).items():
            values = torch.from_numpy(np.concatenate([_values(weights, part) for part in parts]))
            arrays[name] = values.reshape(shape) * arrays.pop(f"{name}.factor")
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"it contains no checkpoint: {error}") from error
    except (DecodeError, SafetensorError) as error:
        raise ValueError(f"it contains no checkpoint: {error}") from error
    return metadata, arrays


def _values(weights: dict[str, Any], name: str) -> Float[np.ndarray, " n"]:
    """Return the values of a matrix in a graph, as integers if it is stored in ten bits."""
    from onnx import numpy_helper

    if name + HIGH in weights:
        return unpack(*(numpy_helper.to_array(weights[name + kind]) for kind in (HIGH, LOW)))
    stored = weights[name if name in weights else name + HALF]
    return numpy_helper.to_array(stored).astype(np.float32).ravel()
