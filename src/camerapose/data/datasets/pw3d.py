"""3DPW (3D Poses in the Wild): one or two people recorded by a moving phone.

Source: von Marcard et al., ECCV 2018; layout as in the readme distributed with the data:
`sequenceFiles/SPLIT/NAME.pkl`, a dictionary pickled by Python 2 with one entry per person in
jointPositions (frames, 72: SMPL's 24 joints, world frame, metres), poses2d (frames, 3, 18:
OpenPose's COCO joints, x, y and confidence; zeros if fewer than six were correct) and campose_valid
(frames), and per sequence cam_poses (frames, 4, 4: world to camera) and cam_intrinsics (3, 3).
Licensed for non-commercial research; it must not be redistributed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import conversion, joint_formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.joint_formats import OPENPOSE_18
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.pickles import read_pickle

SPLITS = ("train", "validation", "test")
#: Sequences of each split.
SEQUENCES = {"train": 24, "validation": 12, "test": 24}
#: Sequences of the test split.
TEST = (
    "downtown_arguing_00", "downtown_bar_00", "downtown_bus_00", "downtown_cafe_00",
    "downtown_car_00", "downtown_crossStreets_00", "downtown_downstairs_00",
    "downtown_enterShop_00", "downtown_rampAndStairs_00", "downtown_runForBus_00",
    "downtown_runForBus_01", "downtown_sitOnStairs_00", "downtown_stairs_00",
    "downtown_upstairs_00", "downtown_walkBridge_01", "downtown_walkUphill_00",
    "downtown_walking_00", "downtown_warmWelcome_00", "downtown_weeklyMarket_00",
    "downtown_windowShopping_00", "flat_guitar_01", "flat_packBags_00", "office_phoneCall_00",
    "outdoors_fencing_01",
)  # fmt: skip
KEYPOINTS = ("projection", "poses2d")

_HOW_TO_GET = (
    "Register at https://virtualhumans.mpi-inf.mpg.de/3DPW, get sequenceFiles.zip and give the "
    "folder that holds sequenceFiles."
)
#: Human3.6M's 16 joints among SMPL's 24, as in PoseBench3D (2025): the second joint of the spine,
#: the neck as thorax, the head joint (at the base of the head) as head.
_H36M_16 = [0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 16, 18, 20, 17, 19, 21]
_ORDERS = {"smpl_24": list(range(24)), "h36m_16": _H36M_16}


class _Person(NamedTuple):
    """One person of one sequence.

    Attributes:
        pose3d: target joints (n, joints, 3) in camera frames, metres.
        detections: pixels (n, joints, 2) and confidence (n, joints); None: projections.
    """

    sequence: str
    number: int
    frames: np.ndarray
    pose3d: np.ndarray
    detections: tuple[np.ndarray, np.ndarray] | None


def load(
    root: str | Path,
    *,
    split: str = "test",
    sequences: Sequence[str] | None = None,
    keypoints: str = "projection",
    skeleton: str = "smpl_24",
    frame_step: int = 1,
) -> Poses:
    """Load 3DPW: one row per person and frame with a known camera.

    3D is in the camera frame, absolute, metres. Frames without a valid camera (campose_valid) are
    excluded. Rows are ordered by sequence, person, frame. The image size is twice the principal
    point.

    Args:
        root: folder of sequenceFiles (or that folder).
        split: "train", "validation" or "test".
        sequences: names such as "downtown_walking_00"; None: all of the split.
        keypoints: origin of `pose2d`: "projection" of the 3D, or "poses2d", OpenPose's detections
            in the files, converted to `skeleton` by joint name. Missing joints have confidence 0,
            and people without detections are excluded.
        skeleton: "smpl_24", or "h36m_16" as is usual (SMPL's neck as thorax).
        frame_step: keep every n-th frame of each sequence.

    Returns:
        Poses with the labels action (the sequence), person (0 or 1), frame.

    Raises:
        FileNotFoundError: the folder or a sequence is missing.
        ValueError: a file has unexpected content, or an option is invalid.
    """
    if keypoints not in KEYPOINTS:
        raise ValueError(f"unknown keypoints {keypoints!r}; give {' or '.join(KEYPOINTS)}")
    if skeleton not in _ORDERS:
        raise ValueError(
            f"3DPW is available as {' or '.join(_ORDERS)}, not as {skeleton!r}; for another joint "
            "format use poses.to(skeleton) on the result"
        )
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")
    paths = files(root, split=split, sequences=sequences)
    target, order = joint_formats.get(skeleton), _ORDERS[skeleton]
    people = [p for path in paths for p in _people(path, target, order, keypoints, frame_step)]
    if not any(len(poses) for poses in people):
        raise ValueError(
            f"the {len(paths)} sequences of 3DPW in {paths[0].parent} have no frame with a valid "
            f"camera. {_HOW_TO_GET}"
        )
    return Poses.cat([poses for poses in people if len(poses)])


def files(
    root: str | Path, *, split: str = "test", sequences: Sequence[str] | None = None, **_: Any
) -> list[Path]:
    """Return the files that `load` reads with these options, by name."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of 3DPW; give {', '.join(SPLITS)}")
    root = Path(root).expanduser()
    folder = next(
        (f for f in (root / "sequenceFiles" / split, root / split) if f.is_dir()),
        root / "sequenceFiles" / split,
    )
    paths = {path.stem: path for path in sorted(folder.glob("*.pkl"))}
    if not paths:
        raise FileNotFoundError(f"3DPW: no .pkl in {folder.absolute()}. {_HOW_TO_GET}")
    missing = set(sequences or ()) - set(paths)
    if missing:
        raise FileNotFoundError(
            f"3DPW: {', '.join(sorted(missing))} missing in {folder.absolute()}, which contains "
            f"{', '.join(paths)}. {_HOW_TO_GET}"
        )
    return [paths[name] for name in (paths if sequences is None else sequences)]


def expected(
    *, split: str = "test", sequences: Sequence[str] | None = None, **_: Any
) -> dict[str, dict[str, int | None]]:
    """Return the published sequences, each with at least one pose."""
    if sequences is None and split == "test":
        return {"action": dict.fromkeys(TEST)}
    return {"action": dict.fromkeys(sequences or ())}


def _people(
    path: Path, target: Skeleton, order: list[int], keypoints: str, frame_step: int
) -> list[Poses]:
    """Return each person of a sequence."""
    content = read_pickle(path, _HOW_TO_GET)
    lists = ["jointPositions", "campose_valid"] + ["poses2d"] * (keypoints == "poses2d")
    _check_names(path, content, ["cam_poses", "cam_intrinsics", *lists])
    matrix = _numbers(content["cam_intrinsics"], f"{path}, cam_intrinsics", (3, 3))
    focal, center = np.diag(matrix)[:2], matrix[:2, 2]
    if not ((focal > 1) & (center > 1) & (focal < 1e6) & (center < 1e6)).all():
        raise ValueError(
            f"{path}, cam_intrinsics: got {matrix.tolist()}, expected focal lengths and principal "
            f"point in pixels. {_HOW_TO_GET}"
        )
    people = len(content["jointPositions"])
    if not people or any(len(content[name]) != people for name in lists):
        raise ValueError(
            f"{path}: {', '.join(lists)} have {[len(content[name]) for name in lists]} entries, "
            f"expected one per person. {_HOW_TO_GET}"
        )
    result = []
    for i in range(people):
        rows, frames, pose3d = _camera_poses(path, content, i, frame_step)
        detections = None
        if keypoints == "poses2d":
            where = f"{path}, person {i}, poses2d"
            detections = _detections(content["poses2d"][i], where, frames, rows, target)
        person = _Person(path.stem, i, rows, pose3d[:, order], detections)
        result.append(_poses(person, focal, center, target))
    return result


def _camera_poses(
    path: Path, content: dict[str, Any], person: int, frame_step: int
) -> tuple[np.ndarray, int, np.ndarray]:
    """Return the chosen frames, the number of all frames, and SMPL's joints in camera frames."""
    where = f"{path}, person {person}"
    world = _numbers(content["jointPositions"][person], f"{where}, jointPositions", (None, 72))
    n = len(world)
    is_valid = _numbers(content["campose_valid"][person], f"{where}, campose_valid", (n,)) > 0
    world_to_camera = _numbers(content["cam_poses"], f"{path}, cam_poses", (n, 4, 4))
    rows = np.flatnonzero(is_valid & (np.arange(n) % frame_step == 0))
    world, world_to_camera = world[rows].reshape(-1, 24, 3), world_to_camera[rows]
    _check_finite(world, f"{where}, jointPositions", rows)
    _check_finite(world_to_camera, f"{path}, cam_poses", rows)
    pose3d = world @ np.swapaxes(world_to_camera[:, :3, :3], 1, 2)
    return rows, n, pose3d + world_to_camera[:, None, :3, 3]


def _check_names(path: Path, content: Any, names: list[str]) -> None:
    """Raise ValueError unless all are present, and those with one entry per person are lists."""
    present = list(content) if isinstance(content, dict) else []
    missing = [name for name in names if name not in present]
    other = [n for n in names[2:] if n in present and not isinstance(content[n], (list, tuple))]
    if missing or other:
        problem = "should be lists" if other and not missing else "missing"
        text = ", ".join(map(str, present)) or type(content).__name__
        raise ValueError(
            f"{path}: {', '.join(missing or other)} {problem}; it contains {text:.200}. "
            + _HOW_TO_GET
        )


def _numbers(value: Any, where: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return an array of this shape (None: any), float64; longer ones are cut."""
    fits = isinstance(value, np.ndarray) and value.dtype.kind in "iufb"
    fits = fits and value.ndim == len(shape) and value.shape[1:] == shape[1:]
    if not fits or (shape[0] is not None and len(value) < shape[0]):
        got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value)
        raise ValueError(
            f"{where}: got {got}, expected numbers {str(shape).replace('None', 'frames')}. "
            + _HOW_TO_GET
        )
    return np.asarray(value[: shape[0]], np.float64)


def _check_finite(values: np.ndarray, where: str, rows: np.ndarray) -> None:
    axes = tuple(range(1, values.ndim))
    invalid = ~(np.isfinite(values) & (np.abs(values) < 1e6)).all(axis=axes)
    if invalid.any():
        raise ValueError(
            f"{where}: not all numbers are finite and below a million, first in row "
            f"{rows[invalid.argmax()]}. {_HOW_TO_GET}"
        )


def _detections(
    value: Any, where: str, frames: int, rows: np.ndarray, target: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (n, joints, 2) and confidence (n, joints) of the target's joints."""
    detections = _numbers(value, where, (frames, 3, 18))[rows].swapaxes(1, 2)
    valid = (np.isfinite(detections) & (np.abs(detections) < 1e6)).all(axis=-1)
    points = np.float32(np.where(valid[..., None], detections[..., :2], 0))
    confidence = np.float32(np.where(valid, np.clip(detections[..., 2], 0, 1), 0))
    return conversion.convert(points, confidence, OPENPOSE_18, target)


def _poses(person: _Person, focal: np.ndarray, center: np.ndarray, target: Skeleton) -> Poses:
    """Return one person of one sequence; focal length and principal point in pixels."""
    n, pose3d = len(person.frames), np.float32(person.pose3d)
    size = np.float32(np.round(center * 2))
    one = normalize(np.float32(center)[None, None], size)[:, 0]
    columns = Camera(
        np.tile(np.float32(focal * 2 / size[0]), (n, 1)),
        np.tile(np.float32(one), (n, 1)),
        pose3d[:, target.root_index].copy(),
    )
    pose2d, confidence = columns.project(pose3d), np.ones((n, target.n_joints), np.float32)
    if person.detections is not None:
        points, confidence = person.detections
        pose2d = np.where(confidence[..., None] > 0, normalize(points, size), np.float32(0))
    poses = Poses(
        skeleton=target,
        pose2d=np.float32(pose2d),
        confidence=np.float32(confidence),
        pose3d=pose3d,
        camera=columns,
        image_size=np.tile(size, (n, 1)),
        labels={
            "action": np.full(n, person.sequence),
            "person": np.full(n, person.number, np.int8),
            "frame": np.int32(person.frames),
        },
    )
    return poses[(confidence > 0).any(axis=1)]
