"""Small data sets in every file layout, as content that tests can change before writing it."""

import json
import pickle
import tempfile
from pathlib import Path

import numpy as np

from camerapose.core import joint_formats, plugins
from camerapose.data.datasets import (
    anny,
    cmu_dance,
    coco,
    human36m,
    humaneva,
    mocap,
    mpi_inf_3dhp,
    mpii,
    open_mocap,
    pw3d,
    rendered,
    ski_pose,
    synthetic,
)
from camerapose.io import keypoints
from helpers import coco as coco_files
from helpers import human36m_official, keypoint_files, miniatures
from helpers import mocap as mocap_files
from helpers.human36m import MPII_METADATA, tree_2d, tree_3d
from helpers.mpii import official_tree, person, write_v5, write_v73


def _json(path, content):
    path.write_text(json.dumps(content))


def _pickle(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))


def _npz(path, content):
    np.savez(path, **{name: np.array(value, object) for name, value in content.items()})


def _plain_npz(path, content):
    np.savez(path, **content)


def _mat(v73):
    return lambda path, content: miniatures.save_mat(path, v73, compressed=False, **content)


def _hdf5(path, content):
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[name] = values


def _text(path, content):
    lines = [" ".join(map(str, words)) for words in content["lines"]]
    path.write_bytes("\n".join(lines).encode(errors="replace"))


def _words(text):
    return {"lines": [line.split() for line in text.splitlines()]}


def _short(tree):
    """Return the first action of the first two subjects."""
    return {s: dict(list(actions.items())[:1]) for s, actions in list(tree.items())[:2]}


def _humaneva():
    rng = np.random.default_rng(0)
    world = rng.normal(0, 0.5, (6, 15, 3))
    views = [world[..., :2] * 80 / (world[..., 2:] + 4 + c) + [300, 200] for c in range(3)]
    names = "Train/S1", "Walking 1 chunk0"
    return {names[0]: {names[1]: world}}, {names[0]: {names[1]: views}}


def _layouts():
    """Return all layouts, see `LAYOUTS`."""
    people = [person("a.jpg"), person("b.jpg", 1, missing=(3,))]
    return {
        **_videopose3d(),
        **_human36m(),
        **_keypoints(),
        **_motion(),
        **_mpi_inf_3dhp(),
        **_bodies(),
        "mpii json": ({"annot/train.json": (people, _json)}, mpii.load),
        "mpii v5": ({mpii.MAT: (official_tree(people), write_v5)}, mpii.load),
        "mpii v7.3": ({mpii.MAT: (official_tree(people), write_v73)}, mpii.load),
        "coco": ({"annotations/person_keypoints_train2017.json": (_coco(), _json)}, coco.load),
        "pw3d": (
            {"sequenceFiles/test/a.pkl": (miniatures.pw3d_sequence(), _pickle)},
            lambda root: pw3d.load(root, keypoints="poses2d"),
        ),
        "ski_pose": ({"test/labels.h5": (miniatures.ski_columns(4)[0], _hdf5)}, ski_pose.load),
    }


def _bodies():
    rng, n = np.random.default_rng(0), 6
    postures = {
        "h36m17": rng.normal(size=(n, 17, 3)), "coco23": rng.normal(size=(n, 23, 3)),
        "bones": rng.normal(size=(n, 6, 3)), "bone_names": list(anny.CENTRES.values()),
        "clip": np.arange(n) % 2, "clips": ["cmu/01/01", "cmu/05/02"], "frame": np.arange(n),
    }  # fmt: skip
    mocap = {
        "joints": rng.normal(size=(n, 17, 3)), "root": rng.normal(size=(n, 3)),
        "frame": np.arange(n), "clip": np.arange(n) % 2, "clips": ["cmu/01/01", "cmu/05/02"],
        "joint_names": [f"joint {i}" for i in range(17)],
    }  # fmt: skip
    dance = {"positions_3d": {"salsa": {"01": rng.normal(size=(4, 17, 3))}}}
    size = np.tile([640.0, 480.0], (n, 1))
    images = {
        "focal": np.full(n, 700.0), "size": size, "image": np.arange(n),
        "coco": rng.normal(size=(n, 23, 3)) + [0, 0, 5], "bones": rng.normal(size=(n, 39, 3)),
        "visible": np.full((n, 23), 2, np.uint8), "shape": rng.uniform(size=(n, 6)),
        "source": np.arange(n), "clip": ["cmu/01/01"] * n,
    }  # fmt: skip
    pixels = images["coco"][:, :17, :2] / images["coco"][:, :17, 2:] * 700 + size[:, None] / 2
    detections = {
        "detected": np.concatenate([pixels, np.full((n, 17, 1), 0.9)], -1), "skeleton": "coco_17",
    }  # fmt: skip

    def load_rendered(root):
        return rendered.to_poses(rendered.read_shard(root / "images.npz", root / "detections.npz"))

    return {
        "anny": ({anny.FILE: (postures, _plain_npz)}, anny.load),
        "open_mocap": ({open_mocap.FILE: (mocap, _plain_npz)}, open_mocap.load),
        "cmu_dance": (
            {cmu_dance.FILE: (dance, _npz), anny.FILE: (postures, _plain_npz)}, cmu_dance.load,
        ),
        "rendered": (
            {"images.npz": (images, _plain_npz), "detections.npz": (detections, _plain_npz)},
            load_rendered,
        ),
    }  # fmt: skip


def _videopose3d():
    tree3d, tree2d = _short(tree_3d()), _short(tree_2d())
    positions = {"data_3d_h36m.npz": ({"positions_3d": tree3d}, _npz)}
    detections = {"positions_2d": tree2d, "metadata": MPII_METADATA}
    subjects, (world, views) = tuple(tree3d), _humaneva()
    return {
        "human36m": (positions, lambda root: human36m.load(root, subjects=subjects)),
        "human36m detections": (
            positions | {"data_2d_h36m_det.npz": (detections, _npz)},
            lambda root: human36m.load(root, subjects=subjects, detections="det"),
        ),
        "humaneva": (
            {
                humaneva.FILES[0]: ({"positions_3d": world}, _npz),
                humaneva.FILES[1]: ({"positions_2d": views}, _npz),
            },
            humaneva.load,
        ),
    }


def _human36m():
    pose = {"pose": human36m_official.world(0, 3)}
    columns = human36m_official.annotations("S1", 1)

    def load(root):
        return human36m.load(root, subjects=("S1",))

    def write(path, content):
        human36m_official.write_cdf(path, content["pose"])

    return {
        "human36m cdf": ({"S1/D3_Positions/Walking.cdf": (pose, write)}, load),
        "human36m h5": (
            {"processed/S1/Walking-1/annot.h5": (columns, human36m_official.write_h5)}, load,
        ),
    }  # fmt: skip


def _motion():
    frames = mocap_files.amc_values(frames=2)
    bvh = _words(mocap_files.bvh_text(frames=2))
    asf, amc = _words(mocap_files.asf_text()), _words(mocap_files.amc_text(frames))

    def load(root):
        return mocap.load(root, frame_step=1)

    return {
        "mocap bvh": ({"walks/a.bvh": (bvh, _text)}, load),
        "mocap amc": ({"01/01.asf": (asf, _text), "01/01_01.amc": (amc, _text)}, load),
    }


def _coco():
    people = [coco_files.person(1, 42, flags=[0, 0, 1, 1] + [2] * 13), coco_files.person(2, 7)]
    sizes = {"width": 640, "height": 480}
    return {
        "images": [{"id": i, "file_name": f"{i:012}.jpg"} | sizes for i in (42, 7)],
        "annotations": people,
        "categories": [
            {"id": 1, "name": "person", "keypoints": list(joint_formats.COCO_17.joints)}
        ],
    }


def _keypoints():
    flat, own = keypoint_files.flat, synthetic.load(n=2)
    people = [{"image_id": 3, "keypoints": flat(seed=s), "score": 0.9} for s in (0, 1)]
    contents = {
        "own results": people,
        "alphapose": [entry | {"image_id": "a_1.jpg", "idx": 1} for entry in people],
        "own coco": {
            "images": [{"id": 3, "file_name": "a_12.jpg", "width": 640, "height": 480}],
            "annotations": [{"id": 1, "image_id": 3, "keypoints": flat(score=2)}],
            "categories": [{"id": 1, "keypoints": list(joint_formats.COCO_17.joints)}],
        },
        "own json": {
            "format": "camerapose", "skeleton": "coco_17", "image_size": [640, 480],
            "poses": [{"frame": 0, "keypoints": np.reshape(flat(), (17, 3))[:, :2].tolist(),
                       "confidence": [0.5] * 17}],
        },
    }  # fmt: skip
    openpose = {
        "version": 1.3,
        "people": [{"pose_keypoints_2d": flat(joint_formats.BODY_25)}],
    }
    columns = {"skeleton": own.skeleton.name} | own.columns()
    return {
        **{
            name: ({"a.json": (content, _json)}, lambda root: keypoints.read(root / "a.json"))
            for name, content in contents.items()
        },
        "openpose": (
            {f"frames/{i}_keypoints.json": (openpose, _json) for i in range(2)},
            lambda root: keypoints.read(root / "frames"),
        ),
        "own npz": ({"a.npz": (columns, _plain_npz)}, lambda root: keypoints.read(root / "a.npz")),
    }


def _mpi_inf_3dhp():
    train, test = (_mpi_content(split) for split in ("train", "test"))
    lines = _words(miniatures.calibration([0, 1]))

    def load_train(root):
        return mpi_inf_3dhp.load(root, subjects=("S1",), cameras=(0, 1))

    def load_test(root):
        options = dict(split="test", subjects=("TS1",), annotation="univ_annot3")
        return mpi_inf_3dhp.load(root, **options)

    layouts = {}
    for kind, write in (("v5", _mat(False)), ("v7.3", _mat(True))):
        files = {}
        for sequence in ("Seq1", "Seq2"):
            files[f"S1/{sequence}/annot.mat"] = train, write
            files[f"S1/{sequence}/camera.calibration"] = lines, _text
        layouts[f"mpi_inf_3dhp {kind}"] = files, load_train
        layouts[f"mpi_inf_3dhp test {kind}"] = {"TS1/annot_data.mat": (test, write)}, load_test
    return layouts


def _mpi_content(split):
    if split == "train":
        pose3d = miniatures.bodies(miniatures.JOINTS_28, 3) + [0, 0, 4]
        pixels = miniatures.project(pose3d, miniatures.intrinsics_of(0))
        return {
            "annot2": [pixels.reshape(3, -1)] * 2, "annot3": [pose3d.reshape(3, -1) * 1000] * 2,
            "univ_annot3": [pose3d.reshape(3, -1) * 900] * 2,
            "cameras": np.array([[0.0, 1.0]]), "frames": np.arange(3.0)[:, None],
        }  # fmt: skip
    pose3d = miniatures.bodies(miniatures.JOINTS_17, 4) + [0, 0, 3]
    pixels = miniatures.project(pose3d, miniatures.TEST_CAMERAS["TS1"][0])
    arrays = [np.moveaxis(x, 0, -1).swapaxes(0, 1)[:, :, None] for x in (pixels, pose3d * 1000)]
    return {
        "annot2": arrays[0], "annot3": arrays[1], "univ_annot3": arrays[1] * 0.9,
        "valid_frame": np.array([[1.0, 0, 1, 1]]), "activity_annotation": np.ones((4, 1)),
    }  # fmt: skip


#: Name of a layout: its files {path: (content, writer)}, and how they are loaded.


def examples(names):
    """Return the layouts of data sets that write an example of themselves."""
    layouts = {}
    for name in names:
        module = plugins.load("datasets", name)
        if not hasattr(module, "example"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            module.example(Path(folder))
            paths = sorted(p for p in Path(folder).rglob("*") if p.is_file())
            files = {
                p.relative_to(folder).as_posix(): (p.read_bytes(), Path.write_bytes) for p in paths
            }
        layouts[name] = (files, module.load)
    return layouts


LAYOUTS = _layouts() | examples(plugins.available("datasets"))
