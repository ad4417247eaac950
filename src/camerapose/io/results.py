"""camerapose's own results: poses as JSON, and the folders that prediction writes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.camera import denormalize
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.io.files import atomic_write

#: Name of the arrays in a result folder.
ARRAYS = "poses.npz"
#: Number of poses whose coordinates are converted at once.
BATCH = 64
#: Unit of every quantity in the JSON.
UNITS = {
    "keypoints": "pixel", "refined": "pixel", "reprojection": "pixel",
    "reprojection_error": "pixel", "refinement": "pixel", "focal": "pixel",
    "center": "pixel", "pose3d": "metre", "pose3d_std": "metre",
    "translation": "metre", "camera_height": "metre", "time": "second",
}  # fmt: skip


def to_dict(poses: Poses, ground: Ground | None = None) -> dict[str, Any]:
    """Return poses as the content of `poses.json`: plain lists, numbers and strings.

    Coordinates are pixels and metres (`UNITS`). Unknown values are None.

    ::

        {"format": "camerapose", "version": 1, "skeleton", "joints": [names],
         "units": {...}, "ground": {"axes": [[x, y, z]], "camera_height"} or None, "poses": [{
            "frame", "time", "person", "image", "image_size": [width, height],
            "keypoints": [[x, y] or None], "refined": [[x, y]], "confidence": [...],
            "pose3d": [[x, y, z]], "pose3d_std": [...] or None,
            "camera": {"focal": [fx, fy], "center": [cx, cy], "translation": [x, y, z]},
            "reprojection": [[x, y]], "reprojection_error", "refinement"}]}

    `pose3d` is absolute in the camera frame (x right, y down, z forward). If `camera` has a
    rotation, `pose3d` is in the level frame of `camerapose.infer.clip.align`, which the rotation
    turns into the camera frame. `translation` is the position of the root joint in the camera
    frame, and `refinement` is the mean over the visible joints. `pose3d_std` is the predicted
    standard deviation per coordinate of the root-relative position.

    `ground` is the estimated floor: `pose3d @ axes.T + [0, camera_height, 0]` is in its level frame
    (x right, y up, z towards the viewer), that of exported files.
    """
    return _header(poses, ground) | {"poses": list(rows(poses))}


def write_json(poses: Poses, path: str | os.PathLike, ground: Ground | None = None) -> None:
    """Write `to_dict` as JSON with one pose per line.

    Raises:
        ValueError: a value is not finite.
        OSError: the file cannot be written.
    """
    with atomic_write(path, "w") as file:
        file.writelines(_lines(poses, ground))


def rows(poses: Poses) -> Iterator[dict[str, Any]]:
    """Iterate over the entries of `to_dict(poses)["poses"]`, one per pose.

    Raises:
        ValueError: the poses have no 3D, no camera or no image size.
    """
    missing = [name for name in ("pose3d", "camera", "image_size") if getattr(poses, name) is None]
    if missing:
        raise ValueError(f"poses have no {', '.join(missing)}; lift them with a Predictor first")
    for first in range(0, len(poses), BATCH):
        yield from _batch_rows(poses[first : first + BATCH])


def read(path: str | os.PathLike) -> Poses:
    """Read the 3D poses of a result folder, or of the `poses.npz` in it.

    Poses without the label `frame` are numbered in order.

    Raises:
        FileNotFoundError: the folder or file does not exist.
        ValueError: the file is damaged, has no 3D poses, or is empty.
    """
    path = Path(path)
    file = path / ARRAYS if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"no such file: {file}; expected a folder written by `camerapose predict`, or the "
            f"{ARRAYS} in it"
        )
    poses = Poses.load(file)
    if poses.pose3d is None or poses.camera is None:
        raise ValueError(
            f"{file} contains 2D poses only; run `camerapose predict {file} --out DIR` first"
        )
    if len(poses) == 0:
        raise ValueError(f"{file} contains no poses: no person was detected")
    if "frame" not in poses.labels:
        return Poses.from_columns(
            poses.skeleton, poses.columns() | {"label_frame": np.arange(len(poses))}
        )
    return poses


def _header(poses: Poses, ground: Ground | None) -> dict[str, Any]:
    return {
        "format": "camerapose",
        "version": 1,
        "skeleton": poses.skeleton.name,
        "joints": list(poses.skeleton.joints),
        "units": UNITS,
        "ground": None
        if ground is None
        else {
            "axes": _rounded(ground.axes, 6),
            "camera_height": round(float(ground.camera_height), 4),
        },
    }


def _lines(poses: Poses, ground: Ground | None) -> Iterator[str]:
    yield json.dumps(_header(poses, ground))[:-1] + ', "poses": ['
    for i, row in enumerate(rows(poses)):
        try:
            yield (",\n" if i else "\n") + json.dumps(row, allow_nan=False)
        except ValueError as error:
            raise ValueError(f"pose {i} has values that are not finite; check the input") from error
    yield "\n]}\n"


def _batch_rows(poses: Poses) -> Iterator[dict[str, Any]]:
    size: Any = poses.image_size
    normalised = {
        "keypoints": poses.pose2d,
        "refined": poses.pose2d if poses.refined2d is None else poses.refined2d,
        "reprojection": poses.reprojection,
    }
    pixels = {name: _rounded(denormalize(points, size), 2) for name, points in normalised.items()}
    camera: Any = poses.camera and poses.camera.in_pixels(size)
    cameras = {"focal": _rounded(camera.focal, 2), "center": _rounded(camera.center, 2),
               "translation": _rounded(camera.translation, 4)}  # fmt: skip
    if camera.rotation is not None:
        cameras["rotation"] = _rounded(camera.rotation, 6)
    confidence, pose3d = _rounded(poses.confidence, 3), _rounded(poses.pose3d, 4)
    std = None if poses.pose3d_std is None else _rounded(poses.pose3d_std, 4)
    error, moved = _rounded(poses.reprojection_error, 2), _rounded(poses.refinement, 2)
    for i in range(len(poses)):
        row: dict[str, Any] = {"frame": None, "time": None, "person": None, "image": None}
        row |= {name: column[i].item() for name, column in poses.labels.items()}
        visible = poses.confidence[i] > 0
        yield row | {
            "image_size": [int(v) for v in size[i]],
            "keypoints": [
                p if v else None for p, v in zip(pixels["keypoints"][i], visible, strict=True)
            ],
            "refined": pixels["refined"][i],
            "confidence": confidence[i],
            "pose3d": pose3d[i],
            "pose3d_std": None if std is None else [v if v < np.inf else None for v in std[i]],
            "camera": {name: column[i] for name, column in cameras.items()},
            "reprojection": pixels["reprojection"][i],
            "reprojection_error": error[i],
            "refinement": _mean(moved[i]),
        }


def _mean(values: list[float]) -> float | None:
    """Return the mean of the values that are not NaN, or None if all are."""
    known = [value for value in values if value == value]
    return round(sum(known) / len(known), 2) if known else None


def _rounded(values: Any, digits: int) -> list:
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()
