"""The second person of the sample video is in every exported file at the right time."""

from importlib.resources import files

import ezc3d
import numpy as np
import pandas
import pygltflib
import pytest

import camerapose
from camerapose.infer import clip
from camerapose.io.export import write

#: Frames of the sample keypoints in which person 1 is the first and the last time, and their rate.
FIRST, LAST, FPS, STEP = 42, 198, 30.0, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of all formats."""
    keypoints = files("camerapose") / "samples" / "demo_keypoints.npz"
    poses = camerapose.predict(str(keypoints), fps=FPS, smooth=1.0)
    own = poses.labels["frame"][poses.labels["person"] == 1]
    assert (own.min(), own.max()) == (FIRST, LAST)
    folder, ground = tmp_path_factory.mktemp("sample"), clip.estimate_ground(poses)
    suffixes = ["csv", "wide.csv", "parquet", "kinematics.csv", "trc", "mot", "ik.xml", "c3d"]
    for suffix in [*suffixes, "bvh", "glb"]:
        write(poses, folder / f"a.{suffix}", ground=ground)
    return folder


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.kinematics.csv", "a.wide.csv"])
def test_tables(folder, name):
    table = (pandas.read_parquet if name.endswith("parquet") else pandas.read_csv)(folder / name)
    own = table[table["person"] == 1].dropna(subset=[c for c in table if c.endswith("x_m")])
    assert own["time_s"].min() == pytest.approx(FIRST / FPS)
    assert own["time_s"].max() == pytest.approx(LAST / FPS)
    assert (own["frame"].min(), own["frame"].max()) == (FIRST, LAST)


def test_marker_files(folder):
    """Also those for OpenSim, which replace the .trc."""
    rows = np.genfromtxt((folder / "a_1.trc").read_text().splitlines()[6:], delimiter="\t")
    shown = np.isfinite(rows).all(1)
    np.testing.assert_allclose(rows[shown][[0, -1], 1], [FIRST / FPS, LAST / FPS], atol=1e-5)
    assert f"<time_range>{FIRST / FPS:.6f} {LAST / FPS:.6f}" in (folder / "a_1.ik.xml").read_text()
    motion = (folder / "a_1.mot").read_text().split("endheader\n")[1].splitlines()
    times = [float(line.split("\t")[0]) for line in motion[1:]]
    np.testing.assert_allclose(times[:: len(times) - 1], [FIRST / FPS, LAST / FPS], atol=1e-5)
    content = ezc3d.c3d(str(folder / "a_1.c3d"))
    valid = np.flatnonzero((content["data"]["meta_points"]["residuals"][0] >= 0).all(0))
    rate = content["parameters"]["POINT"]["RATE"]["value"][0]
    np.testing.assert_allclose(valid[[0, -1]] / rate, [FIRST / FPS, LAST / FPS], atol=1e-5)


def test_animation(folder):
    """BVH moves, and glTF is shown, from the first to the last pose."""
    text = (folder / "a_1.bvh").read_text().split("MOTION\n")[1].splitlines()
    period = float(text[1].split(":")[1])
    values = np.array([line.split() for line in text[2:]], float)
    moving = np.flatnonzero((np.diff(values, axis=0) != 0).any(1))
    assert period == pytest.approx(STEP / FPS)
    assert moving[0] * period == pytest.approx(FIRST / FPS)
    assert (moving[-1] + 1) * period == pytest.approx(LAST / FPS)
    file = pygltflib.GLTF2().load(str(folder / "a.glb"))
    node = [node.name for node in file.nodes].index("person_1")
    channel = next(
        c for c in file.animations[0].channels
        if (c.target.node, c.target.path) == (node, "scale")
    )  # fmt: skip
    sampler = file.animations[0].samplers[channel.sampler]
    times, scale = (_values(file, index) for index in (sampler.input, sampler.output))
    shown = times[scale.reshape(len(times), 3)[:, 0] == 1]
    np.testing.assert_allclose(shown[[0, -1]], [FIRST / FPS, LAST / FPS], atol=1e-5)


def _values(file, index):
    accessor = file.accessors[index]
    view = file.bufferViews[accessor.bufferView]
    return np.frombuffer(file.binary_blob(), "<f4", view.byteLength // 4, view.byteOffset)
