"""Miniature data sets in the official file layouts, with known geometry.

Bodies are synthetic. Each writer lists the official order of joints by name, independently of the
adapter, so that an adapter with another order fails.
"""

import pickle
from pathlib import Path

import numpy as np


def _names(text):
    return text.split()


#: Joints of the 28 of MPI-INF-3DHP, in its order (mpii_get_joint_set.m).
JOINTS_28 = _names(
    "spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle left_shoulder left_elbow "
    "left_wrist left_hand right_clavicle right_shoulder right_elbow right_wrist right_hand "
    "left_hip left_knee left_ankle left_foot left_toe right_hip right_knee right_ankle "
    "right_foot right_toe"
)
#: Those of its test set (mpii_get_joints.m, "relevant").
JOINTS_17 = _names(
    "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle pelvis spine head"
)
#: SMPL's.
JOINTS_24 = _names(
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
    "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hand right_hand"
)
#: Ski-Pose PTZ's, which are Human3.6M's.
JOINTS_SKI = _names(
    "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine neck head "
    "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)
#: Intrinsics of the test recordings TS1 to TS4 and TS5 to TS6 in pixels, with the images' sizes.
TEST_CAMERAS = {
    "TS1": ((1500.17, 1500.17, 1017.39, 1043.03), (2048, 2048)),
    "TS6": ((1683.98, 1683.98, 939.86, 560.14), (1920, 1080)),
}


def bodies(joints, frames, seed=0):
    """Return (frames, joints, 3), metres: joints around the pelvis, placed by name, y down."""
    heights = {"toe": 0.92, "foot": 0.9, "ankle": 0.85, "knee": 0.45, "hip": 0.0, "pelvis": 0.0}
    heights |= {"spine": -0.2, "spine1": -0.1, "spine2": -0.2, "spine3": -0.3, "spine4": -0.4}
    heights |= {"neck": -0.5, "head": -0.6, "head_top": -0.75, "clavicle": -0.47, "collar": -0.47}
    heights |= {"shoulder": -0.45, "elbow": -0.2, "wrist": 0.05, "hand": 0.12}
    sides = {"left": 0.15, "right": -0.15}  # who faces the camera has the left side at x above 0
    halves = [(j.partition("_")[0], j.removeprefix("left_").removeprefix("right_")) for j in joints]
    body = np.array([[sides.get(side, 0.0), heights[name], 0] for side, name in halves])
    return body + np.random.default_rng(seed).normal(0, 0.04, (frames, len(joints), 3))


def project(pose3d, intrinsics):
    """Return the pixels of points (..., 3) in the camera frame; fx, fy, cx, cy."""
    fx, fy, cx, cy = intrinsics
    return pose3d[..., :2] / pose3d[..., 2:] * [fx, fy] + [cx, cy]


def save_mat(path, v73=False, compressed=True, **variables):
    """Write a .mat file of either version; a list becomes a column of cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if v73:
        return _save_hdf5(path, variables)
    from scipy.io import savemat

    for name, value in variables.items():
        if isinstance(value, list):
            cells = np.empty((len(value), 1), object)
            for i, cell in enumerate(value):
                cells[i, 0] = cell
            variables[name] = cells
    savemat(path, variables, do_compression=compressed)
    return path


def _save_hdf5(path, variables):
    """Write version 7.3 as MATLAB does: a text block first, reversed axes, cells as references."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if not isinstance(value, list):
                file[name] = np.atleast_2d(value).T
                file[name].attrs["MATLAB_class"] = np.bytes_("double")
                continue
            cells = file.require_group("#refs#")
            references = []
            for i, cell in enumerate(value):
                cells[f"{name}{i}"] = np.atleast_2d(cell).T
                references.append(cells[f"{name}{i}"].ref)
            file.create_dataset(name, data=np.array([references], h5py.ref_dtype))
            file[name].attrs["MATLAB_class"] = np.bytes_("cell")
    with path.open("r+b") as file:
        header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Tue May  9 2017 HDF5"
        file.write(header.ljust(124) + b"\x00\x02IM")
    return path


def mpi_train(root, subjects=("S1",), n_frames=5, v73=False, n_cameras=14, **changed):
    """Write S1/Seq1 and so on. Camera c of recording r sees bodies of seed 100 r + c."""
    for i, (subject, sequence) in enumerate((s, q) for s in subjects for q in ("Seq1", "Seq2")):
        folder = Path(root) / subject / sequence
        annot2, annot3, univ = [], [], []
        for camera in range(n_cameras):
            pose3d = bodies(JOINTS_28, n_frames, 100 * i + camera) + [0.1, 0.2, 3.5]
            annot3.append(pose3d.reshape(n_frames, -1) * 1000)
            univ.append(pose3d.reshape(n_frames, -1) * 900)
            annot2.append(project(pose3d, intrinsics_of(camera)).reshape(n_frames, -1))
        variables = dict(
            annot2=annot2, annot3=annot3, univ_annot3=univ,
            cameras=np.arange(n_cameras)[None].astype(float),
            frames=np.arange(n_frames)[:, None].astype(float),
        )  # fmt: skip
        variables = {k: v for k, v in (variables | changed).items() if v is not None}
        save_mat(folder / "annot.mat", v73, **variables)
        (folder / "camera.calibration").write_text(calibration(range(n_cameras)))
    return Path(root)


def intrinsics_of(camera):
    return 1497.7 + camera, 1497.1 + camera, 1024.7 - camera, 1051.4 + camera


def calibration(cameras):
    """Return camera.calibration of the training set."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    for c in cameras:
        fx, fy, cx, cy = intrinsics_of(c)
        lines += [
            f"name          {c}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            f"  intrinsic   {fx} 0 {cx} 0 0 {fy} {cy} 0 0 0 1 0 0 0 0 1 ",
            "  extrinsic   0.96 0 0.28 -562.8 0 -1 0 1398.1 0.28 0 -0.96 3852.6 0 0 0 1 ",
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def mpi_test(root, v73=True, frames=6, **changed):
    """Write TS1 to TS6; their second frame is not valid."""
    for i in range(1, 7):
        subject = f"TS{i}"
        intrinsics = TEST_CAMERAS["TS1" if i < 5 else "TS6"][0]
        pose3d = bodies(JOINTS_17, frames, i) + [0.2, 0.1, 3.0]
        valid = np.ones((1, frames))
        valid[0, 1] = 0
        as_there = [
            np.moveaxis(x, 0, -1).swapaxes(0, 1)[:, :, None]  # axes x 17 x 1 x frames
            for x in (project(pose3d, intrinsics), pose3d * 1000, pose3d * 900)
        ]
        variables = dict(
            annot2=as_there[0], annot3=as_there[1], univ_annot3=as_there[2], valid_frame=valid,
            activity_annotation=np.arange(frames)[:, None] % 7 + 1.0,
            bb_crop=np.zeros((34, frames)),
        )  # fmt: skip
        variables = {k: v for k, v in (variables | changed).items() if v is not None}
        save_mat(Path(root) / subject / "annot_data.mat", v73, **variables)
    return Path(root)


#: Of 3DPW: portrait and landscape.
PHONE = np.array([[1961.9, 0, 540.0], [0, 1969.2, 960.0], [0, 0, 1]])


def a_camera_pose(frame):
    """Return world to camera (4, 4): a phone that rotates a little in each frame."""
    angle = 0.1 * frame + 0.3
    pose = np.eye(4)
    pose[:3, :3] = [
        [np.cos(angle), 0, np.sin(angle)], [0, -1, 0], [np.sin(angle), 0, -np.cos(angle)],
    ]  # fmt: skip
    pose[:3, 3] = [0.1, 0.4, 4.0 + 0.1 * frame]
    return pose


def pw3d_sequence(people=2, frames=4, seed=0):
    """Return the content of a sequence. The camera of person 1 is not valid in the last frame."""
    rng = np.random.default_rng(seed)
    cam_poses = np.array([a_camera_pose(f) for f in range(frames)])
    positions, poses2d, valid = [], [], []
    for i in range(people):
        points = bodies(JOINTS_24, frames, seed + i) + [0.3 * i, 0, 4.5]
        world = (points - cam_poses[:, None, :3, 3]) @ cam_poses[:, :3, :3]  # R^T (x - t)
        positions.append(world.reshape(frames, 72))
        detected = np.zeros((frames, 3, 18))
        detected[:, :2] = rng.uniform(100, 900, (frames, 2, 18))
        detected[:, 2] = rng.uniform(0.3, 1, (frames, 18))
        detected[0, :, 5] = 0  # a joint that was not detected
        detected[2] = 0  # a frame without detections
        poses2d.append(detected)
        valid.append(np.ones(frames, int))
    valid[-1][-1] = 0
    return {
        "sequence": "downtown_walking_00", "jointPositions": positions, "poses2d": poses2d,
        "campose_valid": valid, "cam_poses": cam_poses, "cam_intrinsics": PHONE,
        "genders": ["m", "f"][:people], "img_frame_ids": np.arange(frames) * 2,
        "betas": [rng.normal(size=10) for _ in range(people)], "texture_maps": [],
        "poses": [np.zeros((frames, 72)) for _ in range(people)],
        "trans": [np.zeros((frames, 3)) for _ in range(people)],
    }  # fmt: skip


class _Python2Pickler(pickle._Pickler):
    """Protocol 2 as Python 2 with numpy 1 wrote it: strings are bytes, modules have old names."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(b"T" + len(value).to_bytes(4, "little") + value)

    def save_text(self, value):
        self.save_bytes(value.encode("latin1"))

    def save_global(self, value, name=None):
        module = value.__module__.replace("numpy._core", "numpy.core")
        module = module.replace("builtins", "__builtin__")
        self.write(f"c{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes], dispatch[str] = save_bytes, save_text
    dispatch[type] = dispatch[type(save_text)] = save_global


def save_python2_pickle(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        _Python2Pickler(file, protocol=2).dump(content)
    return path


def pw3d(root, split="test", names=("downtown_walking_00", "office_phoneCall_00")):
    for i, name in enumerate(names):
        content = pw3d_sequence(people=2 - i, seed=10 * i) | {"sequence": name}
        save_python2_pickle(Path(root) / "sequenceFiles" / split / f"{name}.pkl", content)
    return Path(root)


def ski_columns(images=6, seed=0):
    """Return the columns of labels.h5, and the position of each pelvis."""
    rng = np.random.default_rng(seed)
    relative = bodies(JOINTS_SKI, images, seed)
    relative -= relative[:, :1]
    place = np.stack([rng.uniform(-1, 1, images), rng.uniform(-1, 1, images),
                      rng.uniform(25, 60, images)], 1)  # fmt: skip
    intrinsic = np.zeros((images, 3, 3))
    intrinsic[:, 0, 0] = intrinsic[:, 1, 1] = rng.uniform(8, 12, images)
    intrinsic[:, :2, 2], intrinsic[:, 2, 2] = rng.uniform(0.3, 0.7, (images, 2)), 1
    points = (relative + place[:, None]) @ np.swapaxes(intrinsic, 1, 2)
    return {
        "3D": relative.reshape(images, 51),
        "2D": (points[..., :2] / points[..., 2:]).reshape(images, 34),
        "cam_intrinsic": intrinsic, "cam_position": rng.normal(size=(images, 3)),
        "R_cam_2_world": np.tile(np.eye(3), (images, 1, 1)), "seq": np.arange(images) // 3,
        "cam": np.arange(images) % 6, "frame": np.arange(images) + 1, "subj": np.ones(images, int),
    }, place  # fmt: skip


def ski(root, split="test", **changed):
    import h5py

    path = Path(root) / split / "labels.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in (ski_columns()[0] | changed).items():
            if values is not None:
                file[name] = values
    return Path(root)
