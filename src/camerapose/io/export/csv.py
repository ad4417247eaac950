"""CSV for spreadsheets and scripts: one row per frame, metres; empty where there is no pose."""

import csv
from pathlib import Path

from camerapose.io.export import Track
from camerapose.io.files import atomic_write

EXTENSION = ".csv"


def write(path: Path, track: Track) -> None:
    """Write columns time (seconds), filled (1: interpolated), JOINT_x, JOINT_y, JOINT_z, ..."""
    axes = [f"{joint}_{axis}" for joint in track.skeleton.joints for axis in "xyz"]
    rows = zip(track.times, track.points, track.present, track.detected, strict=True)
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        out.writerow(["time", "filled", *axes])
        for time, pose, present, detected in rows:
            values = [f"{v:.5f}" if present else "" for v in pose.ravel()]
            out.writerow([f"{time:.5f}", int(present and not detected), *values])
