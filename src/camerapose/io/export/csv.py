"""A table for spreadsheets and scripts: a line a frame, metres; empty where nobody was seen."""

import csv
from pathlib import Path

from camerapose.io.export import Movement
from camerapose.io.files import atomic_write

EXTENSION = ".csv"


def write(path: Path, movement: Movement) -> None:
    """Columns time (seconds), filled (1: not seen but filled in), JOINT_x, JOINT_y, JOINT_z, ..."""
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        out.writerow(
            ["time", "filled", *(f"{j}_{a}" for j in movement.skeleton.joints for a in "xyz")]
        )
        for i, (pose, seen) in enumerate(zip(movement.points, movement.seen, strict=True)):
            values = [f"{v:.5f}" if seen else "" for v in pose.ravel()]
            filled = int(seen and not movement.measured[i])
            out.writerow([f"{movement.start + i / movement.fps:.5f}", filled, *values])
