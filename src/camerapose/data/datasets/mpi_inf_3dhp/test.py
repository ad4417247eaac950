"""Test recordings of MPI-INF-3DHP: `annot_data.mat`, whose cameras are fitted."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.data.datasets.mpi_inf_3dhp.published import ACTIVITIES, HOW_TO_GET, PELVIS
from camerapose.data.datasets.mpi_inf_3dhp.views import (
    View,
    finite_array,
    move_to_pelvis,
    read_variables,
)

#: Accepted focal lengths, as multiples of the image width.
FOCAL = (0.1, 20)
#: Accepted median distance of 2D and projected 3D, as a share of the image width, and the distance
#: in pixels that causes a warning.
MAX_DISTANCE, WARN_DISTANCE = 0.05, 5


def read_view(path: Path, annotation: str, order: list[int], frame_step: int) -> View:
    """Read the valid frames of a test recording."""
    names = ["valid_frame", *dict.fromkeys(["annot2", "annot3", annotation])]
    content = read_variables(path, names, optional=["activity_annotation"])
    is_valid = finite_array(content["valid_frame"], f"{path}, valid_frame").ravel() == 1
    frames = np.flatnonzero(is_valid).astype(np.int32)
    if not len(frames):
        raise ValueError(f"{path} has no valid frame (of {len(is_valid)}). {HOW_TO_GET}")
    keypoints, pose3d = (_variable(path, content, n, is_valid) for n in ("annot2", "annot3"))
    pose3d = pose3d / 1000
    subject = path.parent.name
    size = (1920.0, 1080.0) if subject in ("TS5", "TS6") else (2048.0, 2048.0)
    matrix = _fit_camera(path, keypoints, pose3d, size)
    if annotation != "annot3":
        universal = _variable(path, content, annotation, is_valid) / 1000
        pose3d = move_to_pelvis(universal, pose3d, PELVIS)
    action = _activities(path, content, is_valid)
    rows = slice(None, None, frame_step)
    return View(
        subject, action[rows], 0, frames[rows], keypoints[rows][:, order], pose3d[rows][:, order],
        matrix, size,
    )  # fmt: skip


def _variable(path: Path, content: dict[str, Any], name: str, is_valid: np.ndarray) -> np.ndarray:
    """Return the valid frames (n, 17, axes) of a variable of axes x 17 x 1 x frames."""
    axes, frames, value = 2 if name == "annot2" else 3, len(is_valid), content[name]
    # MATLAB drops a last axis of size 1
    shape = value.shape + (1,) * (4 - value.ndim) if isinstance(value, np.ndarray) else None
    if shape != (axes, 17, 1, frames):
        raise ValueError(
            f"{path}, {name}: got {shape or type(value).__name__}, expected {axes} x 17 joints x 1 "
            f"x {frames} frames. {HOW_TO_GET}"
        )
    values = value.reshape(shape)[:, :, 0][..., is_valid]
    return finite_array(np.moveaxis(values, -1, 0).swapaxes(1, 2), f"{path}, {name}")


def _activities(path: Path, content: dict[str, Any], is_valid: np.ndarray) -> np.ndarray:
    """Return the activity of each valid frame; empty strings if the file does not state it."""
    if "activity_annotation" not in content:
        return np.full(is_valid.sum(), "", "U20")
    names = np.array(["", *ACTIVITIES], "U20")
    where = f"{path}, activity_annotation"
    number = finite_array(content["activity_annotation"], where).ravel()
    if number.shape != is_valid.shape or not np.isin(number[is_valid], range(len(names))).all():
        raise ValueError(
            f"{where}: got {number.shape} numbers, expected one of 1 to {len(ACTIVITIES)} for each "
            f"of {len(is_valid)} frames. {HOW_TO_GET}"
        )
    return names[number[is_valid].astype(int)]


def _fit_camera(
    path: Path, keypoints: np.ndarray, pose3d: np.ndarray, size: tuple[float, float]
) -> np.ndarray:
    """Return the intrinsic matrix (pixels) that projects 3D to 2D: a linear fit along each axis."""
    if (pose3d[..., 2] <= 0).any():
        raise ValueError(f"{path}, annot3: joints are behind the camera. {HOW_TO_GET}")
    ray = np.float64(pose3d[..., :2] / pose3d[..., 2:]).reshape(-1, 2)
    pixels = np.float64(keypoints).reshape(-1, 2)
    matrix, error = np.eye(3), np.zeros(len(ray))
    for axis in range(2):
        variance = ray[:, axis].var()
        covariance = ((ray - ray.mean(0)) * (pixels - pixels.mean(0)))[:, axis].mean()
        focal = covariance / max(variance, 1e-12)
        center = pixels[:, axis].mean() - focal * ray[:, axis].mean()
        matrix[axis, axis], matrix[axis, 2] = focal, center
        error += (focal * ray[:, axis] + center - pixels[:, axis]) ** 2
    median = float(np.median(error) ** 0.5)
    focal = np.diag(matrix)[:2] / size[0]
    if not ((focal > FOCAL[0]) & (focal < FOCAL[1])).all() or not median < MAX_DISTANCE * size[0]:
        raise ValueError(
            f"{path}: no camera projects annot3 to annot2; the best fit has the focal lengths "
            f"{np.diag(matrix)[:2].round(1).tolist()} and a median error of {median:.0f} pixels. "
            + HOW_TO_GET
        )
    if median > WARN_DISTANCE:
        warnings.warn(
            f"{path}: annot3, projected by the best fitting camera, has a median distance of "
            f"{median:.0f} pixels to annot2",
            stacklevel=2,
        )
    return matrix
