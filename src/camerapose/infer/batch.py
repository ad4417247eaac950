"""Predict many inputs, each into its own folder, and skip those that are already finished."""

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from camerapose.infer.batch_engines import ENGINES
from camerapose.infer.batch_task import BatchResult, Task, remove_abandoned
from camerapose.infer.options import Log, PredictOptions
from camerapose.infer.pipeline import silent
from camerapose.io.files import make_folder
from camerapose.io.locks import lock_folder
from camerapose.io.weights import SHIPPED, find_weights

#: One path or pattern, or several.
Inputs = str | os.PathLike | Sequence[str | os.PathLike]


def predict_each(
    inputs: Inputs,
    out: str | os.PathLike,
    options: PredictOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    again: bool = False,
    log: Log = silent,
) -> list[BatchResult]:
    """Predict each input into the folder `out/NAME`, where NAME is its file name.

    A repeated call continues an interrupted one: an input is skipped if its folder was made from
    the same file with the same weights and options. An input that fails does not stop the others,
    and is repeated by the next call. A folder is complete, or does not contain `done.json`.

    Args:
        inputs: pattern such as `videos/*.mp4`, or paths. With `**`, which searches subfolders,
            NAME is the path relative to the first folder without wildcards.
        out: parent of all folders, created if needed; on a cluster, shared by all machines.
        options: None: the default options. With Ray, each input uses one thread unless
            `options.threads` is set.
        engine: "local" for this process; "ray" for Ray Data on this machine or, if RAY_ADDRESS is
            set in the environment, on that cluster.
        workers: number of inputs in parallel, for Ray; None: number of cores.
        again: also predict finished inputs.
        log: receives one line of text per input.

    Returns:
        Results in the order of the names.

    Raises:
        FileNotFoundError, ValueError: there are no inputs, or an option cannot be used.
        OSError: another process uses the folder, or it cannot be written.
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known are {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; require 1 or more")
    if options is not None and options.show:
        raise ValueError("show requires a single input; leave out --engine")
    options, weights_hash = _absolute_weights(options or PredictOptions())
    out = Path(out).absolute()
    remove_abandoned(out)
    tasks = [
        replace(Task.create(name, path, out / name, options, weights_hash), again=again)
        for name, path in _named(inputs)
    ]
    finished = {} if again else {task.name: task.finished() for task in tasks}
    remaining = [task for task in tasks if finished.get(task.name) is None]
    skipped = len(tasks) - len(remaining)
    log(f"{len(tasks)} inputs" + (f", {skipped} already finished" if skipped else ""))
    results = {
        name: BatchResult(name, "finished", poses)
        for name, poses in finished.items()
        if poses is not None
    }
    if remaining:
        with lock_folder(make_folder(out)):
            for i, result in enumerate(ENGINES[engine](remaining, workers), start=1):
                results[result.name] = result
                log(f"{i}/{len(remaining)} {_text(result)}")
    return [results[task.name] for task in tasks]


def _absolute_weights(options: PredictOptions) -> tuple[PredictOptions, str]:
    """Return options with an absolute path of the weights, for workers, and the weights' hash."""
    weights_hash = hashlib.sha256(find_weights(options.weights).read_bytes()).hexdigest()
    if str(options.weights) not in SHIPPED:
        options = replace(options, weights=os.path.abspath(options.weights))
    return options, weights_hash


def _text(result: BatchResult) -> str:
    if result.state == "failed":
        return f"{result.name} failed: {result.error}"
    return f"{result.name}: {result.poses} poses in {result.seconds:.1f} s"


def _named(inputs: Inputs) -> list[tuple[str, Path]]:
    """Return inputs and the names of their folders, sorted by name."""
    several = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    named: dict[str, Path] = {}
    for given in several:
        for name, path in _expand(os.fspath(given)):
            if named.setdefault(name, path) != path:
                raise ValueError(
                    f"{named[name]} and {path} have the same name {name}; use one pattern for "
                    "both, such as 'videos/**/*.mp4', whose results are named by folder and file"
                )
    return sorted(named.items())


def _expand(given: str) -> list[tuple[str, Path]]:
    """Return names and paths of the inputs that a path or pattern stands for."""
    path = Path(given)
    if path.exists():
        return [(path.resolve().name, path)]
    if not glob.has_magic(given):
        raise FileNotFoundError(f"no file or folder {path}")
    parts = path.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:first])
    paths = [Path(p) for p in glob.glob(given, recursive=True)]
    if not paths:
        raise FileNotFoundError(f"no file matches {given}")
    return [(p.relative_to(root).as_posix(), p) for p in paths]
