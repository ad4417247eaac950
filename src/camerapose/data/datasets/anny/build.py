"""Make `anny_pairs.npz`: each frame of `open_mocap` on a random body of the package anny."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.data.datasets.rendered.joints import BONES, superset
from camerapose.io.files import atomic_write, make_folder

#: Folder of finished parts while the file is made, and frames in one part.
PARTS, PART_SIZE = "anny_pairs.parts", 500
#: Ranges of the body shape (`render.bodies.SHAPE`), uniform: gender, age, muscle, weight, height,
#: proportions. The youngest are about six years old.
SHAPE_LOW = (0.0, 0.3, 0.05, 0.05, 0.05, 0.05)
SHAPE_HIGH = (1.0, 1.0, 0.95, 0.95, 0.95, 0.95)
_H36M = [BODY_46.index(f"{joint}_h36m") for joint in H36M_17.joints]


def build(motion: Path, path: Path, seed: int = 0) -> Path:
    """Write the file; finished parts are kept, so that an interrupted call resumes.

    Args:
        motion: `open_mocap.npz`.
        path: the file to write.
        seed: of the body shapes; each part has its own random numbers.

    Raises:
        ImportError: anny is not installed.
    """
    from camerapose.data.render import bodies
    from camerapose.data.render import motion as body_motion

    with np.load(motion) as file:
        joints = file["joints"].astype(np.float32)
        columns = {name: file[name] for name in ("clip", "clips", "frame")}
    folder = make_folder(path.parent / PARTS)
    starts = range(0, len(joints), PART_SIZE)
    parts = [folder / f"{seed}-{start:07d}.npz" for start in starts]
    bar = tqdm(starts, unit="part", desc=path.name, disable=None)
    for start, part in zip(bar, parts, strict=True):
        if part.exists():
            continue
        frames = joints[start : start + PART_SIZE]
        random = np.random.default_rng([seed, start])
        shape = random.uniform(SHAPE_LOW, SHAPE_HIGH, (len(frames), len(SHAPE_LOW)))
        shape = shape.astype(np.float32)
        bones, coco = body_motion.in_motion(bodies.load(BONES), shape, frames)
        h36m = superset(coco, bones)[:, _H36M]
        pelvis = h36m[:, :1]
        with atomic_write(part) as file:
            np.savez(file, h36m17=h36m - pelvis, coco23=coco - pelvis, bones=bones - pelvis,
                     shape=shape)  # fmt: skip
    made = [dict(np.load(part)) for part in parts]
    for name in ("h36m17", "coco23", "bones", "shape"):
        columns[name] = np.concatenate([part[name] for part in made]).astype(np.float16)
    with atomic_write(path) as file:
        np.savez_compressed(
            file, **columns, bone_names=np.array(BONES), shape_names=np.array(bodies.SHAPE),
            coco_names=np.array(BODY_46.joints[:23]),
        )  # fmt: skip
    for part in parts:
        part.unlink()
    folder.rmdir()
    return path
