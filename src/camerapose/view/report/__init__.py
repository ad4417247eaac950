"""HTML report of a video or image: interactive 3D, curves over time and tables."""

import os
from pathlib import Path

import numpy as np

from camerapose.core.poses import Poses
from camerapose.io.files import write_text
from camerapose.view.report import plots, tables, template
from camerapose.view.style import PEOPLE

#: Number of people with a section of their own, those visible longest first.
MAX_PEOPLE = 4


def write_report(poses: Poses, path: str | os.PathLike, title: str = "camerapose") -> Path:
    """Write a self-contained page, which needs no network, atomically.

    Args:
        poses: numpy arrays with the label `frame`; `time` (seconds) and `person` if known.
        path: .html file.

    Raises:
        ValueError: no poses, or plotly is not installed.
        OSError: the file cannot be written.
    """
    try:
        import plotly.io
    except ModuleNotFoundError:
        raise ValueError('a report requires plotly; run pip install "camerapose[report]"') from None
    if len(poses) == 0:
        raise ValueError("no person was detected, nothing to report")
    people = split_people(poses)
    parts = [tables.summary(poses, people[:MAX_PEOPLE])]
    for index, (person, own) in enumerate(people[:MAX_PEOPLE]):
        if len(people) > 1:
            parts.append(template.heading(f"Person {person}"))
        color = PEOPLE[person % len(PEOPLE)] if len(people) > 1 else None
        figure = plots.animation(own, color) if len(own) > 1 else plots.still(own, color)
        parts.append(
            plotly.io.to_html(
                figure, include_plotlyjs=index == 0, full_html=False,
                auto_play=False, validate=False, config={"displaylogo": False},
            )
        )  # fmt: skip
    if len(people) > MAX_PEOPLE:
        parts.append(f"<p>{len(people) - MAX_PEOPLE} more people are in poses.json.</p>")
    parts.append(tables.refinement(poses))
    path = Path(path)
    write_text(path, template.page(title, parts))
    return path


def split_people(poses: Poses) -> list[tuple[int, Poses]]:
    """Return number and poses, in the order of frames, of each person, most frames first."""
    numbers = poses.labels.get("person", np.zeros(len(poses), int))
    people, counts = np.unique(numbers, return_counts=True)
    parts = []
    for person in people[np.argsort(-counts, kind="stable")]:
        own = poses[np.flatnonzero(numbers == person)]
        order = np.argsort(own.labels["frame"], kind="stable")
        parts.append((int(person), own[order]))
    return parts
