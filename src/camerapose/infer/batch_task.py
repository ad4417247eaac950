"""Predict one input of a batch into its own folder, at most once."""

import contextlib
import dataclasses
import functools
import json
import os
import re
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, Literal, NamedTuple

import camerapose
from camerapose.infer.detection import load_detector
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict, silent
from camerapose.infer.predictor import Predictor
from camerapose.io.files import flush_folder, write_text
from camerapose.io.locks import lock_folder

#: File in the folder of a finished input: its number of poses, what they depend on, and the sizes
#: of all other files.
DONE = "done.json"
#: File in an unfinished folder: how often the input was started in this run.
STARTED = ".begun"
#: Names of temporary folders and locks next to the folder of an input.
_TEMPORARY = re.compile(r"\.(.+)\.(part|old|lock)")
#: Number of lost workers after which an input counts as failed.
MAX_LOST = 3
#: Options that do not affect results, or are compared by content.
IGNORED_OPTIONS = ("threads", "device", "weights")


class BatchResult(NamedTuple):
    """Result of one input.

    Attributes:
        name: name of the folder.
        state: "done" in this run, "finished" in an earlier run, or "failed".
        poses: number of poses.
        seconds: duration of prediction.
        error: message, if failed.
    """

    name: str
    state: Literal["done", "finished", "failed"]
    poses: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Task:
    """One input of a batch; can be sent to another process or machine.

    Attributes:
        name: name of the folder.
        path: absolute path of the input.
        folder: for the results.
        made_by: everything that the results depend on, as plain JSON.
        run: identifies the call of `predict_each`.
        again: predict even if finished.
    """

    name: str
    path: str
    folder: str
    made_by: dict[str, Any]
    options: PredictOptions
    run: str
    again: bool = False

    @staticmethod
    def create(
        name: str, path: Path, folder: Path, options: PredictOptions, weights_hash: str
    ) -> "Task":
        """Create the task of an input; the input's size and time are read."""
        settings = {
            key: value
            for key, value in dataclasses.asdict(options).items()
            if key not in IGNORED_OPTIONS
        }
        made_by = {
            "camerapose_version": camerapose.__version__,
            "weights": weights_hash,
            "input": _fingerprint(path),
            "settings": json.loads(json.dumps(settings, default=os.fspath)),
        }
        return Task(name, str(path.absolute()), str(folder), made_by, options, uuid.uuid4().hex)

    def finished(self) -> int | None:
        """Return the number of poses in the folder, or None unless it is complete and current."""
        try:
            done = json.loads(Path(self.folder, DONE).read_text(encoding="utf-8"))
            sizes = _sizes(Path(self.folder))
            complete = all(sizes.get(name) == size for name, size in done["files"].items())
            return done["poses"] if complete and done["made_by"] == self.made_by else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def run_task(task: Task) -> BatchResult:
    """Predict an input into a temporary folder, and rename that when it is complete.

    Errors are returned, not raised; results up to an error are kept, but not marked as finished.
    """
    folder = Path(task.folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Held by a worker that outlived its killed run, for example.
        with lock_folder(folder.parent, name=_lock_name(folder), waiting=silent):
            return _run_locked(task, folder, _part(folder))
    except OSError as error:
        return BatchResult(task.name, "failed", error=str(error) or type(error).__name__)


def _run_locked(task: Task, folder: Path, part: Path) -> BatchResult:
    began = time.monotonic()
    known = None if task.again else task.finished()
    if known is not None:  # by a worker that was lost before it could report
        return BatchResult(task.name, "done", known, time.monotonic() - began)
    lost = _times_started(task, part)
    shutil.rmtree(part, ignore_errors=True)
    if lost == MAX_LOST:
        error = f"the worker was lost {lost} times during this input"
        return BatchResult(task.name, "failed", error=error)
    try:
        part.mkdir(parents=True, exist_ok=True)
        write_text(part / STARTED, json.dumps([task.run, lost + 1]))
        options = task.options
        weights = str(options.weights), options.device, options.threads, task.made_by["weights"]
        predictor = _predictor(*weights)
        poses = predict(
            task.path, part, options, progress=False, predictor=predictor, load=_detector
        )
        sizes = {name: size for name, size in _sizes(part).items() if name != STARTED}
        done = {"made_by": task.made_by, "poses": len(poses), "files": sizes}
        write_text(part / DONE, json.dumps(done, indent=1) + "\n")
        _move(part, folder)
    except Exception as error:
        (part / DONE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            if task.finished() is None:
                _move(part, folder)
            else:  # complete results of an earlier run are better than partial ones
                shutil.rmtree(part)
        message = str(error) or type(error).__name__
        return BatchResult(task.name, "failed", 0, time.monotonic() - began, message)
    return BatchResult(task.name, "done", len(poses), time.monotonic() - began)


@functools.lru_cache(maxsize=1)
def _predictor(weights: str, device: str, threads: int | None, weights_hash: str) -> Predictor:
    """Load the predictor of all inputs of a batch once per process."""
    return Predictor(weights, device=device, threads=threads)


def _detector(options: PredictOptions, consecutive: bool) -> Any:
    """Load the detectors of all inputs of a batch once per process."""
    detector = _loaded_detector(
        options.detector, options.model, options.people_per_frame, options.threads,
        options.device, consecutive,
    )  # fmt: skip
    detector.reset()
    return detector


@functools.lru_cache(maxsize=2)  # for images and for videos
def _loaded_detector(
    name: str, model: str, people: int, threads: int | None, device: str, consecutive: bool
) -> Any:
    options = PredictOptions(
        detector=name, model=model, max_people=people, threads=threads, device=device
    )
    return load_detector(options, consecutive)


def remove_abandoned(out: Path) -> None:
    """Remove the temporary folders that killed runs left in a folder of results.

    Those that a live process uses are kept. Complete ones replace the folder that was moved away
    for them.
    """
    for left in sorted(out.rglob(".*")) if out.is_dir() else ():
        name = _TEMPORARY.fullmatch(left.name)
        if name is None or not _is_ours(left, name[2]):
            continue
        folder = left.with_name(name[1])
        with contextlib.suppress(OSError), lock_folder(left.parent, name=_lock_name(folder)):
            part, old = _part(folder), _old(folder)
            if not folder.exists():
                for complete in (part, old):
                    if (complete / DONE).exists() and not folder.exists():
                        (complete / STARTED).unlink(missing_ok=True)
                        os.rename(complete, folder)
            for path in (part, old):
                shutil.rmtree(path, ignore_errors=True)


def _is_ours(path: Path, kind: str) -> bool:
    """Whether a file or folder is one that `run_task` creates."""
    if kind == "lock":
        return path.is_file() and path.stat().st_size < 1000
    return path.is_dir() and (
        not any(path.iterdir()) or (path / STARTED).exists() or (path / DONE).exists()
    )


def _part(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.part")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _lock_name(folder: Path) -> str:
    return f".{folder.name}.lock"


def _sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of the files of a folder by their names."""
    return {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.is_file()}


def _fingerprint(path: Path) -> list[list[Any]]:
    """Return name, size and time of a file, or of the files in a folder."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    return [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]


def _times_started(task: Task, part: Path) -> int:
    """Return how often workers of this run started the input without finishing it."""
    try:
        run, times = json.loads((part / STARTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return times if run == task.run else 0


def _move(part: Path, folder: Path) -> None:
    """Replace the folder by its temporary folder, unless that is empty.

    Whenever the process is killed, one of them is complete; `remove_abandoned` finds it.
    """
    (part / STARTED).unlink(missing_ok=True)
    if not part.exists() or not any(part.iterdir()):
        shutil.rmtree(part, ignore_errors=True)
        return
    flush_folder(part)
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(part, folder)
    flush_folder(folder)
    shutil.rmtree(old, ignore_errors=True)
