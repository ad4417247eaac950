"""Fill markers in the documentation with tables and plots computed from the code and the results.

Markers such as `<!-- joint-formats -->` (`MARKERS`) are replaced when the site is built, so that
nothing is stated twice.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from camerapose.core import plugins
from camerapose.core.conversion import RECIPES
from camerapose.core.joint_formats import FORMATS
from camerapose.core.skeleton import Skeleton
from camerapose.detect import rtmlib
from camerapose.io.assets import ASSETS

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page (called by MkDocs)."""
    for marker, make in MARKERS.items():
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return markdown


def on_files(files: Any, config: Any) -> Any:
    """Add the plots to the site (called by MkDocs)."""
    from mkdocs.structure.files import File

    for name, make in PLOTS.items():
        files.append(File.generated(config, f"images/{name}.svg", content=make()))
    return files


def joint_formats() -> str:
    """Return a section with a table of joints for each named format."""
    return "\n\n".join(f"### `{s.name}`\n\n{joint_table(s)}" for s in FORMATS.values())


def joint_table(skeleton: Skeleton) -> str:
    """Return number, name and parent of each joint, in three columns side by side."""
    cells = [
        f"| {i} | {joint} | {parent or '(root)'} "
        for i, (joint, parent) in enumerate(zip(skeleton.joints, skeleton.parents, strict=True))
    ]
    height = -(-len(cells) // 3)
    cells += ["|  |  |  "] * (3 * height - len(cells))
    rows = ["".join(cells[i::height]) + "|" for i in range(height)]
    head = "| # | joint | parent " * 3 + "|\n" + "|---" * 9 + "|"
    count = f"{skeleton.n_joints} joints, root `{skeleton.root}`."
    return "\n".join([count, "", head, *rows])


def derived_joints() -> str:
    """Return a table of the rules by which missing joints are interpolated."""
    lines = ["| joint | rules, in this order |", "|---|---|"]
    for joint, recipes in RECIPES.items():
        lines.append(f"| `{joint}` | {'; '.join(map(_sum, recipes))} |")
    return "\n".join(lines)


def _sum(recipe: dict[str, float]) -> str:
    if list(recipe.values()) == [1.0]:
        return next(iter(recipe))
    terms = [f"{'-' if w < 0 else '+'} {abs(w):g} {joint}" for joint, w in recipe.items()]
    return " ".join(terms).removeprefix("+ ")


def keypoint_formats() -> str:
    """Return a table of the programs whose keypoint files are read."""
    lines = ["| program | version | command or file | how it is read |", "|---|---|---|---|"]
    for name in plugins.available("keypoints"):
        for source in plugins.load("keypoints", name).SOURCES:
            output = f"`{source.command}`".replace("|", "\\|") if source.command else ""
            lines.append(f"| {source.program} | {source.version} | {output} | {source.reading} |")
    return "\n".join(lines)


#: Rows of the results table: label, weights, test.
ROWS = (
    ("`open`", "shipped-open"),
    ("`research`", "shipped-research"),
    ("`human36m`", "shipped-human36m"),
)
#: Columns: label, test, measures.
Column = tuple[str, str, tuple[str, ...]]
COLUMNS: tuple[Column, ...] = (
    ("Human3.6M, ground-truth 2D", "gt_mirror", ("mpjpe", "pa_mpjpe")),
    ("Human3.6M, detected 2D", "sh_mirror", ("mpjpe", "pa_mpjpe")),
    ("novel cameras, 16:9", "landscape", ("mpjpe", "pa_mpjpe")),
    ("novel cameras, 9:16", "portrait", ("mpjpe", "pa_mpjpe")),
    ("HumanEva", "humaneva", ("mpjpe", "pa_mpjpe")),
)
#: MPJPE on Human3.6M with ground-truth 2D and with HRNet's, from CameraPose, Tables 4 and 5.
PEERS = (
    ("Martinez et al., ICCV 2017", "43.3", "-"),
    ("VideoPose3D (one frame), CVPR 2019", "41.8", "57.9"),
    ("PoseAug, CVPR 2021", "39.0", "55.2"),
    ("CameraPose, WACV 2023", "38.9", "54.2"),
)


def results(columns: Sequence[Column] = COLUMNS) -> str:
    """Return the accuracy of the shipped weights beside the numbers printed in the papers."""
    heads = ["model", *(label for label, *_ in columns)]
    lines = [heads, ["---"] * len(heads)]
    for label, row in ROWS:
        tests = measured(row)["tests"]
        cells = [
            " / ".join(f"{tests[test][measure]:.1f}" for measure in measures)
            for _, test, measures in columns
        ]
        lines.append([label, *cells])
    for label, clean, detected in PEERS:
        lines.append([label, clean, detected, *["-"] * (len(columns) - 2)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measured(row: str, seed: int = 0) -> dict[str, Any]:
    """Return the results file of a row of the benchmark."""
    return json.loads((RESULTS / f"{row}-{seed}.json").read_text(encoding="utf-8"))


#: Training data of the plotted rows, and the tests they are compared on.
TRAININGS = {
    "alone": "Human3.6M only",
    "poseaug": "+ pose generator (PoseAug)",
    "camerapose": "+ 2D-only data (CameraPose)",
}
TESTS = {
    "gt": "Human3.6M",
    "landscape": "novel cameras\n16:9",
    "portrait": "novel cameras\n9:16",
    "humaneva": "HumanEva",
}


#: Rows of the refinement plot.
REFINEMENT = {
    "trained on clean 2D": "gt-parts-camerapose",
    "the same, with refinement": "gt-camerapose-plugged",
    "trained on detections": "sh-camerapose-without",
    "the same, with refinement ": "sh-camerapose",
}


def generalization_plot() -> str:
    """Return an SVG: PA-MPJPE by training data and test set, for two lifters."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, lifter in zip(panels, ("parts", "videopose"), strict=True):
        for i, (training, label) in enumerate(TRAININGS.items()):
            row = f"gt-{lifter}-{training}"
            heights = [mean_over_seeds(row, test, "pa_mpjpe") for test in TESTS]
            places = [x + 0.27 * (i - 1) for x in range(len(TESTS))]
            bars = axes.bar(places, heights, width=0.25, label=label)
            axes.bar_label(bars, fmt="%.0f", fontsize=7)
        axes.set_xticks(range(len(TESTS)), TESTS.values(), fontsize=8)
        axes.set_title(f"lifter {lifter}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("PA-MPJPE (mm)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return as_svg(figure)


def refinement_plot() -> str:
    """Return an SVG: MPJPE on detected 2D with and without the refinement network."""
    figure = Figure(figsize=(9, 1.8), layout="constrained")
    axes = figure.subplots()
    heights = [mean_over_seeds(row, "sh", "mpjpe") for row in REFINEMENT.values()]
    bars = axes.barh(list(REFINEMENT), heights, height=0.7, color=["C0", "C1"] * 2)
    axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("MPJPE (mm), Human3.6M, Stacked Hourglass detections")
    axes.spines[["top", "right"]].set_visible(False)
    return as_svg(figure)


def mean_over_seeds(row: str, test: str, measure: str) -> float:
    """Return the mean of a measure over the seeds of a row."""
    runs = [json.loads(path.read_text()) for path in RESULTS.glob(f"{row}-[0-9].json")]
    return sum(run["tests"][test][measure] for run in runs) / len(runs)


def as_svg(figure: Figure) -> str:
    """Return the figure as SVG text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


PLOTS = {"generalization": generalization_plot, "refinement": refinement_plot}


def downloads() -> str:
    """Return a table of what camerapose downloads."""
    lines = ["| first use of | download | from | licence |", "|---|---|---|---|"]
    for package in sorted({asset.package for asset in ASSETS.values()}):
        registry = {"pip": "PyPI", "npm": "npm"}[package.tool]
        lines.append(
            f"| {package.use} | `{package.spec}`, {package.size} MB | {registry} | "
            f"{package.licence} |"
        )
    names = f"`{next(iter(rtmlib.NAMES))}` and similar"
    lines.append(
        f"| the detector rtmlib | {names} | {rtmlib.MODEL_SOURCE} | {rtmlib.MODEL_LICENCE} |"
    )
    return "\n".join(lines)


MARKERS = {
    "<!-- downloads -->": downloads,
    "<!-- joint-formats -->": joint_formats,
    "<!-- derived-joints -->": derived_joints,
    "<!-- keypoint-formats -->": keypoint_formats,
    "<!-- results -->": results,
}
