"""Small MPII annotations in JSON and in both MATLAB formats."""

import json

import numpy as np
import pytest


def person(image="a.jpg", seed=0, low=20, high=400, missing=()):
    joints = np.random.default_rng(seed).uniform(low, high, (16, 2)).round(1)
    joints[list(missing)] = -1
    visible = np.ones(16, int)
    visible[list(missing)] = 0
    return {
        "image": image, "joints": joints.tolist(), "joints_vis": visible.tolist(),
        "center": joints.max(axis=0).tolist(), "scale": 2.0,
    }  # fmt: skip


def write_json(root, people, split="train"):
    (root / "annot").mkdir(exist_ok=True)
    (root / "annot" / f"{split}.json").write_text(json.dumps(people))
    return root


def official_tree(people):
    """Return structs in structs like the official file; the last image has no people."""
    names = list(dict.fromkeys(p["image"] for p in people))
    images = []
    for name in names:
        persons = []
        for p in people:
            if p["image"] == name:
                points = [
                    {"id": float(j), "x": float(x), "y": float(y), "is_visible": float(j % 2)}
                    for j, ((x, y), v) in enumerate(zip(p["joints"], p["joints_vis"], strict=True))
                    if v
                ]
                place = dict(zip("xy", map(float, p["center"]), strict=True))
                one = {"scale": p["scale"], "objpos": place}
                persons.append(one | ({"annopoints": {"point": points}} if points else {}))
        images.append({"image": {"name": name}, "annorect": persons})
    images.append({"image": {"name": "test.jpg"}, "annorect": [{"scale": 1.0}]})
    return {"annolist": images, "img_train": np.array([1.0] * len(names) + [0.0])}


def write_v5(path, tree):
    scipy_io = pytest.importorskip("scipy.io")

    def as_struct(value):
        """Convert lists of structs to MATLAB's arrays of structs with equal fields."""
        if isinstance(value, dict):
            return {key: as_struct(item) for key, item in value.items()}
        if isinstance(value, list):
            keys = list(dict.fromkeys(key for item in value for key in item))
            array = np.empty((1, len(value)), [(key, object) for key in keys])
            for i, item in enumerate(value):
                for key in keys:
                    array[0, i][key] = as_struct(item[key]) if key in item else np.zeros((0, 0))
            return array
        return value

    scipy_io.savemat(path, {"RELEASE": as_struct(tree)}, do_compression=True)


def write_v73(path, tree):
    """Write version 7.3 as MATLAB does: HDF5 after a block of 512 bytes."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_group("#refs#")

        def refer(value):
            name = f"r{len(references)}"
            put(references, name, value)
            return references[name].ref

        def put(group, name, value):
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if isinstance(value, dict):
                place = group.create_group(name)
                place.attrs["MATLAB_class"] = np.bytes_("struct")
                for key, item in value.items():
                    put(place, key, item)
            elif isinstance(value, list) and value:
                place = group.create_group(name)
                place.attrs["MATLAB_class"] = np.bytes_("struct")
                for key in dict.fromkeys(key for item in value for key in item):
                    column = [refer(item.get(key, [])) for item in value]
                    place.create_dataset(key, data=np.array([column], h5py.ref_dtype).T)
            elif isinstance(value, list):
                place = group.create_dataset(name, data=np.zeros(2, np.uint64))
                place.attrs["MATLAB_class"] = np.bytes_("double")
                place.attrs["MATLAB_empty"] = 1
            elif isinstance(value, str):
                letters = np.array([[ord(c)] for c in value], np.uint16)
                place = group.create_dataset(name, data=letters)
                place.attrs["MATLAB_class"] = np.bytes_("char")
            else:
                place = group.create_dataset(name, data=np.atleast_2d(value).T)
                place.attrs["MATLAB_class"] = np.bytes_("double")

        put(file, "RELEASE", tree)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as file:
        file.write(header)
