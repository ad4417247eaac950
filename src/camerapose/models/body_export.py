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
from camerapose.models.body_checkpoint import load_body_model, save_body_model
from camerapose.models.body_model import N_KNOWN, AbsoluteBodyModel, BodyModel
from camerapose.models.onnx_export import UNITS, _halve, _quiet, _strip

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
    if half:
        _halve(graph)
    _strip(graph)
    metadata = {
        "camerapose_version": camerapose.__version__,
        "skeleton": BODY_46.name,
        "units": UNITS,
        "license": license,
        "card": json.dumps(card or {}),
    }
    for key, value in metadata.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    write_bytes(path, graph.SerializeToString())


def fold(model: BodyModel) -> BodyModel:
    """Fold batch norm into the preceding linear layers, in place; for evaluation."""
    layers: list[Any] = [model.first]
    for block in model.blocks:
        layers += block.children()
    for layer in layers:
        layer[0] = torch.nn.utils.fuse_linear_bn_eval(layer[0], layer[1])
        layer[1] = torch.nn.Identity()
    return model
