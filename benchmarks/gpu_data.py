"""Compact data for `gpu.py`: Human3.6M with 17 joints as int16, and the annotations of MPII.

Positions are stored in tenths of a millimetre, as differences of consecutive frames, which compress
well; the error of half a tenth of a millimetre is far below that of the motion capture.
"""

import shutil
from pathlib import Path

import numpy as np

from camerapose.core.joint_formats import H36M_17
from camerapose.data.datasets.human36m.layouts import POSITIONS, read_tree
from camerapose.data.datasets.human36m.recordings import JOINTS_OF_32
from camerapose.io.files import AtomicFile, make_folder

#: Metres per unit.
UNIT = 1e-4
#: Largest packed file, bytes.
MAX_SIZE = 50_000_000
ANNOTATIONS = ("train", "valid")


def pack(data: Path, out: Path) -> str:
    """Write the packed file; return its description.

    Args:
        data: folder with h36m/data_3d_h36m.npz and, if available, mpii/annot.
        out: .npz file.

    Raises:
        FileNotFoundError: Human3.6M is missing.
        ValueError: a coordinate does not fit into 16 bits, or the file exceeds `MAX_SIZE`.
    """
    tree = read_tree(data / "h36m" / POSITIONS, "positions_3d")
    names, lengths, parts = [], [], []
    for subject, actions in tree.items():
        for action, positions in actions.items():
            joints = JOINTS_OF_32 if positions.shape[1] == 32 else slice(None)
            names.append(f"{subject}/{action}")
            lengths.append(len(positions))
            parts.append(_differences(positions[:, joints], names[-1]))
    content = {
        "names": np.array(names), "lengths": np.array(lengths), "positions": np.concatenate(parts),
    }  # fmt: skip
    for split in ANNOTATIONS:
        path = data / "mpii" / "annot" / f"{split}.json"
        if path.exists():
            content[split] = np.frombuffer(path.read_bytes(), np.uint8)
    with AtomicFile(out) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **content)
    size = out.stat().st_size
    if size > MAX_SIZE:
        raise ValueError(f"{out} has {size / 1e6:.1f} MB, more than {MAX_SIZE / 1e6:.0f}")
    return f"{out}: {sum(lengths):,} frames, {size / 1e6:.1f} MB"


def _differences(positions: np.ndarray, name: str) -> np.ndarray:
    units = np.round(positions / UNIT)
    if np.abs(units).max() > np.iinfo(np.int16).max:
        raise ValueError(f"{name} has coordinates beyond {np.iinfo(np.int16).max * UNIT:.2f} m")
    # Differences may exceed 16 bits and wrap around; so does their sum, to the right values.
    return np.diff(units.astype(np.int16), axis=0, prepend=np.zeros_like(units[:1], np.int16))


def unpack(packed: Path, folder: Path) -> Path:
    """Write the files of a packed file where the data sets read them; return the folder."""
    make_folder(folder / "annot")
    tree: dict[str, dict[str, np.ndarray]] = {}
    with np.load(packed, allow_pickle=False) as file:
        ends = np.cumsum(file["lengths"])
        parts = np.split(file["positions"], ends[:-1])
        for name, part in zip(file["names"], parts, strict=True):
            subject, _, action = str(name).partition("/")
            units = np.cumsum(part, axis=0, dtype=np.int16)
            joints = np.zeros((len(units), 32, 3), np.float32)
            joints[:, JOINTS_OF_32[: H36M_17.n_joints]] = units * np.float32(UNIT)
            tree.setdefault(subject, {})[action] = joints
        for split in ANNOTATIONS:
            if split in file:
                (folder / "annot" / f"{split}.json").write_bytes(file[split].tobytes())
    with AtomicFile(folder / POSITIONS) as temporary, open(temporary, "wb") as output:
        np.savez(output, positions_3d=np.array(tree, object))
    if not any((folder / "annot").iterdir()):
        shutil.rmtree(folder / "annot")
    return folder
