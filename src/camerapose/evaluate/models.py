"""Loading of weights for evaluation: checkpoints and exported graphs."""

import os
import warnings
from pathlib import Path

import torch
from torch import Tensor

from camerapose.infer.predictor import Predictor
from camerapose.io.weights import contains_checkpoint, find_weights
from camerapose.models.body_checkpoint import is_body_checkpoint, load_body_model
from camerapose.models.body_model import Absolute, AbsoluteBodyModel
from camerapose.models.camerapose import CameraPose, Lifted
from camerapose.models.checkpoint import load_model
from camerapose.models.device import torch_device


class OnnxModel:
    """An exported graph with the interface of `CameraPose`."""

    training = False

    def __init__(self, path: Path | str, device: str = "cpu"):
        self._predictor = Predictor(path, device=device)
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


#: A model that can be evaluated.
Model = CameraPose | AbsoluteBodyModel | OnnxModel


def load_for_evaluation(weights: str | os.PathLike, device: str = "cpu") -> tuple[Model, Path]:
    """Return the model of these weights, on a device, and their file.

    A name or folder stands for its checkpoint, also for one that a graph contains, and otherwise
    for its graph; a file is used as given. PyTorch runs checkpoints, ONNX Runtime graphs.

    Args:
        weights: name or path, see `camerapose.io.weights.find_weights`.
        device: cpu, cuda, cuda:N or auto. auto: a GPU for checkpoints if PyTorch finds one, the
            CPU for graphs.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: the device cannot be used, or the file cannot be read.
    """
    path = find_weights(weights, (".safetensors", ".onnx"))
    if path.suffix == ".onnx" and (path == Path(weights) or not contains_checkpoint(path)):
        if device == "auto" and torch.cuda.is_available():
            warnings.warn(
                f"{path.name} is a graph, which ONNX Runtime runs on the CPU; --device cuda runs "
                "it on the GPU, with the package onnxruntime-gpu",
                stacklevel=3,
            )
        return OnnxModel(path, "cpu" if device == "auto" else device), path
    place = torch_device(device)
    if is_body_checkpoint(path):
        return AbsoluteBodyModel(load_body_model(path).model).eval().to(place), path
    return load_model(path).to(place), path
