"""Many inputs, each into a folder of its own: in this process or, through Ray Data, in many.

What is finished is not done again, whichever engine did it: a folder appears whole, with
`done.json` in it, or not at all.
"""

import glob
import hashlib
import inspect
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import camerapose
from camerapose.infer.pipeline import predict
from camerapose.io.files import flush_folder, write_text
from camerapose.io.weights import SHIPPED, find_weights

#: What an input's folder holds when it is finished: what made it, and how many poses it has.
DONE = "done.json"
#: Ray keeps so much memory for what it passes about (bytes): paths and counts.
RAY_MEMORY = 100_000_000
#: An input that has so often cost its worker's life has failed.
MOST_LOST = 3
#: Settings of `predict` that do not change its results.
INDIFFERENT = ("threads", "progress", "say")


class Outcome(NamedTuple):
    """What became of one input."""

    name: str  # of its folder
    state: str  # "done" now, "finished" before, or "failed"
    poses: int = 0
    seconds: float = 0.0
    error: str = ""


def predict_each(
    inputs: str | os.PathLike | Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    engine: str = "local",
    workers: int | None = None,
    again: bool = False,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> list[Outcome]:
    """`predict` each of many inputs into a folder of its own, `out/NAME`, by its file's name.

    Repeated after an interruption it goes on: an input whose folder was made of the same file by
    the same weights and settings is left as it is. One that fails does not stop the others, and
    is tried again next time.

    Args:
        inputs: a pattern such as `videos/*.mp4` (with `**` through folders; `NAME` is then the
            path from the first folder without wildcards), or paths.
        out: folder for all; made if it is not there. With a cluster: one that all machines see.
        engine: "local", one after another here; "ray", through Ray Data: on the cores of this
            machine or, where `RAY_ADDRESS` is set, of that cluster.
        workers: inputs at a time with Ray; None: as many as there are cores.
        again: also do what is finished.
        say: is given a line of text an input.
        settings: of `predict`. With Ray each input takes one thread unless `threads` says more.

    Returns:
        Of every input what became of it, in the order of their names.

    Raises:
        FileNotFoundError, ValueError: there are no inputs, or a setting can't be used.
    """
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; it takes {' or '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ValueError(f"{workers} workers; give 1 or more")
    inspect.signature(predict).bind("", "", **settings)  # TypeError for what it does not take
    out = Path(out).absolute()
    chosen = settings.get("weights", "default")
    weights = hashlib.sha256(find_weights(chosen).read_bytes()).hexdigest()
    if str(chosen) not in SHIPPED:  # workers may have another working directory
        settings["weights"] = os.path.abspath(chosen)
    tasks = [_task(name, path, out / name, weights, settings) for name, path in _named(inputs)]
    done = {} if again else {task["name"]: _finished(task) for task in tasks}
    todo = [task | {"again": again} for task in tasks if done.get(task["name"]) is None]
    said = f", {len(tasks) - len(todo)} of them finished before" if len(todo) < len(tasks) else ""
    say(f"{len(tasks)} inputs{said}")
    found = {name: Outcome(name, "finished", n) for name, n in done.items() if n is not None}
    if todo:
        for i, row in enumerate(ENGINES[engine](todo, workers), start=1):
            outcome = Outcome(**row)
            found[outcome.name] = outcome
            say(f"{i}/{len(todo)} {_told(outcome)}")
    return [found[task["name"]] for task in tasks]


def _told(outcome: Outcome) -> str:
    if outcome.state == "failed":
        return f"{outcome.name} failed: {outcome.error}"
    return f"{outcome.name}: {outcome.poses} poses in {outcome.seconds:.1f} s"


# --- inputs


def _named(inputs: Any) -> list[tuple[str, Path]]:
    """Inputs and the names of their folders."""
    several = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    named: dict[str, Path] = {}
    for given in several:
        for name, path in _found(os.fspath(given)):
            if named.setdefault(name, path) != path:
                raise ValueError(
                    f"{named[name]} and {path} are both called {name}; give one pattern for both, "
                    "such as 'videos/**/*.mp4': results are then called by folder and name"
                )
    return sorted(named.items())


def _found(given: str) -> list[tuple[str, Path]]:
    path = Path(given)
    if not glob.has_magic(given) or path.exists():
        if not path.exists():
            raise FileNotFoundError(f"There is no file or folder {path}.")
        return [(path.resolve().name, path)]
    parts = path.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    start = Path(*parts[:first])
    paths = [Path(p) for p in glob.glob(given, recursive=True)]
    if not paths:
        raise FileNotFoundError(f"No file is called {given}.")
    return [(p.relative_to(start).as_posix(), p) for p in paths]


# --- one input


def _task(
    name: str, path: Path, folder: Path, weights: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """All that a worker needs to know, plain enough to be sent to another machine."""
    made_by = {k: v for k, v in settings.items() if k not in (*INDIFFERENT, "weights")}
    made_by = _defaults() | made_by
    about = {
        "camerapose_version": camerapose.__version__,
        "weights": weights,
        "input": _fingerprint(path),
        "settings": json.loads(json.dumps(made_by, default=os.fspath)),
    }
    return {"name": name, "path": str(path.absolute()), "folder": str(folder), "about": about,
            "settings": settings, "run": uuid.uuid4().hex}  # fmt: skip


def _defaults() -> dict[str, Any]:
    """Settings of `predict` that its results depend on, as they are if they are not given."""
    given = inspect.signature(predict).parameters.values()
    own = {p.name: p.default for p in given if p.kind is p.KEYWORD_ONLY}
    return {k: v for k, v in own.items() if k not in (*INDIFFERENT, "weights")}


def _fingerprint(path: Path) -> list:
    """Name, size and time of a file, or of the files in a folder."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    return [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]


def _finished(task: dict[str, Any]) -> int | None:
    """How many poses its folder has, if that is whole and made by the same; else None."""
    try:
        done = json.loads(Path(task["folder"], DONE).read_text(encoding="utf-8"))
        return done["poses"] if done["made_by"] == task["about"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _do(task: dict[str, Any]) -> dict[str, Any]:
    """Predict one input beside its folder, and put that in its place when it is whole."""
    began = time.monotonic()
    folder = Path(task["folder"])
    part = folder.with_name(f".{folder.name}.part")

    def outcome(state: str, poses: int = 0, error: str = "") -> dict[str, Any]:
        return {"name": task["name"], "state": state, "poses": poses,
                "seconds": time.monotonic() - began, "error": error}  # fmt: skip

    known = None if task["again"] else _finished(task)
    if known is not None:  # by a worker that was lost before it could tell
        return outcome("done", known)
    lost = _times_lost(task, part)
    shutil.rmtree(part, ignore_errors=True)
    if lost == MOST_LOST:
        return outcome("failed", error=f"its worker was lost {lost} times while it was at it")
    settings = {"progress": False, "say": lambda _: None} | task["settings"]
    try:
        _note(task, part, lost + 1)
        poses = predict(task["path"], part, **settings)
        done = {"made_by": task["about"], "poses": len(poses)}
        write_text(part / DONE, json.dumps(done, indent=1) + "\n")
    except Exception as error:  # whatever it is, it is to be told, and the others go on
        _put(part, folder)  # what could be saved, not marked as finished
        return outcome("failed", error=str(error) or type(error).__name__)
    _put(part, folder)
    return outcome("done", len(poses))


#: Beside what a worker writes: how often this input was begun in this run.
BEGUN = ".begun"


def _note(task: dict[str, Any], part: Path, times: int) -> None:
    part.mkdir(parents=True, exist_ok=True)
    write_text(part / BEGUN, json.dumps([task["run"], times]))


def _times_lost(task: dict[str, Any], part: Path) -> int:
    """How often it was begun in this run by workers that did not come to an end."""
    try:
        run, times = json.loads((part / BEGUN).read_text())
    except (OSError, ValueError):
        return 0
    return times if run == task["run"] else 0


def _put(part: Path, folder: Path) -> None:
    """What was written, if anything, in its place."""
    (part / BEGUN).unlink(missing_ok=True)
    if not part.exists() or not any(part.iterdir()):
        shutil.rmtree(part, ignore_errors=True)
        return
    if folder.exists():
        shutil.rmtree(folder)
    flush_folder(part)
    os.rename(part, folder)


# --- engines: tasks in, what became of each out, in whatever order


def _here(tasks: Iterable[dict[str, Any]], workers: int | None) -> Iterator[dict[str, Any]]:
    """One after another."""
    return map(_do, tasks)


def _through_ray(tasks: list[dict[str, Any]], workers: int | None) -> Iterator[dict[str, Any]]:
    """In Ray's workers. A task whose worker is lost is done again by another."""
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        _start(ray, workers)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_no_progress_timeout_s = -1  # a video may take hours
        threads = tasks[0]["settings"].get("threads") or 1
        # a block a task: each is sent to whoever is free, and told of when it is done
        packed = ray.data.from_items([_packed(task, threads) for task in tasks],
                                     override_num_blocks=len(tasks))  # fmt: skip
        compute = ray.data.TaskPoolStrategy(size=workers)
        for row in packed.map(_do_packed, num_cpus=threads, compute=compute).iter_rows():
            yield json.loads(row["row"])
    finally:
        if ours:
            ray.shutdown()


def _ray() -> Any:
    """Ray, silent: no usage statistics, no log of its own, no socket beyond this machine unless it
    is to join a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    if not os.environ.get("RAY_ADDRESS"):
        # says on every system that there is but one machine, and Ray then keeps to loopback
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ValueError(
            f'the engine ray takes {error.name}; install it with pip install "camerapose[scale]"'
        ) from None
    return ray


def _start(ray: Any, workers: int | None) -> None:
    """Join the cluster at `RAY_ADDRESS`; else start Ray here, for this machine alone."""
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    ray.init(
        address="local", num_cpus=workers or os.cpu_count(), include_dashboard=False,
        object_store_memory=RAY_MEMORY, _node_ip_address="127.0.0.1", **quiet,
    )  # fmt: skip


def _packed(task: dict[str, Any], threads: int) -> dict[str, bytes]:
    """One column: Ray makes tables of rows, and settings have many shapes."""
    import pickle

    return {"task": pickle.dumps(task | {"settings": task["settings"] | {"threads": threads}})}


def _do_packed(row: dict[str, bytes]) -> dict[str, str]:
    import pickle

    return {"row": json.dumps(_do(pickle.loads(row["task"])))}


ENGINES = {"local": _here, "ray": _through_ray}
