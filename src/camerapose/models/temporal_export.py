"""Export a temporal model as the ONNX graph that `camerapose.Predictor` runs on sequences."""

import copy
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import camerapose
from camerapose.core import joint_formats, temporal
from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.io.files import write_bytes
from camerapose.io.weights import find_weights, temporal_file
from camerapose.models.onnx_export import _halve, _quiet, _strip

INPUTS, OUTPUTS = ["window", "estimated", "pose"], ["corrected"]


class _Graph(nn.Module):
    """A temporal model whose output is added to the lifted poses."""

    def __init__(self, network: nn.Module, skeleton: Skeleton):
        super().__init__()
        self.network, self.skeleton = network, skeleton

    def forward(self, window: Tensor, estimated: Tensor, pose: Tensor) -> Tensor:
        change = self.network(window, estimated).unflatten(-1, (-1, 3))
        return pose + root_relative(change, self.skeleton)


def export_temporal(
    network: nn.Module,
    skeleton: Skeleton,
    path: Path | str,
    *,
    std: bool,
    lifter: str,
    card: dict[str, Any] | None = None,
    license: str = "",
    half: bool = False,
) -> None:
    """Write the graph: `INPUTS` to `OUTPUTS`, for any number of people and frames.

    Args:
        network: the temporal model.
        skeleton: joints of the lifter.
        path: file, replaced atomically.
        std: the lifter predicts standard deviations, which are inputs.
        lifter: SHA-256 of the file of the lifter.
        card: description of the weights, stored in the metadata.
        license: licence of the weights.
        half: store weights in half precision; computation stays in single precision.
    """
    import onnx

    joints, features = skeleton.n_joints, temporal.n_features(skeleton.n_joints, std)
    graph_module = _Graph(copy.deepcopy(network).eval().cpu(), skeleton).eval()
    people, frames = torch.export.Dim("n", min=1), torch.export.Dim("t", min=1)
    t = 4
    example = (
        torch.randn(2, t + temporal.LENGTH - 1, features),
        torch.randn(2, t, features),
        torch.randn(2, t, joints, 3),
    )
    with _quiet():
        program = torch.onnx.export(
            graph_module, example, input_names=INPUTS, output_names=OUTPUTS,
            dynamic_shapes=(
                {0: people, 1: frames + (temporal.LENGTH - 1)}, {0: people, 1: frames},
                {0: people, 1: frames},
            ),
            dynamo=True, optimize=True, verbose=False,
        )  # fmt: skip
    buffer = io.BytesIO()
    program.save(buffer)
    graph = onnx.load_from_string(buffer.getvalue())
    if half:
        _halve(graph)
    _strip(graph)
    metadata = {
        "camerapose_version": camerapose.__version__,
        "skeleton": joint_formats.definition(skeleton),
        "lifter": lifter,
        "license": license,
        "card": json.dumps(card or {}),
    }
    for key, value in metadata.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    write_bytes(path, graph.SerializeToString())


def copy_temporal(checkpoint: Path | str, graph: Path) -> tuple[Path, ...]:
    """Write the temporal model of weights next to a graph exported from them, for this graph.

    Args:
        checkpoint: name or path of the weights, see `camerapose.io.weights.find_weights`.
        graph: the exported graph of the lifter.

    Returns:
        The file; none if the weights have no temporal model.

    Raises:
        ValueError: the file is damaged, or of another lifter than the one next to it.
    """
    import onnx

    try:
        lifter = find_weights(checkpoint, (".onnx",))
    except (FileNotFoundError, ValueError):  # no graph, therefore no temporal model
        return ()
    source, path = temporal_file(lifter), temporal_file(graph)
    if not source.is_file() or source.resolve() == path.resolve():
        return ()
    try:
        model = onnx.load_from_string(source.read_bytes())
    except Exception as error:  # protobuf's, which is not a dependency of ours
        raise ValueError(f"{source} is not an .onnx file; train it again, or remove it") from error
    metadata = {entry.key: entry for entry in model.metadata_props}
    digest = hashlib.sha256(lifter.read_bytes()).hexdigest()
    if "lifter" not in metadata or metadata["lifter"].value != digest:
        raise ValueError(
            f"{source} was trained on another lifter than {lifter.name}; train it on this one, or "
            "remove it"
        )
    metadata["lifter"].value = hashlib.sha256(graph.read_bytes()).hexdigest()
    write_bytes(path, model.SerializeToString())
    return (path,)
