"""Export a model as an ONNX graph with weights of ten bits that contains its checkpoint.

Five eighths of the size in half precision, for a graph and a checkpoint together. Matrices are
rounded to integers (`packing`) times one factor per output channel; ONNX Runtime computes the
matrices when it loads the graph. Batch norm is folded into the factors of the graph.
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camerapose.io.files import write_bytes
from camerapose.models.camerapose import CameraPose
from camerapose.models.checkpoint import checkpoint_metadata, load_model, read_header
from camerapose.models.config import ModelConfig
from camerapose.models.onnx_export import folded_graph, serialized, source_and_graph
from camerapose.models.packing import CHECKPOINT, MAX_CODE, checkpoint_entry, store

#: Matrices with fewer values than this are stored as they are.
MIN_SIZE = 1024
#: Largest difference between a matrix of the graph and its integers times the factors, relative.
TOLERANCE = 1e-4


def export_compact_checkpoint(checkpoint: Path | str, out: Path | str, license: str = "") -> Path:
    """Convert a checkpoint to a compact graph (`export_compact`); return the file.

    Args:
        checkpoint: name or path of weights, see `camerapose.io.weights.find_weights`.
        out: the .onnx file.
        license: licence of the weights; by default that of the checkpoint.

    Raises:
        ValueError: `out` is not a new .onnx file, or the model has no compact graph.
    """
    source, graph = source_and_graph(checkpoint, out)
    model, (config, card, stored) = load_model(source), read_header(source)
    graph.parent.mkdir(parents=True, exist_ok=True)
    export_compact(model, graph, config, card, license or stored)
    return graph


def export_compact(
    model: CameraPose,
    path: Path | str,
    config: ModelConfig,
    card: dict[str, Any] | None = None,
    license: str = "",
) -> None:
    """Write a graph with weights of ten bits; `packing.read_checkpoint` returns its checkpoint.

    The file is replaced atomically.

    Args:
        model: the model; it is not changed.
        config: the sizes the model was built with.
        card: description of the weights, serialisable as JSON.
        license: licence of the weights.

    Raises:
        ValueError: the graph does not contain the matrices of the lifter (nor their parts, called
            `weights.0` and so on) times one factor per output channel, or their sizes are not
            multiples of four.
    """
    model = copy.deepcopy(model).eval().cpu()
    metadata = checkpoint_metadata(model, config, card, license)
    small, codes = {}, {}
    for name, array in model.state_dict().items():
        if array.ndim < 2 or array.numel() < MIN_SIZE or not array.is_floating_point():
            small[name] = _shortest(array)
            continue
        codes[name], factor = _rounded(array)
        array.copy_(codes[name] * factor)
        small[f"{name}.factor"] = factor
    graph = folded_graph(model)
    matrices = {
        name: (_store(graph.graph, name, code), list(code.shape)) for name, code in codes.items()
    }
    stored = checkpoint_entry(small, matrices, metadata)
    write_bytes(path, serialized(graph, model.skeleton, card, license, {CHECKPOINT: stored}))


def _shortest(array: Tensor) -> Tensor:
    """Return the array in half precision if that loses nothing."""
    array = array.detach().clone()
    half = array.half() if array.dtype == torch.float32 else array
    return half if torch.equal(half.to(array.dtype), array) else array


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return integers and their factors, one per output channel.

    Output channels are rows of the weight of `nn.Linear` and columns of that of `PartLinear`.
    """
    factor = weight.abs().amax(_inputs(weight), keepdim=True).clamp_min(1e-30) / MAX_CODE
    return (weight / factor).round(), factor


def _inputs(weight: Tensor) -> int:
    """Return the axis of the input channels."""
    return -1 if weight.ndim == 2 else -2


def _store(graph: Any, name: str, code: Tensor) -> list[str]:
    """Store a matrix of the model, or its parts, as integers; return the names in the graph."""
    from onnx import numpy_helper

    weights = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    whole, stem = f"model.{name}", f"model.{name.removesuffix('weight')}weights."
    pieces = {whole: code} if whole in weights else {f"{stem}{i}": c for i, c in enumerate(code)}
    for part, piece in pieces.items():
        matrix = weights.get(part, np.empty(0))
        store(graph, part, piece.numpy(), _factor(matrix, piece.numpy(), part, _inputs(code)))
    return list(pieces)


def _factor(matrix: np.ndarray, code: np.ndarray, name: str, inputs: int) -> np.ndarray:
    """Return the factors by which integers are multiplied to obtain a matrix.

    Raises:
        ValueError: there are none.
    """
    if matrix.shape == code.shape:
        squares = (code * code).sum(inputs, keepdims=True)
        factor = (matrix * code).sum(inputs, keepdims=True) / np.maximum(squares, 1)
        if abs(matrix - code * factor).max() <= TOLERANCE * abs(matrix).max():
            return factor.astype(np.float32)
    raise ValueError(
        f"the graph has no matrix {name} that is proportional to that of the model; export in half "
        "precision instead"
    )
