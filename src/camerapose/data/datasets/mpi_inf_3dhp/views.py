"""Views of MPI-INF-3DHP (one recording seen by one camera) and their assembly into `Poses`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core.camera import Camera, normalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets.mpi_inf_3dhp.published import HOW_TO_GET
from camerapose.data.readers.matlab import read_mat

#: Values beyond this are errors: pixels, or millimetres (one kilometre).
MAX_VALUE = 1e6


class View(NamedTuple):
    """One recording seen by one camera; 2D in pixels, 3D in the camera frame, metres."""

    subject: str
    action: Any  # one name, or one per frame
    camera: int
    frame: np.ndarray
    keypoints: np.ndarray
    pose3d: np.ndarray
    matrix: np.ndarray  # intrinsic matrix (3, 3), pixels
    image_size: tuple[float, float]


def read_variables(path: Path, names: list[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Read variables of a MATLAB file; ValueError if one of `names` is missing."""
    content = read_mat(path, [*names, *optional], HOW_TO_GET)
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}. {HOW_TO_GET}")
    return content


def finite_array(value: Any, where: str) -> np.ndarray:
    """Return float32 numbers; ValueError if they are not numbers or not all finite."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iufb":
        raise ValueError(f"{where}: got {type(value).__name__}, expected numbers. {HOW_TO_GET}")
    value = np.asarray(value, np.float32)
    invalid = np.argwhere(~np.isfinite(value) | (np.abs(value) > MAX_VALUE))
    if len(invalid):
        raise ValueError(
            f"{where}: {len(invalid)} numbers are not finite or exceed {MAX_VALUE:.0e}, the first "
            f"at index {tuple(int(i) for i in invalid[0])}. {HOW_TO_GET}"
        )
    return value


def move_to_pelvis(pose3d: np.ndarray, other: np.ndarray, pelvis: int) -> np.ndarray:
    """Return poses translated such that their pelvis is that of other poses."""
    return pose3d - pose3d[:, pelvis : pelvis + 1] + other[:, pelvis : pelvis + 1]


def assemble(views: Iterable[View], counts: Sequence[int], target: Skeleton) -> Poses:
    """Return all views as `Poses`.

    Columns are allocated once and filled view by view, so that one view at a time is in memory.

    Args:
        views: in the order of the rows.
        counts: number of frames of each view.
        target: joint format of the views.
    """
    n, joints = sum(counts), target.n_joints
    pose2d, pose3d = np.empty((n, joints, 2), np.float32), np.empty((n, joints, 3), np.float32)
    columns = {name: np.empty((n, 2), np.float32) for name in ("focal", "center", "size")}
    labels: dict[str, list] = {"subject": [], "action": [], "camera": [], "frame": []}
    start = 0
    for view, count in zip(views, counts, strict=True):
        rows, start = slice(start, start + count), start + count
        pose2d[rows] = normalize(view.keypoints, view.image_size)
        pose3d[rows] = view.pose3d
        columns["focal"][rows] = np.diag(view.matrix)[:2] * 2 / view.image_size[0]
        columns["center"][rows] = normalize(view.matrix[None, :2, 2], view.image_size)[0]
        columns["size"][rows] = view.image_size
        labels["subject"].append(np.full(count, view.subject))
        labels["action"].append(np.broadcast_to(view.action, count))
        labels["camera"].append(np.full(count, view.camera, np.int8))
        labels["frame"].append(view.frame)
    return Poses(
        skeleton=target,
        pose2d=pose2d,
        confidence=np.ones((n, joints), np.float32),
        pose3d=pose3d,
        camera=Camera(columns["focal"], columns["center"], pose3d[:, target.root_index].copy()),
        image_size=columns["size"],
        labels={name: np.concatenate(parts) for name, parts in labels.items()},
    )
