"""Damaged and unlike files over all data sets: each is read, or refused by its name.

From a miniature of each layout come files that are cut off, have bits flipped, blocks zeroed,
doubled or lost, or hold values of other types and shapes. Whatever then comes is sound, or it is
a ValueError (or FileNotFoundError) that names the file. The seeds are fixed.
"""

import copy
import json
import pickle
import shutil
import warnings

import numpy as np
import pytest
from helpers import coco as coco_files
from helpers import human36m_official, keypoint_files, miniatures
from helpers import mocap as mocap_files
from helpers.human36m import MPII_METADATA, tree_2d, tree_3d
from helpers.mpii import official_tree, person, write_v5, write_v73

from camerapose.core import formats, plugins
from camerapose.data.datasets import (
    coco,
    human36m,
    humaneva,
    mocap,
    mpi_inf_3dhp,
    mpii,
    pw3d,
    ski_pose,
    synthetic,
)
from camerapose.io import keypoints

#: Mutated files of each layout.
EACH = 64
JUNK = (
    None, True, -1, 0, 1e308, -1e-308, float("nan"), float("inf"), 10**30, "", "x", "\ud800",
    [], [[]], [None], ["x"], {}, {"x": 1}, [[1, 2], [3]], [1] * 5,
)  # fmt: skip


def spoiled_bytes(rng, data):
    """The bytes with something broken in them."""
    data, n = bytearray(data), len(data)
    start, length = int(rng.integers(n)), int(rng.integers(1, 1 + n // 4))
    match rng.integers(7):
        case 0:
            return bytes(data[:start])
        case 1 | 2 | 3:
            for place in rng.integers(n, size=rng.choice([1, 2, 8, 64])):
                data[place] ^= 1 << rng.integers(8)
        case 4:
            data[start : start + length] = bytes(len(data[start : start + length]))
        case 5:
            data[start:start] = data[start : start + length]
        case 6:
            del data[start : start + length]
    return bytes(data)


def spoiled_array(rng, value):
    match rng.integers(9):
        case 0:
            return value[: len(value) // 2]
        case 1:
            return value[..., :-1]
        case 2:
            return value.T
        case 3:
            return value.ravel()
        case 4:
            return value[None]
        case 5:
            return np.zeros((0, *value.shape[1:]), value.dtype)
        case 6:
            return value.astype(complex)
        case 7:
            bad = value.astype(float)
            bad.flat[rng.integers(bad.size)] = rng.choice([np.nan, np.inf, 1e300, -1e9, 0])
            return bad
    return value.astype(float) * rng.choice([0, -1, 1e9, 1e-9, np.nan])


def spoiled(rng, tree):
    """A tree of dicts, lists and arrays with one of its values replaced, lost or doubled."""
    tree = copy.deepcopy(tree)
    nodes, last = [(None, None, tree)], None
    while nodes:  # down a random way
        last = nodes[rng.integers(len(nodes))]
        node = last[2]
        if isinstance(node, dict):
            nodes = [(node, key, value) for key, value in node.items()]
        elif isinstance(node, list):
            nodes = [(node, i, value) for i, value in enumerate(node)]
        else:
            nodes = []
        if rng.random() < 0.15 and last[0] is not None:
            break
    holder, key, value = last
    if holder is None:
        return JUNK[rng.integers(len(JUNK))]
    if isinstance(value, np.ndarray) and value.ndim and value.size and rng.random() < 0.7:
        holder[key] = spoiled_array(rng, value)
    elif rng.random() < 0.3:
        del holder[key]
    elif isinstance(holder, list) and rng.random() < 0.3:
        holder.insert(key, value)
    else:
        holder[key] = JUNK[rng.integers(len(JUNK))]
    return tree


# --- one layout each: files by name, each with how it is written from its content -----------------


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
    """Of each subject and action the first."""
    return {s: dict(list(actions.items())[:1]) for s, actions in list(tree.items())[:2]}


def _humaneva():
    rng = np.random.default_rng(0)
    world = rng.normal(0, 0.5, (6, 15, 3))
    views = [world[..., :2] * 80 / (world[..., 2:] + 4 + c) + [300, 200] for c in range(3)]
    names = "Train/S1", "Walking 1 chunk0"
    return {names[0]: {names[1]: world}}, {names[0]: {names[1]: views}}


def _layouts():
    """Name of a layout: its files {path: (content, writer)}, and how they are loaded."""
    people = [person("a.jpg"), person("b.jpg", 1, missing=(3,))]
    return {
        **_of_videopose3d(),
        **_of_human36m(),
        **_of_keypoints(),
        **_of_motion(),
        **_of_mpi_inf_3dhp(),
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


def _of_videopose3d():
    of_3d, of_2d = _short(tree_3d()), _short(tree_2d())
    positions = {"data_3d_h36m.npz": ({"positions_3d": of_3d}, _npz)}
    detected = {"positions_2d": of_2d, "metadata": MPII_METADATA}
    subjects, (world, views) = tuple(of_3d), _humaneva()
    return {
        "human36m": (positions, lambda root: human36m.load(root, subjects=subjects)),
        "human36m detections": (
            positions | {"data_2d_h36m_det.npz": (detected, _npz)},
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


def _of_human36m():
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


def _of_motion():
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
        "categories": [{"id": 1, "name": "person", "keypoints": list(formats.COCO_17.joints)}],
    }


def _of_keypoints():
    flat, own = keypoint_files.flat, synthetic.load(n=2)
    found = [{"image_id": 3, "keypoints": flat(seed=s), "score": 0.9} for s in (0, 1)]
    contents = {
        "own results": found,
        "alphapose": [entry | {"image_id": "a_1.jpg", "idx": 1} for entry in found],
        "own coco": {
            "images": [{"id": 3, "file_name": "a_12.jpg", "width": 640, "height": 480}],
            "annotations": [{"id": 1, "image_id": 3, "keypoints": flat(score=2)}],
            "categories": [{"id": 1, "keypoints": list(formats.COCO_17.joints)}],
        },
        "own json": {
            "format": "camerapose", "skeleton": "coco_17", "image_size": [640, 480],
            "poses": [{"frame": 0, "keypoints": np.reshape(flat(), (17, 3))[:, :2].tolist(),
                       "confidence": [0.5] * 17}],
        },
    }  # fmt: skip
    openpose = {"version": 1.3, "people": [{"pose_keypoints_2d": [1.0, 2.0, 0.5] * 25}]}
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


def _of_mpi_inf_3dhp():
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
    there = [np.moveaxis(x, 0, -1).swapaxes(0, 1)[:, :, None] for x in (pixels, pose3d * 1000)]
    return {
        "annot2": there[0], "annot3": there[1], "univ_annot3": there[1] * 0.9,
        "valid_frame": np.array([[1.0, 0, 1, 1]]), "activity_annotation": np.ones((4, 1)),
    }  # fmt: skip


LAYOUTS = _layouts()


def _sound(poses):
    n = len(poses)
    assert n > 0
    for name, column in poses.columns().items():
        assert len(column) == n, name
        if column.dtype.kind == "f":
            assert np.isfinite(column).all(), name
    assert ((poses.confidence >= 0) & (poses.confidence <= 1)).all()


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory):
    """The files of a layout, how to load them, and a folder with all of them whole."""
    files, load = LAYOUTS[request.param]
    root = tmp_path_factory.mktemp("whole")
    for name, (content, write) in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name, content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _sound(load(root))
    return request.param, files, load, root


def test_mutated_files_are_read_or_refused_by_name(layout, tmp_path):
    name, files, load, whole = layout
    rng = np.random.default_rng(sum(map(ord, name)))
    refused = 0
    for i in range(EACH):
        root = tmp_path / "data"
        shutil.copytree(whole, root, dirs_exist_ok=True)
        victim = root / list(files)[rng.integers(len(files))]
        content, write = files[victim.relative_to(root).as_posix()]
        if i % 2:
            victim.write_bytes(spoiled_bytes(rng, victim.read_bytes()))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    write(victim, spoiled(rng, content))
                except Exception:  # no file of this kind holds such a value
                    shutil.copyfile(whole / victim.relative_to(root), victim)
                    victim.write_bytes(spoiled_bytes(rng, victim.read_bytes()))
        refused += _read_or_refused(name, i, load, root)
    assert refused > EACH / 4


def _read_or_refused(name, i, load, root):
    named = {p.name if p.is_file() else str(p) for p in root.rglob("*")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _sound(load(root))
            return False
        except (ValueError, FileNotFoundError) as error:
            said = str(error)
            assert any(file in said for file in named), f"{name}, {i}: no file in {said!r}"
            return True
        except Exception as error:
            raise AssertionError(f"{name}, mutation {i}: {type(error).__name__}") from error


def test_there_are_at_least_a_thousand_over_all_adapters():
    assert EACH * len(LAYOUTS) >= 1000
    of_keypoints = {"alphapose", "openpose", "own"}
    told = {name.partition(" ")[0] for name in LAYOUTS} - of_keypoints | {"keypoints"}
    assert told | {"synthetic"} == set(plugins.available("datasets"))  # that one has no files
