"""C3D, the format of motion capture (Mokka, Vicon, OpenSim): millimetres, y up, by ezc3d.

Frames in which nobody was seen are invalid points, as the format has it (residual -1). A point
that was seen names the one camera in its mask, one that was filled in names none.
"""

from pathlib import Path

import numpy as np

from camerapose.io.export import Movement
from camerapose.io.files import AtomicFile

EXTENSION = ".c3d"


def write(path: Path, movement: Movement) -> None:
    """One point a joint, named as it is."""
    try:
        import ezc3d
    except ModuleNotFoundError:
        raise ValueError(
            'C3D needs ezc3d; install it with pip install "camerapose[export]", or export trc'
        ) from None
    file = ezc3d.c3d()
    points = file["parameters"]["POINT"]
    points["RATE"]["value"] = [movement.fps]
    points["UNITS"]["value"] = ["mm"]
    points["LABELS"]["value"] = list(movement.skeleton.joints)
    places = np.ones((4, movement.skeleton.n_joints, len(movement.points)))
    places[:3] = movement.points.transpose(2, 1, 0) * 1000
    seen = np.broadcast_to(movement.seen, places.shape[1:])
    file["data"]["points"] = places
    file["data"]["meta_points"]["residuals"] = np.where(seen, 0.0, -1.0)[None]
    masks = np.zeros((7, *places.shape[1:]), bool)
    masks[0] = movement.measured
    file["data"]["meta_points"]["camera_masks"] = masks
    # ezc3d does not report a full disk; four 32-bit numbers are stored per point.
    with AtomicFile(path, min_size=4 * places.size) as temporary:
        file.write(str(temporary))
