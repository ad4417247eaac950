"""Export a model as the ONNX graph that `camerapose.Predictor` runs."""

import copy
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import camerapose
from camerapose.core import joint_formats
from camerapose.core.skeleton import Skeleton
from camerapose.io.files import write_bytes
from camerapose.io.weights import find_weights
from camerapose.models.camerapose import CameraPose
from camerapose.models.checkpoint import MIN_HALF_SIZE, load_model, read_header, save_model
from camerapose.models.packing import HALF

#: Matrices with a shorter side than this stay in single precision in an int8 graph.
MIN_INT8_SIDE = 128
#: Units of inputs and outputs, stored in the metadata of the graph.
UNITS = "2D: x*2/width-1, (y*2-height)/width; 3D: camera frame, metres, x right, y down, z forward"
OUTPUTS = ["refined2d", "pose3d", "focal", "center", "translation", "reprojection"]


def export_checkpoint(
    checkpoint: Path | str,
    out: Path | str,
    half: bool = False,
    license: str = "",
    int8: bool = False,
) -> tuple[Path, Path]:
    """Convert a checkpoint to an ONNX graph and write its weights to a safetensors file as well.

    Args:
        checkpoint: name or path of weights, see `camerapose.io.weights.find_weights`.
        out: the .onnx file; the weights get the same name with the suffix .safetensors.
        half: store weights in half precision (`export_model`).
        license: licence of the weights; by default that of the checkpoint.
        int8: store weights in 8 bits (`export_model`); excludes `half`.

    Returns:
        Paths of the graph and of the weights.

    Raises:
        ValueError: both `half` and `int8`, or `out` is not a new .onnx file.
    """
    if half and int8:
        raise ValueError("half and int8 exclude each other; pass only one of them")
    source, graph = source_and_graph(checkpoint, out)
    weights = graph.with_suffix(".safetensors")
    model, (config, card, stored) = load_model(source), read_header(source)
    license = license or stored
    graph.parent.mkdir(parents=True, exist_ok=True)
    export_model(model, graph, card, half, license, int8)
    save_model(model, weights, config, card, half, license)
    return graph, weights


def source_and_graph(checkpoint: Path | str, out: Path | str) -> tuple[Path, Path]:
    """Return the file of a checkpoint and the .onnx file to write.

    Raises:
        ValueError: `out` has another suffix, or its checkpoint would replace the source.
    """
    source, graph = find_weights(checkpoint, (".safetensors",)), Path(out)
    written = (graph.resolve(), graph.with_suffix(".safetensors").resolve())
    if graph.suffix != ".onnx" or source.resolve() in written:
        raise ValueError(
            f"cannot write to {out}; pass a file name that ends in .onnx and differs from {source}"
        )
    return source, graph


class _Graph(nn.Module):
    """The model with the reprojection as an additional output."""

    def __init__(self, model: CameraPose):
        super().__init__()
        self.model = model

    def forward(self, pose2d: Tensor, confidence: Tensor) -> tuple[Tensor, ...]:
        lifted = self.model(pose2d, confidence)
        return (*lifted, lifted.reprojection)


def export_model(
    model: CameraPose,
    path: Path | str,
    card: dict[str, Any] | None = None,
    half: bool = False,
    license: str = "",
    int8: bool = False,
) -> None:
    """Write the ONNX graph of a model: 2D pose and confidence to 3D pose, camera and reprojection.

    Batch norm is folded into the preceding matrix products. The file is replaced atomically.

    Args:
        card: description of the weights, serialisable as JSON; stored in the metadata.
        half: store weights in half precision; computation stays in single precision.
        license: licence of the weights.
        int8: quantize weights to eight bits per column and compute the products in integers.
            Several times faster on processors with such instructions, and slightly less accurate.
    """
    graph = folded_graph(model)
    if half:
        _halve(graph)
    if int8:
        graph = _quantized(graph)
    extra = {"weights": "int8"} if int8 else {}
    write_bytes(path, serialized(graph, model.skeleton, card, license, extra))


def folded_graph(model: CameraPose) -> Any:
    """Return the graph of a model in single precision with batch norm folded into its products."""
    import onnx

    model = copy.deepcopy(model).eval().cpu()
    if hasattr(model.lifter, "fold"):  # the exporter does not fold batch norm across its layout
        model.lifter.fold()
    return onnx.load_from_string(_trace(model))


def serialized(
    graph: Any, skeleton: Skeleton, card: dict[str, Any] | None, license: str, extra: dict[str, str]
) -> bytes:
    """Return the content of the .onnx file: the graph with metadata, checked."""
    import onnx

    _strip(graph)
    metadata = {
        "camerapose_version": camerapose.__version__,
        "skeleton": joint_formats.definition(skeleton),
        "units": UNITS,
        "license": license,
        "card": json.dumps(card or {}),
        **extra,
    }
    for key, value in metadata.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    return graph.SerializeToString()


def _trace(model: CameraPose) -> bytes:
    """Return the serialised graph, for any number of poses."""
    joints = model.skeleton.n_joints
    example = (torch.randn(2, joints, 2), torch.rand(2, joints))
    batch = torch.export.Dim("n", min=1)
    with _quiet():
        program = torch.onnx.export(
            _Graph(model).eval(),
            example,
            input_names=["pose2d", "confidence"],
            output_names=OUTPUTS,
            dynamic_shapes=({0: batch}, {0: batch}),
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's warnings about its own dependencies."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)


def _halve(graph: Any) -> None:
    """Store large float32 weights as float16, followed by a cast that is folded at load time."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) <= MIN_HALF_SIZE:
            continue
        name = weight.name
        half = numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(numpy_helper.from_array(half, name + HALF))
        casts.append(helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _quantized(graph: Any) -> Any:
    """Return the graph with its large products quantized to integers.

    Small products read or produce coordinates: they take little time, and rounding them costs most
    accuracy.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    small = {w.name for w in graph.graph.initializer if min(w.dims, default=0) < MIN_INT8_SIDE}
    excluded = [node.name for node in graph.graph.node if small & set(node.input[1:2])]
    excluded += [f"{name}_MatMul" for name in excluded]  # name after its conversion of Gemm
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # recommends a preprocessing that is done already
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantize_dynamic(
                graph,
                path,
                per_channel=True,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=excluded,
            )
            return onnx.load(path)
    finally:
        logging.root.setLevel(level)


def _strip(graph: Any) -> None:
    """Remove the exporter's stack traces, which contain paths of this machine."""
    del graph.metadata_props[:], graph.graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
