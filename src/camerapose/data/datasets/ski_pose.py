"""Ski-Pose PTZ as its owners distribute it: alpine skiers before six cameras that turn and zoom.

Source: Sporri (2016) and Rhodin et al. (CVPR 2018); layout by the example that comes with the data:
`train/labels.h5` and `test/labels.h5`, one row an image in each of seq, cam, frame, subj; 3D (17
joints in Human3.6M's order, metres, in the camera's axes, the pelvis at the origin); 2D (the same
joints, as shares of the image's width and height); cam_intrinsic (3, 3; as shares of the image
too), cam_position and R_cam_2_world. Images are 256 x 256. For research; ask before passing it on.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.data.readers.matlab import open_hdf5

SPLITS = ("train", "test")
#: Images of each split.
IMAGES = {"train": 8481, "test": 1716}
IMAGE_SIZE = (256.0, 256.0)

_HOW_TO_GET = (
    "Ask for Ski-PosePTZ-CameraDataset at https://www.epfl.ch/labs/cvlab/data/ski-poseptz-dataset "
    "and give the folder that holds train and test."
)
_COLUMNS = {"3D": 51, "2D": 34, "cam_intrinsic": 9, "seq": 1, "cam": 1, "frame": 1, "subj": 1}


def load(
    root: str | Path, *, split: str = "test", frame_step: int = 1, skeleton: str = "h36m_17"
) -> Poses:
    """Ski-Pose PTZ: 2D as annotated, 3D in the camera's frame, absolute.

    The files have the pose around its pelvis. Its place is the one (of least squares) from which
    its camera sees it at its 2D.

    Args:
        root: the folder of train/labels.h5 and test/labels.h5.
        split: "train" or "test".
        frame_step: every so-manyth image.
        skeleton: "h36m_17" or "h36m_16".

    Returns:
        Poses with the labels split, subject, action (the run, as "seq_003"), camera, frame.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is not what it should be, or an option is unknown.
    """
    known = {s.name: s for s in (H36M_17, H36M_16)}
    if skeleton not in known:
        raise ValueError(
            f"Ski-Pose PTZ comes as {' or '.join(known)}, not as {skeleton!r}; for another joint "
            "format use poses.to(skeleton) on the result"
        )
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every image) or more")
    path = files(root, split=split)[0]
    columns = {name: values[::frame_step] for name, values in _read(path).items()}
    n, target = len(columns["seq"]), formats.get(skeleton)
    relative = columns["3D"].reshape(n, 17, 3)
    pose2d = normalize(columns["2D"].reshape(n, 17, 2) * IMAGE_SIZE, IMAGE_SIZE)
    focal, center = _intrinsics(columns["cam_intrinsic"].reshape(n, 3, 3), path)
    relative = relative - relative[:, :1]
    root_position = _place(relative, pose2d, focal, center)
    pose3d = relative + root_position[:, None]
    bad = np.flatnonzero((pose3d[..., 2] <= 0).any(axis=1))
    if len(bad):
        raise ValueError(
            f"{path}: {len(bad)} poses can't be placed before their camera, row "
            f"{bad[0] * frame_step} first: 3D, 2D and cam_intrinsic do not fit. {_HOW_TO_GET}"
        )
    joints = [H36M_17.index(joint) for joint in target.joints]
    pose3d = np.float32(pose3d[:, joints])
    whole = {name: columns[name][:, 0].astype(int) for name in ("seq", "cam", "frame", "subj")}
    poses = Poses(
        skeleton=target,
        pose2d=np.float32(pose2d[:, joints]),
        confidence=np.ones((n, len(joints)), np.float32),
        pose3d=pose3d,
        camera=Camera(np.float32(focal), np.float32(center), pose3d[:, target.root_index].copy()),
        image_size=np.tile(np.float32(IMAGE_SIZE), (n, 1)),
        labels={
            "split": np.full(n, split),
            "subject": whole["subj"].astype(str),
            "action": np.array([f"seq_{i:03d}" for i in whole["seq"]]),
            "camera": whole["cam"].astype(np.int16),
            "frame": whole["frame"].astype(np.int32),
        },
    )
    if (error := float(np.median(poses.reprojection_error))) > 5:
        warnings.warn(
            f"{path}: 3D, seen by its camera, lies {error:.0f} pixels (median) off its 2D",
            stacklevel=2,
        )
    return poses


def files(root: str | Path, *, split: str = "test", **_: Any) -> list[Path]:
    """The file that `load` reads with these options."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of Ski-Pose PTZ; there are {', '.join(SPLITS)}")
    path = Path(root).expanduser() / split / "labels.h5"
    if not path.is_file():
        raise FileNotFoundError(f"Ski-Pose PTZ: there is no {path.absolute()}. {_HOW_TO_GET}")
    return [path]


def expected(
    *, split: str = "test", frame_step: int = 1, **_: Any
) -> dict[str, dict[str, int | None]]:
    """How many images the published set has."""
    return {"split": {split: -(-IMAGES[split] // frame_step)}}


def _read(path: Path) -> dict[str, np.ndarray]:
    """The columns, each (n, numbers)."""
    try:
        with open_hdf5(path) as file:
            columns = {name: np.asarray(file[name][()]) for name in _COLUMNS if name in file}
    except Exception as error:  # damaged files: h5py has errors of many kinds
        raise ValueError(f"{path} can't be read as HDF5 ({error}). {_HOW_TO_GET}") from error
    n = len(columns["seq"]) if "seq" in columns and columns["seq"].ndim else 0
    for name, width in _COLUMNS.items():
        if name not in columns:
            raise ValueError(f"{path} has no {name}, but {', '.join(columns)}. {_HOW_TO_GET}")
        values = columns[name]
        if values.dtype.kind not in "iufb" or values.size != n * width or not n:
            raise ValueError(
                f"{path}, {name}: got {values.dtype} {values.shape}; it should be {width} numbers "
                f"for each of {n} images. {_HOW_TO_GET}"
            )
        columns[name] = values = values.astype(np.float64).reshape(n, width)
        bad = ~(np.isfinite(values) & (np.abs(values) < 1e6)).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{path}, {name}: not all numbers are finite and below a million, first in row "
                f"{bad.argmax()}. {_HOW_TO_GET}"
            )
    return columns


def _intrinsics(matrix: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Focal lengths and principal points (n, 2), normalised."""
    size = np.array(IMAGE_SIZE)
    focal = matrix[:, [0, 1], [0, 1]] * size * 2 / size[0]
    bad = ~((focal > 0.1) & (focal < 1000)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{path}, cam_intrinsic, row {bad.argmax()}: got {matrix[bad.argmax()].tolist()}; "
            f"focal lengths should be shares of the image's size. {_HOW_TO_GET}"
        )
    return focal, normalize(matrix[:, None, :2, 2] * size, IMAGE_SIZE)[:, 0]


def _place(
    relative: np.ndarray, pose2d: np.ndarray, focal: np.ndarray, center: np.ndarray
) -> np.ndarray:
    """Where the pelvis stands (n, 3) so that poses around it are seen at their 2D.

    Of a point X + t on the ray r (x and y at depth one), x + t_x = r_x (z + t_z), and so for y:
    linear in t.
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
