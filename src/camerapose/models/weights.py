"""A model on disk: safetensors to evaluate and train on from, ONNX to predict with."""

import copy
import dataclasses
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

import camerapose
from camerapose.core import formats
from camerapose.io.weights import find_weights
from camerapose.models.camerapose import CameraPose, build
from camerapose.train.config import Model, update

#: Arrays with more values than this are stored in half precision where that is asked for.
HALF_FROM = 1024
#: Matrices with a side shorter than this stay in single precision in an int8 graph.
INT8_FROM = 128
UNITS = "2D: x*2/width-1, (y*2-height)/width; 3D: camera frame, metres, x right, y down, z forward"


def save_model(
    model: CameraPose,
    path: Path | str,
    settings: Model,
    card: dict[str, Any] | None = None,
    half: bool = False,
    license: str = "",
) -> None:
    """Write weights and what is needed to build the model again, whole or not at all.

    Args:
        settings: the sizes it was built with.
        card: what to tell about it, plain JSON.
        half: floating point weights in half precision.
        license: of the weights.
    """
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        state = {
            k: v.half() if v.is_floating_point() and v.numel() > HALF_FROM else v
            for k, v in state.items()
        }
    metadata = {
        "format": "camerapose",
        "camerapose_version": camerapose.__version__,
        "skeleton": formats.definition(model.skeleton),
        "model": json.dumps(dataclasses.asdict(settings)),
        "license": license,
        "card": json.dumps(card or {}),
    }
    _write(Path(path), save(state, metadata))


def load_model(path: Path | str, skeleton: str | None = None) -> CameraPose:
    """Read what `save_model` wrote, in eval mode.

    Args:
        path: name or path of weights, see `camerapose.io.weights.find_weights`.
        skeleton: the joint format that is asked for; ValueError if the model has another.
    """
    path = find_weights(path, (".safetensors",))
    try:
        metadata, state = _read(path)
        found = formats.get(metadata["skeleton"])
        settings = update(Model(), json.loads(metadata["model"]), str(path))
        model = build(found, **dataclasses.asdict(settings))
        model.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        )
    except (KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]  # torch has a line for each of the weights
        raise ValueError(
            f"{path} is no camerapose checkpoint ({reason}); give a model.safetensors that "
            "`camerapose train` wrote, or its folder"
        ) from error
    if skeleton is not None and skeleton != found.name:
        raise ValueError(
            f"{path} was trained on {found.name} ({found.n_joints} joints), not on {skeleton}; "
            f"give data in {found.name} or train with data.skeleton = {skeleton!r}"
        )
    return model.eval()


def export_checkpoint(
    checkpoint: Path | str,
    out: Path | str,
    half: bool = False,
    license: str = "",
    int8: bool = False,
) -> tuple[Path, Path]:
    """Write a checkpoint as an ONNX graph and, beside it, as safetensors; both files."""
    if half and int8:
        raise ValueError("half and int8 are two ways to store the graph's weights; give one")
    source, graph = find_weights(checkpoint, (".safetensors",)), Path(out)
    weights = graph.with_suffix(".safetensors")
    if graph.suffix != ".onnx" or weights.resolve() == source.resolve():
        raise ValueError(
            f"can't write to {out}: give a file ending in .onnx, and not the one beside {source}"
        )
    model, (settings, card, known) = load_model(source), about(source)
    license = license or known
    graph.parent.mkdir(parents=True, exist_ok=True)
    export_model(model, graph, card, half, license, int8)
    save_model(model, weights, settings, card, half, license)
    return graph, weights


def about(path: Path | str) -> tuple[Model, dict[str, Any], str]:
    """A checkpoint's sizes, card and licence."""
    path = find_weights(path, (".safetensors",))
    metadata, _ = _read(path)
    settings = update(Model(), json.loads(metadata["model"]), str(path))
    return settings, json.loads(metadata["card"]), metadata.get("license", "")


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from error


class _Graph(nn.Module):
    """The model with its reprojection as one more output, for export."""

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
    """Write the ONNX graph that `Predictor` runs: 2D and confidence to 3D, camera, reprojection.

    Batch norm is folded into the products before it.

    Args:
        card: what to tell about the weights, plain JSON; stands in the graph's metadata.
        half: weights in half precision on disk; they are computed with in single precision.
        license: of the weights.
        int8: weights in eight bits, by column; products in integers, with inputs rounded as they
            come. Several times faster where the processor knows such products, and a little less
            exact (docs/results.md).
    """
    import onnx

    model = copy.deepcopy(model).eval().cpu()
    if hasattr(model.lifter, "fold"):  # where the exporter does not find the norm's neighbour
        model.lifter.fold()
    joints = model.skeleton.n_joints
    example = (torch.randn(2, joints, 2), torch.rand(2, joints))
    batch = torch.export.Dim("n", min=1)
    with _quiet():
        program = torch.onnx.export(
            _Graph(model).eval(),
            example,
            input_names=["pose2d", "confidence"],
            output_names=["refined2d", "pose3d", "focal", "center", "translation", "reprojection"],
            dynamic_shapes=({0: batch}, {0: batch}),
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    buffer = io.BytesIO()
    program.save(buffer)
    graph = onnx.load_from_string(buffer.getvalue())
    if half:
        _halve(graph)
    if int8:
        graph = _quantized(graph)
    _strip(graph)
    for key, value in {
        "camerapose_version": camerapose.__version__,
        "skeleton": formats.definition(model.skeleton),
        "units": UNITS,
        "license": license,
        "card": json.dumps(card or {}),
        **({"weights": "int8"} if int8 else {}),
    }.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    _write(Path(path), graph.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages and names that are not ours."""
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
    """Store large float32 weights as float16, each behind a cast that is folded at load."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) <= HALF_FROM:
            continue
        name = weight.name
        half = numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(numpy_helper.from_array(half, name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _quantized(graph: Any) -> Any:
    """The graph with its large products with weights in integers.

    Small ones, which read coordinates or make them, stay as they are: they take hardly any time,
    and rounding costs most there.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    small = {w.name for w in graph.graph.initializer if min(w.dims, default=0) < INT8_FROM}
    exact = [node.name for node in graph.graph.node if small & set(node.input[1:2])]
    exact += [f"{name}_MatMul" for name in exact]  # what it makes of Gemm on the way
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises a preparation that has been done
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantize_dynamic(
                graph, path, per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=exact
            )
            return onnx.load(path)
    finally:
        logging.root.setLevel(level)


def _strip(graph: Any) -> None:
    """Take out the exporter's notes on each node: stack traces with this machine's paths."""
    del graph.metadata_props[:], graph.graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)
