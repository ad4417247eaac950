"""MOT, the motion file of OpenSim: joint angles in degrees, pelvis position in metres.

Columns are named as the coordinates of OpenSim's full-body model; angles of pelvis and thorax are
in its order. Rows extend from the first to the last pose; gaps are interpolated. Angles are
continuous. Layout: OpenSim documentation, "Motion (.mot) files".
"""

from pathlib import Path

import numpy as np

from camerapose.core.angles import joint_angles
from camerapose.io.export import Track
from camerapose.io.files import atomic_write

EXTENSION = ".mot"


def write(path: Path, track: Track) -> None:
    """Write one column per angle that the joints determine, and three of the pelvis position."""
    present = np.flatnonzero(track.present)
    rows = slice(present[0], present[-1] + 1)
    points = track.interpolated()[rows]
    columns = {"time": track.times[rows]}
    if "pelvis" in track.skeleton.joints:
        pelvis = points[:, track.skeleton.index("pelvis")]
        columns |= {f"pelvis_t{axis}": pelvis[:, i] for i, axis in enumerate("xyz")}
    angles = joint_angles(points, track.skeleton, pelvis_order="zxy")
    if not angles:
        raise ValueError(f"cannot write {path}: {track.skeleton.name} has no joint angles")
    columns |= {name: np.unwrap(values, period=360) for name, values in angles.items()}
    table = np.stack(list(columns.values()), axis=1)
    lines = [
        path.stem,
        "version=1",
        f"nRows={len(table)}",
        f"nColumns={len(columns)}",
        "inDegrees=yes",
        "endheader",
        "\t".join(columns),
    ]
    with atomic_write(path, "w") as file:
        file.writelines(line + "\n" for line in lines)
        file.writelines("\t".join(f"{value:.6f}" for value in row) + "\n" for row in table)
