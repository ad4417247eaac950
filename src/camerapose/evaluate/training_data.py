"""Test poses that a model was trained on, according to its model card."""

import json
from pathlib import Path
from typing import Any

from camerapose.core.poses import Poses
from camerapose.io.runtime import onnx_session
from camerapose.models.body_checkpoint import is_body_checkpoint, load_body_model
from camerapose.models.checkpoint import read_header

#: Data set of protocols that select from or change Human3.6M.
_HUMAN36M = ("human36m", "novel_landscape", "novel_portrait")


def read_card(path: Path) -> dict[str, Any]:
    """Return the model card in the metadata of a checkpoint or exported graph."""
    if path.suffix == ".safetensors":
        if is_body_checkpoint(path):
            return load_body_model(path).card
        return read_header(path)[1]
    session = onnx_session(path)
    return json.loads(session.get_modelmeta().custom_metadata_map.get("card") or "{}")


def trained_subjects(card: dict[str, Any], dataset: str, poses: Poses) -> list[str]:
    """Return the subjects of a test set that were in the training data.

    Args:
        card: model card, as `train` stores it; empty: unknown, nothing is returned.
        dataset: name of the test set.
        poses: its poses, with the label `subject` if known.

    Returns:
        Names of subjects; "all" if the test set has no label of subjects.
    """
    data = card.get("config", {}).get("data", {})
    tested = {str(s) for s in poses.labels["subject"]} if "subject" in poses.labels else {"all"}
    if dataset in _HUMAN36M and data.get("human36m"):
        trained = set(data.get("subjects", data.get("human36m_subjects", ())))
        return sorted(tested & (trained - set(data.get("held_out", ()))))
    if dataset in (data.get("pairs") or {}):
        return sorted(tested - {str(s) for s in data["pairs"][dataset].get("held_out", ())})
    return []
