"""Training recordings of MPI-INF-3DHP: `annot.mat` and `camera.calibration`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.data.datasets.mpi_inf_3dhp.published import (
    FRAMES,
    HOW_TO_GET,
    JOINTS_OF_28,
    PELVIS,
)
from camerapose.data.datasets.mpi_inf_3dhp.views import (
    View,
    finite_array,
    move_to_pelvis,
    read_variables,
)
from camerapose.data.readers.matlab import read_mat


def frame_numbers(path: Path) -> np.ndarray:
    """Return the numbers of the frames of an annot.mat that have an image."""
    frames = read_mat(path, ["frames"], HOW_TO_GET).get("frames", np.empty(0))
    if not isinstance(frames, np.ndarray) or frames.dtype.kind not in "iuf" or not frames.size:
        raise ValueError(f"{path} has no frames (a column of their numbers). {HOW_TO_GET}")
    published = FRAMES.get((path.parent.parent.name, path.parent.name), frames.size)
    return np.arange(min(frames.size, published), dtype=np.int32)


def read_views(
    path: Path,
    calibration: Path,
    rows: np.ndarray,
    cameras: Sequence[int],
    annotation: str,
    order: list[int],
) -> Iterator[View]:
    """Yield one recording as seen by each of the cameras; only one recording is in memory."""
    names = ["cameras", "frames", *dict.fromkeys(["annot2", "annot3", annotation])]
    content = read_variables(path, names)
    numbers = [int(n) for n in finite_array(content["cameras"], f"{path}, cameras").ravel()]
    matrices = read_calibration(calibration)
    for camera in cameras:
        if camera not in numbers or camera not in matrices:
            file, known = (path, numbers) if camera not in numbers else (calibration, matrices)
            raise ValueError(f"{file} has no camera {camera}, but {sorted(known)}. {HOW_TO_GET}")
        cell = numbers.index(camera)
        keypoints = _cell(path, content, "annot2", cell)[rows]
        pose3d = _cell(path, content, "annot3", cell)[rows] / 1000
        if annotation != "annot3":
            universal = _cell(path, content, annotation, cell)[rows] / 1000
            pose3d = move_to_pelvis(universal, pose3d, JOINTS_OF_28[PELVIS])
        matrix, size = matrices[camera]
        yield View(
            path.parent.parent.name, path.parent.name, camera, rows, keypoints[:, order],
            pose3d[:, order], matrix, size,
        )  # fmt: skip


def _cell(path: Path, content: dict[str, Any], name: str, cell: int) -> np.ndarray:
    """Return one camera's (frames, 28 joints, 2 or 3 axes) of a cell array."""
    where = f"{path}, {name}, cell {cell}"
    cells, frames, axes = content[name], content["frames"].size, 2 if name == "annot2" else 3
    if not isinstance(cells, list) or cell >= len(cells):
        raise ValueError(f"{where} is missing; {name} should have one cell per camera")
    values = finite_array(cells[cell], where)
    if values.shape != (frames, 28 * axes):
        raise ValueError(
            f"{where}: got {values.shape}, expected {frames} frames by {28 * axes} (28 joints). "
            + HOW_TO_GET
        )
    return values.reshape(frames, 28, axes)


def read_calibration(path: Path) -> dict[int, tuple[np.ndarray, tuple[float, float]]]:
    """Return intrinsic matrix and image size of each camera of a camera.calibration."""
    cameras: dict[int, dict[str, list[float]]] = {}
    entry: dict[str, list[float]] | None = None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not lines[0].startswith("Skeletool Camera Calibration File"):
        raise ValueError(
            f"{path}, line 1: expected 'Skeletool Camera Calibration File V1.0'. {HOW_TO_GET}"
        )
    for i, line in enumerate(lines[1:], 2):
        key, *values = line.split() or [""]
        try:
            if key == "name":
                entry = cameras.setdefault(int(values[0]), {})
            elif key in ("size", "intrinsic", "radial") and entry is not None:
                entry[key] = [float(v) for v in values]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, line {i}: {line!r:.80} is not valid ({error})") from error
    return {number: _intrinsics(path, number, entry) for number, entry in cameras.items()}


def _intrinsics(
    path: Path, number: int, entry: dict[str, list[float]]
) -> tuple[np.ndarray, tuple[float, float]]:
    intrinsic, size = np.array(entry.get("intrinsic", [])), np.array(entry.get("size", []))
    valid = intrinsic.shape == (16,) and size.shape == (2,) and not any(entry.get("radial", []))
    matrix = intrinsic.reshape(4, 4)[:3, :3] if valid else np.zeros((3, 3))
    numbers = np.concatenate([np.diag(matrix)[:2], size])
    if not valid or not np.isfinite(intrinsic).all() or not ((numbers > 1) & (numbers < 1e6)).all():
        raise ValueError(
            f"{path}, camera {number}: got {entry}, expected an intrinsic of 16 numbers (pixels), "
            f"a size of 2 and radial 0. {HOW_TO_GET}"
        )
    return matrix, (float(size[0]), float(size[1]))
