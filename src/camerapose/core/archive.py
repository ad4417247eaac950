"""Columns of poses in .npz files."""

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from camerapose.core import joint_formats
from camerapose.core.limits import check_archive
from camerapose.core.plugins import load_function
from camerapose.core.skeleton import Skeleton


def write(
    path: str | os.PathLike[str], skeleton: Skeleton, columns: Mapping[str, Any], **extra: Any
) -> None:
    """Write a compressed .npz without pickles, atomically.

    Args:
        columns: arrays by name (`Poses.columns`).
        extra: further arrays, which `read` returns like columns.
    """
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(column) for name, column in columns.items()}
    np.savez_compressed(buffer, skeleton=joint_formats.definition(skeleton), **arrays, **extra)
    load_function("io.files", "write_bytes")(path, buffer.getvalue())


def read(path: str | os.PathLike[str]) -> tuple[Skeleton, dict[str, np.ndarray]]:
    """Read the skeleton and the columns that `write` wrote; floating-point values where expected.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an .npz file, too large when decompressed, or its columns do not belong to
            poses.
    """
    check_archive(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise ValueError(
            f"{path} cannot be read as an .npz of poses ({error}); give a file written by "
            "Poses.save, or another keypoint format"
        ) from error
    missing = {"skeleton", "pose2d", "confidence"} - set(columns)
    if missing:
        raise ValueError(
            f"{path} is an .npz without {', '.join(sorted(missing))}; it contains "
            f"{', '.join(sorted(columns)) or 'nothing'}; give a file written by Poses.save"
        )
    try:
        skeleton = joint_formats.get(str(columns.pop("skeleton")))
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(f"{path}: {error}") from error
    return skeleton, _checked(path, skeleton, columns)


def _checked(
    path: str | os.PathLike[str], skeleton: Skeleton, columns: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the columns with the known ones as floating-point arrays of the expected shapes."""
    n, joints = len(columns["confidence"]) if columns["confidence"].ndim else 0, skeleton.n_joints
    shapes = {
        "pose2d": (n, joints, 2), "confidence": (n, joints), "pose3d": (n, joints, 3),
        "refined2d": (n, joints, 2), "pose3d_std": (n, joints), "image_size": (n, 2),
        "camera_focal": (n, 2),
        "camera_center": (n, 2), "camera_translation": (n, 3), "camera_rotation": (n, 3, 3),
        "camera_distortion": (n, 5),
    }  # fmt: skip
    checked = {}
    for name, column in columns.items():
        known = name in shapes
        shape = shapes.get(name, (n, *column.shape[1:]) if "label_" in name else column.shape)
        if column.shape != shape:
            raise ValueError(
                f"{path} contains {name} of shape {column.shape}; {n} poses of {skeleton.name} "
                f"need {shape}; give a file written by Poses.save"
            )
        if known and column.dtype.kind not in "iuf":
            raise ValueError(
                f"{path} contains {name} of type {column.dtype}; it must be numeric; give a file "
                "written by Poses.save"
            )
        integer = known and column.dtype.kind in "iu"
        checked[name] = column.astype(np.float32) if integer else column
    return checked
