"""Tidy CSV of joint angles, segment angles and the centre of mass."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from camerapose.core import mass
from camerapose.core.angles import joint_angles
from camerapose.io.export import Track, _table
from camerapose.io.files import atomic_write

EXTENSION = ".kinematics.csv"


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write columns frame, time_s, person, quantity, value, unit.

    Frames without a pose are left out. Quantities are the angles of `camerapose.core.angles` (unit
    deg) and center_of_mass_x, _y and _z (unit m).
    """
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        out.writerow(["frame", "time_s", "person", "quantity", "value", "unit"])
        for person, track in people.items():
            rows = np.flatnonzero(track.present)
            curves = _curves(track, rows)
            for i, row in enumerate(rows):
                time = round(float(track.times[row]), _table.SECONDS)
                for name, (values, unit) in curves.items():
                    digits = _table.METRES if unit == "m" else 3
                    value = f"{values[i]:.{digits}f}"
                    out.writerow([track.frames[row], time, person, name, value, unit])


def _curves(track: Track, rows: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    """Return values and unit of every quantity, by name."""
    points = track.points[rows]
    angles = joint_angles(points, track.skeleton)
    curves = {name: (values, "deg") for name, values in angles.items()}
    if mass.has_mass(track.skeleton):
        center = mass.center_of_mass(points, track.skeleton)
        curves |= {f"center_of_mass_{axis}": (center[:, i], "m") for i, axis in enumerate("xyz")}
    return curves
