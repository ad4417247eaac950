"""3DPW (3D Poses in the Wild) as its owners distribute it: one or two people before a moving phone.

Source: von Marcard et al., ECCV 2018; layout by the readme that comes with the data:
`sequenceFiles/SPLIT/NAME.pkl`, a dictionary pickled by Python 2 with, one entry a person,
jointPositions (frames, 72: SMPL's 24 joints, world, metres), poses2d (frames, 3, 18: OpenPose's
COCO joints, x, y and confidence; zeros where fewer than six were right) and campose_valid (frames),
and for the whole cam_poses (frames, 4, 4: world to camera) and cam_intrinsics (3, 3). For
non-commercial research; it must not be passed on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import conversion, formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.formats import OPENPOSE_18
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.readers.pickles import read_pickle

SPLITS = ("train", "validation", "test")
#: Sequences of each split.
SEQUENCES = {"train": 24, "validation": 12, "test": 24}
#: Their names in the test split.
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
#: Human3.6M's 16 joints among SMPL's 24, as the field has it (PoseBench3D, 2025): the second joint
#: of the spine, the neck as thorax, the head's joint (at its base) as head.
_H36M_16 = [0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 16, 18, 20, 17, 19, 21]
_ORDERS = {"smpl_24": list(range(24)), "h36m_16": _H36M_16}


def load(
    root: str | Path,
    *,
    split: str = "test",
    sequences: Sequence[str] | None = None,
    keypoints: str = "projection",
    skeleton: str = "smpl_24",
    frame_step: int = 1,
) -> Poses:
    """3DPW's people, one row for each in each frame whose camera is known.

    3D is in the camera's frame, absolute. Frames without a valid camera (campose_valid) are left
    out. Rows go by sequence, person, frame. Images are as large as twice the principal point.

    Args:
        root: the folder of sequenceFiles (or that folder).
        split: "train", "validation" or "test".
        sequences: names such as "downtown_walking_00"; None is all of the split.
        keypoints: what `pose2d` is: "projection" of the 3D, or "poses2d", OpenPose's as in the
            files, brought to `skeleton` by joint name. A joint that it lacks has confidence 0,
            and people of whom nothing was found are left out.
        skeleton: "smpl_24" or "h36m_16" as the field takes it (SMPL's neck as thorax).
        frame_step: every so-manyth frame of each sequence, from its first.

    Returns:
        Poses with the labels action (the sequence), person (0 or 1), frame.

    Raises:
        FileNotFoundError: the folder or a sequence is missing.
        ValueError: a file is not what it should be, or an option is unknown.
    """
    if keypoints not in KEYPOINTS:
        raise ValueError(f"unknown keypoints {keypoints!r}; there are {', '.join(KEYPOINTS)}")
    if skeleton not in _ORDERS:
        raise ValueError(
            f"3DPW comes as {' or '.join(_ORDERS)}, not as {skeleton!r}; for another joint format "
            "use poses.to(skeleton) on the result"
        )
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")
    paths = files(root, split=split, sequences=sequences)
    target, order = formats.get(skeleton), _ORDERS[skeleton]
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
    """The files that `load` reads with these options, by name."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of 3DPW; there are {', '.join(SPLITS)}")
    root = Path(root).expanduser()
    folder = next(
        (f for f in (root / "sequenceFiles" / split, root / split) if f.is_dir()),
        root / "sequenceFiles" / split,
    )
    there = {path.stem: path for path in sorted(folder.glob("*.pkl"))}
    if not there:
        raise FileNotFoundError(f"3DPW: there is no .pkl in {folder.absolute()}. {_HOW_TO_GET}")
    missing = set(sequences or ()) - set(there)
    if missing:
        raise FileNotFoundError(
            f"3DPW: {', '.join(sorted(missing))} missing in {folder.absolute()}, which holds "
            f"{', '.join(there)}. {_HOW_TO_GET}"
        )
    return [there[name] for name in (there if sequences is None else sequences)]


def expected(
    *, split: str = "test", sequences: Sequence[str] | None = None, **_: Any
) -> dict[str, dict[str, int | None]]:
    """The sequences of the published set; of each at least one pose."""
    if sequences is None and split == "test":
        return {"action": dict.fromkeys(TEST)}
    return {"action": dict.fromkeys(sequences or ())}


def _people(
    path: Path, target: Skeleton, order: list[int], keypoints: str, frame_step: int
) -> list[Poses]:
    """Each person of a sequence."""
    content = read_pickle(path, _HOW_TO_GET)
    lists = ["jointPositions", "campose_valid"] + ["poses2d"] * (keypoints == "poses2d")
    _check_names(path, content, ["cam_poses", "cam_intrinsics", *lists])
    matrix = _numbers(content["cam_intrinsics"], f"{path}, cam_intrinsics", (3, 3))
    focal, center = np.diag(matrix)[:2], matrix[:2, 2]
    if not ((focal > 1) & (center > 1) & (focal < 1e6) & (center < 1e6)).all():
        raise ValueError(
            f"{path}, cam_intrinsics: got {matrix.tolist()}; focal lengths and principal point "
            f"should be pixels. {_HOW_TO_GET}"
        )
    people = len(content["jointPositions"])
    if not people or any(len(content[name]) != people for name in lists):
        raise ValueError(
            f"{path}: {', '.join(lists)} should have an entry for each person; they have "
            f"{[len(content[name]) for name in lists]}. {_HOW_TO_GET}"
        )
    found = []
    for i in range(people):
        where = f"{path}, person {i}"
        world = _numbers(content["jointPositions"][i], f"{where}, jointPositions", (None, 72))
        n = len(world)
        valid = _numbers(content["campose_valid"][i], f"{where}, campose_valid", (n,)) > 0
        world_to_camera = _numbers(content["cam_poses"], f"{path}, cam_poses", (n, 4, 4))
        rows = np.flatnonzero(valid & (np.arange(n) % frame_step == 0))
        world, world_to_camera = world[rows].reshape(-1, 24, 3)[:, order], world_to_camera[rows]
        _check_finite(world, f"{where}, jointPositions", rows)
        _check_finite(world_to_camera, f"{path}, cam_poses", rows)
        pose3d = world @ np.swapaxes(world_to_camera[:, :3, :3], 1, 2)
        pose3d = pose3d + world_to_camera[:, None, :3, 3]
        detected = None
        if keypoints == "poses2d":
            detected = _detected(content["poses2d"][i], f"{where}, poses2d", n, rows, target)
        found.append(_seen(path.stem, i, rows, pose3d, (focal, center), detected, target))
    return found


def _check_names(path: Path, content: Any, names: list[str]) -> None:
    """ValueError unless all are there, and those with an entry a person are lists."""
    there = list(content) if isinstance(content, dict) else []
    missing = [name for name in names if name not in there]
    wrong = [n for n in names[2:] if n in there and not isinstance(content[n], (list, tuple))]
    if missing or wrong:
        what = ", ".join(map(str, there)) or type(content).__name__
        raise ValueError(
            f"{path}: {', '.join(missing or wrong)} "
            f"{'should be lists' if wrong and not missing else 'missing'}; it holds {what:.200}. "
            + _HOW_TO_GET
        )


def _numbers(value: Any, where: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of this shape, float64; of a longer one the beginning, None is any number."""
    fits = isinstance(value, np.ndarray) and value.dtype.kind in "iufb"
    fits = fits and value.ndim == len(shape) and value.shape[1:] == shape[1:]
    if not fits or (shape[0] is not None and len(value) < shape[0]):
        got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value)
        raise ValueError(
            f"{where}: got {got}; it should be numbers {str(shape).replace('None', 'frames')}. "
            + _HOW_TO_GET
        )
    return np.asarray(value[: shape[0]], np.float64)


def _check_finite(values: np.ndarray, where: str, rows: np.ndarray) -> None:
    bad = ~(np.isfinite(values) & (np.abs(values) < 1e6)).all(axis=tuple(range(1, values.ndim)))
    if bad.any():
        raise ValueError(
            f"{where}: not all numbers are finite and below a million, first in row "
            f"{rows[bad.argmax()]}. {_HOW_TO_GET}"
        )


def _detected(
    value: Any, where: str, frames: int, rows: np.ndarray, target: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, joints, 2) and confidence (n, joints) of the target's joints."""
    found = _numbers(value, where, (frames, 3, 18))[rows].swapaxes(1, 2)
    good = (np.isfinite(found) & (np.abs(found) < 1e6)).all(axis=-1)
    points = np.float32(np.where(good[..., None], found[..., :2], 0))
    score = np.float32(np.where(good, np.clip(found[..., 2], 0, 1), 0))
    return conversion.convert(points, score, OPENPOSE_18, target)


def _seen(
    sequence: str,
    person: int,
    frames: np.ndarray,
    pose3d: np.ndarray,
    camera: tuple[np.ndarray, np.ndarray],
    detected: tuple[np.ndarray, np.ndarray] | None,
    target: Skeleton,
) -> Poses:
    """One person of one sequence; `camera` is focal length and principal point in pixels."""
    n, pose3d, (focal, center) = len(frames), np.float32(pose3d), camera
    size = np.float32(np.round(center * 2))
    one = normalize(np.float32(center)[None, None], size)[:, 0]
    columns = Camera(
        np.tile(np.float32(focal * 2 / size[0]), (n, 1)),
        np.tile(np.float32(one), (n, 1)),
        pose3d[:, target.root_index].copy(),
    )
    pose2d, confidence = columns.project(pose3d), np.ones((n, target.n_joints), np.float32)
    if detected is not None:
        points, confidence = detected
        pose2d = np.where(confidence[..., None] > 0, normalize(points, size), np.float32(0))
    poses = Poses(
        skeleton=target,
        pose2d=np.float32(pose2d),
        confidence=np.float32(confidence),
        pose3d=pose3d,
        camera=columns,
        image_size=np.tile(size, (n, 1)),
        labels={
            "action": np.full(n, sequence),
            "person": np.full(n, person, np.int8),
            "frame": np.int32(frames),
        },
    )
    return poses[(confidence > 0).any(axis=1)]
