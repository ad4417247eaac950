"""Write weights as a repository in the layout of the Hugging Face Hub.

DIR/README.md            model card with the metadata that the Hub reads
DIR/config.json          sizes of the networks, joint format and training configuration
DIR/model.safetensors    weights (evaluation, training)
DIR/model.onnx           graph (prediction): `Predictor.from_pretrained(DIR)`
DIR/model_temporal.onnx  its temporal model, if the weights have one
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import camerapose
from camerapose.io.files import make_folder, write_text
from camerapose.io.weights import find_weights
from camerapose.models.body_checkpoint import find_body_checkpoint, load_body_model
from camerapose.models.body_export import export_body_checkpoint
from camerapose.models.body_model import BodyModel
from camerapose.models.camerapose import CameraPose
from camerapose.models.checkpoint import load_model, read_header
from camerapose.models.onnx_export import export_checkpoint
from camerapose.models.temporal_export import copy_temporal

#: Licence in the metadata of the Hub if that of the weights is not one of its identifiers.
OTHER = "other"
#: Identifiers of the Hub for licences of weights.
LICENSES = {
    "MIT": "mit",
    "Apache-2.0": "apache-2.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC0-1.0": "cc0-1.0",
}


def export_hub(
    checkpoint: Path | str, folder: Path | str, half: bool = False, license: str = ""
) -> list[Path]:
    """Write the repository of a checkpoint; return its files.

    Args:
        checkpoint: name or path of weights, see `camerapose.io.weights.find_weights`.
        folder: the repository; created if needed, existing files of these names are replaced.
        half: store weights in half precision.
        license: licence of the weights; by default that of the checkpoint.

    Raises:
        FileNotFoundError: no checkpoint.
        ValueError: `folder` contains the checkpoint itself.
    """
    folder = make_folder(folder)
    body = find_body_checkpoint(checkpoint)
    make = _export_body if body is not None else _export_camerapose
    source = body or find_weights(checkpoint, (".safetensors",))
    files, description = make(source, folder / "model.onnx", half, license)
    description = {
        "library_name": "camerapose", "camerapose_version": camerapose.__version__, **description,
    }  # fmt: skip
    write_text(folder / "config.json", json.dumps(description, indent=1) + "\n")
    write_text(folder / "README.md", model_card(description))
    temporal = copy_temporal(checkpoint, folder / "model.onnx")
    return [folder / "README.md", folder / "config.json", *reversed(files), *temporal]


def _export_camerapose(
    source: Path, graph: Path, half: bool, license: str
) -> tuple[tuple[Path, Path], dict[str, Any]]:
    """Write graph and weights of a `CameraPose`; return their paths and a description."""
    config, card, stored = read_header(source)
    files = export_checkpoint(source, graph, half, license)
    model = load_model(source)
    return files, _description(model, dataclasses.asdict(config), license or stored, card)


def _export_body(
    source: Path, graph: Path, half: bool, license: str
) -> tuple[tuple[Path, Path], dict[str, Any]]:
    """Write graph and weights of a `BodyModel`; return their paths and a description."""
    files = export_body_checkpoint(source, graph, half, license)
    model, card, stored = load_body_model(source)
    sizes = {"lifter": "body_model", **model.settings}
    return files, _description(model, sizes, license or stored, card)


def _description(
    model: CameraPose | BodyModel, sizes: dict[str, Any], license: str, card: dict[str, Any]
) -> dict[str, Any]:
    return {
        "skeleton": model.skeleton.name,
        "joints": list(model.skeleton.joints),
        "model": sizes,
        "parameters": sum(p.numel() for p in model.parameters()),
        "license": license,
        "card": card,
    }


def model_card(description: dict[str, Any]) -> str:
    """Return the text of README.md: metadata of the Hub, use and training.

    Args:
        description: content of config.json.
    """
    license, model = description["license"], description["model"]
    validation = description["card"].get("validation", {})
    measured = ", ".join(f"{name} {value:.4g}" for name, value in validation.items())
    known = LICENSES.get(license, OTHER)
    front = ["---", "library_name: camerapose", f"license: {known}"]
    front += [f"license_name: {json.dumps(license)}"] if known == OTHER and license else []
    front += ["pipeline_tag: keypoint-detection", "tags:", "- 3d-human-pose-estimation", "---"]
    body = f"""
# 3D human pose from 2D keypoints: {model["lifter"]}

{description["parameters"] / 1e6:.2f} million parameters; joint format `{description["skeleton"]}`.

```python
from camerapose import Predictor

predictor = Predictor.from_pretrained("PATH OR REPOSITORY")
poses = predictor(keypoints, confidence, image_size=(width, height))
```

Licence of the weights: {license or "not stated"}.
Validation during training: {measured or "not stored"}.
The complete training configuration is in `config.json` under `card`.
"""
    return "\n".join(front) + "\n" + body
