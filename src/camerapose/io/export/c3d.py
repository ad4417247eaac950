"""C3D, the format of motion capture systems (Vicon, Mokka, OpenSim): millimetres, z up.

As in laboratories, x points right, y away from the viewer and z up, which the parameters X_SCREEN
and Y_SCREEN declare. The header counts at most 65,535 frames; POINT:LONG_FRAMES has the number of
longer recordings.

Frames without a pose are invalid points with residual -1, as the format defines. Detected points
name the only camera in their mask; interpolated points name none. Written by ezc3d.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from camerapose.io.export import Track
from camerapose.io.files import AtomicFile

EXTENSION = ".c3d"
#: Length of a block, and of the header, in bytes.
HEADER = 512
MILLIMETRES = 1000.0


def write(path: Path, track: Track) -> None:
    """Write one point per joint, with the name of the joint."""
    try:
        import ezc3d
    except ModuleNotFoundError:
        raise ValueError(
            'C3D requires ezc3d: pip install "camerapose[export]", or export .trc instead'
        ) from None
    file = ezc3d.c3d()
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    file.add_parameter("POINT", "LONG_FRAMES", [float(len(track.points))])
    points = file["parameters"]["POINT"]
    points["RATE"]["value"] = [track.fps]
    points["UNITS"]["value"] = ["mm"]
    points["LABELS"]["value"] = list(track.skeleton.joints)
    positions = np.ones((4, track.skeleton.n_joints, len(track.points)))
    positions[:3] = z_up(track.points).transpose(2, 1, 0) * MILLIMETRES
    present = np.broadcast_to(track.present, positions.shape[1:])
    file["data"]["points"] = positions
    file["data"]["meta_points"]["residuals"] = np.where(present, 0.0, -1.0)[None]
    masks = np.zeros((7, *positions.shape[1:]), bool)
    masks[0] = track.detected
    file["data"]["meta_points"]["camera_masks"] = masks
    atomic = AtomicFile(path, min_size=HEADER)
    with atomic as temporary:
        file.write(str(temporary))
        # ezc3d does not report a full disk. Four 32-bit numbers are stored per point.
        atomic.min_size = _data_offset(temporary) + 4 * positions.size


def _data_offset(path: Path) -> int:
    """Return where the data begin, in bytes; ezc3d writes that last.

    If it is missing, the result exceeds the length of the file.
    """
    with path.open("rb") as file:
        head = file.read(18)
    blocks = int.from_bytes(head[16:18], "little")  # numbered from 1
    return HEADER * (blocks - 1) if blocks > 2 else path.stat().st_size + 1


def z_up(points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return points with y up in axes with z up; x does not change."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
