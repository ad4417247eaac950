"""Motion capture (BVH; ASF and AMC) seen by virtual cameras: 2D-3D pairs of real motion.

Joints are recognised by the names of common vendors (CMU, Biovision, Mixamo, Unity, Xsens, ...),
the unit by the size of the body. The CMU motion capture database (mocap.cs.cmu.edu) may be used
freely. Each frame has its own cameras, drawn like those of `synthetic`.
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import conversion, joint_formats
from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets import synthetic
from camerapose.data.readers.acclaim import read_amc, read_asf
from camerapose.data.readers.bvh import read_bvh
from camerapose.data.readers.motion import Motion

#: Names of each joint, only letters and digits, `S` for the side; the first that exists is used.
#: "bone:NAME" is the end of that bone of an .asf.
NAMES = {
    "hip": ("bone:Shipjoint", "Supleg", "Sthigh", "Supperleg", "Ship", "Shipjoint"),
    "knee": ("bone:Sfemur", "Sknee", "Sleg", "Sshin", "Slowerleg", "Scalf"),
    "ankle": ("bone:Stibia", "Sankle", "Sfoot"),
    "shoulder": ("bone:Sclavicle", "Sarm", "Supperarm", "Sshldr", "Sshoulder"),
    "elbow": ("bone:Shumerus", "Selbow", "Sforearm", "Slowerarm"),
    "wrist": ("bone:Sradius", "Swrist", "Shand"),
}
#: The same for joints on the midline. `NAMEend` is the end site of a joint.
MIDLINE = {
    "thorax": ("bone:thorax", "neck", "neck1", "thorax"),
    "neck_nose": ("bone:upperneck", "head", "necknose"),
    "head_top": ("bone:head", "headend", "headtop", "headnub", "headtopend"),
}
SIDES = {"left": ("left", "l"), "right": ("right", "r")}
#: Candidate units in metres: metre, centimetre, inch, millimetre, and CMU's (inch / 0.45, also in
#: BVH files converted from them).
UNITS = (1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45)
#: Length of an adult from ankle over knee, hip and neck to the head (metres), and accepted factor.
BODY, TOLERANCE = 1.6, 1.5

_HOW_TO_GET = (
    "Give a folder of .bvh files, or of .amc files with their .asf in the same folder (CMU: "
    "http://mocap.cs.cmu.edu)."
)


def load(
    root: str | Path,
    *,
    frame_step: int = 4,
    views: int = 1,
    seed: int = 0,
    skeleton: str = "h36m_16",
    up: str = "y",
    names: Mapping[str, str] | None = None,
    unit: float | None = None,
    cameras: Mapping[str, Sequence[float | int]] | None = None,
) -> Poses:
    """Load all frames of all files below a folder, each seen by its own cameras.

    Pelvis, spine and head, which such files place differently or lack, are derived by
    `core.conversion.convert`; all joints have confidence 1, since 3D and 2D agree.

    Args:
        root: folder, searched recursively, or one file.
        frame_step: keep every n-th frame; CMU has 120 frames per second.
        views: number of cameras per frame.
        seed: random seed of the cameras.
        skeleton: "h36m_16" or "h36m_17".
        up: vertical axis of the files, "y" or "z".
        names: names of joints that are not recognised: {"left_hip": "name in the file", ...}.
        unit: unit of the files in metres; None: the one of `UNITS` that results in an adult.
        cameras: ranges of the random cameras, such as {"pitch": (0, 10)}, see `synthetic.load`;
            the others are `synthetic.CAMERA_RANGES`.

    Returns:
        Poses with the labels subject (folder of the file), action (name of the file), frame, camera
        (0 to views - 1).

    Raises:
        FileNotFoundError: no motion files, or no .asf for an .amc.
        ValueError: a file has unexpected content, or its joints are not recognised.
    """
    options = dict(
        frame_step=frame_step, views=views, seed=seed, skeleton=skeleton, up=up, names=names,
        unit=unit, cameras=cameras,
    )  # fmt: skip
    return Poses.cat([make() for _, make in parts(root, **options)])


def parts(root: str | Path, **options: Any) -> list[tuple[str, Callable[[], Poses]]]:
    """Return the result of `load` in parts: each folder, and a function that loads it."""
    _check_options(**options)
    root = Path(root).expanduser()
    folders: dict[Path, list[Path]] = {}
    for path in motion_files(root):
        folders.setdefault(path.parent, []).append(path)
    return [
        (folder.name or "here", partial(_folder, root, paths, **options))
        for folder, paths in folders.items()
    ]


def files(root: str | Path, **_: Any) -> list[Path]:
    """Return the files that `load` reads, including skeletons."""
    motions = motion_files(Path(root).expanduser())
    skeletal = {skeleton_file(path): None for path in motions if path.suffix.lower() == ".amc"}
    return [*motions, *skeletal]


def _check_options(
    *,
    frame_step: int = 4,
    views: int = 1,
    skeleton: str = "h36m_16",
    up: str = "y",
    cameras: Mapping[str, Sequence[float | int]] | None = None,
    **_: Any,
) -> None:
    if frame_step < 1 or views < 1:
        raise ValueError(f"frame_step is {frame_step} and views {views}; give 1 or more")
    if up not in ("y", "z"):
        raise ValueError(f"up is {up!r}; give y or z")
    if skeleton not in (H36M_16.name, H36M_17.name):
        raise ValueError(
            f"motion is available as {H36M_16.name} or {H36M_17.name}, not as {skeleton!r}; for "
            "another joint format use poses.to(skeleton) on the result"
        )
    unknown = [name for name in cameras or {} if name not in synthetic.CAMERA_RANGES]
    if unknown:
        raise ValueError(
            f"cameras has {', '.join(unknown)}; give {', '.join(synthetic.CAMERA_RANGES)}"
        )
    ranges = {**synthetic.CAMERA_RANGES, **(cameras or {})}
    synthetic.check_ranges(focal=ranges["focal"], height=ranges["height"])


def motion_files(root: Path) -> list[Path]:
    paths = [root] if root.is_file() else sorted(root.rglob("*")) if root.is_dir() else []
    paths = [path for path in paths if path.suffix.lower() in (".bvh", ".amc")]
    if not paths:
        raise FileNotFoundError(f"no .bvh or .amc in {root.absolute()}. {_HOW_TO_GET}")
    return paths


def skeleton_file(path: Path) -> Path:
    """Return the skeleton of an .amc: `01.asf` for `01_03.amc`, otherwise the only .asf."""
    skeletons = {p.stem: p for p in sorted(path.parent.iterdir()) if p.suffix.lower() == ".asf"}
    for name in (path.stem, path.stem.partition("_")[0]):
        if name in skeletons:
            return skeletons[name]
    if len(skeletons) == 1:
        return next(iter(skeletons.values()))
    raise FileNotFoundError(
        f"{path} has no skeleton {path.stem.partition('_')[0]}.asf in its folder, which contains "
        f"{', '.join(p.name for p in skeletons.values()) or 'no .asf'}. {_HOW_TO_GET}"
    )


def _folder(root: Path, paths: list[Path], **options: Any) -> Poses:
    return Poses.cat([_clip(root, path, **options) for path in paths])


def _clip(
    root: Path,
    path: Path,
    *,
    frame_step: int = 4,
    views: int = 1,
    seed: int = 0,
    skeleton: str = "h36m_16",
    up: str = "y",
    names: Mapping[str, str] | None = None,
    unit: float | None = None,
    cameras: Mapping[str, Sequence[float | int]] | None = None,
) -> Poses:
    """Return the poses of one file, ordered by view and frame."""
    points, source = read_joints(path, frame_step, names)
    points = points * unit_of(points, source, unit, path)
    if up == "z":
        points = points[..., [0, 2, 1]] * [1.0, 1.0, -1.0]
    target = joint_formats.get(skeleton)
    body, _ = conversion.convert(points, np.ones(points.shape[:2]), source, target)
    n = len(body)
    name = path.relative_to(root).as_posix() if path != root else path.name
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    ranges = {**synthetic.CAMERA_RANGES, **(cameras or {})}
    body = body - body[:, [target.root_index]]
    return synthetic.from_random_cameras(
        random, np.tile(body, (views, 1, 1)), target, **ranges,
        labels={
            "subject": np.full(n * views, path.parent.name),
            "action": np.full(n * views, path.stem),
            "frame": np.tile(np.arange(n, dtype=np.int32) * frame_step, views),
            "camera": np.repeat(np.arange(views, dtype=np.int32), n),
        },
    )  # fmt: skip


def read_joints(
    path: Path, step: int, names: Mapping[str, str] | None
) -> tuple[np.ndarray, Skeleton]:
    """Return the recognised joints (frames, joints, 3), in the file's unit and axes."""
    if path.suffix.lower() == ".bvh":
        motion, prefix = read_bvh(path, step), ""
    else:
        motion, prefix = read_amc(path, read_asf(skeleton_file(path)), step), "bone:"
    positions = _recognise(motion, prefix, names or {}, path)
    joints = tuple(positions)
    parents = tuple(None if joint == "thorax" else "thorax" for joint in joints)
    return np.stack(list(positions.values()), axis=1), Skeleton("mocap", joints, parents)


def _recognise(
    motion: Motion, prefix: str, names: Mapping[str, str], path: Path
) -> dict[str, np.ndarray]:
    """Return the positions of our joints; ValueError lists the missing ones."""
    available: dict[str, str] = {}
    for name in motion.joints:
        available.setdefault(prefix + _plain(name), name)
    wanted = {
        f"{side}_{joint}": [n.replace("S", s, 1) for n in options for s in spellings]
        for side, spellings in SIDES.items()
        for joint, options in NAMES.items()
    }
    wanted |= {joint: list(options) for joint, options in MIDLINE.items()}
    positions, missing = {}, []
    for joint, options in wanted.items():
        if joint in names:
            options = [prefix + _plain(names[joint])]
        elif prefix == "":
            options = [*options, _plain(joint)]
        name = next((available[option] for option in options if option in available), None)
        if name is not None:
            positions[joint] = motion.joints[name]
        elif joint in names or joint not in ("neck_nose", "head_top"):
            missing.append(joint)
    if not {"neck_nose", "head_top"} & set(positions):
        missing.append("head_top")
    if missing:
        raise ValueError(
            f"{path}: joints {', '.join(missing)} are not recognised among "
            f"{', '.join(motion.joints)}; pass names, such as "
            f'names={{{missing[0]} = "..."}}'
        )
    return positions


def _plain(name: str) -> str:
    """Return a name without vendor prefix, the side first, only letters and digits."""
    name = re.sub(r"^(mixamorig|bip0*1|jnt|j)[_ ]", "", name.rpartition(":")[2].lower())
    name = re.sub(r"^(.*)[._ ]([lr])$", r"\2\1", name)
    return re.sub(r"[^a-z0-9]", "", name)


def unit_of(points: np.ndarray, source: Skeleton, unit: float | None, path: Path) -> float:
    """Return the unit of the file in metres."""

    def length(*chain: str) -> float:
        joints = points[:1, [source.index(joint) for joint in chain]]
        return float(np.linalg.norm(np.diff(joints, axis=1), axis=-1).sum())

    legs = [length(f"{s}_ankle", f"{s}_knee", f"{s}_hip", "thorax") for s in ("left", "right")]
    top = "head_top" if "head_top" in source.joints else "neck_nose"
    body = np.mean(legs) + length("thorax", top)
    if not body > 0:
        raise ValueError(f"{path}: all joints coincide")
    if unit is not None:
        return unit
    deviation, best = min((abs(np.log(body * unit / BODY)), unit) for unit in UNITS)
    if deviation > np.log(TOLERANCE):
        raise ValueError(
            f"{path}: the body measures {body:.3g} units, not an adult's size for units of "
            f"{', '.join(f'{u:.4g}' for u in UNITS)} metres; pass unit=METRES"
        )
    return best
