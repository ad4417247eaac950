"""Wide CSV for spreadsheets: one row per person and frame; empty where there is no pose."""

import csv
from collections.abc import Mapping
from pathlib import Path

from camerapose.io.export import Track, _table
from camerapose.io.files import atomic_write

EXTENSION = ".wide.csv"


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write columns frame, time_s, person, filled (1: interpolated), JOINT_x_m, JOINT_y_m, ..."""
    skeleton = next(iter(people.values())).skeleton
    axes = [f"{joint}_{axis}_m" for joint in skeleton.joints for axis in "xyz"]
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        out.writerow(["frame", "time_s", "person", "filled", *axes])
        for person, track in people.items():
            rows = zip(
                track.frames, track.times, track.points, track.present, track.detected, strict=True
            )
            for frame, time, pose, present, detected in rows:
                values = [f"{v:.{_table.METRES}f}" if present else "" for v in pose.ravel()]
                seconds = f"{time:.{_table.SECONDS}f}"
                out.writerow([frame, seconds, person, int(present and not detected), *values])
