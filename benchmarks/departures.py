"""Effect of each difference from the paper: configs/paper.toml with one setting of ours at a time.

    python benchmarks/departures.py --data DIR                 # all rows that have no result
    python benchmarks/departures.py --data DIR --rows paper crop
    python benchmarks/departures.py --table                    # print the results

DIR contains h36m and mpii. A short schedule with a narrow lifter; S8 is held out, and the test
subjects are not read. Results are in benchmarks/results/departures/short.json; a row with a result
is not trained again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rows import nested

from camerapose.io.files import make_folder, write_text
from camerapose.train import config_io
from camerapose.train.config import Config
from camerapose.train.trainer import train

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "departures" / "short.json"
PAPER = HERE.parent / "configs" / "paper.toml"
STAGE = {"batch": 128, "lr": 1e-3, "decay": "one_cycle"}
#: The short schedule, the same for every row.
SHORT: dict[str, Any] = {
    "figures": 0,
    "unlabelled_batch": 32,
    "data": {"held_out": ["S8"], "frame_step": 80},
    "model": {"lifter": "videopose", "lifter_arguments": {"width": 256}, "refiner_hidden": 128},
    "adversarial": {"batch": 64, "interval": 4, "lr": 1e-3},
    "refine": STAGE | {"epochs": 1},
    "warmup": STAGE | {"epochs": 1},
    "joint": STAGE | {"epochs": 4},
}
#: Settings that replace those of the paper, one row each.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("as printed", {}),
    "crop": ("crop to the person, facing camera", {"model.input": "crop"}),
    "layer-norm": ("layer norm in refiner and camera branch", {"model.norm": "layer"}),
    "residual-camera": ("camera relative to a prior", {"model.camera_output": "residual"}),
    "log-camera": ("L_cam of logarithms", {"camera_loss": "logarithmic"}),
    "relative-2d": ("L_2D relative and robust", {"reprojection_loss": "relative"}),
    "distance": ("L_3D as mean distance", {"pose_loss": "mean_distance"}),
    "together": ("one update for all data", {"updates": "together"}),
    "unlabelled-all": ("2D-only data update all networks", {"unlabelled_updates": "all"}),
    "random-view": ("random views and focal lengths", {"adversarial.generator": "random_view"}),
    "layout": ("D_2D with layout", {"adversarial.layout": True}),
    "unlabelled-real": ("2D annotations as real", {"adversarial.unlabelled_real": True}),
    "range": ("range losses of the generator", {"adversarial.range_weight": 3.0}),
    "monitor": ("monitored discriminators", {"adversarial.monitored": True}),
    "constant-rate": (
        "constant learning rate of the discriminators",
        {"adversarial.follow_schedule": False, "adversarial.lr": 1e-4},
    ),
    "plain-warmup": ("warm-up without generated pairs", {"adversarial.in_warmup": False}),
    "prior": ("bone prior on 2D-only data", {"weights.bone_prior_unlabelled": 0.05}),
    "d2d": ("D_2D on reprojections", {"weights.d2d_unlabelled": 0.01}),
    "incomplete": ("2D-only people with 8 joints or more", {"data.min_joints": 8}),
    "flips": ("flip augmentation", {"flip_augmentation": True}),
    "bones": ("bone-length augmentation", {"bone_length_std": 0.05}),
    "noise": ("detector noise in half of the samples", {"noise.clean": 0.5}),
}
#: Metrics of the last validation in the order of the table.
METRICS = ("mpjpe", "pa_mpjpe", "root_error", "focal_error", "unlabelled_reprojection")


def configuration(name: str, data: Path, short: dict[str, Any] | None = None) -> Config:
    """Return the configuration of a row; "ours" has the defaults of the package.

    Args:
        short: schedule; None: `SHORT`.
    """
    config = Config() if name == "ours" else config_io.read(PAPER)
    config = config_io.update(config, SHORT if short is None else short, "the short schedule")
    roots = {"data": {"human36m": str(data / "h36m"), "mpii": str(data / "mpii")}}
    config = config_io.update(config, roots, "--data")
    for key, value in ROWS.get(name, ("", {}))[1].items():
        config = config_io.update(config, nested(key, value), name)
    return config


def last_validation(out: Path) -> dict[str, float]:
    """Return the metrics of the last validation of a run."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["validation"] for line in lines if "validation" in line][-1]


def table(results: dict[str, dict[str, float]]) -> str:
    """Return the results as a table in Markdown."""
    labels = {"ours": "defaults of the package"} | {k: label for k, (label, _) in ROWS.items()}
    lines = ["| difference | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 1) + "|"]
    for name in sorted(results, key=list(labels).index):
        values = (results[name].get(metric, float("nan")) for metric in METRICS)
        lines.append(f"| {labels[name]} | " + " | ".join(f"{v:.3g}" for v in values) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="default: data")
    parser.add_argument("--rows", nargs="*", default=[*ROWS, "ours"], choices=[*ROWS, "ours"])
    parser.add_argument("--out", type=Path, default=Path("runs/departures"), help="run folders")
    parser.add_argument("--table", action="store_true", help="print the results and stop")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in [] if arguments.table else arguments.rows:
        if name not in results:
            train(configuration(name, arguments.data), arguments.out / name)
            results[name] = last_validation(arguments.out / name)
            make_folder(RESULTS.parent)
            write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
