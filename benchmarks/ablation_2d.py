"""How much 2D-only data helps when 3D is scarce: trainings on open data, one table.

    python benchmarks/ablation_2d.py --list                       # rows and finished ones
    python benchmarks/ablation_2d.py --data DIR                   # all unfinished rows
    python benchmarks/ablation_2d.py --data DIR --rows 'both-*'   # some rows
    python benchmarks/ablation_2d.py --only-table                 # rewrite the table

DIR contains open (anny_pairs.npz, cmu_dance_martial.npz), mpii, h36m and humaneva. Rows are
differences from configs/open-short.toml, and small (`SETTINGS`): 3D only; with the pose generator;
with 2D-only poses through the camera (reprojection and plausible bones: CameraPose's method); with
both; with lifted 2D-only poses as sources of the generator. The 2D-only poses are MPII's training
set. Each is trained with 3,000, 30,000 and 10,000 frames of 3D (whole clips, the same for all
rows), with the same number of updates, and with two seeds. A row takes one to two minutes on one
core. An interrupted training resumes; the result of a row is one file in benchmarks/results, and
rows with a result are not trained again.

The tests are those of the tables of accuracy and the real video; nothing may be chosen by them.
"""

import argparse
import fnmatch
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import accuracy
import real_detections
from report import put_table
from rows import nested

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CONFIG = HERE.parent / "configs" / "open-short.toml"
DOCUMENT = HERE.parent / "dev" / "results.md"
FRAMES = (3_000, 30_000, 10_000)
SEEDS = (0, 1)
#: Settings of all rows: small networks and short trainings.
SETTINGS: dict[str, Any] = {
    "precision": "bfloat16", "network.width": 256, "iterations": 1500, "batch": 256, "lr": 2e-3,
    "validate_every": 500, "adversarial.interval": 8, "adversarial.batch": 128,
}  # fmt: skip
#: Rows are evaluated on every n-th frame of Human3.6M.
FRAME_STEP = 40
UNLABELLED: dict[str, Any] = {"unlabelled_batch": 128}
GENERATOR: dict[str, Any] = {"adversarial.generated_share": 1.0}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "3d": ("3D only", {}),
    "generator": ("+ generator", GENERATOR),
    "camera": ("+ 2D-only poses through the camera", UNLABELLED),
    "both": ("+ both", GENERATOR | UNLABELLED),
    "sources": (
        "+ lifted 2D-only poses as generator sources",
        GENERATOR | {"adversarial.unlabelled_sources": 0.5},
    ),
}
#: Columns of the table: heading, test and metric.
COLUMNS = (
    ("Human3.6M PA-MPJPE, mm", "gt_mirror", "pa_mpjpe"),
    ("HumanEva PA-MPJPE, mm", "humaneva", "pa_mpjpe"),
    ("novel cameras PA-MPJPE, mm", "landscape", "pa_mpjpe"),
    ("real video PA-MPJPE, mm", "real", "pa_mpjpe"),
    ("MPII reprojection, px", "mpii", "reprojection_error"),
    ("MPII implausible bones, %", "mpii", "implausible_bones"),
)
TESTS = tuple(dict.fromkeys(test for _, test, _ in COLUMNS if test != "real"))


class Row(NamedTuple):
    """One training."""

    method: str
    frames: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}-{self.frames // 1000}k-{self.seed}"

    @property
    def file(self) -> Path:
        return RESULTS / f"open-2d-{self.name}.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="default: data")
    parser.add_argument("--rows", nargs="*", default=["*"], help="names or patterns; default all")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation-2d"), help="run folders")
    parser.add_argument("--set", nargs="*", default=[], help="settings for all rows: KEY=JSON")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only-table", action="store_true")
    arguments = parser.parse_args()
    chosen = [row for row in rows() if any(fnmatch.fnmatch(row.name, p) for p in arguments.rows)]
    if arguments.list:
        for row in chosen:
            print(f"{row.name:20} {'done' if row.file.exists() else '-'}")
        return
    if not arguments.only_table:
        changes = {k: json.loads(v) for k, _, v in (s.partition("=") for s in arguments.set)}
        for row in chosen:
            if not row.file.exists():
                run(row, arguments.data, arguments.out / row.name, changes)
                print(f"done: {row.name}", flush=True)
    write_table(DOCUMENT)
    print(f"wrote {DOCUMENT}")


def rows() -> list[Row]:
    """Return all trainings, the most telling first: both seeds of the scarcest 3D."""
    return [Row(method, frames, seed) for frames in FRAMES for seed in SEEDS for method in METHODS]


def configuration(row: Row, data: Path, changes: dict[str, Any]) -> Any:
    """Return the settings of a training."""
    from camerapose.train import config_io
    from camerapose.train.simulated import trainer

    differences = {
        "seed": row.seed, "data.anny": str(data / "open"), "data.cmu_dance": str(data / "open"),
        "data.frames": row.frames, **SETTINGS, **METHODS[row.method][1], **changes,
    }  # fmt: skip
    if row.method in ("camera", "both", "sources"):
        differences["data.mpii"] = str(data / "mpii")
    config = trainer.read(CONFIG)
    for key, value in differences.items():
        config = config_io.update(config, nested(key, value), row.name)
    return config


def run(row: Row, data: Path, folder: Path, changes: dict[str, Any]) -> None:
    """Train, evaluate, and write the result."""
    from camerapose.evaluate.models import load_for_evaluation
    from camerapose.infer.predictor import Predictor
    from camerapose.train.simulated import trainer

    weights = trainer.train(configuration(row, data, changes), folder)
    model, _ = load_for_evaluation(weights)
    tests = {}
    for test in TESTS:
        step = FRAME_STEP if accuracy.TESTS[test][1] == "h36m" else 1
        tests |= accuracy.measured(model, data, step, [test])
    views = real_detections.detections()
    truth, _ = real_detections.triangulate(views)
    tests["real"] = real_detections.measure(Predictor(weights), views, truth)["mean"]
    content = {"row": row.name, "seed": row.seed, "frames": row.frames, "method": row.method}
    content |= {"settings": SETTINGS | METHODS[row.method][1] | changes, "tests": tests}
    content |= {"validation": _validation(folder)}
    RESULTS.mkdir(exist_ok=True)
    part = row.file.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(part, row.file)


def _validation(folder: Path) -> dict[str, float]:
    """Return the last validation of a run (held-out subjects, simulated detections)."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1])["validation"]


def write_table(document: Path) -> None:
    """Write the table of all finished rows: mean and half range over the seeds."""
    lines = [
        "| 3D frames | training | " + " | ".join(name for name, *_ in COLUMNS) + " | seeds |",
        "|" + "---|" * (len(COLUMNS) + 3),
    ]
    for frames in FRAMES:
        for method, (label, _) in METHODS.items():
            files = [Row(method, frames, seed).file for seed in SEEDS]
            results = [json.loads(f.read_text())["tests"] for f in files if f.exists()]
            cells = [_cell(results, test, metric) for _, test, metric in COLUMNS]
            if results:
                lines.append(f"| {frames:,} | {label} | {' | '.join(cells)} | {len(results)} |")
    put_table("\n".join(lines), document, "open-2d")


def _cell(results: list[dict[str, Any]], test: str, metric: str) -> str:
    values = [result[test][metric] for result in results if metric in result.get(test, {})]
    if not values:
        return "-"
    half = f" ± {(max(values) - min(values)) / 2:.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{half}"


if __name__ == "__main__":
    main()
