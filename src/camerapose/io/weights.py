"""Resolve the name of weights, or a path, to a file."""

import mmap
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

#: Weights that are part of the package: name and file name without suffix. To add weights, copy
#: the .onnx file to `weights/`, add a line here, and describe them in `weights/README.md`.
SHIPPED = {
    "open": "camerapose_open", "research": "camerapose_research", "human36m": "camerapose_human36m",
}  # fmt: skip
#: Weights of a prediction, and those that the three-part model of the paper is fine-tuned from.
DEFAULT, DEFAULT_CAMERAPOSE = "open", "human36m"
#: File name without suffix of the weights in a run or checkpoint folder.
MODEL = "model"
#: File that an unfinished training leaves in its run folder.
UNFINISHED = "training.pt"
#: The key "checkpoint" in the metadata of a graph, as protobuf stores it.
_CHECKPOINT = b"\n\x0acheckpoint\x12"


def find_weights(weights: str | os.PathLike, suffixes: Sequence[str] = (".onnx",)) -> Path:
    """Return the file that a name or path of weights stands for.

    Args:
        weights: "open", "research" or "human36m" for the weights in this package; a run folder; a
            checkpoint folder; an .onnx or .safetensors file. A folder called `open` is given as
            `./open`.
        suffixes: accepted file types, the preferred one first: ".onnx" for prediction,
            ".safetensors" for training. A file of another type is replaced by the file of the same
            name next to it with an accepted type. A graph that contains its checkpoint
            (`camerapose export --compact`), such as those in this package, is accepted as both.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: the weights exist, but only as another file type.
    """
    path = Path(weights)
    if str(weights) in SHIPPED:
        return _shipped(str(weights), suffixes)
    if path.is_dir():
        return _in_folder(path, suffixes)
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}; give {', '.join(SHIPPED)}, a run folder, or an .onnx or "
            ".safetensors file"
        )
    if path.suffix in suffixes or path.suffix not in (".onnx", ".safetensors"):
        return path  # whoever reads the file reports that its format is wrong
    for suffix in suffixes:
        if path.with_suffix(suffix).is_file():
            return path.with_suffix(suffix)
    if ".safetensors" in suffixes and contains_checkpoint(path):
        return path
    if path.suffix == ".safetensors":
        raise ValueError(
            f"{path} is a checkpoint, and an .onnx file is required; create it with "
            f"`camerapose export {path} --out {path.with_suffix('.onnx')}`"
        )
    raise ValueError(
        f"{path} is an exported graph, and a .safetensors file is required; give the run folder "
        "or checkpoint that it was exported from"
    )


def contains_checkpoint(graph: Path) -> bool:
    """Return whether an .onnx file also contains the arrays of a checkpoint."""
    with open(graph, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(_CHECKPOINT) >= 0


def temporal_file(weights: Path) -> Path:
    """Return the file of the temporal model of an .onnx file, next to it; it need not exist."""
    return weights.with_name(f"{weights.stem}_temporal.onnx")


def _shipped(name: str, suffixes: Sequence[str]) -> Path:
    folder = Path(str(resources.files("camerapose"))) / "weights"
    files = [folder / (SHIPPED[name] + suffix) for suffix in suffixes]
    for file in files:
        if file.is_file():
            return file
    graph = folder / f"{SHIPPED[name]}.onnx"
    if graph.is_file() and contains_checkpoint(graph):
        return graph
    if graph.is_file():
        raise ValueError(
            f"the weights {name!r} are not available as {' or '.join(suffixes)}; use "
            f"{DEFAULT_CAMERAPOSE!r} or the folder of a training run"
        )
    raise FileNotFoundError(
        f"this installation contains no weights ({files[0]} is missing); install the package "
        "again, or train with `camerapose train configs/quick.toml --out runs/quick` and give "
        "runs/quick"
    )


def _in_folder(folder: Path, suffixes: Sequence[str]) -> Path:
    places = (folder, folder / "checkpoint")
    files = [place / (MODEL + suffix) for suffix in suffixes for place in places]
    for file in files:
        if file.is_file():
            return file
    if any((place / UNFINISHED).exists() for place in places):
        raise FileNotFoundError(
            f"{folder} contains an unfinished run; repeat its `camerapose train` command to "
            "finish it"
        )
    hint = "give a run folder, its checkpoint folder or a file"
    if ".onnx" in suffixes and any((place / f"{MODEL}.safetensors").is_file() for place in places):
        hint = f"create it with `camerapose export {folder} --out {folder / MODEL}.onnx`"
    names = " or ".join(MODEL + suffix for suffix in suffixes)
    raise FileNotFoundError(f"{folder} contains no {names}; {hint}")
