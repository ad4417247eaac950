"""HumanEva-I in VideoPose3D's layout, for tests across data sets.

Source: Sigal et al., HumanEva (IJCV 2010). The layout is that of VideoPose3D (Pavllo et al.,
2019): `data_3d_humaneva15.npz` holds {"Train/S1": {recording: (frames, 15, 3)}}, world frame,
metres; `data_2d_humaneva15_gt.npz` holds {"Train/S1": {recording: [three of (frames, 15, 2)]}},
pixels of 640 x 480. Calibration is not included: each camera is estimated from the pairs of 3D and
2D (direct linear transform; Hartley and Zisserman, "Multiple view geometry", 7.1 and 6.2.4).
HumanEva is licensed for research and must not be redistributed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core.camera import Camera, normalize
from camerapose.core.joint_formats import HUMANEVA_15
from camerapose.core.poses import Poses
from camerapose.io.pickles import numbers, read_pickled

IMAGE_SIZE = (640, 480)
CAMERAS = 3
#: Frames with coordinates beyond this (metres) are invalid.
MAX_COORDINATE = 100
FILES = ("data_3d_humaneva15.npz", "data_2d_humaneva15_gt.npz")
_HOW_TO_GET = (
    "Make both files as VideoPose3D describes "
    "(https://github.com/facebookresearch/VideoPose3D/blob/main/DATASETS.md; HumanEva itself asks "
    "for a registration at http://humaneva.is.tue.mpg.de) and give the folder that holds them."
)


def load(root: str | Path, *, parts: Sequence[str] = ("Train", "Validate")) -> Poses:
    """Load HumanEva-I as seen by its three colour cameras, in its own 15 joints.

    3D is in the camera frame, metres; 2D is that of the file. Cameras have no rotation, and their
    translation is the position of the root. Frames with joints that are not finite are excluded.

    Args:
        root: folder of both files.
        parts: subset of "Train" and "Validate".

    Returns:
        Poses with the labels subject, action (the recording), camera (0 to 2), frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has unexpected content, or an option is invalid.
    """
    if not parts or set(parts) - {"Train", "Validate"}:
        raise ValueError(f"parts are {tuple(parts)}; give some of Train and Validate")
    paths = files(root)
    recordings = _recordings(_tree(paths[0], "positions_3d"), _tree(paths[1], "positions_2d"))
    views = [_view(key, several, parts) for key, several in sorted(recordings.items())]
    if not any(len(poses) for poses in views):
        raise ValueError(
            f"{paths[0]} and {paths[1].name} have no recording of {' or '.join(parts)} with frames "
            f"both in 3D and in 2D. {_HOW_TO_GET}"
        )
    return Poses.cat([poses for poses in views if len(poses)])


def files(root: str | Path, **_: Any) -> list[Path]:
    """Return the files that `load` reads."""
    folder = Path(root).expanduser()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"HumanEva: {' and '.join(missing)} missing in {folder.absolute()}. {_HOW_TO_GET}"
        )
    return [folder / name for name in FILES]


def _tree(path: Path, member: str) -> dict[str, dict[str, Any]]:
    tree = read_pickled(path, member, how_to_get=_HOW_TO_GET)
    if not isinstance(tree, dict) or not all(isinstance(v, dict) for v in tree.values()):
        raise ValueError(
            f"{path}: got {member} of type {type(tree).__name__}, expected "
            f"{{group: {{recording: array}}}}. " + _HOW_TO_GET
        )
    return tree


class _Recording(NamedTuple):
    """Valid frames of one recording seen by one camera."""

    part: str
    name: str
    frames: np.ndarray
    world: np.ndarray  # (frames, 15, 3) metres
    pixels: np.ndarray  # (frames, 15, 2)


def _recordings(positions: dict, keypoints: dict) -> dict[tuple[str, int], list[_Recording]]:
    """Return the recordings by subject and camera."""
    result: dict[tuple[str, int], list[_Recording]] = {}
    for group in sorted(set(positions) & set(keypoints)):
        part, _, subject = group.partition("/")
        for name in sorted(set(positions[group]) & set(keypoints[group])):
            world, views = _check(positions[group][name], keypoints[group][name], group, name)
            for camera, pixels in enumerate(views):
                n = min(len(world), len(pixels))
                valid = (np.isfinite(world[:n]) & (np.abs(world[:n]) < MAX_COORDINATE)).all((1, 2))
                rows = np.flatnonzero(valid & np.isfinite(pixels[:n]).all((1, 2)))
                result.setdefault((subject, camera), []).append(
                    _Recording(part, name, rows, world[rows], pixels[rows])
                )
    return result


def _check(world: Any, views: Any, group: str, name: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a recording's 3D and its 2D of each camera, float64."""
    where = f"{FILES[0]} and {FILES[1]}, {group} {name}"
    views = list(views) if isinstance(views, (list, tuple, np.ndarray)) else []
    world = np.float64(numbers(world, where, _HOW_TO_GET))
    pixels = [np.float64(numbers(view, where, _HOW_TO_GET)) for view in views]
    shapes = [view.shape[1:] for view in pixels]
    if world.shape[1:] != (15, 3) or shapes != [(15, 2)] * CAMERAS:
        raise ValueError(
            f"{where}: got 3D of shape {world.shape} and 2D of shapes "
            f"{[view.shape for view in pixels]}, expected (frames, 15, 3) and three of "
            f"(frames, 15, 2). {_HOW_TO_GET}"
        )
    return world, pixels


def _view(key: tuple[str, int], recordings: list[_Recording], parts: Sequence[str]) -> Poses:
    """Return one subject as seen by one camera, in that camera's frame.

    The camera is estimated from all recordings; those of `parts` are returned.
    """
    subject, number = key
    world = np.concatenate([r.world for r in recordings])
    pixels = np.concatenate([r.pixels for r in recordings])
    try:
        matrix, rotation, translation = calibrate(world.reshape(-1, 3), pixels.reshape(-1, 2))
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"{FILES[0]} and {FILES[1]}, {subject}: no camera projects the 3D to the 2D of camera "
            f"{number} ({error}). {_HOW_TO_GET}"
        ) from error
    chosen = np.concatenate([np.full(len(r.frames), r.part in parts) for r in recordings])
    n = int(chosen.sum())
    size = np.tile(np.float32(IMAGE_SIZE), (n, 1))
    pose3d = np.float32(world[chosen] @ rotation.T + translation)
    center = normalize(matrix[None, :2, 2], IMAGE_SIZE)
    focal = np.diag(matrix)[None, :2] * 2 / IMAGE_SIZE[0]
    return Poses(
        skeleton=HUMANEVA_15,
        pose2d=np.float32(normalize(pixels[chosen], IMAGE_SIZE)),
        confidence=np.ones((n, HUMANEVA_15.n_joints), np.float32),
        pose3d=pose3d,
        camera=Camera(
            np.repeat(np.float32(focal), n, 0),
            np.repeat(np.float32(center), n, 0),
            pose3d[:, HUMANEVA_15.root_index].copy(),
        ),
        image_size=size,
        labels={
            "subject": np.full(n, subject),
            "action": np.concatenate([np.full(len(r.frames), r.name) for r in recordings])[chosen],
            "camera": np.full(n, number, np.int8),
            "frame": np.concatenate([np.int32(r.frames) for r in recordings])[chosen],
        },
    )


def calibrate(world: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the pinhole camera that projects points (n, 3) to pixels (n, 2).

    Direct linear transform of both sets standardised to mean 0 and standard deviation 1 (Hartley
    and Zisserman, 7.1), followed by an RQ decomposition of the matrix; its skew is dropped.

    Returns:
        Intrinsic matrix (3, 3) in pixels; rotation (3, 3) and translation (3,) from world to
        camera.

    Raises:
        LinAlgError: no camera projects them so; at least six points are needed.
    """
    if len(world) < 6:
        raise np.linalg.LinAlgError(f"only {len(world)} points")
    points, to_points = _standardised(world)
    image, to_image = _standardised(pixels)
    one = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    zero = np.zeros_like(one)
    rows = np.concatenate([
        np.concatenate([one, zero, -image[:, :1] * one], axis=1),
        np.concatenate([zero, one, -image[:, 1:] * one], axis=1),
    ])  # fmt: skip
    smallest = np.linalg.eigh(rows.T @ rows)[1][:, 0]
    projection = np.linalg.inv(to_image) @ smallest.reshape(3, 4) @ to_points
    if np.linalg.det(projection[:, :3]) < 0:
        projection = -projection
    # A = K R: the QR decomposition of the rows in reverse order.
    q, r = np.linalg.qr(projection[::-1, :3].T)
    matrix, rotation = r.T[::-1, ::-1], q.T[::-1]
    sign = np.diag(np.sign(np.diag(matrix)))
    matrix, rotation = matrix @ sign, sign @ rotation
    translation = np.linalg.solve(matrix, projection[:, 3])
    matrix = matrix / matrix[2, 2]
    if not all(np.isfinite(m).all() for m in (matrix, rotation, translation)):
        raise np.linalg.LinAlgError("the matrix is not finite")
    return matrix, rotation, translation


def _standardised(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points with mean 0 and standard deviation 1, and the matrix of that transform."""
    mean, deviation = points.mean(0), max(points.std(), 1e-9)
    dimensions = points.shape[1]
    matrix = np.eye(dimensions + 1) / deviation
    matrix[:dimensions, dimensions], matrix[-1, -1] = -mean / deviation, 1.0
    return (points - mean) / deviation, matrix
