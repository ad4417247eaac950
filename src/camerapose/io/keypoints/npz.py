"""camerapose's own `poses.npz`, read completely: 2D, 3D, cameras and labels."""

from dataclasses import replace

import numpy as np

from camerapose.core.limits import DEFAULT
from camerapose.core.poses import Poses
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "camerapose's poses.npz"
#: Joints farther away than this (pixels) are not part of the image.
MAX_DISTANCE = 1e6
SOURCES = (Source("camerapose", "1", "camerapose predict", "complete poses"),)


def matches(content: Content) -> bool:
    """Return whether this is an .npz with the columns of `Poses`."""
    return content.arrays is not None and {"skeleton", "pose2d", "confidence"} <= set(
        content.arrays
    )


def read(content: Content) -> Poses:
    """Read poses; joints that are not finite get confidence 0."""
    path = content.path
    poses = Poses.load(path)
    for name, column in poses.columns().items():
        is_2d = name in ("pose2d", "confidence")
        if not is_2d and column.dtype.kind == "f" and not np.isfinite(column).all():
            raise ValueError(f"{path}: {name} has values that are not finite")
    size, most = poses.image_size, DEFAULT.max_side
    if size is not None and not ((size >= 1) & (size <= most)).all():
        raise ValueError(f"{path}: image_size has values that are not 1 to {most} pixels")
    if (np.abs(poses.labels.get("time", np.zeros(0))) > DEFAULT.max_seconds).any():
        raise ValueError(f"{path}: time has values above {DEFAULT.max_seconds:g} seconds")
    good = np.isfinite(poses.pose2d).all(axis=-1) & np.isfinite(poses.confidence)
    good &= (np.abs(poses.pose2d) < MAX_DISTANCE).all(axis=-1)
    return replace(
        poses,
        pose2d=np.where(good[..., None], poses.pose2d, 0).astype(np.float32),
        confidence=np.where(good, np.clip(poses.confidence, 0, 1), 0).astype(np.float32),
    )
