"""Train and measure on a GPU in calls of at most ten minutes (not measured on a GPU so far).

    python benchmarks/gpu.py pack --data DIR -o packed.npz             # Human3.6M and MPII, < 50 MB
    python benchmarks/gpu.py run packed.npz -o OUT --minutes 9         # golden losses, step times,
                                                                       # trainings, evaluations
    python benchmarks/gpu.py run packed.npz -o OUT2 --resume OUT       # go on in the next call

OUT/gpu.json has all results and OUT/NAME/model.safetensors the weights in half precision. Files
above `--limit` megabytes are split, and joined by `--resume`. A call ends after `--minutes` with
status 3 if work is left. `--device cpu --rehearse` runs the same code with small networks.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]
from gpu_data import pack, unpack  # noqa: E402
from gpu_steps import step_times  # noqa: E402

from camerapose.core import plugins  # noqa: E402
from camerapose.evaluate.run import evaluate  # noqa: E402
from camerapose.io.files import make_folder, write_bytes, write_text  # noqa: E402
from camerapose.models.checkpoint import load_model, read_header, save_model  # noqa: E402
from camerapose.train import config_io, trainer  # noqa: E402

#: Status of a call that leaves work to the next.
UNFINISHED = 3
#: Changes of the single-frame model with attention.
GRAPH_ATTENTION: dict[str, Any] = {
    "model": {"lifter": "graph_attention", "lifter_arguments": {}}, "ema": 0.999,
    "weights": {"bone_direction": 0.1},
}  # fmt: skip
#: Trainings in their order: name, configuration, settings.
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("paper", {}),
    "videopose": ("quick", {"model": {"lifter": "videopose", "lifter_arguments": {}}}),
    "videopose-1": ("quick", {"seed": 1, "model": {"lifter": "videopose", "lifter_arguments": {}}}),
    "clean": ("clean", {}),
    "graph_attention": ("clean", GRAPH_ATTENTION),
    "graph_attention-17": ("clean", GRAPH_ATTENTION | {"data": {"skeleton": "h36m_17"}}),
}
#: Settings of the rehearsal on the CPU.
SMALL: dict[str, Any] = {
    "unlabelled_batch": 8, "compile": False,
    "model": {"lifter": "mlp", "lifter_arguments": {"width": 16}, "camera_hidden": 16},
    **{stage: {"epochs": 1, "batch": 16} for stage in ("refine", "warmup", "joint")},
    "adversarial": {"batch": 8},
}  # fmt: skip
#: Settings of a training without random numbers.
PLAIN: dict[str, Any] = {
    "unlabelled_batch": 0, "bone_length_std": 0.0, "noise": {"clean": 1.0},
    "adversarial": {"generated_share": 0.0}, "model": {"lifter_arguments": {"dropout": 0.0}},
}  # fmt: skip
#: Largest relative difference of losses on a GPU and the golden losses of the CPU.
TOLERANCE = 1e-3


class Work:
    """Results of all calls, and the time of this one.

    Args:
        out: folder for results.
        deadline: `time.monotonic` at which the call ends.
    """

    def __init__(self, out: Path, deadline: float):
        self.path, self.deadline = out / "gpu.json", deadline
        self.results: dict[str, Any] = {}
        if self.path.exists():
            self.results = json.loads(self.path.read_text(encoding="utf-8"))

    def do(self, name: str, function: Callable[[], Any]) -> None:
        """Run a task unless it has a result, and store its result with the device.

        Raises:
            TimeoutError: no time is left; the task was not begun or was interrupted.
        """
        if name in self.results:
            return
        if time.monotonic() > self.deadline:
            raise TimeoutError(name)
        print(f"{name} ...", flush=True)
        started = time.monotonic()
        try:
            with interrupted_at(self.deadline):
                value = function()
        except KeyboardInterrupt as error:
            raise TimeoutError(name) from error
        self.results[name] = {"seconds": time.monotonic() - started, "result": value}
        write_text(self.path, json.dumps(self.results, indent=1) + "\n")


@contextmanager
def interrupted_at(deadline: float) -> Iterator[None]:
    """Send SIGINT to this process at the deadline; a training saves its state and stops.

    Programs that a script starts in the background ignore this signal; not in this context.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    seconds = max(deadline - time.monotonic(), 0.0)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


def run(options: argparse.Namespace) -> int:
    """Do all tasks that have no result; return the exit status."""
    out = make_folder(options.out)
    if options.resume is not None:
        join(options.resume, out)
    work = Work(out, time.monotonic() + 60 * options.minutes)
    device = trainer.select_device(options.device)
    work.results["device"] = describe(device)
    data = unpack(options.packed, out / "data")
    try:
        work.do("golden losses", lambda: golden(device, out / "golden"))
        for lifter in ["mlp"] if options.rehearse else plugins.available("lifters"):
            batch = 16 if options.rehearse else 1024
            work.do(f"steps {lifter}", lambda n=lifter, b=batch: step_times(n, b, device))
        for name in options.trainings:
            work.do(f"training {name}", lambda n=name: train(n, data, out, options))
    except TimeoutError as error:
        print(f"time is up in {error}; repeat with --resume {out}", flush=True)
        status = UNFINISHED
    else:
        status = 0
    shutil.rmtree(out / "data")
    split(out, options.limit)
    return status


def golden(device: torch.device, folder: Path) -> dict[str, float]:
    """Check the losses of a few iterations of every lifter, on the CPU and on the device.

    The CPU has to reproduce `golden_losses.json`. Random numbers differ between devices, so the
    comparison of the devices is made without generated poses, noise, dropout and 2D-only poses.

    Returns:
        The largest relative difference of the device from the CPU, by run.

    Raises:
        ValueError: a difference exceeds `TOLERANCE`.
    """
    from helpers.golden import RUNS, losses

    def record(name: str, changes: dict[str, Any]) -> list[dict[str, float]]:
        shutil.rmtree(folder, ignore_errors=True)
        rows = losses(name, folder, changes=changes)
        shutil.rmtree(folder)
        return rows

    expected = json.loads((HERE.parent / "tests" / "train" / "golden_losses.json").read_text())
    worst = {"golden (CPU)": _difference(record("paper", {}), expected["paper"])}
    for name in (name for name in RUNS if "dropout" not in name):
        here, there = (record(name, PLAIN | {"device": d}) for d in ("cpu", str(device)))
        worst[name] = _difference(there, here)
    if max(worst.values()) > TOLERANCE:
        raise ValueError(f"losses on {device} differ from those of the CPU: {worst}")
    return worst


def _difference(rows: list[dict[str, float]], known: list[dict[str, float]]) -> float:
    """Return the largest relative difference of two records of losses."""
    return max(
        abs(row[key] - value) / max(abs(value), 1e-3)
        for row, other in zip(rows, known, strict=True)
        for key, value in other.items()
    )


def train(name: str, data: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train one configuration, or go on with it, and evaluate it on S9 and S11."""
    file, changes = TRAININGS[name]
    config = config_io.read(HERE.parent / "configs" / f"{file}.toml")
    folders = {"data": {"human36m": str(data), "mpii": str(data), "detections": False}}
    on_gpu = {"device": options.device, "figures": 0, "compile": options.device != "cpu"}
    for settings in (changes, folders, on_gpu, SMALL if options.rehearse else {}):
        config = config_io.update(config, settings, "gpu.py")
    checkpoint = trainer.train(config, out / name / "run")
    weights = out / name / "model.safetensors"
    sizes, card, _ = read_header(checkpoint)
    save_model(load_model(checkpoint), weights, sizes, card, half=True)
    step = 1 if options.rehearse else options.frame_step
    results = {
        f"flip_averaging={flip}": evaluate(
            weights, "human36m", data, frame_step=step, flip_averaging=flip
        )["frame_wise"]
        for flip in (False, True)
    }
    shutil.rmtree(out / name / "run")  # large, and the weights are kept
    return results


def describe(device: torch.device) -> dict[str, str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    note = "" if device.type == "cuda" else "rehearsal: not measured on a GPU"
    return {"name": name, "torch": torch.__version__, "note": note}


def split(folder: Path, limit: float) -> None:
    """Split files above the limit into NAME.part00, NAME.part01, ..."""
    size = int(limit * 1e6)
    for path in [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > size]:
        content = path.read_bytes()
        for i, start in enumerate(range(0, len(content), size)):
            write_bytes(path.with_name(f"{path.name}.part{i:02d}"), content[start : start + size])
        path.unlink()


def join(source: Path, target: Path) -> None:
    """Copy the results of an earlier call; join the files that `split` divided.

    Raises:
        FileNotFoundError: no results in `source`.
    """
    if not any((source / name).exists() for name in ("gpu.json", "golden", *TRAININGS)):
        raise FileNotFoundError(f"no results of an earlier call in {source}")
    parts: dict[Path, list[Path]] = {}
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        name, _, _ = path.name.partition(".part")
        parts.setdefault((target / path.relative_to(source)).with_name(name), []).append(path)
    for path, pieces in parts.items():
        make_folder(path.parent)
        write_bytes(path, b"".join(piece.read_bytes() for piece in pieces))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("--data", type=Path, required=True, help="folder with h36m and mpii")
    packing.add_argument("-o", "--out", type=Path, required=True)
    packing.set_defaults(function=lambda o: print(pack(o.data, o.out)) or 0)
    running = commands.add_parser("run")
    running.add_argument("packed", type=Path)
    running.add_argument("-o", "--out", type=Path, required=True)
    running.add_argument("--resume", type=Path, help="OUT of an earlier call")
    running.add_argument("--minutes", type=float, default=9.0)
    running.add_argument("--device", default="cuda")
    running.add_argument("--limit", type=float, default=15.5, help="megabytes of a file")
    running.add_argument("--frame-step", type=int, default=1, help="of the evaluation")
    running.add_argument("--trainings", nargs="*", default=list(TRAININGS), choices=TRAININGS)
    running.add_argument("--rehearse", action="store_true", help="small networks and data")
    running.set_defaults(function=run)
    options = parser.parse_args(arguments)
    return options.function(options)


if __name__ == "__main__":
    sys.exit(main())
