"""2D keypoints in any supported file format, as a data set of 2D-only poses."""

from pathlib import Path
from typing import Any

from camerapose.core.poses import Poses
from camerapose.io import keypoints


def load(
    path: str | Path,
    *,
    skeleton: str | None = None,
    image_size: Any = None,
    unit: str | None = None,
) -> Poses:
    """Read 2D poses from a file or folder; see `camerapose.io.keypoints.read`."""
    return keypoints.read(path, skeleton, image_size, unit=unit)


def files(path: str | Path, **_: Any) -> list[Path]:
    """Return the files that `load` reads."""
    return keypoints.files(path)
