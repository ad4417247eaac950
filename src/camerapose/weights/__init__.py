"""Weights in this package, and those that one command builds."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from camerapose.io.weights import SHIPPED


@dataclass(frozen=True)
class Entry:
    """Weights of one row of the result tables.

    Attributes:
        name: for `--weights` and `Predictor` if the weights are in the package.
        lifter: lifter and method.
        parameters: number of parameters.
        megabytes: size of the file, for weights that have to be built in half precision.
        speed: milliseconds of processor time for 1,024 poses on one thread.
        mpjpe, pa_mpjpe: on Human3.6M (S9, S11), ground-truth 2D, flip averaging, mm; None: not
            measured.
        path: the file in the package; None: it has to be built.
        command: builds the weights.
    """

    name: str
    lifter: str
    parameters: int
    megabytes: float
    speed: float
    mpjpe: float | None
    pa_mpjpe: float | None
    path: Path | None
    command: str


def available() -> list[Entry]:
    """Return all weights: first those in the package, then those of the short schedule.

    The rows of the short schedule are written by `benchmarks/model_zoo.py`.
    """
    folder = Path(str(resources.files(__name__)))
    rows = json.loads((folder / "zoo.json").read_text(encoding="utf-8"))
    entries = []
    for row in rows:
        file = folder / f"{SHIPPED.get(row['name'], row['name'])}.onnx"
        entries.append(Entry(**row, path=file if file.is_file() else None))
    return sorted(entries, key=lambda entry: entry.path is None)


def model_card(name: str = "README") -> str:
    """Return a model card (Markdown): that of `open`, or the overview with the others."""
    return (Path(str(resources.files(__name__))) / f"{name}.md").read_text(encoding="utf-8")


def table() -> str:
    """Return all weights as a text table."""
    lines = [f"{'name':<26}{'parameters':>11}{'MB':>7}{'ms/1024':>9}{'MPJPE':>8}{'PA':>7}  where"]
    for entry in available():
        where = "in the package" if entry.path is not None else entry.command
        lines.append(
            f"{entry.name:<26}{entry.parameters / 1e6:>9.2f} M{entry.megabytes:>7.1f}"
            f"{entry.speed:>9.1f}{_error(entry.mpjpe):>8}{_error(entry.pa_mpjpe):>7}  {where}"
        )
    return "\n".join(lines)


def _error(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
