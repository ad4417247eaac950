"""Make `cmu_dance_martial.npz` from CMU's motion files."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from camerapose.data.datasets.open_mocap.build import find_clips, first_frame, read_h36m
from camerapose.io.files import atomic_write

FILE = "cmu_dance_martial.npz"
#: Clips of each style. Subjects 60 and 61 dance together.
STYLES = {
    "salsa": {
        "cmu/60": "01 02 03 04 05 06 07 09 10 11 12 13 14 15",
        "cmu/61": "01 02 03 04 05 06 07 09 10 11 12 13 14 15",
    },
    "indian": {"cmu/94": "04 06 07 08 13 14 15"},
    "martial": {"cmu/135": "03 04 05 06 07 08 09 10"},
}
#: Frames per second: every fifth frame of the recordings.
RATE = 24.0


def motion_clips(root: Path) -> dict[str, list[tuple[str, Path]]]:
    """Return name and motion file of the clips of each style below ROOT/cmu."""
    return {style: find_clips(root, clips, ("cmu",)) for style, clips in STYLES.items()}


def build(root: Path) -> Path:
    """Write the file.

    Raises:
        ValueError: a motion file has unexpected content.
    """
    found = motion_clips(root)
    progress = tqdm(total=sum(map(len, found.values())), unit="clip", desc=FILE, disable=None)
    positions: dict[str, dict[str, np.ndarray]] = {}
    for style, clips in found.items():
        for name, path in clips:
            joints, _ = read_h36m(path, RATE, first_frame(name, path))
            clip = name.removeprefix("cmu/").replace("/", "_")
            positions.setdefault(style, {})[clip] = joints.astype(np.float32)
            progress.update()
    progress.close()
    with atomic_write(root / FILE) as file:
        np.savez_compressed(file, positions_3d=np.array(positions, dtype=object), fps=RATE)
    return root / FILE
