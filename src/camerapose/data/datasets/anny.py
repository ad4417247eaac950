"""Motion capture on `anny` bodies of all ages and shapes, in all joint definitions.

File: `anny_pairs.npz` (joints of the meshes, see docs/datasets.md for how it is made from the CMU
motion capture database and the package anny).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camerapose.core.camera import Camera
from camerapose.core.joint_formats import BODY_46
from camerapose.core.poses import Poses
from camerapose.io.arrays import check_rows, read_arrays

FILE = "anny_pairs.npz"
#: Subjects of the benchmark of rendered bodies; never used for training.
BENCHMARK = ("cmu/09", "cmu/11", "cmu/90", "cmu/131", "fair/fair1")
#: Subjects that are left out while settings are chosen, and returned for the final training.
HELD_OUT = ("cmu/05", "cmu/14")
#: Bones of anny at the centres of joints, and the joints of `body_46` that its surface defines.
CENTRES = {
    "left_hip_centre": "upperleg01.L", "right_hip_centre": "upperleg01.R",
    "left_shoulder_centre": "upperarm01.L", "right_shoulder_centre": "upperarm01.R",
    "upper_neck": "neck03", "head_top": "head_vertex_top",
}  # fmt: skip
#: From the world (z up) to a camera that looks along y: x right, y down, z forward.
LEVEL = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
#: Distance (metres) and focal length of the cameras.
DISTANCE, FOCAL = 4.0, 2.0

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
        FileNotFoundError: the file is missing.
        ValueError: the file has unexpected content, or there are no poses of these subjects.
    """
    path = files(root)[0]
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


def files(root: str | Path, **_: object) -> list[Path]:
    """Return the file that `load` reads."""
    root = Path(root).expanduser()
    path = root if root.is_file() else root / FILE
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}. {_HOW_TO_GET}")
    return [path]


def _joints(path: Path, file: dict[str, np.ndarray]) -> np.ndarray:
    """Return the joints of `body_46` (n, 46, 3) in world axes."""
    bones = [str(name) for name in file["bone_names"]]
    if missing := set(CENTRES.values()) - set(bones):
        raise ValueError(f"{path} lacks the bones {', '.join(sorted(missing))}. {_HOW_TO_GET}")
    parts = [file["coco23"], file["h36m17"]]
    parts += [file["bones"][:, bones.index(bone), None] for bone in CENTRES.values()]
    return np.concatenate(parts, axis=1).astype(np.float32)


def level_view(world: np.ndarray, labels: dict[str, np.ndarray]) -> Poses:
    """Return poses (world axes, z up, metres) as a level camera sees them from the front."""
    n = len(world)
    root = BODY_46.root_index
    translation = np.tile(np.float32([0, 0, DISTANCE]), (n, 1))
    pose3d = (world - world[:, root, None]) @ LEVEL.T + translation[:, None]
    focal = np.full((n, 2), FOCAL, np.float32)
    camera = Camera(focal, np.zeros_like(focal), translation)
    return Poses(
        BODY_46,
        camera.project(pose3d).astype(np.float32),
        np.ones(pose3d.shape[:2], np.float32),
        pose3d.astype(np.float32),
        camera,
        np.tile(np.float32([1000, 1000]), (n, 1)),
        labels=labels,
    )


def to_world(poses: Poses) -> np.ndarray:
    """Return root-relative poses of `load` in world axes, z up."""
    return (poses.pose3d - poses.root_position[:, None]) @ LEVEL
