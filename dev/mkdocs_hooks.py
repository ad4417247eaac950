"""Fill markers in the documentation with tables and plots computed from the code and the results.

`<!-- joint-formats -->`, `<!-- derived-joints -->` and `<!-- results -->` are replaced when the
site is built, so that nothing is stated twice.
"""

import io
import json
from pathlib import Path
from typing import Any

from camerapose.core.conversion import RECIPES
from camerapose.core.formats import FORMATS
from camerapose.core.skeleton import Skeleton

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
PLOT = "images/generalization.svg"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page (called by MkDocs)."""
    for marker, make in MARKERS.items():
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return markdown


def on_files(files: Any, config: Any) -> Any:
    """Add the plots to the site (called by MkDocs)."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PLOT, content=generalization_plot()))
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


#: Rows of the results table: label, weights, test.
ROWS = (
    ("`default`", "shipped-camerapose"),
    ("`clean`", "shipped-clean"),
)
#: Columns: label, test, measures.
COLUMNS = (
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


def results() -> str:
    """Return the accuracy of the shipped weights beside the numbers printed in the papers."""
    heads = ["model", *(label for label, *_ in COLUMNS)]
    lines = [heads, ["---"] * len(heads)]
    for label, row in ROWS:
        tests = measured(row)["tests"]
        cells = [
            " / ".join(f"{tests[test][measure]:.1f}" for measure in measures)
            for _, test, measures in COLUMNS
        ]
        lines.append([label, *cells])
    for label, clean, detected in PEERS:
        lines.append([label, clean, detected, *["-"] * (len(COLUMNS) - 2)])
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


def generalization_plot() -> str:
    """Return an SVG: PA-MPJPE by training data, for two lifters."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, lifter in zip(
        figure.subplots(1, 2, sharey=True), ("parts", "videopose"), strict=True
    ):
        for i, (training, label) in enumerate(TRAININGS.items()):
            runs = [measured(f"gt-{lifter}-{training}", seed)["tests"] for seed in (0, 1)]
            heights = [sum(run[test]["pa_mpjpe"] for run in runs) / len(runs) for test in TESTS]
            places = [x + 0.27 * (i - 1) for x in range(len(TESTS))]
            bars = axes.bar(places, heights, width=0.25, label=label)
            axes.bar_label(bars, fmt="%.0f", fontsize=7)
        axes.set_xticks(range(len(TESTS)), TESTS.values(), fontsize=8)
        axes.set_title(f"lifter {lifter}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("PA-MPJPE (mm)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


MARKERS = {
    "<!-- joint-formats -->": joint_formats,
    "<!-- derived-joints -->": derived_joints,
    "<!-- results -->": results,
}
