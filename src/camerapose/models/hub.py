"""Write weights as a repository in the layout of the Hugging Face Hub.

DIR/README.md            model card with the metadata that the Hub reads
DIR/config.json          sizes of the networks, joint format and training configuration
DIR/model.safetensors    weights (evaluation, training)
DIR/model.onnx           graph (prediction): `Predictor.from_pretrained(DIR)`
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import camerapose
from camerapose.io.files import make_folder, write_text
from camerapose.io.weights import find_weights
from camerapose.models.checkpoint import load_model, read_header
from camerapose.models.onnx_export import export_checkpoint

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
    source = find_weights(checkpoint, (".safetensors",))
    config, card, stored = read_header(source)
    folder = make_folder(folder)
    graph, weights = export_checkpoint(source, folder / "model.onnx", half, license)
    model = load_model(source)
    description = {
        "library_name": "camerapose",
        "camerapose_version": camerapose.__version__,
        "skeleton": model.skeleton.name,
        "joints": list(model.skeleton.joints),
        "model": dataclasses.asdict(config),
        "parameters": sum(p.numel() for p in model.parameters()),
        "license": license or stored,
        "card": card,
    }
    write_text(folder / "config.json", json.dumps(description, indent=1) + "\n")
    write_text(folder / "README.md", model_card(description))
    return [folder / "README.md", folder / "config.json", weights, graph]


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
