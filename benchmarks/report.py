"""Write the results in benchmarks/results as tables into dev/results.md.

A table is written between `<!-- begin NAME -->` and `<!-- end NAME -->`; other text is kept. A row
marked † was trained with settings other than its current ones.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from old_keys import flatten, translate
from rows import TRANSPLANTS, Row, nested

from camerapose.io.files import write_text
from camerapose.train import config_io
from camerapose.train.config import Config

#: Configuration that the rows change.
CONFIG = Path(__file__).parents[1] / "configs" / "matrix.toml"

Results = dict[str, list[dict[str, Any]]]
#: A column: heading, test, metric.
Column = tuple[str, str, str]
GT: list[Column] = [
    ("MPJPE", "gt", "mpjpe"),
    ("PA", "gt", "pa_mpjpe"),
    ("root", "gt", "root_error"),
    ("focal %", "gt", "focal_error"),
    ("landscape PA", "landscape", "pa_mpjpe"),
    ("portrait PA", "portrait", "pa_mpjpe"),
    ("HumanEva PA", "humaneva", "pa_mpjpe"),
    ("MPII px", "mpii", "reprojection_error"),
    ("impl. bones %", "mpii", "implausible_bones"),
    ("asymm. %", "mpii", "asymmetry"),
]
SH: list[Column] = [
    ("SH MPJPE", "sh", "mpjpe"),
    ("SH PA", "sh", "pa_mpjpe"),
    ("GT MPJPE", "gt", "mpjpe"),
    ("GT PA", "gt", "pa_mpjpe"),
    ("HumanEva PA", "humaneva", "pa_mpjpe"),
]
ONE: list[Column] = [(head, "", name) for head, name in (
    ("MPJPE", "mpjpe"), ("PA-MPJPE", "pa_mpjpe"), ("N-MPJPE", "n_mpjpe"), ("PCK@150 %", "pck"),
    ("AUC %", "auc"), ("root", "root_error"), ("calib.", "root_error_calibrated"),
    ("focal %", "focal_error"),
    ("reproj. px", "reprojection_error"), ("impl. bones %", "implausible_bones"),
    ("asymm. %", "asymmetry"), ("height, cm", "height"),
)]  # fmt: skip
SHIPPED = {
    "gt": "ground truth",
    "gt_mirror": "ground truth, flip averaging",
    "gt_turned": "ground truth, flip averaging, rotated views",
    "sh": "Stacked Hourglass",
    "sh_mirror": "Stacked Hourglass, flip averaging",
    "landscape": "novel cameras, landscape, flip averaging",
    "portrait": "novel cameras, portrait, flip averaging",
    "humaneva": "HumanEva, flip averaging",
    "mpii": "MPII valid, flip averaging",
}


def write(document: Path, folder: Path, rows: list[Row]) -> None:
    """Write all tables into the document, which is replaced atomically."""
    results: Results = {}
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text())
        results.setdefault(found["row"], []).append(found)
    tables: dict[str, Callable[[], str]] = {
        "gt": lambda: table(_of(rows, "gt"), results, GT),
        "h36m17": lambda: table(_of(rows, "h36m17"), results, GT),
        "ablation": lambda: table(
            [r for r in rows if r.name == "gt-parts-camerapose"] + _of(rows, "ablation"),
            results, GT,
        ),
        "sh": lambda: table(
            _of(rows, "sh") + _trained_on_clean(rows) + _transplants(),
            results, SH,
        ),
        "shipped": lambda: shipped(results),
        "real": lambda: real(results),
    }  # fmt: skip
    text = document.read_text(encoding="utf-8")
    for name, make in tables.items():
        if f"<!-- begin {name} -->" in text:
            text = with_table(text, make(), name)
    write_text(document, text)


def put_table(table: str, document: Path, name: str) -> None:
    """Replace a table in a document.

    Raises:
        ValueError: the document has no markers of that name.
    """
    write_text(document, with_table(document.read_text(encoding="utf-8"), table, name))


def with_table(text: str, table: str, name: str) -> str:
    """Return the text with the table between its markers.

    Raises:
        ValueError: the text has no markers of that name.
    """
    start, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, _, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"no markers {start} and {end} in the document; add them")
    return f"{before}{start}\n{table}\n{end}{after}"


def table(rows: list[Row], results: Results, columns: list[Column]) -> str:
    """Return one line per row with results: mean over the seeds and half of their range."""
    heads = ["row", *(head for head, *_ in columns), "minutes", "seeds"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        runs = results.get(row.name, [])
        if runs:
            cells = [spread([_value(run, test, name) for run in runs]) for _, test, name in columns]
            minutes = [run["seconds"] / 60 for run in runs if "seconds" in run]
            worked = f"{sum(minutes) / len(minutes):.0f}" if minutes else "-"
            mark = " †" if any(outdated(run, row) for run in runs) else ""
            lines.append([row.label + mark, *cells, worked, str(len(runs))])
    if len(lines) == 2:
        return "No results yet."
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def outdated(run: dict[str, Any], row: Row) -> bool:
    """Return whether the settings of a run differ from those of its row."""
    if "config" not in run:
        return False
    current = config_io.read_differences(CONFIG)
    return _config(run["config"], run["changes"]) != _config(current, row.changes)


def _config(differences: dict[str, Any], changes: dict[str, Any]) -> Config:
    config = Config()
    for key, value in (translate(flatten(differences)) | translate(changes)).items():
        config = config_io.update(config, nested(key, value), f"setting {key}")
    return config


def shipped(results: Results) -> str:
    """Return one table for each evaluated set of weights."""
    parts = []
    for name, runs in sorted(results.items()):
        if name.startswith("shipped-") and runs[0]["tests"]:
            heads = ["2D", "poses", *(head for head, *_ in ONE)]
            lines = [heads, ["---"] * len(heads)]
            for test, label in SHIPPED.items():
                found = runs[0]["tests"].get(test)
                if found:
                    cells = [spread([found.get(measure)]) for _, _, measure in ONE]
                    lines.append([label, f"{found['poses']:,}", *cells])
            body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
            parts.append(f"`{name.removeprefix('shipped-')}`:\n\n{body}")
    return "\n\n".join(parts) or "No results yet."


def real(results: Results) -> str:
    """Return PA-MPJPE of each camera of the real video, one line per set of weights."""
    names = ["cam01", "cam02", "cam03", "cam04", "mean"]
    lines = [["weights", *names, "focal %"], ["---"] * 7]
    for row, runs in sorted(results.items()):
        if row.startswith("real-"):
            cameras = runs[0]["cameras"]
            cells = [f"{cameras[name]['pa_mpjpe']:.1f}" for name in names]
            lines.append(
                [row.removeprefix("real-"), *cells, f"{cameras['mean']['focal_error']:.1f}"]
            )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: list[float | None]) -> str:
    """Return mean and half of the range; a dash without values."""
    there = [v for v in values if v is not None]
    if not there:
        return "-"
    mean = sum(there) / len(there)
    half = (max(there) - min(there)) / 2
    return f"{mean:.1f}" + (f" ± {half:.1f}" if len(there) > 1 else "")


def _value(run: dict[str, Any], test: str, name: str) -> float | None:
    return run["tests"].get(test, {}).get(name)


def _of(rows: list[Row], table: str) -> list[Row]:
    return [row for row in rows if row.table == table]


def _trained_on_clean(rows: list[Row]) -> list[Row]:
    """Return the rows trained on clean 2D, to be evaluated on detections."""
    return [
        row._replace(label=f"{row.label}, trained on clean 2D")
        for row in rows
        if row.name.startswith("gt-parts")
    ]


def _transplants() -> list[Row]:
    return [
        Row(name, "sh", f"lifter of {lifter}, refiner of {refiner}", {})
        for name, (lifter, refiner) in TRANSPLANTS.items()
    ]
