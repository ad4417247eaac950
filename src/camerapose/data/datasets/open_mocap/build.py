"""Make `open_mocap.npz` from motion files, clip by clip."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from camerapose.core import conversion
from camerapose.core.joint_formats import H36M_17
from camerapose.data.datasets import mocap
from camerapose.io.files import atomic_write, make_folder

FILE = "open_mocap.npz"
#: Folder of finished clips while the file is made.
PARTS = "open_mocap.parts"
#: Clips that are used: all movements of these recordings with little repetition. Empty: all.
CLIPS: dict[str, str] = {
    "cmu/01": "01 08 14", "cmu/03": "01 02",
    "cmu/05": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20",
    "cmu/09": "01 02 03 04 05 06 07 08 09 10 11 12", "cmu/11": "01",
    "cmu/13": "01 07 08 09 10 11 13 14 15 16 18 19 26 30 31 32 33 34 35 36 37 38 39 40 41 42",
    "cmu/14": "04 05 07 08 12 17 18 19 21 22 23 27 28 29 30 31 32 33 34 35 36 37",
    "cmu/85": "03 04 12 14", "cmu/86": "01 09", "cmu/88": "01", "cmu/90": "02 05 08 11",
    "cmu/131": "01 02 03",
}  # fmt: skip
#: Folders of the other sources, all of whose clips are used.
OTHERS = ("fair", "mesh2motion")
#: Frames per second of the result, and of .amc files, which do not state it.
RATE, AMC_RATE = 30.0, 120.0
#: A frame is left out if no joint is displaced by this much (metres, relative to the pelvis) since
#: the last frame that was kept.
MIN_DISPLACEMENT = 0.02
LICENCES = {
    "cmu": "CMU Graphics Lab Motion Capture Database: 'This dataset of motions is free for all "
    "uses.' 'You may include this data in commercially-sold products, but you may not resell this "
    "data directly, even in converted form.' (mocap.cs.cmu.edu). Acknowledge: 'The data used in "
    "this project was obtained from mocap.cs.cmu.edu. The database was created with funding from "
    "NSF EIA-0196217.'",
    "fair": "MIT (c) Meta Platforms, AnimatedDrawings",
    "mesh2motion": "CC0 1.0, Mesh2Motion; keyed by animators, not captured",
}
#: From a world with y up to one with z up.
_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def find_clips(
    root: Path, clips: Mapping[str, str] = CLIPS, sources: Sequence[str] = ("cmu", *OTHERS)
) -> list[tuple[str, Path]]:
    """Return name ("source/subject/clip") and file of the clips below a folder, sorted.

    Args:
        root: folder with one folder for each source.
        clips: those of CMU's that are used, as `CLIPS`.
        sources: names of folders.
    """
    found: dict[str, Path] = {}
    for source in sources:
        folder = root / source
        paths = mocap.motion_files(folder) if folder.is_dir() and any(folder.iterdir()) else []
        for path in paths:
            name = _clip_name(source, path, folder)
            if (
                source == "cmu"
                and name.rpartition("/")[2] not in clips.get(name.rpartition("/")[0], "").split()
            ):
                continue
            if found.setdefault(name, path) != path:
                raise ValueError(
                    f"{found[name]} and {path} are both the clip {name}; keep one of them"
                )
    return sorted(found.items())


def _clip_name(source: str, path: Path, folder: Path) -> str:
    """Return the name of a clip: CMU's 05_12.amc is cmu/05/12; others by folder and file."""
    if source == "cmu":
        parts = path.stem.split("_")
        return f"cmu/{parts[0]}/{parts[-1]}"
    parent = path.parent.name if path.parent != folder else source
    return f"{source}/{parent}/{path.stem}"


def build(root: Path) -> Path:
    """Write the file; finished clips are kept, so that an interrupted call resumes.

    Raises:
        ValueError: a motion file has unexpected content.
    """
    clips = find_clips(root)
    parts = make_folder(root / PARTS)
    for name, path in tqdm(clips, unit="clip", desc=FILE, disable=None):
        part = _part(parts, name)
        if not part.exists():
            with atomic_write(part) as file:
                np.savez(file, **convert(path, first_frame(name, path)))
    columns = [dict(np.load(_part(parts, name))) for name, _ in clips]
    counts = [len(column["frame"]) for column in columns]
    meta = [
        {"clip": name, "file": path.name, "fps": RATE, "frames": count}
        for (name, path), count in zip(clips, counts, strict=True)
    ]
    with atomic_write(root / FILE) as file:
        np.savez_compressed(
            file,
            joints=np.concatenate([c["joints"] for c in columns]).astype(np.float16),
            root=np.concatenate([c["root"] for c in columns]).astype(np.float32),
            frame=np.concatenate([c["frame"] for c in columns]).astype(np.uint32),
            clip=np.repeat(np.arange(len(clips)), counts).astype(np.uint16),
            clips=np.array([name for name, _ in clips]),
            joint_names=np.array(H36M_17.joints),
            meta=np.array(json.dumps(meta)),
            licences=np.array(json.dumps(LICENCES)),
        )
    for name, _ in clips:
        _part(parts, name).unlink()
    if not any(parts.iterdir()):
        parts.rmdir()
    return root / FILE


def _part(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '__')}.npz"


def first_frame(name: str, path: Path) -> int:
    """Return the first frame to use: CMU's recordings as BVH begin with a calibration pose."""
    return int(name.startswith("cmu/") and path.suffix.lower() == ".bvh")


def convert(path: Path, first: int = 0) -> dict[str, Any]:
    """Return joints, root and frame numbers of a motion file at `RATE` frames per second.

    Joints (n, 17, 3) are relative to the pelvis, root (n, 3) is its position; metres, z up.

    Args:
        path: the file, y up.
        first: first frame.
    """
    joints, step = read_h36m(path, RATE, first)
    root = joints[:, H36M_17.root_index]
    relative = joints - root[:, None]
    kept = distinct(relative)
    return {"joints": relative[kept], "root": root[kept], "frame": first + kept * step}


def read_h36m(path: Path, wanted: float, first: int = 0) -> tuple[Float[np.ndarray, "n 17 3"], int]:
    """Return the joints of `h36m_17` in metres, z up, and the number of frames between two.

    Args:
        path: motion file, y up.
        wanted: frames per second, approximately: every n-th frame of the file is kept.
        first: first frame.
    """
    rate = AMC_RATE
    if path.suffix.lower() == ".bvh":
        seconds = mocap.read_bvh(path).seconds
        rate = 1 / seconds if seconds else wanted
    step = max(1, round(rate / wanted))
    if first:
        points, skeleton = mocap.read_joints(path, 1, None)
        points = points[first::step]
    else:
        points, skeleton = mocap.read_joints(path, step, None)
    points = points * mocap.unit_of(points, skeleton, None, path)
    joints, _ = conversion.convert(points, np.ones(points.shape[:2]), skeleton, H36M_17)
    return joints @ _Z_UP.T, step


def distinct(joints: Float[np.ndarray, "n joints 3"]) -> np.ndarray:
    """Return the indices of frames that differ from the one kept before."""
    kept = [0]
    for i in range(1, len(joints)):
        if np.linalg.norm(joints[i] - joints[kept[-1]], axis=-1).max() >= MIN_DISPLACEMENT:
            kept.append(i)
    return np.array(kept)
