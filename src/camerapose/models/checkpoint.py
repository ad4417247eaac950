"""Read and write model weights in the safetensors format."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

import camerapose
from camerapose.core import joint_formats
from camerapose.io.files import write_bytes
from camerapose.io.weights import DEFAULT_CAMERAPOSE, find_weights
from camerapose.models.camerapose import CameraPose, build
from camerapose.models.config import ModelConfig
from camerapose.models.packing import read_checkpoint

#: Arrays with more values than this are stored in half precision if `half` is set.
MIN_HALF_SIZE = 1024
#: Value of the metadata entry `format`.
FORMAT = "camerapose"


class WrongNetworkError(ValueError):
    """Weights of another network than `CameraPose`."""


def save_model(
    model: CameraPose,
    path: Path | str,
    config: ModelConfig,
    card: dict[str, Any] | None = None,
    half: bool = False,
    license: str = "",
) -> None:
    """Write the weights together with everything that is needed to rebuild the model.

    The file is replaced atomically.

    Args:
        config: the sizes the model was built with.
        card: description of the weights (training configuration, metrics), serialisable as JSON.
        half: store large floating-point arrays in half precision.
        license: licence of the weights.
    """
    metadata = checkpoint_metadata(model, config, card, license)
    write_safetensors(model.state_dict(), metadata, path, half)


def checkpoint_metadata(
    model: CameraPose, config: ModelConfig, card: dict[str, Any] | None, license: str
) -> dict[str, str]:
    """Return the metadata of a checkpoint: what is needed to rebuild the model, and its card."""
    return {
        "format": FORMAT,
        "camerapose_version": camerapose.__version__,
        "skeleton": joint_formats.definition(model.skeleton),
        "model": json.dumps(dataclasses.asdict(config)),
        "license": license,
        "card": json.dumps(card or {}),
    }


def write_safetensors(
    state: Mapping[str, Tensor], metadata: dict[str, str], path: Path | str, half: bool
) -> None:
    """Write arrays and metadata, replaced atomically; large arrays in half precision if `half`."""
    state = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    if half:
        state = {
            k: v.half() if v.is_floating_point() and v.numel() > MIN_HALF_SIZE else v
            for k, v in state.items()
        }
    write_bytes(path, save(state, metadata))


def load_model(path: Path | str, skeleton: str | None = None) -> CameraPose:
    """Read a model written by `save_model`; it is in evaluation mode.

    Args:
        path: name or path of weights, see `camerapose.io.weights.find_weights`.
        skeleton: required joint format; None accepts any.

    Raises:
        FileNotFoundError: no model at `path`.
        ValueError: the file is not a camerapose checkpoint, or has another joint format.
    """
    path = find_weights(path, (".safetensors",))
    try:
        metadata, state = _read(path)
        _check_format(metadata, path)
        stored = joint_formats.get(metadata["skeleton"])
        config = ModelConfig.from_json(metadata["model"])
        model = build(stored, **dataclasses.asdict(config))
        model.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        )
    except WrongNetworkError:
        raise
    except (KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]  # torch prints one line per mismatched array
        raise ValueError(
            f"{path} is not a camerapose checkpoint ({reason}); pass a model.safetensors written "
            "by `camerapose train`, or its folder"
        ) from error
    if skeleton is not None and skeleton != stored.name:
        raise ValueError(
            f"{path} was trained on {stored.name} ({stored.n_joints} joints), not on {skeleton}; "
            f"pass data in {stored.name} or train with data.skeleton = {skeleton!r}"
        )
    return model.eval()


def read_header(path: Path | str) -> tuple[ModelConfig, dict[str, Any], str]:
    """Read sizes, card and licence of a checkpoint.

    Raises:
        FileNotFoundError: no model at `path`.
        ValueError: the file is not a safetensors file of this package.
    """
    path = find_weights(path, (".safetensors",))
    metadata, _ = _read(path)
    _check_format(metadata, path)
    config = ModelConfig.from_json(metadata["model"])
    return config, json.loads(metadata["card"]), metadata.get("license", "")


def _check_format(metadata: dict[str, str], path: Path) -> None:
    if metadata.get("format", FORMAT) != FORMAT:
        raise WrongNetworkError(
            f"{path} has no refinement network and camera branch, which are required; use the "
            f"weights {DEFAULT_CAMERAPOSE} or those of another CameraPose training"
        )


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return metadata and arrays of a .safetensors file, or of the checkpoint in a graph."""
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".onnx":
        return read_checkpoint(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from error
