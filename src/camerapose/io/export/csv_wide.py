"""Wide CSV for spreadsheets: one row per person and frame; empty where there is no pose."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from camerapose.io.export import Track, _table
from camerapose.io.export._tracks import CONTACTS
from camerapose.io.files import atomic_write

EXTENSION = ".wide.csv"
#: Poses with several definitions of a joint are written as they are.
ALL_JOINTS = True


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write columns frame, time_s, person, filled (1: interpolated), JOINT_x_m, JOINT_y_m, ...

    JOINT_std_m follows JOINT_z_m if the model predicts standard deviations. With a static camera,
    contact_left and contact_right come before the joints.
    """
    first = next(iter(people.values()))
    names = ("x", "y", "z") if first.std is None else ("x", "y", "z", "std")
    axes = [f"{joint}_{axis}_m" for joint in first.skeleton.joints for axis in names]
    with atomic_write(path, "w") as file:
        out = csv.writer(file)
        feet = [] if first.contact is None else CONTACTS
        out.writerow(["frame", "time_s", "person", "filled", *feet, *axes])
        for person, track in people.items():
            values = track.points
            if track.std is not None:
                values = np.concatenate([values, track.std[..., None]], axis=-1)
            contact = np.zeros((len(values), 0)) if track.contact is None else track.contact
            rows = zip(
                track.frames, track.times, values, contact, track.present, track.detected,
                strict=True,
            )  # fmt: skip
            for frame, time, pose, feet, present, detected in rows:
                cells = [
                    f"{v:.{_table.METRES}f}" if present and v == v else "" for v in pose.ravel()
                ]
                seconds = f"{time:.{_table.SECONDS}f}"
                stands = [f"{p:.{_table.PROBABILITY}f}" if present else "" for p in feet]
                filled = int(present and not detected)
                out.writerow([frame, seconds, person, filled, *stands, *cells])
