"""Gallery of the poses with the largest errors."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from camerapose.core.poses import Poses
from camerapose.evaluate.statistics import recordings
from camerapose.evaluate.tables import COLUMNS
from camerapose.view.comparison import draw_against_ground_truth
from camerapose.view.layout import save_figure

#: Metrics that rank the poses, the first available one.
RANKING = ("mpjpe", "reprojection_error")


@dataclass
class Report:
    """What an evaluation prints and writes in addition to its table.

    Attributes:
        per_joint: print the error of each joint.
        compare: weights to compare with, pose by pose.
        gallery: file for a figure of the worst cases.
        cases: number of cases in it.
    """

    per_joint: bool = False
    compare: str | None = None
    gallery: Path | None = None
    cases: int = 6


def worst_rows(arrays: dict[str, np.ndarray], poses: Poses, count: int) -> np.ndarray:
    """Return the rows with the largest errors, the worst first, at most one per recording.

    Neighbouring frames of a recording would show the same mistake. Without labels of recordings,
    any rows.
    """
    errors = next(arrays[name] for name in RANKING if name in arrays)
    groups, _ = recordings(poses)
    order = np.argsort(-np.nan_to_num(errors, nan=-np.inf), kind="stable")
    _, first = np.unique(groups[order], return_index=True)
    return order[np.sort(first)][:count]


def draw_worst(
    arrays: dict[str, np.ndarray], poses: Poses, predicted: Poses, report: Report
) -> None:
    """Write the figure of the worst cases, and print which they are.

    Args:
        arrays: one value per pose and metric.
        predicted: lifted poses in the joints of the model.
    """
    assert report.gallery is not None
    rows = worst_rows(arrays, poses, report.cases)
    true, found = poses[rows].to_numpy(), predicted.to(poses.skeleton)[rows].to_numpy()
    figure = draw_against_ground_truth(true, replace(found, labels={}))
    report.gallery.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, report.gallery)
    name = next(name for name in RANKING if name in arrays)
    heading, unit, factor = COLUMNS[name]
    print(f"worst cases, at most one per recording ({report.gallery}):")
    for row in rows:
        place = ", ".join(f"{k} {v[row]}" for k, v in poses.labels.items())
        print(f"  {heading} {factor * arrays[name][row]:.0f} {unit}: {place or f'row {row}'}")
