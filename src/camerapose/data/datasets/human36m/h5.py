"""The layout of h36m-fetch: one annot.h5 of selected frames per recording."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camerapose.data.datasets.human36m.recordings import SUBJECTS, common_name
from camerapose.io.hdf5 import open_hdf5

#: Names in the file.
_NAMES = {"pose2d": "pose/2d", "pose3d": "pose/3d", "camera": "camera", "frame": "frame"}
#: Accepted absolute values: pixels and metres.
_LIMITS = {"pose2d": (1e5, "100,000 pixels"), "pose3d": (100, "100 m (expected millimetres)")}
_HOW_TO_GET = "Create it again with h36m-fetch (https://github.com/anibali/h36m-fetch)."


def find(root: Path) -> dict[str, dict[str, Path]]:
    """Return {subject: {action: file}}: `S1/Directions-1/annot.h5` is "Directions 1"."""
    result: dict[str, dict[str, Path]] = {}
    for folder in (root, root / "processed"):
        for subject in SUBJECTS:
            for path in sorted((folder / subject).glob("*/annot.h5")):
                name = common_name(path.parent.name.replace("-", " "))
                result.setdefault(subject, {})[name] = path
        if result:
            break
    return result


def read_h5(path: Path, serials: Sequence[int]) -> dict[str, np.ndarray]:
    """Read an annot.h5.

    Args:
        path: the file.
        serials: serial numbers of the cameras, ascending.

    Returns:
        pose2d (n, 32, 2), pixels; pose3d (n, 32, 3), camera frame, metres; camera (n,), index into
        `serials`; frame (n,), from 0.

    Raises:
        ValueError: the file is damaged or has other content; or h5py is missing.
    """
    try:
        with open_hdf5(path) as file:
            missing = [name for name in _NAMES.values() if name not in file]
            if missing:
                raise ValueError(f"it has no {', '.join(missing)}")
            content = {key: file.read(file[name]) for key, name in _NAMES.items()}
    except Exception as error:  # h5py raises many types for damaged files
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as an annot.h5 ({reason}). {_HOW_TO_GET}"
        ) from error
    _check_shapes(content, path)
    camera = np.searchsorted(serials, content["camera"]).clip(max=len(serials) - 1)
    unknown = content["camera"][np.asarray(serials)[camera] != content["camera"]]
    if len(unknown):
        raise ValueError(
            f"{path}: unknown camera {unknown[0]}; Human3.6M has {', '.join(map(str, serials))}"
        )
    content["pose3d"] = content["pose3d"] / 1000
    for key, (limit, description) in _LIMITS.items():
        valid = (np.abs(content[key]) <= limit).all(axis=(1, 2))
        if not valid.all():
            raise ValueError(
                f"{path}, row {np.flatnonzero(~valid)[0]}: {_NAMES[key]} is not finite and within "
                f"{description}. {_HOW_TO_GET}"
            )
    return content | {"camera": camera, "frame": content["frame"] - 1}


def _check_shapes(content: dict[str, np.ndarray], path: Path) -> None:
    n = len(content["pose2d"]) if content["pose2d"].ndim else 0
    shapes = {"pose2d": (n, 32, 2), "pose3d": (n, 32, 3), "camera": (n,), "frame": (n,)}
    for key, shape in shapes.items():
        if content[key].shape != shape or content[key].dtype.kind not in "fiu":
            raise ValueError(
                f"{path}: got {_NAMES[key]} of {content[key].dtype} and shape "
                f"{content[key].shape}, expected numbers of shape {shape}. {_HOW_TO_GET}"
            )
