"""Human3.6M in the official files (.cdf) and in those of h36m-fetch (.h5)."""

import numpy as np

from camerapose.core.camera import denormalize
from camerapose.data.datasets.human36m.calibration import INTRINSICS, cameras


def world(seed, frames):
    """Metres (frames, 32, 3), rounded as float32 millimetres hold them."""
    random = np.random.default_rng(seed)
    return np.float32(random.normal(0, 0.3, (frames, 32, 3)) + [0, 0, 1])


def write_cdf(path, pose, name="Pose"):
    """Write a file in the official layout: one record of (frames, 96), millimetres."""
    import cdflib

    path.parent.mkdir(parents=True, exist_ok=True)
    file = cdflib.cdfwrite.CDF(path, cdf_spec={"Encoding": 6, "Majority": "Row_major"})
    values = np.float32(pose * 1000).reshape(1, len(pose), -1)
    spec = {
        "Variable": name, "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": list(values.shape[1:]),
    }  # fmt: skip
    file.write_var(spec, var_data=values)
    file.close()


#: Frames of each recording and camera that h36m-fetch selected.
FRAMES = np.array([0, 7, 64])


def annotations(subject, seed, action=14, subaction=1):
    """Columns of an annot.h5: rows go by camera; frames are counted from 1."""
    camera, size = cameras(subject)
    body = world(seed, len(FRAMES))
    pose3d = np.concatenate([camera[i : i + 1].to_camera(body) for i in range(4)])
    pose2d = [
        denormalize(camera[i : i + 1].project(pose3d[3 * i : 3 * i + 3]), size[i]) for i in range(4)
    ]
    n = 4 * len(FRAMES)
    return {
        "pose/2d": np.concatenate(pose2d), "pose/3d": pose3d * 1000, "pose/3d-univ": pose3d * 990,
        "camera": np.repeat(list(INTRINSICS), len(FRAMES)), "frame": np.tile(FRAMES + 1, 4),
        "subject": np.full(n, int(subject[1:])), "action": np.full(n, action),
        "subaction": np.full(n, subaction),
        "intrinsics/54138969": np.array([1145.0, 512.5, 1143.8, 515.5]),
    }  # fmt: skip


def write_h5(path, columns):
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            file.create_dataset(name, data=column)
