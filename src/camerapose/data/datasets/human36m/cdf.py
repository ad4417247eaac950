"""The official layout of Human3.6M: one CDF file per recording."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.data.datasets.human36m.recordings import SUBJECTS, common_name

#: Folders of a subject's poses: as the archives unpack, and as h36m-fetch unpacks them.
FOLDERS = ("MyPoseFeatures/D3_Positions", "D3_Positions", "Poses_D3_Positions")
#: Accepted number of variables; the official files hold one.
MAX_VARIABLES = 100
#: Maximum compression ratio of gzip.
MAX_RATIO = 1032
_MAGIC = (b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff")
_HOW_TO_GET = (
    "Get the archives Poses_D3_Positions_S1.tgz to S11 from http://vision.imar.ro/human3.6m "
    "(registration) and unpack them into one folder."
)


def find(root: Path) -> dict[str, dict[str, Path]]:
    """Return {subject: {action: file}} of the world-frame poses; empty if there are none."""
    result: dict[str, dict[str, Path]] = {}
    for subject in SUBJECTS:
        for folder in FOLDERS:
            files = [p for p in (root / subject / folder).glob("*.cdf") if p.stem[0] != "_"]
            for path in sorted(files):
                result.setdefault(subject, {})[common_name(path.stem)] = path
            if files:
                break
    return result


def read_cdf(path: Path) -> np.ndarray:
    """Read the 32 joints of a recording (frames, 32, 3), world frame, metres.

    Raises:
        ValueError: the file is damaged, not a CDF or has other content; or cdflib is missing.
    """
    try:
        import cdflib
    except ModuleNotFoundError:
        raise ValueError(
            f'reading {path} requires cdflib: pip install "camerapose[data]"'
        ) from None
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start not in _MAGIC:
            raise ValueError(f"it begins with {start!r}, unlike a CDF")
        pose = np.asarray(_open(cdflib, path).varget("Pose"))
    except Exception as error:  # cdflib raises many types for damaged files
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as a CDF with Pose ({reason}). {_HOW_TO_GET}"
        ) from error
    is_table = pose.ndim == 2 or (pose.ndim == 3 and len(pose) == 1)
    if pose.dtype.kind != "f" or not is_table or pose.shape[-1] != 96:
        raise ValueError(
            f"{path}: got Pose of {pose.dtype} and shape {pose.shape}, expected floats of shape "
            f"(1, frames, 96), 32 joints in the world frame. {_HOW_TO_GET}"
        )
    return np.float32(pose.reshape(-1, 32, 3) / 1000)


def _open(cdflib: Any, path: Path) -> Any:
    """Return a cdflib.CDF, after checking counts in the file.

    Wrong counts in a damaged file would keep cdflib busy for hours.
    """

    class CheckedCDF(cdflib.CDF):
        visited: set[int]

        def _read_vxrs(self, byte_loc: int, *lists: Any, **named: Any) -> Any:
            self._f.seek(byte_loc)
            start = self._f.read(28)  # size (8), type (4), next (8), entries (4), used (4)
            size = int.from_bytes(start[:8], "big")
            entries = max(int.from_bytes(start[i : i + 4], "big") for i in (20, 24))
            if entries * 16 > size or byte_loc in self.visited:
                raise ValueError(f"it has an index of {entries} entries in {size} bytes")
            self.visited.add(byte_loc)
            return super()._read_vxrs(byte_loc, *lists, **named)

    variables = _variables(path)
    if variables <= MAX_VARIABLES:
        file = CheckedCDF(path)
        file.visited = set()
        variables = max(file._num_zvariable, file._num_rvariable)
    if variables > MAX_VARIABLES:
        raise ValueError(f"it declares {variables} variables")
    about = file.varinq("Pose")
    values = (about.Last_Rec + 1) * math.prod(about.Dim_Sizes)
    if values * 4 > path.stat().st_size * MAX_RATIO:
        raise ValueError(f"it declares {values} values, more than fit into it")
    return file


def _variables(path: Path) -> int:
    """Return the number of variables in the header; 0 if it is compressed."""
    with path.open("rb") as file:
        start = file.read(28)
        file.seek(min(int.from_bytes(start[20:28], "big"), path.stat().st_size))
        descriptor = file.read(64)
    if start[:8] != _MAGIC[0] + b"\x00\x00\xff\xff":  # not version 3, or compressed as a whole
        return 0
    # numbers of r variables, dimensions, z variables
    return max(int.from_bytes(descriptor[i : i + 4], "big") for i in (44, 56, 60))
