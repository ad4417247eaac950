"""Tidy CSV for R, pandas and statistics programs: one row per frame, person and joint."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from camerapose.io.export import Track, _table
from camerapose.io.files import atomic_write

EXTENSION = ".csv"
#: Poses with several definitions of a joint are written as they are.
ALL_JOINTS = True


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write the columns of `_table.tidy`; `filled` is 0 or 1, unknown values are empty."""
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        for part, columns in enumerate(_table.tidy(people)):
            columns["filled"] = columns["filled"].astype(int)
            if (std := columns.get("std_m")) is not None:
                columns["std_m"] = np.where(np.isnan(std), "", std.astype(str))
            if part == 0:
                out.writerow(columns)
            out.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
