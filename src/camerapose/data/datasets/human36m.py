"""Human3.6M: real 2D-3D pairs from four calibrated cameras.

Source: Ionescu et al., Human3.6M (TPAMI 2014). Three layouts are read: the official one,
`S1/MyPoseFeatures/D3_Positions/Directions 1.cdf`; that of h36m-fetch, `S1/Directions-1/annot.h5`;
and that of VideoPose3D (Pavllo et al., 2019): `data_3d_h36m.npz` holds {subject: {action: (frames,
32 joints, 3)}}, world frame, metres, 50 Hz; `data_2d_h36m_NAME.npz` holds {subject: {action: [one
(frames, joints, 2) per camera]}}, pixels. Human3.6M is for non-commercial research; what is trained
on it carries that.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import conversion, formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.readers.human36m_files import cdf_files, h5_files, read_cdf, read_h5
from camerapose.data.readers.pickles import numbers, read_pickled

ROOT = "data/h36m"  # where `camerapose data` looks unless told
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
#: Training subjects of every protocol; S9 and S11 are the test.
TRAIN = ("S1", "S5", "S6", "S7", "S8")
#: Corrupt in the published data and left out by everyone.
LEFT_OUT = {("S11", "Directions")}

#: Where the joints of `h36m_17` stand among Human3.6M's 32.
_OF_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
#: Frames of the published recordings (each through four cameras); of S5 and S7 only the sum is
#: known to us. Source: VideoPose3D trains on 1,559,752 and tests on 543,344 poses.
FRAMES = {
    "S1": 62094, "S5+S7": 200700, "S6": 62466, "S8": 64678, "S9": 79417, "S11": 56419,
}  # fmt: skip
_ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases",
    "Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "WalkTogether", "Walking",
)  # fmt: skip
#: Which takes of each action there are; 0 is the one without a number.
_TAKES = """
S1  01 01 02 01 01 01 01 01 12 02 01 01 01 01 01
S5  12 23 01 12 01 02 01 01 01 01 01 12 01 01 01
S6  01 01 12 01 01 01 02 01 12 01 01 03 01 01 01
S7  01 01 01 01 02 01 01 01 01 01 01 12 01 01 12
S8  01 01 01 01 01 01 01 01 01 01 01 01 01 12 01
S9  01 12 01 01 01 01 01 01 01 01 01 01 01 01 01
S11 01 12 01 02 23 01 01 01 01 01 02 01 01 01 01
"""
#: What h36m-fetch calls S11 Directions, by the numbers of its metadata.
H5_LEFT_OUT = {("S11", "Directions 2")}
SERIALS = (54138969, 55011271, 58860488, 60457274)

_HOW_TO_GET_CDF = (
    "Get the archives Poses_D3_Positions_S1.tgz to S11 from http://vision.imar.ro/human3.6m "
    "(registration) and unpack them into one folder."
)
_HOW_TO_GET_H5 = "Make it anew with h36m-fetch (https://github.com/anibali/h36m-fetch)."
_HOW_TO_GET = (
    "Give the folder of the official S1/MyPoseFeatures/D3_Positions/*.cdf or, for this file, make "
    "it as VideoPose3D describes "
    "(https://github.com/facebookresearch/VideoPose3D/blob/main/DATASETS.md; Human3.6M itself asks "
    "for a registration at http://vision.imar.ro/human3.6m) and give the folder that holds it."
)

#: Published calibration. Two lines a camera: serial number; focal length x, y and principal point
#: x, y in pixels; k1 k2 k3 (radial), p1 p2 (tangential); width, height.
_INTRINSICS = """
54138969 1145.0494 1143.7811 512.5415 515.4515
    -0.20709892 0.24777518 -0.0030751503 -0.0009756989 -0.0014244716 1000 1002
55011271 1149.6757 1147.5917 508.84863 508.0649
    -0.19421363 0.24040854 0.0068199756 -0.0016190266 -0.0027408944 1000 1000
58860488 1149.1407 1148.799 519.81586 501.40265
    -0.20833819 0.255488 -0.0024604974 0.001484387 -0.0007599993 1000 1000
60457274 1145.5114 1144.7739 514.9682 501.88202
    -0.19838409 0.21832368 -0.008947807 -0.0005872056 -0.001813362 1000 1002
"""
#: One subject and camera a line, cameras in the order above: orientation as a unit quaternion
#: w x y z that turns camera axes into the world's; the camera's position in the world, millimetres.
_EXTRINSICS = """
S1 0.14070565 -0.15007018 -0.7552408 0.62232804 1841.107 4955.2847 1563.4454
S1 0.6157188 -0.7648363 -0.14833826 0.11794741 1761.2786 -5078.007 1606.265
S1 0.14651473 -0.14647852 0.76530236 -0.60941756 -1846.7777 5215.0464 1491.9724
S1 0.58340085 -0.7853162 0.14548823 -0.14749594 -1794.7897 -3722.699 1574.8927
S5 0.14673772 -0.16237096 -0.7551893 0.6178939 2097.3916 4880.945 1605.7324
S5 0.61597586 -0.7626792 -0.15728192 0.1189815 2031.7008 -5167.933 1612.9231
S5 0.14291371 -0.12907842 0.7678385 -0.6110143 -1620.5948 5171.6587 1496.437
S5 0.592048 -0.7814218 0.12747486 -0.15036418 -1637.1737 -3867.3174 1547.0332
S6 0.13378978 -0.15692396 -0.75710905 0.61988795 1935.4518 4950.2456 1618.0839
S6 0.61471975 -0.7628813 -0.16174768 0.11819245 1969.804 -5128.739 1632.7788
S6 0.15299481 -0.13529131 0.76460963 -0.6112781 -1769.5964 5185.3613 1476.9934
S6 0.59161013 -0.7804774 0.1283227 -0.15615939 -1721.6687 -3884.1313 1540.4879
S7 0.14352418 -0.16313368 -0.75483286 0.6188825 1974.513 4926.3545 1597.8326
S7 0.6141673 -0.76382625 -0.15966456 0.117792994 1937.0585 -5119.79 1631.5665
S7 0.1455006 -0.12874816 0.76605165 -0.61271393 -1741.8112 5208.2495 1464.8246
S7 0.5912848 -0.78217643 0.12445474 -0.15196487 -1734.7106 -3832.4214 1548.583
S8 0.14110588 -0.15589868 -0.75619173 0.61964405 2150.6519 4896.161 1611.9047
S8 0.61696017 -0.7647668 -0.1484635 0.11158158 2219.9656 -5148.453 1613.0441
S8 0.1471444 -0.1337712 0.76701283 -0.61003697 -1571.2216 5137.0186 1498.1761
S8 0.59278244 -0.78258705 0.12147816 -0.14631996 -1476.9133 -3896.7412 1547.9722
S9 0.15540588 -0.15548216 -0.75320953 0.6199595 2044.4585 4935.117 1481.2275
S9 0.6187845 -0.7634735 -0.14132239 0.11933968 1990.9597 -5123.8105 1568.8048
S9 0.13357827 -0.13671005 0.76894546 -0.61007386 -1670.9922 5211.986 1528.388
S9 0.5879399 -0.7823407 0.14276144 -0.1479487 -1696.0435 -3827.0999 1591.4127
S11 0.15232472 -0.1544232 -0.75475633 0.619107 2098.4402 4926.5547 1500.2786
S11 0.61894494 -0.7600917 -0.15300633 0.12552583 2083.1824 -4912.173 1561.0786
S11 0.14943229 -0.15650228 0.7681234 -0.60263044 -1609.8153 5177.336 1537.8967
S11 0.58942515 -0.7818877 0.13991211 -0.14715362 -1590.738 -3854.169 1578.0176
"""


class _Sequence(NamedTuple):
    """One recording: `pose3d` in the world, `detected` one array a camera (or None)."""

    subject: str
    action: str
    pose3d: np.ndarray
    detected: list[np.ndarray] | None


def load(
    root: str | Path,
    *,
    subjects: Sequence[str] = TRAIN,
    actions: Sequence[str] | None = None,
    frame_step: int = 1,
    detections: str | None = None,
    skeleton: str = "h36m_16",
) -> Poses:
    """Human3.6M as seen by its four cameras.

    3D is in the camera frame, absolute. 2D is the projection through the published camera with its
    lens distortion, or what a detector saw. The camera has no rotation (poses live in its frame)
    and its translation is the root's place. Rows go by subject (as asked), action (by name),
    camera, frame. `S11 Directions` is left out, as everywhere.

    With `detections` the exact 2D is still there, as `poses.reprojection`.

    Args:
        root: the folder of `data_3d_h36m.npz`, or of the official S1 to S11, or of h36m-fetch's
            (selected frames, 2D as in the file).
        subjects: of S1, S5, S6, S7, S8 (training), S9, S11 (test).
        actions: names with their number ("Walking 1") or without (all takes of it); None is all.
        frame_step: every so-manyth frame of each recording, from its first.
        detections: NAME of a `data_2d_h36m_NAME.npz` beside the 3D, to be `pose2d`. Its joints are
            brought to `skeleton` by name; one that it lacks is interpolated, with less confidence.
            A recording is cut to the shorter of its 2D and 3D; one that has no 2D is left out, with
            a warning.
        skeleton: "h36m_16" or "h36m_17".

    Returns:
        Poses with the labels subject, action (as in the file), camera (0 to 3), frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is not what it should be, or an option is unknown to it.
    """
    options = dict(actions=actions, frame_step=frame_step, skeleton=skeleton)
    _check_options(**options)
    source = _Source(root, detections)
    found = _load(source, source.chosen(subjects), **options)
    if found is None:
        raise ValueError(
            f"no recording of {', '.join(subjects)} is among the actions asked for "
            f"({'all' if actions is None else ', '.join(actions)}"
            + (f"; with 2D in data_2d_h36m_{detections}.npz" if detections else "")
            + "); ask for more subjects or actions, or take another file of 2D"
        )
    return found


def parts(
    root: str | Path,
    *,
    subjects: Sequence[str] = TRAIN,
    detections: str | None = None,
    **options: Any,
) -> list[tuple[str, Callable[[], Poses | None]]]:
    """What `load` gives in pieces, one a subject: its name and what makes it (None: nothing)."""
    _check_options(**options)
    source = _Source(root, detections)
    return [(s, partial(_load, source, (s,), **options)) for s in source.chosen(subjects)]


def files(
    root: str | Path,
    *,
    subjects: Sequence[str] = TRAIN,
    detections: str | None = None,
    **_: Any,
) -> list[Path]:
    """The files that `load` reads with these options."""
    source = _Source(root, detections)
    if source.kind == "npz":
        return [find(root, name) for name in source.names]
    recordings = (source.files.get(subject, {}) for subject in _as_names(subjects))
    detected = [find(root, f"data_2d_h36m_{detections}.npz")] if detections else []
    return [path for actions in recordings for path in actions.values()] + detected


def expected(
    *, subjects: Sequence[str] = TRAIN, **options: Any
) -> dict[str, dict[str, int | None]]:
    """How many poses the published set has, by label, for `camerapose data check`."""
    asked = _as_names(subjects)
    recordings = {
        f"{subject}/{action}": None for subject in asked for action in _published(subject)
    }
    found: dict[str, dict[str, int | None]] = {}
    if options.get("actions") is None:
        found["subject/action"] = recordings
        if options.get("frame_step", 1) == 1:
            found["subject"] = {
                names: 4 * frames
                for names, frames in FRAMES.items()
                if set(names.split("+")) <= set(asked)
            }
    return found


def _check_options(*, frame_step: int = 1, skeleton: str = "h36m_16", **_: Any) -> None:
    _target(skeleton)
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")


def _published(subject: str) -> list[str]:
    """Names of a subject's recordings."""
    row = next(line.split() for line in _TAKES.strip().splitlines() if line.split()[0] == subject)
    names = []
    for action, takes in zip(_ACTIONS, row[1:], strict=True):
        names += [action if take == "0" else f"{action} {take}" for take in takes]
    return [name for name in names if (subject, name) not in LEFT_OUT]


class _Source:
    """The files of a folder, read when they are needed and once."""

    def __init__(self, root: str | Path, detections: str | None):
        self.root, self.detections = Path(root).expanduser(), detections
        self.kind, self.files = "npz", {}
        if not (self.root / "data_3d_h36m.npz").is_file():
            for kind, found in (("cdf", cdf_files(self.root)), ("h5", h5_files(self.root))):
                if found:
                    self.kind, self.files = kind, found
                    break
        if self.kind == "h5" and detections:
            raise ValueError(
                f"{root} holds h36m-fetch's annot.h5, which go with no detections; leave them out"
            )
        if self.kind == "npz":
            find(root, "data_3d_h36m.npz")

    @property
    def names(self) -> list[str]:
        detected = [f"data_2d_h36m_{self.detections}.npz"] if self.detections else []
        return ["data_3d_h36m.npz", *detected]

    @cached_property
    def positions(self) -> Mapping[str, Mapping[str, Any]]:
        """Of each subject and action the array, or the file that holds it."""
        if self.kind != "npz":
            return self.files
        tree = _read(find(self.root, "data_3d_h36m.npz"), "positions_3d")
        _check_tree(tree, "data_3d_h36m.npz")
        return tree

    @cached_property
    def detected(self) -> tuple[str, Mapping, Any]:
        """The file of detections: its name, {subject: {action: views}}, its metadata."""
        name = f"data_2d_h36m_{self.detections}.npz"
        path = find(self.root, name)
        tree = _read(path, "positions_2d")
        _check_tree(tree, name)
        return name, tree, _read(path, "metadata", {})

    def chosen(self, asked: Sequence[str]) -> tuple[str, ...]:
        return _chosen_subjects(asked, self.positions, self.what)

    @property
    def what(self) -> str:
        return "data_3d_h36m.npz" if self.kind == "npz" else str(self.root)


def _load(
    source: _Source,
    subjects: Sequence[str],
    *,
    actions: Sequence[str] | None = None,
    frame_step: int = 1,
    skeleton: str = "h36m_16",
) -> Poses | None:
    """These subjects' poses; None if no recording is left."""
    target = _target(skeleton)
    chosen = _chosen_actions(actions, source.positions, source.what)
    if source.kind == "h5":
        return _from_h5(source, subjects, chosen, frame_step, target)
    sequences = _sequences(source, subjects, chosen, target)
    sequences = [s._replace(pose3d=s.pose3d[::frame_step]) for s in sequences]
    if sequences and source.detections is not None:
        sequences = _with_detections(sequences, source, target, frame_step)
    return _assemble(sequences, target, frame_step) if sequences else None


def cameras(subject: str) -> tuple[Camera, np.ndarray]:
    """The four published cameras of a subject, world to camera, and their image sizes (4, 2)."""
    if subject not in SUBJECTS:
        raise ValueError(f"unknown subject {subject!r}; Human3.6M has {', '.join(SUBJECTS)}")
    inside = np.array(_INTRINSICS.split(), float).reshape(4, 12)[:, 1:]
    rows = [line.split() for line in _EXTRINSICS.strip().splitlines()]
    outside = np.array([row[1:] for row in rows if row[0] == subject], float)
    size = inside[:, 9:11]
    rotation = np.swapaxes(_matrices(outside[:, :4]), 1, 2)
    position = outside[:, 4:] / 1000
    camera = Camera(
        focal=inside[:, :2] * 2 / size[:, :1],
        center=normalize(inside[:, None, 2:4], size)[:, 0],
        translation=-(rotation @ position[:, :, None])[:, :, 0],
        rotation=rotation,
        distortion=inside[:, 4:9],
    )
    return camera.map(np.float32), np.float32(size)


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (n, 3, 3) of quaternions w x y z (n, 4)."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _target(name: str) -> Skeleton:
    known = {s.name: s for s in (H36M_16, H36M_17)}
    if name not in known:
        raise ValueError(
            f"Human3.6M comes as {' or '.join(known)}, not as {name!r}; for another joint format "
            "use poses.to(skeleton) on the result"
        )
    return known[name]


def find(root: str | Path, name: str) -> Path:
    """The file of this name in the folder; FileNotFoundError says where it comes from."""
    path = Path(root).expanduser() / name
    if path.is_file():
        return path
    there = (
        "which does not exist"
        if not path.parent.is_dir()
        else "which holds "
        + (", ".join(sorted(p.name for p in path.parent.iterdir())[:8]) or "nothing")
    )
    raise FileNotFoundError(
        f"Human3.6M: {name} is missing; looked in {path.parent.absolute()}, {there}. {_HOW_TO_GET}"
    )


def _read(path: Path, member: str, default: Any = ...) -> Any:
    return read_pickled(path, member, default, _HOW_TO_GET)


def _check_tree(tree: Any, name: str) -> None:
    if not isinstance(tree, dict) or not all(isinstance(v, dict) and v for v in tree.values()):
        raise ValueError(
            f"{name} does not hold {{subject: {{action: array}}}} but {type(tree).__name__}; "
            + _HOW_TO_GET
        )


def _as_names(asked: Sequence[str]) -> tuple[str, ...]:
    return tuple(asked.replace(",", " ").split()) if isinstance(asked, str) else tuple(asked)


def _chosen_subjects(asked: Sequence[str], positions: Mapping, what: str) -> tuple[str, ...]:
    asked = _as_names(asked)
    there = [s for s in SUBJECTS if s in positions]
    for subject in asked:
        if subject not in there:
            raise ValueError(
                f"there is no subject {subject!r} in {what}; it holds {', '.join(there)}"
            )
    if not asked:
        raise ValueError(f"no subjects were asked for; give some of {', '.join(there)}")
    return asked


def _chosen_actions(asked: Sequence[str] | None, positions: Mapping, what: str) -> frozenset[str]:
    """Full names of the actions; a name without a number stands for all its takes."""
    there = {action for actions in positions.values() for action in actions}
    if asked is None:
        return frozenset(there)
    asked = (asked,) if isinstance(asked, str) else asked
    chosen: set[str] = set()
    for name in asked:
        found = {a for a in there if name in (a, action_name(a))}
        if not found:
            names = ", ".join(sorted({action_name(a) for a in there}))
            raise ValueError(f"there is no action {name!r} in {what}; it holds {names}")
        chosen |= found
    return frozenset(chosen)


def action_name(action: str) -> str:
    """An action without the number of its take: "Walking 1" and "Walking 1 chunk0" are "Walking".

    HumanEva's recordings are cut into chunks where the markers were lost.
    """
    return re.sub(r" \d+( chunk\d+)?$", "", action)


def _sequences(
    source: _Source, subjects: Sequence[str], actions: frozenset[str], target: Skeleton
) -> list[_Sequence]:
    found = []
    for subject in subjects:
        recordings = source.positions[subject]
        for action in sorted(actions & set(recordings)):
            if (subject, action) not in LEFT_OUT:
                content, where = recordings[action], f"data_3d_h36m.npz, {subject} {action}"
                if isinstance(content, Path):
                    content, where = read_cdf(content, _HOW_TO_GET_CDF), str(content)
                found.append(_Sequence(subject, action, _joints(content, where, target), None))
    return found


def _joints(pose3d: Any, where: str, target: Skeleton) -> np.ndarray:
    """The target's joints out of the 32, 17 or 16 of a file."""
    pose3d = numbers(pose3d, where, _HOW_TO_GET)
    if pose3d.ndim != 3 or pose3d.shape[2] != 3 or pose3d.dtype.kind != "f" or not len(pose3d):
        raise ValueError(
            f"{where}: got {pose3d.dtype} of shape {pose3d.shape}; it should be "
            f"floats of shape (frames, 32, 3). {_HOW_TO_GET}"
        )
    if pose3d.shape[1] == 32:
        pose3d, source = pose3d[:, _OF_32], H36M_17
    elif pose3d.shape[1] in (17, 16):
        source = H36M_17 if pose3d.shape[1] == 17 else H36M_16
    else:
        raise ValueError(
            f"{where}: got {pose3d.shape[1]} joints; 32, 17 or 16 (h36m_16) would do. {_HOW_TO_GET}"
        )
    if set(target.joints) - set(source.joints):
        raise ValueError(
            f"{where}: {source.n_joints} joints can't give {target.name}; "
            f"ask for skeleton={source.name!r}"
        )
    if not np.isfinite(pose3d).all() or np.abs(pose3d).max(initial=0) > 100:
        raise ValueError(
            f"{where}: coordinates are not all finite and within 100 m; they "
            f"should be metres. {_HOW_TO_GET}"
        )
    return pose3d[:, [source.index(j) for j in target.joints]]


def _with_detections(
    sequences: list[_Sequence], source: _Source, target: Skeleton, frame_step: int
) -> list[_Sequence]:
    """The same recordings with what a detector saw, both cut to the shorter."""
    file, positions, metadata = source.detected
    found, lost = [], []
    for sequence in sequences:
        where = f"{sequence.subject} {sequence.action}"
        views = positions.get(sequence.subject, {}).get(sequence.action)
        if views is None:
            lost.append(where)
            continue
        views = list(views) if isinstance(views, (list, tuple, np.ndarray)) else []
        views = [np.atleast_1d(numbers(view, f"{file}, {where}"))[::frame_step] for view in views]
        if len(views) != 4 or any(
            v.ndim != 3 or v.shape[2] not in (2, 3) or not len(v) for v in views
        ):
            raise ValueError(
                f"{file}, {where}: got arrays of shape {[v.shape for v in views]}; it should be "
                "four of (frames, joints, 2), one a camera"
            )
        layout = _layout(metadata, views[0].shape[1], file)
        views = [_detected(v, layout, target) for v in views]
        frames = min(len(sequence.pose3d), *map(len, views))
        found.append(
            sequence._replace(pose3d=sequence.pose3d[:frames], detected=[v[:frames] for v in views])
        )
    if lost:
        warnings.warn(f"{file} lacks {', '.join(lost)}; left out", stacklevel=3)
    return found


def _from_h5(
    source: _Source,
    subjects: Sequence[str],
    actions: frozenset[str],
    frame_step: int,
    target: Skeleton,
) -> Poses | None:
    """h36m-fetch's selected frames: 2D and 3D as published, through the published cameras."""
    order = [_OF_32[H36M_17.index(joint)] for joint in target.joints]
    views = []
    for subject in subjects:
        camera, size = cameras(subject)
        for action in sorted(actions & set(source.files[subject])):
            if (subject, action) in H5_LEFT_OUT:
                continue
            content = read_h5(source.files[subject][action], SERIALS, _HOW_TO_GET_H5)
            for i in range(4):
                rows = np.flatnonzero(content["camera"] == i)[::frame_step]
                n, pose3d = len(rows), np.float32(content["pose3d"][rows][:, order])
                one = camera[i : i + 1].map(lambda c, n=n: np.repeat(c, n, axis=0))
                root = pose3d[:, target.root_index].copy()
                view = Poses(
                    skeleton=target,
                    pose2d=normalize(np.float32(content["pose2d"][rows][:, order]), size[i]),
                    confidence=np.ones((n, target.n_joints), np.float32),
                    pose3d=pose3d,
                    camera=Camera(one.focal, one.center, root, distortion=one.distortion),
                    image_size=np.tile(size[i], (n, 1)),
                    labels={
                        "subject": np.full(n, subject),
                        "action": np.full(n, action),
                        "camera": np.full(n, i, np.int8),
                        "frame": np.int32(content["frame"][rows]),
                    },
                )
                views.append(view)
    return Poses.cat([view for view in views if len(view)]) if any(map(len, views)) else None


def _layout(metadata: Any, joints: int, file: str) -> Skeleton:
    """The joint format of a file of detections, by its left side or, without, by its name."""
    metadata = metadata if isinstance(metadata, dict) else {}
    known = [s for s in formats.FORMATS.values() if s.n_joints == joints]
    symmetry, name = metadata.get("keypoints_symmetry"), str(metadata.get("layout_name", ""))
    told = False
    if isinstance(symmetry, (list, tuple, np.ndarray)) and len(symmetry):
        left = set(numbers(symmetry[0], f"{file}, keypoints_symmetry").ravel().tolist())
        same = [s for s in known if {s.index(j) for j in s.joints if "left_" in j} == left]
        known, told = same or known, bool(same)
    named = [s for s in known if name and s.name.startswith(name)]
    known, told = named or known, told or bool(named)
    if len(known) > 1 or not told:  # VideoPose3D's own files say no more
        known = {16: [formats.MPII_16], 17: [H36M_17]}.get(joints, [])
    if len(known) != 1:
        raise ValueError(
            f"{file} has {joints} joints a pose ({name or 'no name of a layout'}); 17 in the order "
            "of Human3.6M or COCO, or 16 in that of MPII would do"
        )
    return known[0]


def _detected(view: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """x, y (pixels) and confidence (frames, joints, 3) of the target's joints."""
    points, score = view[..., :2], np.ones(view.shape[:2], np.float32)
    if view.shape[2] == 3:
        score = np.clip(np.nan_to_num(view[..., 2]), 0, 1)
    good = (np.isfinite(points) & (np.abs(points) < 1e6)).all(axis=-1)
    points = np.where(good[..., None], points, 0).astype(np.float32)
    points, score = conversion.convert(points, np.where(good, score, 0), source, target)
    return np.concatenate([points, score[..., None]], axis=-1, dtype=np.float32)


def _assemble(sequences: list[_Sequence], target: Skeleton, frame_step: int) -> Poses:
    """All recordings through all cameras, written into columns made once."""
    counts = [len(s.pose3d) for s in sequences for _ in range(4)]
    n, joints, root = sum(counts), target.n_joints, target.root_index
    pose2d = np.empty((n, joints, 2), np.float32)
    pose3d = np.empty((n, joints, 3), np.float32)
    confidence = np.ones((n, joints), np.float32)
    views = {subject: cameras(subject) for subject in {s.subject for s in sequences}}
    start, each = 0, []
    for sequence in sequences:
        camera, size = views[sequence.subject]
        for i in range(4):
            rows, one = slice(start, start + len(sequence.pose3d)), camera[i : i + 1]
            pose3d[rows] = one.to_camera(np.float32(sequence.pose3d))
            if sequence.detected is None:
                pose2d[rows] = one.project(pose3d[rows])
            else:
                confidence[rows] = sequence.detected[i][..., 2]
                pose2d[rows] = normalize(sequence.detected[i][..., :2], size[i])
                pose2d[rows][confidence[rows] == 0] = 0
            each.append((sequence.subject, sequence.action, one, size[i]))
            start = rows.stop
    subject, action, camera, size = zip(*each, strict=True)

    def column(values: Any) -> np.ndarray:
        return np.repeat(np.asarray(values), counts, axis=0)

    camera = Camera.cat(camera).map(column)
    return Poses(
        skeleton=target,
        pose2d=pose2d,
        confidence=confidence,
        pose3d=pose3d,
        camera=Camera(
            camera.focal, camera.center, pose3d[:, root].copy(), distortion=camera.distortion
        ),
        image_size=column(size),
        labels={
            "subject": column(subject),
            "action": column(action),
            "camera": np.repeat(np.tile(np.arange(4, dtype=np.int8), len(sequences)), counts),
            "frame": np.concatenate([np.arange(c, dtype=np.int32) for c in counts]) * frame_step,
        },
    )
