"""C3D, the format of motion capture systems (Vicon, Mokka, OpenSim): millimetres, z up.

As in laboratories, x points right, y away from the viewer and z up, which the parameters X_SCREEN
and Y_SCREEN declare. The header counts at most 65,535 frames; POINT:LONG_FRAMES has the number of
longer recordings.

Frames without a pose are invalid points with residual -1, as the format defines. Detected points
name the only camera in their mask; interpolated points name none.

Angles are points whose coordinates are up to three angles in degrees; the parameter POINT:ANGLES
lists them, and POINT:DESCRIPTIONS names their components. The group EVENT has the gait events.
Written by ezc3d.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core import gait
from camerapose.core.angles import joint_angles
from camerapose.io.export import Track
from camerapose.io.files import AtomicFile

EXTENSION = ".c3d"
REQUIRES = "ezc3d"
#: Length of a block, and of the header, in bytes.
HEADER = 512
MILLIMETRES = 1000.0
#: Angles that become the coordinates of a point, by the name of the point; without side.
CENTRAL_ANGLES: dict[str, tuple[str, ...]] = {
    "pelvis_angles": ("pelvis_tilt", "pelvis_list", "pelvis_rotation"),
    "thorax_angles": ("thorax_tilt", "thorax_list", "thorax_rotation"),
    "lumbar_angles": ("lumbar_extension", "lumbar_bending", "lumbar_rotation"),
}
SIDE_ANGLES = {
    "hip_angles": ("hip_flexion", "hip_adduction", "hip_rotation"),
    "knee_angles": ("knee_angle",), "ankle_angles": ("ankle_angle",),
    "arm_angles": ("arm_flex", "arm_add", "arm_rot"), "elbow_angles": ("elbow_flex",),
    "shoulder_angles": ("shoulder_elevation", "shoulder_plane"),
    "leg_inclinations": ("thigh_inclination", "shank_inclination"),
    "arm_inclinations": ("upper_arm_inclination", "forearm_inclination"),
}  # fmt: skip
#: Names of gait events in C3D.
EVENTS = {"heel_strike": "Foot Strike", "toe_off": "Foot Off"}


def write(path: Path, track: Track) -> None:
    """Write one point per joint and per group of angles, and the gait events."""
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
    angles = angle_points(track)
    joints, descriptions = (
        list(track.skeleton.joints),
        [", ".join(names) for names, _ in angles.values()],
    )
    points["LABELS"]["value"] = [*joints, *angles]
    points["DESCRIPTIONS"]["value"] = [*["" for _ in joints], *descriptions]
    if angles:
        file.add_parameter("POINT", "ANGLES", list(angles))
        file.add_parameter("POINT", "ANGLE_UNITS", ["deg"])
    positions = np.ones((4, len(joints) + len(angles), len(track.points)))
    positions[:3, : len(joints)] = z_up(track.points).transpose(2, 1, 0) * MILLIMETRES
    for i, (_, values) in enumerate(angles.values(), len(joints)):
        positions[:3, i] = values.T
    _add_events(file, track)
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


def angle_points(track: Track) -> dict[str, tuple[tuple[str, ...], Float[np.ndarray, "t 3"]]]:
    """Return the names and values (degrees) of up to three angles by the name of their point."""
    found = joint_angles(track.points, track.skeleton)
    groups = dict(CENTRAL_ANGLES)
    for name, parts in SIDE_ANGLES.items():
        groups |= {f"{name}_{side}": tuple(f"{p}_{side}" for p in parts) for side in "rl"}
    result: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, parts in groups.items():
        if parts[0] in found:
            values = np.zeros((len(track.points), 3))
            values[:, : len(parts)] = np.stack([found[part] for part in parts], axis=1)
            result[name] = parts, values
    return result


def _add_events(file: Any, track: Track) -> None:
    """Add the gait events; their times are minutes and seconds from the first frame."""
    if not gait.has_gait(track.skeleton):
        return
    events = gait.analyse(track.points, track.fps, track.skeleton).events
    if not events:
        return
    seconds = np.array([event.row for event in events]) / track.fps
    file.add_parameter("EVENT", "USED", [len(events)])
    file.add_parameter("EVENT", "CONTEXTS", [event.side.capitalize() for event in events])
    file.add_parameter("EVENT", "LABELS", [EVENTS[event.kind] for event in events])
    file.add_parameter("EVENT", "TIMES", np.stack([seconds // 60, seconds % 60]))


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
