"""Selection and order of the people in a source."""

from dataclasses import replace

import numpy as np

from camerapose.infer.detection import Detections
from camerapose.infer.options import Log, PredictOptions


def select_people(
    detections: Detections, options: PredictOptions, log: Log, *, consecutive: bool, renumber: bool
) -> Detections:
    """Keep the people that `options.people` and `options.min_frames` select.

    Args:
        consecutive: people are tracked over frames; otherwise each image has its own people.
        renumber: number people from 0 in the order of their visibility, the sum of the confidences.
            With "left-to-right", people are always numbered, by their median position.
    """
    if not len(detections) or "person" not in detections.labels:
        return detections
    person, frame = detections.labels["person"], detections.labels["frame"]
    keep, numbers = np.zeros(len(person), bool), person.copy()
    for rows in [np.arange(len(person))] if consecutive else _rows_of(frame):
        groups = _rows_of(person[rows], rows)
        if consecutive:
            groups = [own for own in groups if len(own) >= options.min_frames]
        for number, own in enumerate(_chosen(detections, groups, options.people)):
            keep[own] = True
            if renumber or options.people == "left-to-right":
                numbers[own] = number
    people = len(np.unique(person))
    if consecutive and not keep.all():
        log(f"selected {len(np.unique(person[keep]))} of {people} people")
    labels = detections.labels | {"person": numbers}
    return replace(detections, labels=labels)[keep]


def _rows_of(values: np.ndarray, rows: np.ndarray | None = None) -> list[np.ndarray]:
    """Return the rows of each distinct value."""
    rows = np.arange(len(values)) if rows is None else rows
    return [rows[values == value] for value in np.unique(values)]


def _chosen(
    detections: Detections, groups: list[np.ndarray], people: int | str | None
) -> list[np.ndarray]:
    """Return the rows of the selected people in their order."""
    groups = sorted(groups, key=lambda own: -detections.confidence[own].sum())
    if people == "largest":
        return sorted(groups, key=lambda own: -_size(detections, own))[:1]
    if people == "longest":
        return sorted(groups, key=len, reverse=True)[:1]
    if people == "left-to-right":
        return sorted(groups, key=lambda own: _position(detections, own))
    return groups if people is None else groups[: int(people)]


def _visible(detections: Detections, rows: np.ndarray) -> np.ndarray:
    """Return the keypoints of rows; NaN where they are not visible."""
    visible = detections.confidence[rows] > 0
    return np.where(visible[..., None], detections.keypoints[rows], np.nan)


def _size(detections: Detections, rows: np.ndarray) -> float:
    """Return the median diagonal of a person in the image, pixels."""
    points = _visible(detections, rows)
    points = points[np.isfinite(points).any((1, 2))]
    extent = np.nanmax(points, axis=1) - np.nanmin(points, axis=1)
    return float(np.median(np.linalg.norm(extent, axis=1))) if len(points) else 0.0


def _position(detections: Detections, rows: np.ndarray) -> float:
    """Return the median horizontal position of a person, pixels."""
    points = _visible(detections, rows)[..., 0]
    return float(np.nanmedian(points)) if np.isfinite(points).any() else np.inf
