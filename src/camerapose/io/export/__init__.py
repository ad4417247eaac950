"""Motion files for other programs: one file per format, selected by suffix.

A format is a module in this package with

    EXTENSION = ".trc"
    def write(path: Path, track: Track) -> None

that writes the track of one person, or, for formats that contain several people,

    def write_people(path: Path, people: dict[int, Track]) -> None

with tracks by identity, or, for formats about the camera,

    def write_camera(path: Path, poses: Poses, ground: Ground | None) -> None

All tracks have the same frames. Poses with several definitions of a joint (`body_46`) are written
with the joints of Human3.6M, toes and heels (`h36m_23`), unless the module has `ALL_JOINTS = True`.
`REQUIRES = "ezc3d"` names another package's module that the format needs.

Positions are upright as those programs
expect them: x right, y up, z towards the viewer, metres, origin at the camera, which looks along
-z. "Up" is the image's y axis, so a tilted camera tilts the floor. With a `Ground`, y is opposite
to gravity, and the origin is on the floor below the camera.
"""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

from camerapose.core import plugins
from camerapose.core.conversion import has_definitions
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import H36M_23
from camerapose.core.poses import Poses
from camerapose.io.export._tracks import Track, tracks

__all__ = ["Track", "installed", "suffixes", "tracks", "write"]


def suffixes() -> dict[str, ModuleType]:
    """Return the module of every format, by the suffix of its files."""
    modules = (plugins.load("exports", name) for name in plugins.available("exports"))
    return {module.EXTENSION: module for module in modules}


def installed() -> dict[str, str]:
    """Return a description of every format whose packages are installed, by its name."""
    result = {}
    for name in plugins.available("exports"):
        module = plugins.load("exports", name)
        required = getattr(module, "REQUIRES", None)
        if required is None or importlib.util.find_spec(required) is not None:
            line = (module.__doc__ or name).splitlines()[0]
            result[name] = line.partition(":")[0].rstrip(".")
    return result


def write(
    poses: Poses,
    path: str | os.PathLike[str],
    *,
    fps: int | float | None = None,
    ground: Ground | None = None,
    start: int | float | None = None,
    end: int | float | None = None,
) -> list[Path]:
    """Write poses to motion files in the format of the suffix.

    Args:
        poses: 3D poses; see `tracks` for the labels that are used.
        path: ends in one of `suffixes`, such as .csv, .trc or .glb. Formats with one person per
            file append the identity to the stem if there are several: walk_0.bvh, walk_1.bvh.
        fps: frame rate of the frame numbers; None: from the label time, else 30.
        ground: floor that people stand on; None: the frame of the camera.
        start: time of the first row in seconds; None: 0 (see `tracks`).
        end: time of the last row in seconds; None: that of the last pose.

    Returns:
        The files, in the order of the identities; none if there are no poses.

    Raises:
        ValueError: the suffix is unknown, poses have no 3D, or a package is not installed.
        OSError: a file cannot be written.
    """
    path = Path(path)
    known = suffixes()
    suffix = max((s for s in known if path.name.lower().endswith(s)), key=len, default=None)
    if suffix is None:
        raise ValueError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(known)}")
    if poses.pose3d is None:
        raise ValueError(f"cannot write {path}: the poses have no 3D; run a Predictor first")
    module = known[suffix]
    if len(poses) and hasattr(module, "write_camera"):
        module.write_camera(path, poses, ground)
        return [path]
    if has_definitions(poses.skeleton) and not getattr(module, "ALL_JOINTS", False):
        poses = poses.to(H36M_23)
    people = tracks(poses, fps, ground, start, end) if len(poses) else {}
    if people and hasattr(module, "write_people"):
        module.write_people(path, people)
        return [path]
    written = []
    for person, track in people.items():
        stem, ending = path.name[: -len(suffix)], path.name[-len(suffix) :]
        file = path if len(people) == 1 else path.with_name(f"{stem}_{person}{ending}")
        module.write(file, track)
        written.append(file)
    return written
