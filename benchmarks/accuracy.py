"""Accuracy tables: train and evaluate every row with one short schedule, write dev/results.md.

    python benchmarks/accuracy.py --list                           # rows and finished seeds
    python benchmarks/accuracy.py --data DIR                       # all unfinished rows
    python benchmarks/accuracy.py --data DIR --rows 'gt-parts-*'   # some rows
    python benchmarks/accuracy.py --data DIR --shipped             # weights of the package
    python benchmarks/accuracy.py --only-report                    # rewrite dev/results.md

DIR contains h36m, mpii and humaneva. An interrupted row resumes. The result of a row is one file in
benchmarks/results; a row with a result is not trained again.
"""

import argparse
import fnmatch
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import report
from rows import TRANSPLANTS, Row, nested, rows

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CONFIG = HERE.parent / "configs" / "matrix.toml"
DOCUMENT = HERE.parent / "dev" / "results.md"
#: Rows are evaluated on every n-th test frame of Human3.6M.
FRAME_STEP = 10
#: Tests: protocol, folder, detections, flip averaging, rotated views.
TESTS = {
    "gt": ("human36m", "h36m", None, False, False),
    "gt_mirror": ("human36m", "h36m", None, True, False),
    "gt_turned": ("human36m", "h36m", None, True, True),
    "sh": ("human36m", "h36m", "sh_pt_mpii", False, False),
    "sh_mirror": ("human36m", "h36m", "sh_pt_mpii", True, False),
    "landscape": ("novel_landscape", "h36m", None, True, False),
    "portrait": ("novel_portrait", "h36m", None, True, False),
    "humaneva": ("humaneva", "humaneva", None, True, False),
    "mpii": ("mpii", "mpii", None, True, False),
}
#: Tests of the rows. Rotated views take five times as long and are only for shipped weights.
ROWS_TESTS = tuple(name for name in TESTS if name != "gt_turned")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="default: data")
    parser.add_argument("--rows", nargs="*", default=["*"], help="names or patterns; default all")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--out", type=Path, default=Path("runs/matrix"), help="run folders")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time")
    parser.add_argument("--list", action="store_true", help="name the rows and stop")
    parser.add_argument("--only-report", action="store_true")
    parser.add_argument("--shipped", action="store_true", help="measure weights, train nothing")
    parser.add_argument(
        "--weights",
        nargs="*",
        default=["open"],
        help="for --shipped: open, human36m, clean, or a folder",
    )
    parser.add_argument(
        "--tests",
        nargs="*",
        default=list(TESTS),
        choices=list(TESTS),
        help="for --shipped: these alone; what was measured before stays",
    )
    parser.add_argument(
        "--frame-step", type=int, default=1, help="for --shipped: every n-th frame of Human3.6M"
    )
    arguments = parser.parse_args()
    chosen = [r for r in rows() if any(fnmatch.fnmatch(r.name, p) for p in arguments.rows)]
    if arguments.list:
        for row in chosen:
            done = [s for s in arguments.seeds if _file(row.name, s).exists()]
            print(f"{row.name:28} seeds done {done or '-'}   {row.label}")
        return
    if arguments.shipped:
        for weights in arguments.weights:
            shipped(weights, arguments.data, arguments.tests, arguments.frame_step)
    elif not arguments.only_report:
        matrix(chosen, arguments)
    report.write(DOCUMENT, RESULTS, rows())
    print(f"wrote {DOCUMENT}")


def matrix(chosen: list[Row], arguments: argparse.Namespace) -> None:
    """Train and evaluate rows without a result, seed by seed, so that each has one result early."""
    tasks = [
        (row, seed, arguments.data, arguments.out)
        for seed in arguments.seeds
        for row in chosen
        if not _file(row.name, seed).exists()
    ]
    threads = max(1, (os.cpu_count() or 1) // arguments.jobs)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # for the processes of the pool
    signal.signal(signal.SIGTERM, _stop)
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        waiting, running = iter(tasks), {}
        while True:  # submit only what can run, so that a stop does not start further rows
            for task in islice(waiting, arguments.jobs - len(running)):
                running[pool.submit(run_row, *task)] = task
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                row, seed, *_ = running.pop(future)
                future.result()
                print(f"done: {row.name}, seed {seed}", flush=True)
    for name, (lifter, refiner) in TRANSPLANTS.items():
        for seed in arguments.seeds:
            transplant(name, lifter, refiner, seed, arguments)


def _stop(*_: Any) -> None:
    """Let running rows save and end, and exit."""
    for child in active_children():
        child.terminate()
    sys.exit(1)


def run_row(row: Row, seed: int, data: Path, out: Path) -> None:
    """Train and evaluate a row with one seed, and write its result."""
    from camerapose.train import config_io
    from camerapose.train.trainer import train

    config = config_io.read(CONFIG)
    where = {"human36m": str(data / "h36m"), "mpii": str(data / "mpii")}
    config = config_io.update(config, {"seed": seed, "data": where}, "accuracy.py")
    for key, value in row.changes.items():
        config = config_io.update(config, nested(key, value), row.name)
    folder = out / f"{row.name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    clock = folder / "seconds.txt"
    before, started = float(clock.read_text()) if clock.exists() else 0.0, time.monotonic()
    try:
        train(config, folder)
    finally:
        seconds = before + time.monotonic() - started
        clock.write_text(str(seconds))
    found = {
        "row": row.name, "seed": seed, "changes": row.changes,
        "config": config_io.read_differences(CONFIG), "seconds": round(seconds),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
    }  # fmt: skip
    _write(row.name, seed, found | {"tests": measured(folder, data)})


def transplant(name: str, lifter: str, refiner: str, seed: int, arguments) -> None:
    """Evaluate the refinement network of one row with the lifter of another."""
    folders = [arguments.out / f"{row}-{seed}" for row in (lifter, refiner)]
    ready = all((folder / "checkpoint" / "model.safetensors").exists() for folder in folders)
    if _file(name, seed).exists() or not ready:
        return
    from camerapose.models.checkpoint import load_model

    model, donor = (load_model(folder) for folder in folders)
    model.refiner = donor.refiner
    found = {"row": name, "seed": seed, "lifter": lifter, "refiner": refiner}
    _write(name, seed, found | {"tests": measured(model, arguments.data)})


def shipped(weights: str, data: Path, tests: list[str], frame_step: int = 1) -> None:
    """Measure weights on tests; others that were measured before are kept."""
    from camerapose.evaluate.models import load_for_evaluation

    model, _ = load_for_evaluation(weights)
    name = f"shipped-{weights_name(weights)}"
    found = {}
    for test in tests:
        step = frame_step if TESTS[test][1] == "h36m" else 1
        found |= measured(model, data, step, [test])
    known = json.loads(_file(name, 0).read_text())["tests"] if _file(name, 0).exists() else {}
    _write(name, 0, {"row": name, "seed": 0, "tests": known | found})


def weights_name(weights: str) -> str:
    """Return a short name of weights: that of the run folder for a checkpoint."""
    path = Path(weights)
    return path.parent.name if path.name == "checkpoint" else path.stem


def measured(
    model: Any, data: Path, frame_step: int = FRAME_STEP, tests: Sequence[str] = ROWS_TESTS
) -> dict[str, Any]:
    """Return the mean metrics of each test whose data exist."""
    import torch

    from camerapose.evaluate import protocols
    from camerapose.evaluate.measure import measure
    from camerapose.evaluate.tables import COLUMNS
    from camerapose.models.checkpoint import load_model

    if isinstance(model, Path):
        model = load_model(model)
    torch.set_float32_matmul_precision("highest")
    found = {}
    for name in tests:
        dataset, folder, detections, mirror, turned = TESTS[name]
        try:
            test = protocols.load(
                dataset, data / folder, skeleton=model.skeleton.name, detections=detections,
                frame_step=frame_step,
            )  # fmt: skip
        except FileNotFoundError as error:
            print(f"{name} left out: {error}", file=sys.stderr)
            continue
        target2d = None if test.target2d is None else torch.tensor(test.target2d)
        values = measure(
            model, test.poses.to_torch(), target2d=target2d, scored=test.joints,
            flip_averaging=mirror, rotated_views=turned,
        )  # fmt: skip
        found[name] = {"poses": len(test.poses), "mirror": mirror, "protocol": test.protocol}
        found[name] |= {k: float(v.double().mean() * COLUMNS[k][2]) for k, v in values.items()}
    return found


def _file(name: str, seed: int) -> Path:
    return RESULTS / f"{name}-{seed}.json"


def _write(name: str, seed: int, found: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    part = _file(name, seed).with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n")
    os.replace(part, _file(name, seed))


if __name__ == "__main__":
    main()
