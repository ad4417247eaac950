"""Motion capture (BVH; ASF and AMC) seen through virtual cameras: 2D-3D pairs of real movement.

Files of many makers are read: joints are told by their names (CMU's, Biovision's, Mixamo's,
Unity's, Xsens's, ...), the unit by the body's size. The CMU motion capture database, for one, may
be used freely: mocap.cs.cmu.edu. Each frame is seen by cameras of its own, drawn as those of
`synthetic` are.
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import conversion, formats
from camerapose.core.formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets import synthetic
from camerapose.data.readers.motion_capture import Motion, read_amc, read_asf, read_bvh

#: What a joint is called, letters and digits alone, `S` for the side; the first that is there.
#: A name of the kind "bone:" is where that bone of an .asf ends.
NAMES = {
    "hip": ("bone:Shipjoint", "Supleg", "Sthigh", "Supperleg", "Ship", "Shipjoint"),
    "knee": ("bone:Sfemur", "Sknee", "Sleg", "Sshin", "Slowerleg", "Scalf"),
    "ankle": ("bone:Stibia", "Sankle", "Sfoot"),
    "shoulder": ("bone:Sclavicle", "Sarm", "Supperarm", "Sshldr", "Sshoulder"),
    "elbow": ("bone:Shumerus", "Selbow", "Sforearm", "Slowerarm"),
    "wrist": ("bone:Sradius", "Swrist", "Shand"),
}
#: The same of joints on the midline. A joint's `end` is the end site behind it.
MIDDLE = {
    "thorax": ("bone:thorax", "neck", "neck1", "thorax"),
    "neck_nose": ("bone:upperneck", "head", "necknose"),
    "head_top": ("bone:head", "headend", "headtop", "headnub", "headtopend"),
}
SIDES = {"left": ("left", "l"), "right": ("right", "r")}
#: What a unit may be, in metres: metre, centimetre, inch, millimetre, and CMU's (an .asf's inches
#: over 0.45, in the BVH files made of them too).
UNITS = (1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45)
#: Metres from an adult's ankle over knee, hip and neck to the head, and how far off is too far.
BODY, TOLERANCE = 1.6, 1.5

_HOW_TO_GET = (
    "Give a folder of .bvh files, or of .amc files with their .asf beside them (CMU's: "
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
    focal: Sequence[float | int] = (1, 4),
    pitch: Sequence[float | int] = (-10, 45),
    height: Sequence[float | int] = (0.2, 0.95),
) -> Poses:
    """All frames of all files below a folder, each before cameras of its own.

    Pelvis, spine and head, which such files have elsewhere or not at all, are made as
    `core.conversion.convert` makes them; all joints have confidence 1, for 3D and 2D agree.

    Args:
        root: a folder, searched with all below it, or one file.
        frame_step: every so-manyth frame; CMU's are 120 a second.
        views: cameras a frame.
        seed: the same seed gives the same cameras.
        skeleton: "h36m_16" or "h36m_17".
        up: the axis that points up in the files, "y" or "z".
        names: of joints that are not recognised: {"left_hip": "the file's name", ...}.
        unit: of the files, metres; without it the one of `UNITS` that makes an adult.
        focal, pitch, height: of the cameras, see `synthetic.load`.

    Returns:
        Poses with the labels subject (the file's folder), action (its name), frame, camera (0 to
        views - 1).

    Raises:
        FileNotFoundError: there are no such files, or no .asf to an .amc.
        ValueError: a file is not what it should be, or its joints are not recognised.
    """
    options = dict(
        frame_step=frame_step, views=views, seed=seed, skeleton=skeleton, up=up, names=names,
        unit=unit, focal=focal, pitch=pitch, height=height,
    )  # fmt: skip
    return Poses.cat([make() for _, make in parts(root, **options)])


def parts(root: str | Path, **options: Any) -> list[tuple[str, Callable[[], Poses]]]:
    """What `load` gives in pieces, one a folder: its name and what makes it."""
    _check_options(**options)
    root = Path(root).expanduser()
    folders: dict[Path, list[Path]] = {}
    for path in _motions(root):
        folders.setdefault(path.parent, []).append(path)
    return [
        (folder.name or "here", partial(_folder, root, paths, **options))
        for folder, paths in folders.items()
    ]


def files(root: str | Path, **_: Any) -> list[Path]:
    """The files that `load` reads, skeletons among them."""
    motions = _motions(Path(root).expanduser())
    skeletal = {_asf_of(path): None for path in motions if path.suffix.lower() == ".amc"}
    return [*motions, *skeletal]


def _check_options(
    *,
    frame_step: int = 4,
    views: int = 1,
    skeleton: str = "h36m_16",
    up: str = "y",
    focal: Sequence[float | int] = (1, 4),
    height: Sequence[float | int] = (0.2, 0.95),
    **_: Any,
) -> None:
    if frame_step < 1 or views < 1:
        raise ValueError(f"frame_step is {frame_step} and views {views}; give 1 or more")
    if up not in ("y", "z"):
        raise ValueError(f"up is {up!r}; give y or z")
    if skeleton not in (H36M_16.name, H36M_17.name):
        raise ValueError(
            f"motion comes as {H36M_16.name} or {H36M_17.name}, not as {skeleton!r}; for another "
            "joint format use poses.to(skeleton) on the result"
        )
    synthetic.check_ranges(focal=focal, height=height)


def _motions(root: Path) -> list[Path]:
    found = [root] if root.is_file() else sorted(root.rglob("*")) if root.is_dir() else []
    found = [path for path in found if path.suffix.lower() in (".bvh", ".amc")]
    if not found:
        raise FileNotFoundError(f"there is no .bvh and no .amc in {root.absolute()}. {_HOW_TO_GET}")
    return found


def _asf_of(path: Path) -> Path:
    """The skeleton of an .amc: `01.asf` for `01_03.amc`, else the only one beside it."""
    there = {p.stem: p for p in sorted(path.parent.iterdir()) if p.suffix.lower() == ".asf"}
    for name in (path.stem, path.stem.partition("_")[0]):
        if name in there:
            return there[name]
    if len(there) == 1:
        return next(iter(there.values()))
    raise FileNotFoundError(
        f"{path} has no skeleton: there is no {path.stem.partition('_')[0]}.asf beside it, but "
        f"{', '.join(p.name for p in there.values()) or 'no other .asf'}. {_HOW_TO_GET}"
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
    **cameras: Any,
) -> Poses:
    """One file, its frames one after the other for each view."""
    points, source = _joints(path, frame_step, names)
    points = points * _unit(points, source, unit, path)
    if up == "z":
        points = points[..., [0, 2, 1]] * [1.0, 1.0, -1.0]
    target = formats.get(skeleton)
    body, _ = conversion.convert(points, np.ones(points.shape[:2]), source, target)
    n = len(body)
    shared = path.relative_to(root).as_posix() if path != root else path.name
    random = np.random.default_rng([seed, zlib.crc32(shared.encode())])
    ranges = dict(focal=(1, 4), pitch=(-10, 45), height=(0.2, 0.95)) | cameras
    body = body - body[:, [target.root_index]]
    return synthetic.seen(
        random, np.tile(body, (views, 1, 1)), target, **ranges,
        labels={
            "subject": np.full(n * views, path.parent.name),
            "action": np.full(n * views, path.stem),
            "frame": np.tile(np.arange(n, dtype=np.int32) * frame_step, views),
            "camera": np.repeat(np.arange(views, dtype=np.int32), n),
        },
    )  # fmt: skip


def _joints(path: Path, step: int, names: Mapping[str, str] | None) -> tuple[np.ndarray, Skeleton]:
    """The joints that we know (frames, joints, 3) in the file's unit and axes, and their format."""
    if path.suffix.lower() == ".bvh":
        motion, prefix = read_bvh(path, step), ""
    else:
        motion, prefix = read_amc(path, read_asf(_asf_of(path)), step), "bone:"
    found = _recognised(motion, prefix, names or {}, path)
    joints = tuple(found)
    parents = tuple(None if joint == "thorax" else "thorax" for joint in joints)
    return np.stack(list(found.values()), axis=1), Skeleton("mocap", joints, parents)


def _recognised(
    motion: Motion, prefix: str, names: Mapping[str, str], path: Path
) -> dict[str, np.ndarray]:
    """Our name of each joint and where it stands; ValueError says which are missing."""
    there: dict[str, str] = {}
    for name in motion.joints:
        there.setdefault(prefix + _plain(name), name)
    wanted = {
        f"{side}_{joint}": [n.replace("S", s, 1) for n in options for s in spellings]
        for side, spellings in SIDES.items()
        for joint, options in NAMES.items()
    }
    wanted |= {joint: list(options) for joint, options in MIDDLE.items()}
    found, missing = {}, []
    for joint, options in wanted.items():
        if joint in names:
            options = [prefix + _plain(names[joint])]
        elif prefix == "":
            options = [*options, _plain(joint)]
        name = next((there[option] for option in options if option in there), None)
        if name is not None:
            found[joint] = motion.joints[name]
        elif joint in names or joint not in ("neck_nose", "head_top"):
            missing.append(joint)
    if not {"neck_nose", "head_top"} & set(found):
        missing.append("head_top")
    if missing:
        raise ValueError(
            f"{path}: can't tell which joints are {', '.join(missing)}; it has "
            f"{', '.join(motion.joints)}. Say it with names, such as "
            f'names={{{missing[0]} = "..."}}'
        )
    return found


def _plain(name: str) -> str:
    """A joint's name without the maker's prefix, the side in front, letters and digits alone."""
    name = re.sub(r"^(mixamorig|bip0*1|jnt|j)[_ ]", "", name.rpartition(":")[2].lower())
    name = re.sub(r"^(.*)[._ ]([lr])$", r"\2\1", name)
    return re.sub(r"[^a-z0-9]", "", name)


def _unit(points: np.ndarray, source: Skeleton, unit: float | None, path: Path) -> float:
    """Metres of one of the file's units."""

    def length(*chain: str) -> float:
        at = points[:1, [source.index(joint) for joint in chain]]
        return float(np.linalg.norm(np.diff(at, axis=1), axis=-1).sum())

    legs = [length(f"{s}_ankle", f"{s}_knee", f"{s}_hip", "thorax") for s in ("left", "right")]
    top = "head_top" if "head_top" in source.joints else "neck_nose"
    whole = np.mean(legs) + length("thorax", top)
    if not whole > 0:
        raise ValueError(f"{path}: all joints stand in one place")
    if unit is not None:
        return unit
    off, best = min((abs(np.log(whole * unit / BODY)), unit) for unit in UNITS)
    if off > np.log(TOLERANCE):
        raise ValueError(
            f"{path}: the body measures {whole:.3g} units, which is no adult's size in any of "
            f"{', '.join(f'{u:.4g}' for u in UNITS)} metres; say the unit with unit=METRES"
        )
    return best
