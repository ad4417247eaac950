"""Loading of weights for evaluation: checkpoints and exported graphs."""

import os
from pathlib import Path

import torch
from torch import Tensor

from camerapose.infer.predictor import Predictor
from camerapose.io.weights import find_weights
from camerapose.models.body_checkpoint import is_body_checkpoint, load_body_model
from camerapose.models.body_model import Absolute, AbsoluteBodyModel
from camerapose.models.camerapose import CameraPose, Lifted
from camerapose.models.checkpoint import load_model


class OnnxModel:
    """An exported graph with the interface of `CameraPose`."""

    training = False

    def __init__(self, path: Path | str):
        self._predictor = Predictor(path)
        self.skeleton = self._predictor.skeleton
        self.predicts_std = self._predictor.predicts_std
        self.license = self._predictor.metadata.get("license", "")

    def __call__(self, pose2d: Tensor, confidence: Tensor) -> Lifted | Absolute:
        arrays = pose2d.cpu().numpy(), confidence.cpu().numpy()
        lifted = self._predictor.run(*arrays, std=self._predictor.predicts_std)
        kind = Absolute if self._predictor.predicts_std else Lifted
        return kind(**{k: torch.from_numpy(v).to(pose2d.device) for k, v in lifted.items()})

    def train(self, mode: bool = True) -> "OnnxModel":
        return self

    def eval(self) -> "OnnxModel":
        return self

    def to(self, device: torch.device) -> "OnnxModel":
        return self


def load_for_evaluation(
    weights: str | os.PathLike,
) -> tuple[CameraPose | AbsoluteBodyModel | OnnxModel, Path]:
    """Return the model of these weights and their file.

    Args:
        weights: name or path, see `camerapose.io.weights.find_weights`; a checkpoint is preferred
            over an exported graph.
    """
    path = find_weights(weights, (".safetensors", ".onnx"))
    if path.suffix == ".onnx":
        return OnnxModel(path), path
    if is_body_checkpoint(path):
        return AbsoluteBodyModel(load_body_model(path).model).eval(), path
    return load_model(path), path
