"""Human3.6M's files other than .npz: the official .cdf poses, and h36m-fetch's annot.h5."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.data.readers.matlab import open_hdf5

#: Where the poses of a subject lie: as the archives unpack, and as h36m-fetch unpacks them.
FOLDERS = ("MyPoseFeatures/D3_Positions", "D3_Positions", "Poses_D3_Positions")
#: The official names of two actions, and the field's.
RENAMED = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
#: The official files hold one.
MOST_VARIABLES = 100
#: No more can be in a gzipped byte.
MOST_COMPRESSED = 1032
_CDF_MAGIC = (b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff")


def cdf_files(root: Path) -> dict[str, dict[str, Path]]:
    """{subject: {action: file}} of the world-frame poses; empty if there are none."""
    found: dict[str, dict[str, Path]] = {}
    for subject in SUBJECTS:
        for folder in FOLDERS:
            files = [p for p in (root / subject / folder).glob("*.cdf") if p.stem[0] != "_"]
            for path in sorted(files):
                found.setdefault(subject, {})[_renamed(path.stem)] = path
            if files:
                break
    return found


def h5_files(root: Path) -> dict[str, dict[str, Path]]:
    """{subject: {action: file}} of h36m-fetch: `S1/Directions-1/annot.h5` is "Directions 1"."""
    found: dict[str, dict[str, Path]] = {}
    for folder in (root, root / "processed"):
        for subject in SUBJECTS:
            for path in sorted((folder / subject).glob("*/annot.h5")):
                name = _renamed(path.parent.name.replace("-", " "))
                found.setdefault(subject, {})[name] = path
        if found:
            break
    return found


def _renamed(action: str) -> str:
    """An action as the field calls it: "TakingPhoto 1" is "Photo 1"."""
    name, _, take = action.partition(" ")
    return f"{RENAMED.get(name, name)} {take}".strip()


def read_cdf(path: Path, how_to_get: str) -> np.ndarray:
    """The 32 joints of a recording (frames, 32, 3), world frame, metres.

    Raises:
        ValueError: the file is damaged, no CDF or holds something else; or cdflib is missing.
    """
    try:
        import cdflib
    except ModuleNotFoundError:
        raise ValueError(
            f'{path} takes cdflib to read; install it with pip install "camerapose[data]"'
        ) from None
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start not in _CDF_MAGIC:
            raise ValueError(f"it begins with {start!r}, which no CDF does")
        pose = np.asarray(_sound_cdf(cdflib, path).varget("Pose"))
    except Exception as error:  # cdflib has errors of many kinds for damaged files
        why = str(error) or type(error).__name__
        raise ValueError(
            f"{path} can't be read as a CDF with Pose ({why}). {how_to_get}"
        ) from error
    fits = pose.ndim == 2 or (pose.ndim == 3 and len(pose) == 1)
    if pose.dtype.kind != "f" or not fits or pose.shape[-1] != 96:
        raise ValueError(
            f"{path}: got Pose of {pose.dtype} and shape {pose.shape}; it should be floats of "
            f"shape (1, frames, 96), 32 joints in the world. {how_to_get}"
        )
    return np.float32(pose.reshape(-1, 32, 3) / 1000)


def _sound_cdf(cdflib: Any, path: Path) -> Any:
    """A cdflib.CDF that does not take counts at their word: some would keep it busy for hours."""

    class Sound(cdflib.CDF):
        seen: set[int]

        def _read_vxrs(self, byte_loc: int, *lists: Any, **named: Any) -> Any:
            self._f.seek(byte_loc)
            start = self._f.read(28)  # size (8), type (4), next (8), entries (4), used (4)
            size = int.from_bytes(start[:8], "big")
            entries = max(int.from_bytes(start[i : i + 4], "big") for i in (20, 24))
            if entries * 16 > size or byte_loc in self.seen:
                raise ValueError(f"it has an index of {entries} entries in {size} bytes")
            self.seen.add(byte_loc)
            return super()._read_vxrs(byte_loc, *lists, **named)

    with path.open("rb") as raw:
        start = raw.read(28)
        raw.seek(min(int.from_bytes(start[20:28], "big"), path.stat().st_size))
        descriptor = raw.read(64)
    several = 0
    if start[:8] == _CDF_MAGIC[0] + b"\x00\x00\xff\xff":  # version 3, not compressed as a whole
        counts = (
            descriptor[i : i + 4] for i in (44, 56, 60)
        )  # r variables, dimensions, z variables
        several = max(int.from_bytes(count, "big") for count in counts)
    if several <= MOST_VARIABLES:
        file = Sound(path)
        file.seen = set()
        several = max(file._num_zvariable, file._num_rvariable)
    if several > MOST_VARIABLES:
        raise ValueError(f"it says that it holds {several} variables")
    about = file.varinq("Pose")
    numbers = (about.Last_Rec + 1) * math.prod(about.Dim_Sizes)
    if numbers * 4 > path.stat().st_size * MOST_COMPRESSED:
        raise ValueError(f"it says that it holds {numbers} numbers, more than fit in it")
    return file


def read_h5(path: Path, serials: Sequence[int], how_to_get: str) -> dict[str, Any]:
    """An annot.h5: pose2d (n, 32, 2) pixels, pose3d (n, 32, 3) camera frame in metres, camera (n,)
    from 0 and frame (n,) from 0.

    Raises:
        ValueError: the file is damaged or holds something else; or h5py is missing.
    """
    names = {"pose2d": "pose/2d", "pose3d": "pose/3d", "camera": "camera", "frame": "frame"}
    try:
        with open_hdf5(path) as file:
            lacks = [name for name in names.values() if name not in file]
            if lacks:
                raise ValueError(f"it has no {', '.join(lacks)}")
            found = {key: np.asarray(file[name][()]) for key, name in names.items()}
    except Exception as error:  # h5py has errors of many kinds for damaged files
        why = str(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as an annot.h5 ({why}). {how_to_get}") from error
    n = len(found["pose2d"]) if found["pose2d"].ndim else 0
    wanted = {"pose2d": (n, 32, 2), "pose3d": (n, 32, 3), "camera": (n,), "frame": (n,)}
    for key, shape in wanted.items():
        if found[key].shape != shape or found[key].dtype.kind not in "fiu":
            raise ValueError(
                f"{path}: got {names[key]} of {found[key].dtype} and shape {found[key].shape}; it "
                f"should be numbers of shape {shape}. {how_to_get}"
            )
    numbers = np.searchsorted(serials, found["camera"]).clip(max=len(serials) - 1)
    unknown = found["camera"][np.asarray(serials)[numbers] != found["camera"]]
    if len(unknown):
        raise ValueError(
            f"{path}: unknown camera {unknown[0]}; Human3.6M has {', '.join(map(str, serials))}"
        )
    found["pose3d"] = found["pose3d"] / 1000
    for key, most in (("pose2d", 1e5), ("pose3d", 100)):
        good = (np.abs(found[key]) <= most).all(axis=(1, 2))
        if not good.all():
            raise ValueError(
                f"{path}, row {np.flatnonzero(~good)[0]}: {names[key]} is not finite and within "
                f"{'100 m (it should be millimetres)' if key == 'pose3d' else '100,000 pixels'}. "
                f"{how_to_get}"
            )
    return found | {"camera": numbers, "frame": found["frame"] - 1}
