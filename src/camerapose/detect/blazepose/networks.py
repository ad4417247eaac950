"""BlazePose's .tflite files and their interpreter."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from camerapose.io.assets import asset

#: A network: from its input tensor to its output tensors.
Network = Callable[[np.ndarray], list[np.ndarray]]


def person_file() -> Path:
    """Return the path of the person detection network."""
    return asset("pose_detection.tflite")


def landmark_file(model: str, fallback: bool) -> tuple[str, Path]:
    """Return model and path of the landmark network.

    Args:
        model: "full" or "heavy".
        fallback: use "full", with a warning, if "heavy" cannot be downloaded.
    """
    try:
        return model, asset(f"pose_landmark_{model}.tflite")
    except FileNotFoundError as error:
        if model != "heavy" or not fallback:
            raise
        warnings.warn(f"using BlazePose full instead of heavy: {error}", stacklevel=3)
        return "full", asset("pose_landmark_full.tflite")


def load_network(path: Path, threads: int) -> Network:
    """Load a .tflite file as a function."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    output_indices = [output["index"] for output in interpreter.get_output_details()]

    def run(tensor: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(input_index, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in output_indices]

    return run


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function of logits."""
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))
