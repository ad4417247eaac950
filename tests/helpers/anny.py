"""Miniature files of the data sets `anny` and `cmu_dance`."""

from pathlib import Path

import numpy as np

from camerapose.data.datasets import anny, cmu_dance

CLIPS = ("cmu/01/01", "cmu/05/02", "cmu/09/03")


def write_files(folder: Path, frames: int = 12) -> Path:
    """Write both files with random joints about as far apart as those of people."""
    rng = np.random.default_rng(0)
    h36m = rng.normal(size=(frames, 17, 3))
    h36m[:, 0] = 0
    np.savez(
        folder / anny.FILE,
        h36m17=h36m.astype(np.float16),
        coco23=rng.normal(size=(frames, 23, 3)).astype(np.float16),
        bones=rng.normal(size=(frames, 6, 3)).astype(np.float16),
        bone_names=list(anny.CENTRES.values()),
        clip=np.arange(frames) % 3,
        clips=CLIPS,
        frame=np.arange(frames),
    )
    motion = {"salsa": {"01": rng.normal(size=(6, 17, 3))}}
    np.savez(folder / cmu_dance.FILE, positions_3d=np.array(motion, dtype=object))
    return folder
