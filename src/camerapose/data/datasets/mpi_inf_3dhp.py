"""MPI-INF-3DHP as its owners distribute it: eight people in a studio, and a test set outdoors too.

Source: Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN
supervision" (3DV 2017); layout, joint order and frame counts by the readme and the functions that
come with the data. Training: `S1/Seq1/annot.mat` to `S8/Seq2/annot.mat` (one cell a camera: annot2
(frames, 56), pixels; annot3 and univ_annot3 (frames, 84), millimetres, in that camera's frame) and
beside each its `camera.calibration`. Test: `TS1/annot_data.mat` to `TS6/annot_data.mat` (annot2
2 x 17 x 1 x frames, annot3 and univ_annot3 3 x 17 x 1 x frames, valid_frame, activity_annotation).
Both kinds of MATLAB file are read. For non-commercial research; it must not be passed on.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.readers.matlab import read_mat

SUBJECTS = {
    "train": tuple(f"S{i}" for i in range(1, 9)),
    "test": tuple(f"TS{i}" for i in range(1, 7)),
}
SEQUENCES = ("Seq1", "Seq2")
#: Cameras at the height of chest and knee and two that look down; the usual choice (VNect, 2017).
VNECT = (0, 1, 2, 4, 5, 6, 7, 8)
CAMERAS = 14
ANNOTATIONS = ("annot3", "univ_annot3")
#: Frames of every recording for which there is an image; files may have annotations of a few more.
FRAMES = {
    ("S1", "Seq1"): 6416, ("S1", "Seq2"): 12430, ("S2", "Seq1"): 6502, ("S2", "Seq2"): 6081,
    ("S3", "Seq1"): 12488, ("S3", "Seq2"): 12283, ("S4", "Seq1"): 6171, ("S4", "Seq2"): 6675,
    ("S5", "Seq1"): 12820, ("S5", "Seq2"): 12312, ("S6", "Seq1"): 6188, ("S6", "Seq2"): 6145,
    ("S7", "Seq1"): 6239, ("S7", "Seq2"): 6320, ("S8", "Seq1"): 6468, ("S8", "Seq2"): 6054,
}  # fmt: skip
#: Valid frames of the test recordings, 2929 in all.
VALID_FRAMES = {"TS1": 603, "TS2": 540, "TS3": 505, "TS4": 553, "TS5": 276, "TS6": 452}
#: Names of activity_annotation, from 1.
ACTIVITIES = (
    "Standing/Walking", "Exercising", "Sitting", "Reaching/Crouching", "On The Floor", "Sports",
    "Miscellaneous",
)  # fmt: skip

_HOW_TO_GET = (
    "Get it from http://gvv.mpi-inf.mpg.de/3dhp-dataset (get_dataset.sh, get_testset.sh; their "
    "terms ask for your consent) and give the folder of S1 to S8 and of TS1 to TS6."
)
#: Where the 17 joints of the test set stand among the 28 ("relevant" in mpii_get_joint_set.m).
_OF_28 = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
#: Human3.6M's 17 among these 17, as the field has it: the neck serves as thorax, the head's top
#: as head. 16 are without the last that is left then, which serves as neck_nose.
_H36M_17 = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
_H36M_16 = [joint for joint in _H36M_17 if joint != 16]
_ORDERS = {
    "mpi_inf_3dhp_28": (list(range(28)), None),
    "mpi_inf_3dhp_17": (_OF_28, list(range(17))),
    "h36m_17": ([_OF_28[j] for j in _H36M_17], _H36M_17),
    "h36m_16": ([_OF_28[j] for j in _H36M_16], _H36M_16),
}


class _View(NamedTuple):
    """What one camera saw of one recording; 2D in pixels, 3D in its frame, metres."""

    subject: str
    action: Any  # one name, or one a frame
    camera: int
    frame: np.ndarray
    keypoints: np.ndarray
    pose3d: np.ndarray
    matrix: np.ndarray  # (3, 3) pixels
    image_size: tuple[float, float]


def load(
    root: str | Path,
    *,
    split: str = "train",
    subjects: Sequence[str] | None = None,
    cameras: Sequence[int] = VNECT,
    annotation: str = "annot3",
    frame_step: int = 1,
    skeleton: str = "mpi_inf_3dhp_17",
) -> Poses:
    """MPI-INF-3DHP: 2D as annotated, 3D in the camera's frame, absolute.

    Rows go by subject (as asked), recording, camera, frame. The test set's invalid frames are left
    out. Its cameras stand in no file here: each is the pinhole that takes annot3 to annot2.

    Args:
        root: the folder of S1 to S8 and of TS1 to TS6 (or mpi_inf_3dhp_test_set).
        split: "train" or "test".
        subjects: of the split; None is all.
        cameras: of the 14, for "train"; the test set has one.
        annotation: "annot3" is true to size. "univ_annot3" is the pose scaled to a body of one
            height, in which the test set is measured; here it stands with its pelvis where annot3
            has it. Its projection is not the 2D.
        frame_step: every so-manyth frame of each recording, of the test set's valid ones.
        skeleton: "mpi_inf_3dhp_17", "mpi_inf_3dhp_28" (train only), or "h36m_17" and "h36m_16" as
            the field takes them (neck as thorax, head's top as head).

    Returns:
        Poses with the labels subject, action (of training the recording, of the test the
        activity), camera, frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is not what it should be, or an option is unknown.
    """
    order = _order(skeleton, split)
    if annotation not in ANNOTATIONS:
        raise ValueError(f"unknown annotation {annotation!r}; there are {', '.join(ANNOTATIONS)}")
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")
    asked = tuple(dict.fromkeys(int(c) for c in cameras))
    if not asked or set(asked) - set(range(CAMERAS)):
        raise ValueError(f"cameras are {asked}; give some of 0 to {CAMERAS - 1}")
    paths = files(root, split=split, subjects=subjects)
    if split == "test":
        views = [_test_view(path, annotation, order, frame_step) for path in paths]
        counts = [len(view.frame) for view in views]
        found: Iterator[_View] = iter(views)
    else:
        pairs = list(zip(paths[::2], paths[1::2], strict=True))
        frames = [_frames(path)[::frame_step] for path, _ in pairs]
        counts = [len(f) for f in frames for _ in asked]
        found = (
            view
            for (path, calibration), rows in zip(pairs, frames, strict=True)
            for view in _train_views(path, calibration, rows, asked, annotation, order)
        )
    return _assemble(found, counts, formats.get(skeleton))


def files(
    root: str | Path, *, split: str = "train", subjects: Sequence[str] | None = None, **_: Any
) -> list[Path]:
    """The files that `load` reads: of training each annot.mat and its camera.calibration."""
    if split not in SUBJECTS:
        raise ValueError(f"unknown split {split!r} of MPI-INF-3DHP; there are train and test")
    subjects = SUBJECTS[split] if subjects is None else tuple(subjects)
    for subject in subjects:
        if subject not in SUBJECTS[split]:
            raise ValueError(
                f"there is no subject {subject!r} in MPI-INF-3DHP's {split}; it has "
                f"{', '.join(SUBJECTS[split])}"
            )
    if not subjects:
        raise ValueError(f"no subjects were asked for; give some of {', '.join(SUBJECTS[split])}")
    root = Path(root).expanduser()
    if split == "test":
        inner = root / "mpi_inf_3dhp_test_set"
        root = inner if inner.is_dir() else root
        wanted = [root / subject / "annot_data.mat" for subject in subjects]
    else:
        folders = [root / subject / sequence for subject in subjects for sequence in SEQUENCES]
        wanted = [f / name for f in folders for name in ("annot.mat", "camera.calibration")]
    missing = [path for path in wanted if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"MPI-INF-3DHP ({split}): {len(missing)} of {len(wanted)} files are missing, "
            f"{missing[0].absolute()} first. {_HOW_TO_GET}"
        )
    return wanted


def parts(
    root: str | Path,
    *,
    split: str = "train",
    subjects: Sequence[str] | None = None,
    **options: Any,
) -> list[tuple[str, Callable[[], Poses]]]:
    """What `load` gives in pieces, one a subject: its name and what makes it."""
    files(root, split=split, subjects=subjects)
    chosen = SUBJECTS[split] if subjects is None else tuple(subjects)
    return [(s, partial(load, root, split=split, subjects=(s,), **options)) for s in chosen]


def expected(
    *,
    split: str = "train",
    subjects: Sequence[str] | None = None,
    cameras: Sequence[int] = VNECT,
    frame_step: int = 1,
    **_: Any,
) -> dict[str, dict[str, int | None]]:
    """How many poses the published set has, by label (None: at least one)."""
    chosen = SUBJECTS[split] if subjects is None else tuple(subjects)
    if split == "test":
        return {"subject": {s: VALID_FRAMES[s] if frame_step == 1 else None for s in chosen}}
    pairs = [(subject, sequence) for subject in chosen for sequence in SEQUENCES]
    views = len(set(cameras))
    numbers = {"/".join(p): views * -(-FRAMES[p] // frame_step) for p in pairs}
    return {"subject/action": numbers}


def _order(skeleton: str, split: str) -> list[int]:
    """Where the joints of a format stand among the split's."""
    known = {name: order[split == "test"] for name, order in _ORDERS.items()}
    if known.get(skeleton) is None:
        raise ValueError(
            f"MPI-INF-3DHP's {split} comes as {', '.join(n for n, o in known.items() if o)}, not "
            f"as {skeleton!r}; for another joint format use poses.to(skeleton) on the result"
        )
    return known[skeleton]


# --- training -----------------------------------------------------------------------------------


def _frames(path: Path) -> np.ndarray:
    """Numbers of the frames in an annot.mat for which there are images."""
    frames = read_mat(path, ["frames"], _HOW_TO_GET).get("frames", np.empty(0))
    if not isinstance(frames, np.ndarray) or frames.dtype.kind not in "iuf" or not frames.size:
        raise ValueError(f"{path} has no frames (a column of their numbers). {_HOW_TO_GET}")
    published = FRAMES.get((path.parent.parent.name, path.parent.name), frames.size)
    return np.arange(min(frames.size, published), dtype=np.int32)


def _train_views(
    path: Path,
    calibration: Path,
    rows: np.ndarray,
    cameras: Sequence[int],
    annotation: str,
    order: list[int],
) -> Iterator[_View]:
    """One recording as each of the cameras saw it; only one recording is in memory."""
    names = ["cameras", "frames", *dict.fromkeys(["annot2", "annot3", annotation])]
    content = read_mat(path, names, _HOW_TO_GET)
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}. {_HOW_TO_GET}")
    numbers = [int(n) for n in _array(content["cameras"], f"{path}, cameras").ravel()]
    matrices = _calibration(calibration)
    for camera in cameras:
        if camera not in numbers or camera not in matrices:
            file, there = (path, numbers) if camera not in numbers else (calibration, matrices)
            raise ValueError(f"{file} has no camera {camera}, but {sorted(there)}. {_HOW_TO_GET}")
        cell, frames = numbers.index(camera), content["frames"].size
        keypoints = _cell(path, content, "annot2", cell, frames, 28, 2)[rows]
        pose3d = _cell(path, content, "annot3", cell, frames, 28, 3)[rows] / 1000
        if annotation != "annot3":
            universal = _cell(path, content, annotation, cell, frames, 28, 3)[rows] / 1000
            pose3d = _at_pelvis_of(universal, pose3d, _OF_28[14])
        matrix, size = matrices[camera]
        action = path.parent.name
        yield _View(
            path.parent.parent.name, action, camera, rows, keypoints[:, order], pose3d[:, order],
            matrix, size,
        )  # fmt: skip


def _array(value: Any, where: str) -> np.ndarray:
    """Numbers, all of them finite."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iufb":
        raise ValueError(f"{where}: got {type(value).__name__}, not numbers. {_HOW_TO_GET}")
    value = np.asarray(value, np.float32)
    bad = np.argwhere(~np.isfinite(value) | (np.abs(value) > 1e6))
    if len(bad):
        raise ValueError(
            f"{where}: {len(bad)} numbers are not finite (or beyond a kilometre), the first at "
            f"index {tuple(int(i) for i in bad[0])}. {_HOW_TO_GET}"
        )
    return value


def _cell(
    path: Path, content: dict[str, Any], name: str, cell: int, frames: int, joints: int, axes: int
) -> np.ndarray:
    """One camera's (frames, joints, axes) of a cell array."""
    where = f"{path}, {name}, cell {cell}"
    cells = content[name]
    if not isinstance(cells, list) or cell >= len(cells):
        raise ValueError(f"{where}: it is not there; {name} should be one cell a camera")
    values = _array(cells[cell], where)
    if values.shape != (frames, joints * axes):
        raise ValueError(
            f"{where}: got {values.shape}; it should be {frames} frames by {joints * axes} "
            f"({joints} joints). {_HOW_TO_GET}"
        )
    return values.reshape(frames, joints, axes)


def _calibration(path: Path) -> dict[int, tuple[np.ndarray, tuple[float, float]]]:
    """Intrinsic matrix and image size of each camera of a camera.calibration."""
    cameras: dict[int, dict[str, list[float]]] = {}
    entry: dict[str, list[float]] | None = None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not lines[0].startswith("Skeletool Camera Calibration File"):
        raise ValueError(
            f"{path}, line 1: it should be 'Skeletool Camera Calibration File V1.0'. {_HOW_TO_GET}"
        )
    for i, line in enumerate(lines[1:], 2):
        key, *values = line.split() or [""]
        try:
            if key == "name":
                entry = cameras.setdefault(int(values[0]), {})
            elif key in ("size", "intrinsic", "radial") and entry is not None:
                entry[key] = [float(v) for v in values]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, line {i}: {line!r:.80} can't be read ({error})") from error
    return {number: _intrinsics(path, number, entry) for number, entry in cameras.items()}


def _intrinsics(
    path: Path, number: int, entry: dict[str, list[float]]
) -> tuple[np.ndarray, tuple[float, float]]:
    intrinsic, size = np.array(entry.get("intrinsic", [])), np.array(entry.get("size", []))
    good = intrinsic.shape == (16,) and size.shape == (2,) and not any(entry.get("radial", []))
    matrix = intrinsic.reshape(4, 4)[:3, :3] if good else np.zeros((3, 3))
    numbers = np.concatenate([np.diag(matrix)[:2], size])
    if not good or not np.isfinite(intrinsic).all() or not ((numbers > 1) & (numbers < 1e6)).all():
        raise ValueError(
            f"{path}, camera {number}: it should have an intrinsic of 16 numbers (pixels), a size "
            f"of 2 and the radial 0; got {entry}. {_HOW_TO_GET}"
        )
    return matrix, (float(size[0]), float(size[1]))


def _at_pelvis_of(pose: np.ndarray, other: np.ndarray, pelvis: int) -> np.ndarray:
    return pose - pose[:, pelvis : pelvis + 1] + other[:, pelvis : pelvis + 1]


# --- test ---------------------------------------------------------------------------------------


def _test_view(path: Path, annotation: str, order: list[int], frame_step: int) -> _View:
    names = ["valid_frame", *dict.fromkeys(["annot2", "annot3", annotation])]
    content = read_mat(path, [*names, "activity_annotation"], _HOW_TO_GET)
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}. {_HOW_TO_GET}")
    valid = _array(content["valid_frame"], f"{path}, valid_frame").ravel() == 1
    frames = np.flatnonzero(valid).astype(np.int32)
    if not len(frames):
        raise ValueError(f"{path} has no valid frame (of {len(valid)}). {_HOW_TO_GET}")
    keypoints, pose3d = (
        _of_test(path, content, name, len(valid), frames) for name in ("annot2", "annot3")
    )
    pose3d = pose3d / 1000
    subject = path.parent.name
    size = (1920.0, 1080.0) if subject in ("TS5", "TS6") else (2048.0, 2048.0)
    matrix = _fitted(path, keypoints, pose3d, size)
    if annotation != "annot3":
        universal = _of_test(path, content, annotation, len(valid), frames) / 1000
        pose3d = _at_pelvis_of(universal, pose3d, 14)
    action = np.full(len(valid), "", "U20")
    if "activity_annotation" in content:
        names = np.array(["", *ACTIVITIES])
        number = _array(content["activity_annotation"], f"{path}, activity_annotation").ravel()
        if number.shape != valid.shape or not np.isin(number[valid], np.arange(len(names))).all():
            raise ValueError(
                f"{path}, activity_annotation: got {number.shape} numbers; it should be one of 1 "
                f"to {len(ACTIVITIES)} for each of {len(valid)} frames. {_HOW_TO_GET}"
            )
        action[valid] = names[number[valid].astype(int)]
    rows = slice(None, None, frame_step)
    return _View(
        subject, action[frames][rows], 0, frames[rows], keypoints[rows][:, order],
        pose3d[rows][:, order], matrix, size,
    )  # fmt: skip


def _of_test(
    path: Path, content: dict[str, Any], name: str, frames: int, rows: np.ndarray
) -> np.ndarray:
    """Rows (n, 17, axes) of a variable of axes x 17 x 1 x frames."""
    axes = 2 if name == "annot2" else 3
    value = content[name]
    # MATLAB drops a last axis of one
    shape = value.shape + (1,) * (4 - value.ndim) if isinstance(value, np.ndarray) else None
    if shape != (axes, 17, 1, frames):
        raise ValueError(
            f"{path}, {name}: got {shape or type(value).__name__}; it should be {axes} x 17 joints "
            f"x 1 x {frames} frames. {_HOW_TO_GET}"
        )
    values = value.reshape(shape)[:, :, 0][..., rows]
    return _array(np.moveaxis(values, -1, 0).swapaxes(1, 2), f"{path}, {name}")


def _fitted(
    path: Path, keypoints: np.ndarray, pose3d: np.ndarray, size: tuple[float, float]
) -> np.ndarray:
    """The intrinsic matrix (pixels) that takes 3D to 2D: a straight line along each axis."""
    if (pose3d[..., 2] <= 0).any():
        raise ValueError(f"{path}, annot3: joints stand behind the camera. {_HOW_TO_GET}")
    ray = np.float64(pose3d[..., :2] / pose3d[..., 2:]).reshape(-1, 2)
    seen = np.float64(keypoints).reshape(-1, 2)
    matrix, error = np.eye(3), np.zeros(len(ray))
    for axis in range(2):
        spread = ray[:, axis].var()
        focal = ((ray - ray.mean(0)) * (seen - seen.mean(0)))[:, axis].mean() / max(spread, 1e-12)
        center = seen[:, axis].mean() - focal * ray[:, axis].mean()
        matrix[axis, axis], matrix[axis, 2] = focal, center
        error += (focal * ray[:, axis] + center - seen[:, axis]) ** 2
    median = float(np.median(error) ** 0.5)
    focal = np.diag(matrix)[:2] / size[0]
    if not ((focal > 0.1) & (focal < 20)).all() or not median < 0.05 * size[0]:
        raise ValueError(
            f"{path}: no camera takes annot3 to annot2; the nearest has the focal lengths "
            f"{np.diag(matrix)[:2].round(1).tolist()} and is {median:.0f} pixels off. {_HOW_TO_GET}"
        )
    if median > 5:
        warnings.warn(
            f"{path}: annot3, seen by the camera that fits best, lies {median:.0f} pixels "
            "(median) off annot2",
            stacklevel=2,
        )
    return matrix


# --- both ---------------------------------------------------------------------------------------


def _assemble(views: Iterator[_View], counts: Sequence[int], target: Skeleton) -> Poses:
    """All views, one at a time, written into columns made once."""
    n, joints = sum(counts), target.n_joints
    pose2d, pose3d = np.empty((n, joints, 2), np.float32), np.empty((n, joints, 3), np.float32)
    columns = {name: np.empty((n, 2), np.float32) for name in ("focal", "center", "size")}
    labels: dict[str, list] = {"subject": [], "action": [], "camera": [], "frame": []}
    start = 0
    for view, count in zip(views, counts, strict=True):
        rows, start = slice(start, start + count), start + count
        pose2d[rows] = normalize(view.keypoints, view.image_size)
        pose3d[rows] = view.pose3d
        columns["focal"][rows] = np.diag(view.matrix)[:2] * 2 / view.image_size[0]
        columns["center"][rows] = normalize(view.matrix[None, :2, 2], view.image_size)[0]
        columns["size"][rows] = view.image_size
        labels["subject"].append(np.full(count, view.subject))
        labels["action"].append(np.broadcast_to(view.action, count))
        labels["camera"].append(np.full(count, view.camera, np.int8))
        labels["frame"].append(view.frame)
    return Poses(
        skeleton=target,
        pose2d=pose2d,
        confidence=np.ones((n, joints), np.float32),
        pose3d=pose3d,
        camera=Camera(columns["focal"], columns["center"], pose3d[:, target.root_index].copy()),
        image_size=columns["size"],
        labels={name: np.concatenate(parts) for name, parts in labels.items()},
    )
