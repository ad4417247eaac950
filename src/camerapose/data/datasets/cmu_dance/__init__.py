"""Salsa, Indian dance and martial arts of the CMU database on `anny` bodies.

Files: `cmu_dance_martial.npz` (`positions_3d` = {style: {clip: (frames, 17, 3)}} in the joints of
Human3.6M, z up), which is made from the motion files below `ROOT/cmu` if it is missing, and
`anny_pairs.npz` (the bodies), see docs/datasets.md.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.attachment import ATTACHED
from camerapose.core.poses import Poses
from camerapose.data.datasets import anny
from camerapose.data.datasets.cmu_dance import build
from camerapose.data.level_view import level_view, to_world
from camerapose.data.retarget import retarget
from camerapose.io.arrays import MAX_VALUE
from camerapose.io.pickles import numbers, read_pickled

FILE = build.FILE

_HOW_TO_GET = (
    f"Give the folder of {FILE} and {anny.FILE}, or a folder with the .asf and .amc files of "
    "subjects 60, 61, 94 and 135 of mocap.cs.cmu.edu in its subfolder cmu (docs/datasets.md)."
)


def load(
    root: str | Path,
    *,
    frame_step: int = 1,
    seed: int = 0,
    excluded: Sequence[str] = anny.BENCHMARK,
) -> Poses:
    """Load the poses in the joints of `body_46`, each on a random body, seen by a level camera.

    Only the directions of limbs and trunk are used (`data.retarget`), because the joints of this
    skeleton are placed differently from those of the bodies.

    Args:
        root: folder of both files, or of the motion files from which they are made.
        frame_step: keep every n-th frame.
        seed: random seed of the choice of bodies.
        excluded: subjects of `anny` whose bodies are not used.

    Returns:
        Poses with the labels subject (style), action (clip) and frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has unexpected content.
    """
    path = make(root)
    styles = read_pickled(path, "positions_3d", how_to_get=_HOW_TO_GET)
    rows, labels = [], []
    for style, clip, positions in _clips(path, styles):
        rows.append(np.float32(positions[::frame_step]))
        labels += [(style, clip, frame * frame_step) for frame in range(len(rows[-1]))]
    if not labels:
        raise ValueError(f"{path} has no frames. {_HOW_TO_GET}")
    motion = np.concatenate(rows)
    candidates = to_world(anny.load(root, excluded=excluded))
    choice = np.random.default_rng(seed).integers(0, len(candidates), len(motion))
    world = retarget(motion, candidates[choice], ATTACHED.parents)
    styles_, clips_, frames = zip(*labels, strict=True)
    return level_view(
        world,
        {"subject": np.array([f"cmu/{style}" for style in styles_]), "action": np.array(clips_),
         "frame": np.array(frames)},
    )  # fmt: skip


def _clips(path: Path, styles: Any) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield style, clip and joints (frames, 17, 3), checked."""
    if not isinstance(styles, dict) or not all(isinstance(v, dict) for v in styles.values()):
        raise ValueError(f"{path}: positions_3d is not {{style: {{clip: array}}}}. {_HOW_TO_GET}")
    for style, clips in styles.items():
        for clip, positions in clips.items():
            where = f"{path}, {style} {clip}"
            values = numbers(positions, where, _HOW_TO_GET)
            if values.ndim != 3 or values.shape[1:] != (17, 3):
                raise ValueError(
                    f"{where}: shape {values.shape}, expected (frames, 17, 3). {_HOW_TO_GET}"
                )
            if not (np.abs(values) <= MAX_VALUE).all():
                raise ValueError(f"{where}: values are not finite or too large. {_HOW_TO_GET}")
            yield str(style), str(clip), values


def make(root: str | Path) -> Path:
    """Return the file of a folder, after making it and the bodies, if they are missing."""
    root = Path(root).expanduser()
    files(root)
    anny.make(root)
    return root / FILE if (root / FILE).is_file() else build.build(root)


def files(root: str | Path, **_: object) -> list[Path]:
    """Return the files that `load` reads, or else the motion files from which they are made."""
    root = Path(root).expanduser()
    path = root / FILE
    if path.is_file():
        return [path, *anny.files(root)]
    clips = build.motion_clips(root)
    if not any(clips.values()):
        raise FileNotFoundError(f"no file {path} and no motion files. {_HOW_TO_GET}")
    return [*(motion for found in clips.values() for _, motion in found), *anny.files(root)]
