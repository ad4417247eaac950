"""Ski-Pose PTZ: alpine skiers recorded by six pan-tilt-zoom cameras.

Source: Sporri (2016) and Rhodin et al. (CVPR 2018); layout as in the example distributed with the
data: `train/labels.h5` and `test/labels.h5` with one row per image in each of seq, cam, frame,
subj; 3D (17 joints in Human3.6M's order, metres, camera axes, pelvis at the origin); 2D (the same
joints, relative to the image's width and height); cam_intrinsic (3, 3; also relative),
cam_position and R_cam_2_world. Images are 256 x 256. Licensed for research; do not redistribute
without permission.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import joint_formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.io.hdf5 import open_hdf5

SPLITS = ("train", "test")
#: Images of each split.
IMAGES = {"train": 8481, "test": 1716}
IMAGE_SIZE = (256.0, 256.0)
#: Median reprojection error in pixels that causes a warning.
WARN_ERROR = 5

_HOW_TO_GET = (
    "Ask for Ski-PosePTZ-CameraDataset at https://www.epfl.ch/labs/cvlab/data/ski-poseptz-dataset "
    "and give the folder that holds train and test."
)
_COLUMNS = {"3D": 51, "2D": 34, "cam_intrinsic": 9, "seq": 1, "cam": 1, "frame": 1, "subj": 1}


def load(
    root: str | Path, *, split: str = "test", frame_step: int = 1, skeleton: str = "h36m_17"
) -> Poses:
    """Load Ski-Pose PTZ: 2D as annotated, 3D in the camera frame, absolute, metres.

    The files have poses relative to the pelvis; the position is the least-squares solution that
    projects them to the 2D.

    Args:
        root: folder of train/labels.h5 and test/labels.h5.
        split: "train" or "test".
        frame_step: keep every n-th image.
        skeleton: "h36m_17" or "h36m_16".

    Returns:
        Poses with the labels split, subject, action (the run, as "seq_003"), camera, frame.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file has unexpected content, or an option is invalid.
    """
    known = {s.name: s for s in (H36M_17, H36M_16)}
    if skeleton not in known:
        raise ValueError(
            f"Ski-Pose PTZ is available as {' or '.join(known)}, not as {skeleton!r}; for another "
            "joint format use poses.to(skeleton) on the result"
        )
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every image) or more")
    path = files(root, split=split)[0]
    columns = {name: values[::frame_step] for name, values in _read(path).items()}
    n, target = len(columns["seq"]), joint_formats.get(skeleton)
    relative = columns["3D"].reshape(n, 17, 3)
    pose2d = normalize(columns["2D"].reshape(n, 17, 2) * IMAGE_SIZE, IMAGE_SIZE)
    focal, center = _intrinsics(columns["cam_intrinsic"].reshape(n, 3, 3), path)
    relative = relative - relative[:, :1]
    pose3d = relative + _root_positions(relative, pose2d, focal, center)[:, None]
    behind = np.flatnonzero((pose3d[..., 2] <= 0).any(axis=1))
    if len(behind):
        raise ValueError(
            f"{path}: {len(behind)} poses are behind their camera, first in row "
            f"{behind[0] * frame_step}: 3D, 2D and cam_intrinsic are inconsistent. {_HOW_TO_GET}"
        )
    joints = [H36M_17.index(joint) for joint in target.joints]
    pose3d = np.float32(pose3d[:, joints])
    poses = Poses(
        skeleton=target,
        pose2d=np.float32(pose2d[:, joints]),
        confidence=np.ones((n, len(joints)), np.float32),
        pose3d=pose3d,
        camera=Camera(np.float32(focal), np.float32(center), pose3d[:, target.root_index].copy()),
        image_size=np.tile(np.float32(IMAGE_SIZE), (n, 1)),
        labels={"split": np.full(n, split), **_labels(columns)},
    )
    if (error := float(np.median(poses.reprojection_error))) > WARN_ERROR:
        warnings.warn(
            f"{path}: the median reprojection error of the 3D is {error:.0f} pixels", stacklevel=2
        )
    return poses


def _labels(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    numbers = {name: columns[name][:, 0].astype(int) for name in ("seq", "cam", "frame", "subj")}
    return {
        "subject": numbers["subj"].astype(str),
        "action": np.array([f"seq_{i:03d}" for i in numbers["seq"]]),
        "camera": numbers["cam"].astype(np.int16),
        "frame": numbers["frame"].astype(np.int32),
    }


def files(root: str | Path, *, split: str = "test", **_: Any) -> list[Path]:
    """Return the file that `load` reads with these options."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of Ski-Pose PTZ; give {' or '.join(SPLITS)}")
    path = Path(root).expanduser() / split / "labels.h5"
    if not path.is_file():
        raise FileNotFoundError(f"Ski-Pose PTZ: no {path.absolute()}. {_HOW_TO_GET}")
    return [path]


def expected(
    *, split: str = "test", frame_step: int = 1, **_: Any
) -> dict[str, dict[str, int | None]]:
    """Return the published number of images."""
    return {"split": {split: -(-IMAGES[split] // frame_step)}}


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the columns, each (n, numbers)."""
    try:
        with open_hdf5(path) as file:
            columns = {name: file.read(file[name]) for name in _COLUMNS if name in file}
    except Exception as error:  # h5py raises many types for damaged files
        raise ValueError(f"{path} cannot be read as HDF5 ({error}). {_HOW_TO_GET}") from error
    n = len(columns["seq"]) if "seq" in columns and columns["seq"].ndim else 0
    for name, width in _COLUMNS.items():
        if name not in columns:
            raise ValueError(f"{path} has no {name}, but {', '.join(columns)}. {_HOW_TO_GET}")
        values = columns[name]
        if values.dtype.kind not in "iufb" or values.size != n * width or not n:
            raise ValueError(
                f"{path}, {name}: got {values.dtype} {values.shape}, expected {width} numbers for "
                f"each of {n} images. {_HOW_TO_GET}"
            )
        columns[name] = values = values.astype(np.float64).reshape(n, width)
        invalid = ~(np.isfinite(values) & (np.abs(values) < 1e6)).all(axis=1)
        if invalid.any():
            raise ValueError(
                f"{path}, {name}: not all numbers are finite and below a million, first in row "
                f"{invalid.argmax()}. {_HOW_TO_GET}"
            )
    return columns


def _intrinsics(matrix: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return focal lengths and principal points (n, 2), normalised."""
    size = np.array(IMAGE_SIZE)
    focal = matrix[:, [0, 1], [0, 1]] * size * 2 / size[0]
    invalid = ~((focal > 0.1) & (focal < 1000)).all(axis=1)
    if invalid.any():
        raise ValueError(
            f"{path}, cam_intrinsic, row {(row := invalid.argmax())}: got {matrix[row].tolist()}, "
            f"expected focal lengths relative to the image size. {_HOW_TO_GET}"
        )
    return focal, normalize(matrix[:, None, :2, 2] * size, IMAGE_SIZE)[:, 0]


def _root_positions(
    relative: np.ndarray, pose2d: np.ndarray, focal: np.ndarray, center: np.ndarray
) -> np.ndarray:
    """Return the positions of the pelvis (n, 3) that project relative poses to their 2D.

    A point X + t on the ray r (x and y at depth one) satisfies x + t_x = r_x (z + t_z), and the
    same for y: linear in t, solved by least squares.
    """
    ray = (pose2d - center[:, None]) / focal[:, None]
    n, joints = ray.shape[:2]
    left = np.zeros((n, joints, 2, 3))
    left[..., 0, 0] = left[..., 1, 1] = 1
    left[..., 2] = -ray
    right = ray * relative[..., 2:] - relative[..., :2]
    left, right = left.reshape(n, -1, 3), right.reshape(n, -1, 1)
    square = np.swapaxes(left, 1, 2) @ left + np.eye(3) * 1e-12
    return np.linalg.solve(square, np.swapaxes(left, 1, 2) @ right)[..., 0]
