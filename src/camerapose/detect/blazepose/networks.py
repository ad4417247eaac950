"""BlazePose's .tflite files and their interpreter."""

import struct
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from camerapose.io.assets import asset

#: Fields of a subgraph in the schema of .tflite files.
OUTPUTS, OPERATORS = 8, 10

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


def load_network(path: Path, threads: int, outputs: Sequence[int] | None = None) -> Network:
    """Load a .tflite file as a function.

    Args:
        threads: of LiteRT.
        outputs: numbers of the outputs that are computed, in this order; None: all.
    """
    from ai_edge_litert.interpreter import Interpreter

    content = path.read_bytes()
    if outputs is not None:
        content = with_outputs(content, outputs)
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    output_indices = [output["index"] for output in interpreter.get_output_details()]

    def run(tensor: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(input_index, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in output_indices]

    return run


def with_outputs(content: bytes, outputs: Sequence[int]) -> bytes:
    """Return a network with some of its outputs, and without operators that no output needs.

    LiteRT computes every operator of a file, also of outputs that are not read. The lists of
    outputs and operators are shortened in place; weights and offsets stay where they are.

    Args:
        content: .tflite file (FlatBuffers) with one subgraph.
        outputs: numbers of the outputs, which get this order.
    """
    from ai_edge_litert import schema_py_generated as schema

    shortened = bytearray(content)
    graph = schema.Model.GetRootAsModel(shortened, 0).Subgraphs(0)
    wanted = [graph.Outputs(number) for number in outputs]
    needed, places = set(wanted), []
    for number in reversed(range(graph.OperatorsLength())):
        operator = graph.Operators(number)
        if needed.intersection(operator.OutputsAsNumpy().tolist()):
            needed.update(operator.InputsAsNumpy().tolist())
            places.insert(0, operator._tab.Pos)
    table = graph._tab
    start = table.Vector(table.Offset(OUTPUTS))
    _write_vector(shortened, start, wanted)
    start = table.Vector(table.Offset(OPERATORS))  # of distances from the entry to the operator
    _write_vector(shortened, start, [p - (start + 4 * i) for i, p in enumerate(places)])
    return bytes(shortened)


def _write_vector(content: bytearray, start: int, values: list[int]) -> None:
    """Replace a FlatBuffers vector by one that is not longer: its length, then 32-bit numbers."""
    struct.pack_into(f"<{len(values) + 1}i", content, start - 4, len(values), *values)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function of logits."""
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))
