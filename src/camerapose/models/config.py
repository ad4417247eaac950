"""Sizes of the networks; stored with the weights so that a model can be rebuilt."""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass
class ModelConfig:
    """Architecture of a `CameraPose` model, table `[model]` of a training configuration.

    Accepted ranges are given as `metadata` of the fields.
    """

    lifter: str = "videopose"
    """A file of `camerapose/models/lifters`: graph_attention, mlp, parts, semgcn, stgcn,
    videopose."""
    lifter_arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of that lifter, such as width, blocks, dropout."""
    refiner_hidden: int = field(default=512, metadata={"min": 0})
    """Width of the refinement network; 0: no refinement network (rows "w/o" of the paper)."""
    camera_hidden: int = field(default=512, metadata={"min": 1})
    """Width of the camera branch."""
    camera_blocks: int = field(default=2, metadata={"min": 0})
    """Number of residual blocks of the camera branch."""
    input: Literal["crop", "image"] = "crop"
    """crop: poses are scaled to the person and seen by a camera that faces it; image: normalised by
    the image alone, as in the paper."""
    norm: Literal["layer", "batch"] = "layer"
    """Normalisation in refinement network and camera branch; batch: as in the residual blocks of
    the paper's lifters."""
    camera_output: Literal["residual", "direct"] = "residual"
    """residual: relative to a prior camera; direct: the seven numbers of Eqs. 5 and 6."""

    @classmethod
    def from_json(cls, text: str) -> "ModelConfig":
        """Read the sizes from the header of a weights file.

        Raises:
            ValueError: not a JSON object, or one with unknown keys.
        """
        values = json.loads(text)
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or set(values) - known:
            raise ValueError(f"invalid model settings {text[:100]}; accepted: {sorted(known)}")
        return cls(**values)
