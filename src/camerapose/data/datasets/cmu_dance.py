"""Salsa, Indian dance and martial arts of the CMU database on `anny` bodies.

Files: `cmu_dance_martial.npz` (`positions_3d` = {style: {clip: (frames, 17, 3)}} in the joints of
Human3.6M, z up) and `anny_pairs.npz` (the bodies), see docs/datasets.md.
"""

from pathlib import Path

import numpy as np

from camerapose.core.attachment import ATTACHED
from camerapose.core.poses import Poses
from camerapose.data.datasets import anny
from camerapose.data.retarget import retarget
from camerapose.io.pickles import read_pickled

FILE = "cmu_dance_martial.npz"

_HOW_TO_GET = f"Give the folder of {FILE} and {anny.FILE}; docs/datasets.md describes them."


def load(root: str | Path, *, frame_step: int = 1, seed: int = 0) -> Poses:
    """Load the poses in the joints of `body_46`, each on a random body, seen by a level camera.

    Only the directions of limbs and trunk are used (`data.retarget`), because the joints of this
    skeleton are placed differently from those of the bodies.

    Args:
        root: folder of both files.
        frame_step: keep every n-th frame.
        seed: random seed of the choice of bodies.

    Returns:
        Poses with the labels subject (style), action (clip) and frame.

    Raises:
        FileNotFoundError: a file is missing.
    """
    path, bodies = files(root)
    styles = read_pickled(path, "positions_3d", how_to_get=_HOW_TO_GET)
    rows, labels = [], []
    for style, clips in styles.items():
        for clip, positions in clips.items():
            rows.append(np.asarray(positions[::frame_step], np.float32))
            labels += [(style, clip, frame * frame_step) for frame in range(len(rows[-1]))]
    motion = np.concatenate(rows)
    candidates = anny.to_world(anny.load(bodies))
    choice = np.random.default_rng(seed).integers(0, len(candidates), len(motion))
    world = retarget(motion, candidates[choice], ATTACHED.parents)
    styles_, clips_, frames = zip(*labels, strict=True)
    return anny.level_view(
        world,
        {"subject": np.array([f"cmu/{style}" for style in styles_]), "action": np.array(clips_),
         "frame": np.array(frames)},
    )  # fmt: skip


def files(root: str | Path, **_: object) -> list[Path]:
    """Return the files that `load` reads."""
    path = Path(root).expanduser() / FILE
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}. {_HOW_TO_GET}")
    return [path, *anny.files(root)]
