"""Motion capture on `anny` bodies of all ages and shapes, in all joint definitions.

File: `anny_pairs.npz` (joints of the meshes, see docs/datasets.md). If it is missing, it is made
from the motion of `open_mocap` in the same folder, which needs `pip install camerapose[rendered]`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camerapose.core.poses import Poses
from camerapose.data.datasets import open_mocap
from camerapose.data.datasets.open_mocap import BENCHMARK
from camerapose.data.level_view import level_view
from camerapose.io.arrays import check_rows, read_arrays

FILE = "anny_pairs.npz"
#: Subjects that are left out while settings are chosen, and returned for the final training.
HELD_OUT = ("cmu/05", "cmu/14")
#: Bones of anny at the centres of joints, and the joints of `body_46` that its surface defines.
CENTRES = {
    "left_hip_centre": "upperleg01.L", "right_hip_centre": "upperleg01.R",
    "left_shoulder_centre": "upperarm01.L", "right_shoulder_centre": "upperarm01.R",
    "upper_neck": "neck03", "head_top": "head_vertex_top",
}  # fmt: skip
#: Arrays of the file: n frames, their clips and the bones of anny.
SHAPES = {
    "h36m17": ("n", 17, 3), "coco23": ("n", 23, 3), "bones": ("n", "bones", 3),
    "bone_names": ("bones",), "clip": ("n",), "clips": ("clips",), "frame": ("n",),
}  # fmt: skip

_HOW_TO_GET = f"Give the folder of {FILE}; docs/datasets.md describes how to make it."


def load(
    root: str | Path,
    *,
    subjects: Sequence[str] = (),
    excluded: Sequence[str] = BENCHMARK,
) -> Poses:
    """Load the poses in the 46 joints of `body_46`, each seen by a level camera.

    Args:
        root: folder of the file, or the file.
        subjects: "source/subject" to load, such as "cmu/05"; none: all.
        excluded: subjects to leave out.

    Returns:
        Poses with the labels subject, action and frame.

    Raises:
        FileNotFoundError: the file and the motion to make it from are missing.
        ImportError: the file must be made, and the package anny is not installed.
        ValueError: the file has unexpected content, or there are no poses of these subjects.
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
    world = _joints(path, file)[rows]
    labels = {"subject": subject[rows], "action": action[rows], "frame": file["frame"][rows]}
    return level_view(world, labels)


def make(root: str | Path) -> Path:
    """Return the file of a folder, after making it from the motion of `open_mocap` if missing."""
    root = Path(root).expanduser()
    path = root if root.is_file() else root / FILE
    if not path.is_file():
        from camerapose.data.datasets.anny.build import build

        files(root)
        build(open_mocap.make(root), path)
    return path


def files(root: str | Path, **_: object) -> list[Path]:
    """Return the file that `load` reads, or else the files from which it is made."""
    root = Path(root).expanduser()
    path = root if root.is_file() else root / FILE
    if path.is_file():
        return [path]
    try:
        return open_mocap.files(root)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}. {_HOW_TO_GET}") from None


def _joints(path: Path, file: dict[str, np.ndarray]) -> np.ndarray:
    """Return the joints of `body_46` (n, 46, 3) in world axes."""
    bones = [str(name) for name in file["bone_names"]]
    if missing := set(CENTRES.values()) - set(bones):
        raise ValueError(f"{path} lacks the bones {', '.join(sorted(missing))}. {_HOW_TO_GET}")
    parts = [file["coco23"], file["h36m17"]]
    parts += [file["bones"][:, bones.index(bone), None] for bone in CENTRES.values()]
    return np.concatenate(parts, axis=1).astype(np.float32)
