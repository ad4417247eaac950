"""Motion capture that may be used in products, in Human3.6M's joints: CMU and others.

File: `open_mocap.npz` (docs/datasets.md). If it is missing, it is made from the motion files below
`ROOT/cmu` (.asf and .amc of the CMU motion capture database, or .bvh files made from them),
`ROOT/fair` and `ROOT/mesh2motion` (.bvh).
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camerapose.core.joint_formats import H36M_17
from camerapose.core.poses import Poses
from camerapose.data.datasets.open_mocap import build
from camerapose.data.level_view import level_view
from camerapose.io.arrays import check_rows, read_arrays

FILE = build.FILE
#: Subjects of the benchmark of rendered bodies; never used for training.
BENCHMARK = ("cmu/09", "cmu/11", "cmu/90", "cmu/131", "fair/fair1")
#: Arrays of the file: n frames and their clips.
SHAPES = {
    "joints": ("n", 17, 3), "root": ("n", 3), "frame": ("n",), "clip": ("n",), "clips": ("clips",),
    "joint_names": (17,),
}  # fmt: skip

_HOW_TO_GET = (
    f"Give the folder of {FILE}, or a folder with the .asf and .amc files of mocap.cs.cmu.edu in "
    "its subfolder cmu (docs/datasets.md)."
)


def load(
    root: str | Path,
    *,
    subjects: Sequence[str] = (),
    excluded: Sequence[str] = BENCHMARK,
) -> Poses:
    """Load the poses in the joints of `h36m_17`, each seen by a level camera.

    The joints are those of the recording's own skeleton, whose hips, shoulders and head are placed
    differently from Human3.6M's; use `anny` for training.

    Args:
        root: folder of the file, or of the motion files.
        subjects: "source/subject" to load, such as "cmu/05"; none: all.
        excluded: subjects to leave out; by default those of the benchmark of rendered bodies.

    Returns:
        Poses with the labels subject, action and frame.

    Raises:
        FileNotFoundError: neither the file nor motion files exist.
        ValueError: a file has unexpected content, or there are no poses of these subjects.
    """
    path = make(root)
    file = read_arrays(path, SHAPES, _HOW_TO_GET)
    clips = np.array([str(name) for name in file["clips"]])
    check_rows(path, "clip", file["clip"], len(clips))
    subject = np.array([name.rpartition("/")[0] for name in clips])[file["clip"]]
    action = np.array([name.rpartition("/")[2] for name in clips])[file["clip"]]
    rows = ~np.isin(subject, excluded)
    rows &= np.isin(subject, subjects) if len(subjects) else True
    if not rows.any():
        known = ", ".join(sorted(set(subject)))
        raise ValueError(f"no poses of {subjects} in {path}; it has {known}")
    labels = {"subject": subject[rows], "action": action[rows], "frame": file["frame"][rows]}
    return level_view(file["joints"][rows].astype(np.float32), labels, H36M_17)


def make(root: str | Path) -> Path:
    """Return the file of a folder, after making it from motion files if it is missing."""
    root = Path(root).expanduser()
    path = root if root.is_file() else root / FILE
    if not path.is_file():
        files(root)
        build.build(root)
    return path


def files(root: str | Path, **_: object) -> list[Path]:
    """Return the file that `load` reads, or else the motion files from which it is made."""
    root = Path(root).expanduser()
    path = root if root.is_file() else root / FILE
    if path.is_file():
        return [path]
    clips = build.find_clips(root)
    if not clips:
        raise FileNotFoundError(f"no file {path} and no motion files. {_HOW_TO_GET}")
    return [motion for _, motion in clips]


def licences(root: str | Path) -> dict[str, str]:
    """Return the licence of each source as stated in the file."""
    with np.load(make(root)) as file:
        return json.loads(str(file["licences"]))
