"""Export a `BodyModel` as the ONNX graph that `camerapose.Predictor` runs."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import torch

import camerapose
from camerapose.core.joint_formats import BODY_46
from camerapose.io.files import write_bytes
from camerapose.models.body_checkpoint import (
    checkpoint_metadata,
    load_body_model,
    save_body_model,
)
from camerapose.models.body_model import N_KNOWN, AbsoluteBodyModel, BodyModel
from camerapose.models.onnx_export import UNITS, _halve, _quiet, _strip
from camerapose.models.packing import CHECKPOINT, checkpoint_entry

OUTPUTS = ["refined2d", "pose3d", "focal", "center", "translation", "pose3d_std"]


def export_body_checkpoint(
    checkpoint: Path, out: Path | str, half: bool = False, license: str = ""
) -> tuple[Path, Path]:
    """Write the graph of a checkpoint, and its weights as .safetensors next to it.

    Args:
        checkpoint: file that `body_checkpoint.find_body_checkpoint` returned.
        out: .onnx file.
        half: store weights in half precision.
        license: licence of the weights; by default that of the checkpoint.

    Returns:
        Paths of the graph and of the weights.

    Raises:
        ValueError: another kind of file, or the weights would replace the checkpoint.
    """
    graph = Path(out)
    weights = graph.with_suffix(".safetensors")
    if weights.resolve() == checkpoint.resolve():
        raise ValueError(f"cannot write to {out}; pass a name that differs from {checkpoint}")
    content = load_body_model(checkpoint)
    export_body_model(content.model, graph, content.card, license or content.license, half)
    save_body_model(content, weights, half, license)
    return graph, weights


def export_body_model(
    model: BodyModel,
    path: Path | str,
    card: dict[str, Any] | None = None,
    license: str = "",
    half: bool = False,
) -> None:
    """Write the graph: `pose2d`, `confidence`, `known` to `OUTPUTS`, for any number of poses.

    The graph contains its checkpoint (`packing`), for further training.

    Args:
        model: the model; batch norm is folded into the products before it.
        path: file, replaced atomically.
        card: description of the weights, stored in the metadata.
        license: licence of the weights.
        half: store weights in half precision; computation stays in single precision.
    """
    import onnx

    absolute = AbsoluteBodyModel(fold(copy.deepcopy(model).eval().cpu())).eval()
    joints = BODY_46.n_joints
    example = (torch.randn(2, joints, 2), torch.rand(2, joints), torch.rand(2, N_KNOWN))
    batch = torch.export.Dim("n", min=1)
    with _quiet():
        program = torch.onnx.export(
            absolute, example, input_names=["pose2d", "confidence", "known"], output_names=OUTPUTS,
            dynamic_shapes=({0: batch}, {0: batch}, {0: batch}), dynamo=True, optimize=True,
            verbose=False,
        )  # fmt: skip
    buffer = io.BytesIO()
    program.save(buffer)
    graph = onnx.load_from_string(buffer.getvalue())
    checkpoint = _checkpoint(model, graph.graph, checkpoint_metadata(model, card or {}, license))
    if half:
        _halve(graph)
    _strip(graph)
    metadata = {
        "camerapose_version": camerapose.__version__,
        "skeleton": BODY_46.name,
        "units": UNITS,
        "license": license,
        "card": json.dumps(card or {}),
        CHECKPOINT: checkpoint,
    }
    for key, value in metadata.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    write_bytes(path, graph.SerializeToString())


def _checkpoint(model: BodyModel, graph: Any, metadata: dict[str, str]) -> str:
    """Return the checkpoint that a graph contains (`packing.checkpoint_entry`).

    Raises:
        ValueError: the graph does not have the matrices of the model, times the factors of batch
            norm.
    """
    shapes = {weight.name: list(weight.dims) for weight in graph.initializer}
    norms = {f"{name}.0.weight": layer[1] for name, layer in _layers(model)}
    arrays, matrices = {}, {}
    for name, array in model.state_dict().items():
        arrays[name] = array.detach().cpu().clone()
        if array.ndim < 2:
            continue
        part = f"model.{name}"
        if shapes.get(part) != list(array.shape):
            raise ValueError(f"the graph has no matrix {part} of shape {list(array.shape)}")
        matrices[name] = [part], list(array.shape)
        factor = torch.ones(len(array), 1)
        if (norm := norms.get(name)) is not None:
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            factor = torch.where(scale == 0, 0.0, 1 / scale).detach().cpu()[:, None]
        arrays[f"{name}.factor"] = factor
        del arrays[name]
    return checkpoint_entry(arrays, matrices, metadata)


def _layers(model: BodyModel) -> list[tuple[str, Any]]:
    """Return the layers with batch norm, and their names."""
    layers: list[tuple[str, Any]] = [("first", model.first)]
    for i, block in enumerate(model.blocks):
        layers += [(f"blocks.{i}.{name}", layer) for name, layer in block.named_children()]
    return layers


def fold(model: BodyModel) -> BodyModel:
    """Fold batch norm into the preceding linear layers, in place; for evaluation."""
    for _, layer in _layers(model):
        layer[0] = torch.nn.utils.fuse_linear_bn_eval(layer[0], layer[1])
        layer[1] = torch.nn.Identity()
    return model
