"""Export a temporal model as the ONNX graph that `camerapose.Predictor` runs on sequences."""

import copy
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
