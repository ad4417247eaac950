"""Tidy CSV of joint angles, segment angles, the centre of mass and gait parameters."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapose.core import gait, mass
from camerapose.core.angles import joint_angle_std, joint_angles
from camerapose.io.export import Track, _table
from camerapose.io.files import atomic_write

EXTENSION = ".kinematics.csv"


class _Curve(NamedTuple):
    """Values of a quantity in the frames with a pose, their standard deviations, and the unit."""

    values: np.ndarray
    std: np.ndarray | None
    unit: str


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write columns frame, time_s, person, quantity, value, std, unit.

    The column std exists if the model predicts standard deviations; unknown values are empty.
    Frames without a pose are left out. Quantities are the angles of `camerapose.core.angles` (unit
    deg) and center_of_mass_x, _y and _z (unit m). After the frames of each person, the events and
    steps of walking (`camerapose.core.gait`) follow, at the nearest frame: heel_strike and toe_off,
    whose value is the time (s), step_length and step_width (m), step_time (s), cadence (1/min) and
    walking_speed (m/s).
    """
    has_std = any(track.std is not None for track in people.values())
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        std = ["std"] if has_std else []
        out.writerow(["frame", "time_s", "person", "quantity", "value", *std, "unit"])
        for person, track in people.items():
            rows = np.flatnonzero(track.present)
            curves = _curves(track, rows)
            for i, row in enumerate(rows):
                time = round(float(track.times[row]), _table.SECONDS)
                for name, curve in curves.items():
                    value = _text(curve.values[i], curve.unit)
                    own = [] if curve.std is None else [_text(curve.std[i], curve.unit)]
                    out.writerow([track.frames[row], time, person, name, value, *own, curve.unit])
            for at, name, number, unit in _gait(track):
                time = round(float(track.times[at]), _table.SECONDS)
                cells = [track.frames[at], time, person, name, _text(number, unit)]
                out.writerow([*cells, *[""] * has_std, unit])


def _text(value: float, unit: str) -> str:
    digits = {"m": _table.METRES, "s": _table.SECONDS}.get(unit, 3)
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _curves(track: Track, rows: np.ndarray) -> dict[str, _Curve]:
    """Return every quantity by name."""
    points, skeleton = track.points[rows], track.skeleton
    std = None if track.std is None else track.std[rows]
    spread = {} if std is None else joint_angle_std(points, std, skeleton)
    angles = joint_angles(points, skeleton)
    curves = {name: _Curve(values, spread.get(name), "deg") for name, values in angles.items()}
    if mass.has_mass(skeleton):
        center = mass.center_of_mass(points, skeleton)
        around = None if std is None else mass.center_of_mass_std(std, skeleton)
        for i, axis in enumerate("xyz"):
            curves[f"center_of_mass_{axis}"] = _Curve(center[:, i], around, "m")
    return curves


def _gait(track: Track) -> list[tuple[int, str, float, str]]:
    """Return row, name, value and unit of gait events and of parameters of steps."""
    if not gait.has_gait(track.skeleton):
        return []
    found = gait.analyse(track.points, track.fps, track.skeleton)
    values = [
        (event.row, f"{event.kind}_{event.side[0]}", track.start + event.row / track.fps, "s")
        for event in found.events
    ]
    for step in found.steps:
        side = step.side[0]
        values += [
            (step.row, f"step_length_{side}", step.length, "m"),
            (step.row, f"step_width_{side}", step.width, "m"),
            (step.row, f"step_time_{side}", step.time, "s"),
            (step.row, "cadence", step.cadence, "1/min"),
            (step.row, "walking_speed", step.speed, "m/s"),
        ]
    return sorted(
        (round(row), name, value, unit) for row, name, value, unit in values if value == value
    )
