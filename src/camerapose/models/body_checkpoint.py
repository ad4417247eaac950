"""Read and write the weights of a `BodyModel`: safetensors, model.pt of a training, graphs."""

import json
import os
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open

import camerapose
from camerapose.core.joint_formats import BODY_46
from camerapose.io.weights import find_weights
from camerapose.models.body_model import BodyModel
from camerapose.models.checkpoint import write_safetensors
from camerapose.models.packing import read_checkpoint

#: Value of the metadata entry `format`; that of `CameraPose` is another one.
FORMAT = "camerapose_body"


class BodyCheckpoint(NamedTuple):
    """A model in evaluation mode, and its description.

    Attributes:
        model: the model.
        card: training configuration and validation.
        license: licence of the weights; empty: not stated in the file.
    """

    model: BodyModel
    card: dict[str, Any]
    license: str


def find_body_checkpoint(weights: str | os.PathLike) -> Path | None:
    """Return the file of a `BodyModel` that a name or path of weights stands for, if any.

    Args:
        weights: name of weights in this package; run folder; checkpoint folder; model.pt;
            .safetensors file, which is preferred; or an exported graph.
    """
    try:
        path = find_weights(weights, (".safetensors",))
        if is_body_checkpoint(path):
            return path
    except (FileNotFoundError, ValueError):
        pass
    path = Path(weights)
    places = (path, path / "model.pt", path / "checkpoint" / "model.pt")
    return next((place for place in places if place.is_file() and place.suffix == ".pt"), None)


def is_body_checkpoint(path: Path) -> bool:
    """Return whether a file is a .safetensors file of a `BodyModel`, or contains one."""
    try:
        if path.suffix == ".onnx":
            return read_checkpoint(path)[0].get("format") == FORMAT
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError, ValueError):
        return False


def load_body_model(path: Path) -> BodyCheckpoint:
    """Read a file that `find_body_checkpoint` returned.

    Raises:
        ValueError: another kind of file.
    """
    read = {".safetensors": _read_safetensors, ".onnx": _read_graph}.get(path.suffix, _read_pickle)
    try:
        network, state, card, license = read(path)
        model = BodyModel(**network)
        model.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError, EOFError,
            SafetensorError) as error:  # fmt: skip
        raise ValueError(
            f"{path} is not a model.pt, .safetensors or .onnx file of a training on "
            "simulated detections"
        ) from error
    return BodyCheckpoint(model.eval(), card, license)


def _read_safetensors(path: Path) -> tuple[dict, dict, dict, str]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return _described(metadata, state)


def _read_graph(path: Path) -> tuple[dict, dict, dict, str]:
    return _described(*read_checkpoint(path))


def _described(metadata: dict[str, str], state: dict) -> tuple[dict, dict, dict, str]:
    license = metadata.get("license", "")
    return json.loads(metadata["model"]), state, json.loads(metadata["card"]), license


def _read_pickle(path: Path) -> tuple[dict, dict, dict, str]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    return content["network"], content["state"], content.get("card") or {}, ""


def save_body_model(
    checkpoint: BodyCheckpoint, path: Path | str, half: bool = False, license: str = ""
) -> None:
    """Write weights and description as .safetensors, replaced atomically.

    Args:
        checkpoint: model and description.
        path: the file.
        half: store large arrays in half precision.
        license: licence of the weights; by default that of the checkpoint.
    """
    metadata = checkpoint_metadata(checkpoint.model, checkpoint.card, license or checkpoint.license)
    write_safetensors(checkpoint.model.state_dict(), metadata, path, half)


def checkpoint_metadata(model: BodyModel, card: dict[str, Any], license: str) -> dict[str, str]:
    """Return the metadata of a checkpoint."""
    return {
        "format": FORMAT,
        "camerapose_version": camerapose.__version__,
        "skeleton": BODY_46.name,
        "model": json.dumps(model.settings),
        "license": license,
        "card": json.dumps(card),
    }
