"""Files for other programs, read back by other people's readers."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import bvhio
import c3d
import ezc3d
import numpy as np
import pandas
import pygltflib
import pytest
import trimesh
from helpers.clips import walk
from scipy.spatial.transform import Rotation

from camerapose.core import plugins
from camerapose.core.angles import joint_angles
from camerapose.core.joint_formats import H36M_16, H36M_17, H36M_23
from camerapose.core.mass import center_of_mass
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.io.export import Track, _rig, bvh, gltf, opensim, tracks, write

FPS = 25.0


@pytest.fixture(scope="module")
def poses():
    """A calm walk at 25 frames a second that begins at 2 s; frames 10 to 13 unseen."""
    truth, _ = walk(frames=40, fps=FPS)
    labels = truth.labels | {"time": truth.labels["time"] + 2.0}
    truth = clip.optimize(replace(truth, labels=labels))[0]
    return truth[np.r_[0:10, 14:40]]


@pytest.fixture(scope="module")
def track(poses):
    return tracks(poses, start=2.0)[0]


def write_track(writer, path, track):
    """Write a file with one person."""
    if hasattr(writer, "write_people"):
        writer.write_people(path, {0: track})
    else:
        writer.write(path, track)


@pytest.fixture(scope="module")
def written(track, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    paths = {}
    for name in plugins.available("exports"):
        writer = plugins.load("exports", name)
        if hasattr(writer, "write_camera") or name == "usd":
            continue
        paths[name] = folder / f"poses{writer.EXTENSION}"
        write_track(writer, paths[name], track)
    return paths


def test_all_are_there(written):
    assert {
        "bvh",
        "c3d",
        "csv",
        "csv_wide",
        "gltf",
        "kinematics",
        "mot",
        "opensim",
        "parquet",
        "trc",
    } <= set(written)


class TestTrack:
    def test_upright_and_on_its_clock(self, poses, track):
        assert track.fps == pytest.approx(FPS) and track.start == pytest.approx(2.0)
        assert len(track.points) == 40
        np.testing.assert_array_equal(np.flatnonzero(~track.present), [10, 11, 12, 13])
        np.testing.assert_allclose(track.points[3], poses.pose3d[3] * [1, -1, -1])

    def test_gaps_are_straight_lines(self, track):
        filled = track.interpolated()
        middle = (track.points[9] * 3 + track.points[14] * 2) / 5
        np.testing.assert_allclose(filled[11], middle, atol=1e-9)

    def test_people_apart_and_every_other_frame(self, poses):
        b = replace(poses, labels=poses.labels | {"person": np.full(len(poses), 7)})
        both = tracks(Poses.cat([poses, b]))
        assert list(both) == [0, 7]
        even = poses[poses.labels["frame"] % 2 == 0]
        assert tracks(even, start=2.0)[0].fps == pytest.approx(FPS / 2)
        assert len(tracks(even, start=2.0)[0].points) == 20

    def test_people_begin_at_the_same_time(self, poses):
        late = replace(poses[20:], labels=poses[20:].labels | {"person": np.full(16, 1)})
        first, second = tracks(Poses.cat([poses, late])).values()
        assert first.start == second.start == pytest.approx(0, abs=1e-6)
        assert np.flatnonzero(first.present)[0] == 50 and np.flatnonzero(second.present)[0] == 74
        np.testing.assert_allclose(second.interpolated()[0], second.points[74])

    def test_people_share_their_frames(self, poses):
        """Also at an uneven rate, and up to the end of the video."""
        late = replace(poses[20:30], labels=poses[20:30].labels | {"person": np.full(10, 1)})
        both = Poses.cat([poses, late])
        times = both.labels["time"] + (both.labels["frame"] > 30) * 0.2
        for case in (both, replace(both, labels=both.labels | {"time": times})):
            first, second = tracks(case, start=2.0, end=5.0).values()
            assert len(first.points) == len(second.points)
            assert first.times[-1] == pytest.approx(5.0, abs=0.02)
            shown = first.present & second.present
            np.testing.assert_allclose(first.points[shown], second.points[shown], atol=1e-9)
            assert second.times[second.present][0] == pytest.approx(late.labels["time"][0])

    def test_people_are_in_the_order_of_their_numbers(self, poses):
        """Prediction numbers them; confidences of exported joints do not change the order."""
        faint = replace(poses, confidence=poses.confidence / 2)
        certain = replace(poses, labels=poses.labels | {"person": np.full(len(poses), 7)})
        assert list(tracks(Poses.cat([certain, faint]))) == [0, 7]

    def test_frame_numbers(self, poses):
        even = poses[poses.labels["frame"] % 2 == 0]
        track = tracks(even, start=1.6)[0]
        np.testing.assert_array_equal(track.frames, np.arange(-10, 39, 2))
        np.testing.assert_array_equal(track.frames[track.present], even.labels["frame"])
        odd = poses[[0, 2, 5]]
        np.testing.assert_array_equal(np.flatnonzero(tracks(odd, start=2.0)[0].present), [0, 2, 5])

    def test_implausible_frame_numbers(self, poses):
        labels = {"frame": np.array([0, 1, 10**9])}
        with pytest.raises(ValueError, match="at most 1000000"):
            tracks(replace(poses[:3], labels=labels))

    def test_a_changing_frame_rate_is_brought_to_an_even_one(self):
        """By their true times: a person who walks evenly does so in the file."""
        truth, _ = walk(frames=60, fps=30)
        kept = np.r_[0:20, 20:40:2, 41:60]  # every other frame was dropped for a while
        video = truth[kept]
        video = replace(video, labels={**video.labels, "frame": np.arange(len(kept))})
        track = tracks(video)[0]
        assert track.fps == pytest.approx(30) and len(track.points) == 60
        assert track.present.all()
        off = np.linalg.norm(track.points * [1, -1, -1] - truth.pose3d, axis=-1)
        assert off.max() < 0.02 and off[:20].max() < 1e-6

    def test_a_gap_at_a_changing_frame_rate(self):
        truth, _ = walk(frames=60, fps=30)
        labels = {**truth.labels, "time": np.r_[0:30, 30:90:2] / 30}
        rows = np.r_[0:40, 44:60]
        track = tracks(replace(truth, labels=labels)[rows])[0]
        lacking = np.flatnonzero(~track.present)
        np.testing.assert_array_equal(lacking, np.arange(49, 58))  # 48 and 58 were seen

    def test_filled_frames_are_marked(self, poses):
        whole = tracks(clip.fill_gaps(poses, 1.0), start=2.0)[0]
        assert whole.present.all()
        np.testing.assert_array_equal(np.flatnonzero(~whole.detected), [10, 11, 12, 13])

    def test_one_frame_without_a_clock(self, poses):
        bare = replace(poses[:1], labels={"frame": np.array([4])})
        assert tracks(bare)[0].fps == 30 and len(tracks(bare)[0].points) == 1


def test_write_by_suffix(poses, tmp_path):
    assert write(poses, tmp_path / "a.trc", fps=60) == [tmp_path / "a.trc"]
    assert "\nDataRate" in (tmp_path / "a.trc").read_text()
    two = Poses.cat([poses, replace(poses, labels=poses.labels | {"person": np.full(36, 4)})])
    assert [p.name for p in write(two, tmp_path / "b.bvh")] == ["b_0.bvh", "b_4.bvh"]
    assert [p.name for p in write(two, tmp_path / "c.ik.xml")] == ["c_0.ik.xml", "c_4.ik.xml"]
    assert (tmp_path / "c_4.trc").exists() and (tmp_path / "c_4.scale.xml").exists()
    with pytest.raises(ValueError, match=r"expected one of .*\.c3d"):
        write(poses, tmp_path / "a.fbx")
    with pytest.raises(ValueError, match="no 3D"):
        write(replace(poses, pose3d=None), tmp_path / "a.bvh")


def test_tidy_csv(written, track):
    rows = list(csv.DictReader(io.StringIO(written["csv"].read_text())))
    assert list(rows[0]) == ["frame", "time_s", "person", "joint", "x_m", "y_m", "z_m", "filled"]
    assert len(rows) == 36 * 16 and float(rows[0]["time_s"]) == 2.0
    own = [row for row in rows if row["frame"] == "5"]
    assert [row["joint"] for row in own] == list(track.skeleton.joints)
    found = [[float(row[f"{a}_m"]) for a in "xyz"] for row in own]
    np.testing.assert_allclose(found, track.points[5], atol=1e-4)
    assert not [row for row in rows if row["frame"] == "11"]


def test_wide_csv(written, track):
    rows = list(csv.DictReader(io.StringIO(written["csv_wide"].read_text())))
    assert len(rows) == 40 and rows[11]["head_x_m"] == "" and float(rows[0]["time_s"]) == 2.0
    found = [[float(rows[5][f"{j}_{a}_m"]) for a in "xyz"] for j in track.skeleton.joints]
    np.testing.assert_allclose(found, track.points[5], atol=1e-4)


def test_parquet(written):
    table = pandas.read_parquet(written["parquet"])
    expected = pandas.read_csv(written["csv"])
    expected["filled"] = expected["filled"].astype(bool)
    pandas.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert table["frame"].dtype.kind == "i" and table["filled"].dtype.kind == "b"


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_long_tables_are_written_in_parts(written, poses, tmp_path, monkeypatch, name):
    monkeypatch.setattr("camerapose.io.export._table.PART", 7)
    (path,) = write(poses, tmp_path / f"a.{name}", start=2.0)
    read = pandas.read_csv if name == "csv" else pandas.read_parquet
    pandas.testing.assert_frame_equal(read(path), read(written[name]))


def test_standard_deviations(poses, tmp_path):
    """A column of the tables; unknown values are empty. Angles have them, too."""
    std = np.full((len(poses), 16), 0.02, np.float32) + np.arange(16, dtype=np.float32) / 1000
    std[5, 9] = np.inf
    uncertain = replace(poses, pose3d_std=std)
    for name in ("a.csv", "a.wide.csv", "a.parquet", "a.kinematics.csv"):
        write(uncertain, tmp_path / name)
    table = pandas.read_csv(tmp_path / "a.csv")
    assert list(table.columns[4:]) == ["x_m", "y_m", "z_m", "std_m", "filled"]
    expected = np.where(std < np.inf, std, np.nan)
    np.testing.assert_allclose(table["std_m"], expected.ravel(), atol=1e-5)
    parquet = pandas.read_parquet(tmp_path / "a.parquet")
    np.testing.assert_allclose(parquet["std_m"], expected.ravel(), atol=1e-5)
    wide = pandas.read_csv(tmp_path / "a.wide.csv")
    found = wide["head_std_m"][wide["head_x_m"].notna()]
    np.testing.assert_allclose(found, expected[:, H36M_16.index("head")], atol=1e-5)
    angles = pandas.read_csv(tmp_path / "a.kinematics.csv")
    assert list(angles.columns[4:]) == ["value", "std", "unit"]
    knee = angles[angles["quantity"] == "knee_angle_r"]
    assert knee["std"].between(1, 30).all()
    times = poses.labels["time"] + (poses.labels["frame"] > 30) * 0.2
    uneven = replace(uncertain, labels=uncertain.labels | {"time": times})
    track = tracks(uneven)[0]
    shown = track.present[:, None] & np.isfinite(track.std)
    assert (track.std[shown] >= 0.02 - 1e-6).all() and shown.sum() > 500


def test_kinematics(written, track):
    table = pandas.read_csv(written["kinematics"])
    assert list(table.columns) == ["frame", "time_s", "person", "quantity", "value", "unit"]
    expected = joint_angles(track.points, track.skeleton)
    for name, values in expected.items():
        own = table[table["quantity"] == name]
        np.testing.assert_array_equal(own["frame"], np.flatnonzero(track.present))
        np.testing.assert_allclose(own["value"], values[track.present], atol=1e-3)
        assert set(own["unit"]) == {"deg"}
    center = center_of_mass(track.points, track.skeleton)[track.present, 1]
    own = table[table["quantity"] == "center_of_mass_y"]
    np.testing.assert_allclose(own["value"], center, atol=1e-4)
    assert set(own["unit"]) == {"m"}


def test_mot(written, track, poses, tmp_path):
    lines = written["mot"].read_text().splitlines()
    end = lines.index("endheader")
    header = dict(line.split("=") for line in lines[1:end])
    assert header["inDegrees"] == "yes" and header["nRows"] == "40"
    table = pandas.read_csv(written["mot"], sep="\t", skiprows=end + 1)
    assert len(table.columns) == int(header["nColumns"]) and table.notna().all(axis=None)
    np.testing.assert_allclose(table["time"], track.times, atol=1e-6)
    expected = joint_angles(track.points, track.skeleton, pelvis_order="zxy")
    for name in ("knee_angle_r", "hip_flexion_l", "pelvis_tilt"):
        off = (table[name] - expected[name])[track.present]
        np.testing.assert_allclose((off + 180) % 360 - 180, 0, atol=1e-4)
    late = replace(poses[20:30], labels=poses[20:30].labels | {"person": np.full(10, 5)})
    write(Poses.cat([poses, late]), tmp_path / "a.mot")
    table = pandas.read_csv(tmp_path / "a_5.mot", sep="\t", skiprows=end + 1)
    assert table["time"][0] == pytest.approx(late.labels["time"][0])


def test_opensim_setup(track, tmp_path):
    """All files refer to each other and to the same markers."""
    opensim.write(tmp_path / "walk.ik.xml", track)
    assert {path.name for path in tmp_path.iterdir()} == {
        "walk.ik.xml", "walk.scale.xml", "walk.trc", "walk.markers.xml",
    }  # fmt: skip
    joints = set(track.skeleton.joints)
    markers = ElementTree.parse(tmp_path / "walk.markers.xml")
    places = {}
    for marker in markers.iter("Marker"):
        body = marker.findtext("socket_parent_frame")
        places[marker.get("name")] = body, np.fromstring(marker.findtext("location"), sep=" ")
    assert set(places) == joints
    for joint in ("hip", "knee", "elbow", "wrist"):
        (left, a), (right, b) = places[f"left_{joint}"], places[f"right_{joint}"]
        assert left.removesuffix("_l") == right.removesuffix("_r")
        np.testing.assert_allclose(a, b * [1, 1, -1])
    # The shoulders of the neutral model are below the thorax by the person's share of the trunk.
    points = track.points[track.present]
    thorax, spine, left, right = (
        points[:, track.skeleton.index(name)]
        for name in ("thorax", "spine", "left_shoulder", "right_shoulder")
    )
    along = (thorax - spine) / np.linalg.norm(thorax - spine, axis=1, keepdims=True)
    below = ((thorax - (left + right) / 2) * along).sum(1) / ((thorax - spine) * along).sum(1)
    (_, top), (_, shoulder) = places["thorax"], places["left_shoulder"]
    length = top[1] + 0.0815 - places["spine"][1][1]  # origin of the torso in the pelvis
    assert (top[1] - shoulder[1]) / length == pytest.approx(np.median(below), abs=0.002)
    solver = ElementTree.parse(tmp_path / "walk.ik.xml")
    assert {task.get("name") for task in solver.iter("IKMarkerTask")} == joints
    assert next(solver.iter("marker_file")).text == "walk.trc"
    assert next(solver.iter("time_range")).text.split() == ["2.000000", "3.560000"]
    scaling = ElementTree.parse(tmp_path / "walk.scale.xml")
    used = {name for pair in scaling.iter("markers") for name in pair.text.split()}
    assert used <= joints and next(scaling.iter("output_model_file")).text == "walk.osim"
    assert "NaN" not in (tmp_path / "walk.trc").read_text()


def test_tables_contain_all_people(poses, tmp_path):
    late = replace(poses[20:30], labels=poses[20:30].labels | {"person": np.full(10, 5)})
    both = Poses.cat([poses, late])
    for name in ("a.csv", "a.wide.csv", "a.parquet"):
        assert write(both, tmp_path / name) == [tmp_path / name]
    table = pandas.read_csv(tmp_path / "a.csv")
    first = table[table["person"] == 5].iloc[0]
    assert first["frame"] == late.labels["frame"][0]
    assert first["time_s"] == pytest.approx(late.labels["time"][0])


@pytest.fixture(scope="module")
def bridged(poses, tmp_path_factory):
    """The same with its gap filled in, as CSV, C3D and glTF."""
    folder = tmp_path_factory.mktemp("bridged")
    track, paths = tracks(clip.fill_gaps(poses, 1.0), start=2.0)[0], {}
    for name in ("csv_wide", "c3d", "gltf"):
        paths[name] = folder / f"poses{plugins.load('exports', name).EXTENSION}"
        write_track(plugins.load("exports", name), paths[name], track)
    return track, paths


def test_marks_of_what_was_filled_in(bridged):
    track, paths = bridged
    rows = list(csv.DictReader(io.StringIO(paths["csv_wide"].read_text())))
    assert [i for i, row in enumerate(rows) if row["filled"] == "1"] == [10, 11, 12, 13]
    assert float(rows[11]["head_x_m"]) == pytest.approx(track.points[11, 9, 0], abs=1e-4)
    with open(paths["c3d"], "rb") as file:
        frames = np.array([points for _, points, _ in c3d.Reader(file).read_frames()])
    assert (frames[..., 3] >= 0).all()  # all are valid
    masks = ezc3d.c3d(str(paths["c3d"]))["data"]["meta_points"]["camera_masks"]
    np.testing.assert_array_equal(masks[0].all(0), track.detected)
    extras = pygltflib.GLTF2().load(str(paths["gltf"])).animations[0].extras
    assert extras["not_detected"] == {"person_0": [10, 11, 12, 13]}


def test_trc(written, track):
    lines = written["trc"].read_text().splitlines()
    head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    assert head["Units"] == "m" and float(head["DataRate"]) == FPS
    assert head["NumFrames"] == "40" and head["NumMarkers"] == "16"
    assert [n for n in lines[3].split("\t")[2:] if n] == list(track.skeleton.joints)
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"] and lines[5] == ""
    table = np.genfromtxt(lines[6:], delimiter="\t")
    assert table.shape == (40, 2 + 48)
    np.testing.assert_array_equal(table[:, 0], np.arange(1, 41))
    np.testing.assert_allclose(table[:, 1], 2 + np.arange(40) / FPS, atol=1e-5)
    np.testing.assert_allclose(table[:, 2:].reshape(40, 16, 3), track.points, atol=1e-3)
    assert len({line.count("\t") for line in lines[6:]}) == 1
    assert lines[6 + 11].split("\t")[2:] == ["NaN"] * 48  # OpenSim rejects empty cells


def test_c3d(written, track):
    with open(written["c3d"], "rb") as file:
        reader = c3d.Reader(file)
        labels = [label.strip() for label in reader.point_labels]
        frames = np.array([points for _, points, _ in reader.read_frames()])
        assert reader.point_rate == pytest.approx(FPS)
        assert reader.get("POINT:UNITS").string_value.strip() == "mm"
    joints = list(track.skeleton.joints)
    assert labels[:16] == joints and frames.shape[:2] == (40, len(labels))
    angles, frames = frames[:, 16:, :3], frames[:, :16]
    seen = track.present
    x, y, z = np.moveaxis(track.points[seen] * 1000, -1, 0)
    np.testing.assert_allclose(frames[seen, :, :3], np.stack([x, -z, y], -1), atol=1)
    parameters = ezc3d.c3d(str(written["c3d"]))["parameters"]["POINT"]
    assert parameters["X_SCREEN"]["value"] == ["+X"] and parameters["Y_SCREEN"]["value"] == ["+Z"]
    assert (frames[~seen, :, 3] == -1).all() and (frames[seen, :, 3] >= 0).all()
    # Angles are points of a group of their own.
    assert parameters["ANGLES"]["value"] == labels[16:] and "hip_angles_l" in labels
    assert parameters["ANGLE_UNITS"]["value"] == ["deg"]
    expected = joint_angles(track.points, track.skeleton)
    for i, description in enumerate(parameters["DESCRIPTIONS"]["value"][16:]):
        for axis, name in enumerate(description.split(", ")):
            np.testing.assert_allclose(angles[seen, i, axis], expected[name][seen], atol=1e-2)


def test_long_c3d(track, tmp_path):
    """The 16-bit header cannot count the frames."""
    points = np.full((70_000, 16, 3), 0.001)
    points[:, 0, 0] = np.arange(70_000) / 1000
    plugins.load("exports", "c3d").write(tmp_path / "a.c3d", track._replace(points=points))
    with open(tmp_path / "a.c3d", "rb") as file:
        reader = c3d.Reader(file)
        assert reader.last_frame - reader.first_frame + 1 == 70_000
        for number, frame, _ in reader.read_frames():
            last = number, frame[0, 0]
    assert last == (70_000, 69_999.0)


def test_bvh(written, track):
    root = bvhio.readAsHierarchy(str(written["bvh"]))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    assert root.Name == "pelvis" and set(track.skeleton.joints) <= set(joints)
    container = bvhio.readAsBvh(str(written["bvh"]))
    assert container.FrameCount == 40 and container.FrameTime == pytest.approx(1 / FPS)
    for frame in (0, 7, 25, 39):
        root.loadPose(frame)
        found = [list(joints[name].PositionWorld) for name in track.skeleton.joints]
        np.testing.assert_allclose(np.array(found), track.points[frame], atol=1e-3)


def test_bvh_end_sites(written, track):
    """No bone of Blender has length zero, and the feet are above the floor."""
    container = bvhio.readAsBvh(str(written["bvh"]))
    ends = {}

    def visit(joint):
        heads = [child.Offset for child in joint.Children] or [joint.EndSite]
        assert np.linalg.norm(np.mean([list(head) for head in heads], axis=0)) > 0.01
        ends[joint.Name] = list(heads[0])
        for child in joint.Children:
            visit(child)

    visit(container.Root)
    x, y, z = ends["left_ankle"]
    assert z > 0.1 and -0.07 < y < 0


class Glb:
    """The nodes, arrays and animation of a .glb file."""

    def __init__(self, path):
        self.file = pygltflib.GLTF2().load(str(path))
        self.names = [node.name for node in self.file.nodes]
        self.curves = {}
        for channel in self.file.animations[0].channels:
            sampler = self.file.animations[0].samplers[channel.sampler]
            self.times = self.values(sampler.input)[:, 0]
            key = channel.target.node, channel.target.path
            self.curves[key] = self.values(sampler.output)

    def values(self, accessor):
        a = self.file.accessors[accessor]
        view = self.file.bufferViews[a.bufferView]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[a.type]
        kind = {5126: "<f4", 5125: "<u4", 5121: "u1"}[a.componentType]
        data = np.frombuffer(self.file.binary_blob(), kind, a.count * width, view.byteOffset)
        return data.reshape(a.count, width)

    def matrices(self, frame=None):
        """Return the matrix of every node: at rest, or in a frame of the animation."""
        found = {}

        def visit(i, above):
            node, local = self.file.nodes[i], np.eye(4)
            default = {
                "translation": node.translation or [0, 0, 0],
                "rotation": node.rotation or [0, 0, 0, 1],
                "scale": [1, 1, 1],
            }
            if frame is not None:
                for (index, path), curve in self.curves.items():
                    if index == i:
                        default[path] = curve[frame]
            local[:3, :3] = Rotation.from_quat(default["rotation"]).as_matrix() * default["scale"]
            local[:3, 3] = default["translation"]
            found[i] = above @ local
            for child in node.children or []:
                visit(child, found[i])

        for i in self.file.scenes[0].nodes:
            visit(i, np.eye(4))
        return found

    def joints(self, skin, names, frame=None):
        """Return the positions of the joints of a skin, by their names."""
        matrices = self.matrices(frame)
        places = {self.names[i]: matrices[i][:3, 3] for i in self.file.skins[skin].joints}
        return np.array([places[name] for name in names])


def test_gltf(written, track):
    scene = trimesh.load(written["gltf"], force="scene")
    assert len(scene.geometry) == 1
    glb = Glb(written["gltf"])
    np.testing.assert_allclose(glb.times, np.arange(40) / FPS, atol=1e-6)
    for frame in (0, 25, 39):
        found = glb.joints(0, track.skeleton.joints, frame)
        np.testing.assert_allclose(found, track.points[frame], atol=1e-3)
    found = glb.joints(0, track.skeleton.joints)
    np.testing.assert_allclose(found, track.points[0], atol=1e-3)  # without animation


def test_gltf_body(written, track):
    """The skin does not move the body at rest, and the body surrounds the joints."""
    glb = Glb(written["gltf"])
    skin = glb.file.skins[0]
    inverse = np.swapaxes(glb.values(skin.inverseBindMatrices).reshape(-1, 4, 4), 1, 2)
    rest = glb.matrices()
    for joint, matrix in zip(skin.joints, inverse, strict=True):
        np.testing.assert_allclose(rest[joint] @ matrix, np.eye(4), atol=1e-5)
    primitive = glb.file.meshes[0].primitives[0]
    corners = glb.values(primitive.attributes.POSITION)
    assert (corners.min(0) < track.points[0].min(0)).all()
    assert (corners.max(0) > track.points[0].max(0)).all()
    mesh = trimesh.Trimesh(corners, glb.values(primitive.indices).reshape(-1, 3), process=False)
    assert mesh.is_watertight and all(part.volume > 0 for part in mesh.split())
    np.testing.assert_allclose(glb.values(primitive.attributes.WEIGHTS_0).sum(1), 1)


def test_gltf_contains_all_people(poses, tmp_path):
    """A person who appears later is hidden until then, and moves at the right time."""
    late = poses[20:30]
    moved = late.pose3d + np.float32([2, 0, 0])
    late = replace(late, pose3d=moved, labels=late.labels | {"person": np.full(10, 5)})
    assert write(Poses.cat([poses, late]), tmp_path / "a.glb") == [tmp_path / "a.glb"]
    people = tracks(Poses.cat([poses, late]))
    glb = Glb(tmp_path / "a.glb")
    assert len(glb.file.skins) == len(glb.file.meshes) == 2
    first = int(np.flatnonzero(people[5].present)[0])
    found = glb.joints(1, late.skeleton.joints, first)
    np.testing.assert_allclose(found, people[5].points[first], atol=1e-3)
    scale = glb.curves[glb.names.index("person_5"), "scale"]
    np.testing.assert_array_equal(scale[:, 0] > 0, people[5].present)


class TestRig:
    def test_positions_are_met_where_bones_keep_their_length(self, track):
        rig = _rig.fit(track)
        names = [node.name for node in rig.nodes]
        places = rig.world()[0][:, [names.index(j) for j in track.skeleton.joints]]
        seen = track.present
        np.testing.assert_allclose(places[seen], track.points[seen], atol=1e-3)
        identity = rig.rotations @ np.swapaxes(rig.rotations, -1, -2)
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(rig.rotations), 1)

    def test_bones_that_change_their_length(self, poses):
        scale = np.linspace(1, 1.1, len(poses), dtype=np.float32)[:, None, None]
        track = tracks(replace(poses, pose3d=poses.pose3d * scale), start=2.0)[0]
        rig = _rig.fit(track)
        assert sum(rig.moving) > 5
        names = [node.name for node in rig.nodes]
        places = rig.world()[0][:, [names.index(j) for j in track.skeleton.joints]]
        np.testing.assert_allclose(places[track.present], track.points[track.present], atol=1e-6)

    def test_joints_at_varying_distances_have_siblings(self, poses):
        """Blender's FBX importer ignores the motion of an only child relative to its parent."""
        h36m = poses.to(H36M_17)
        points = np.zeros((len(poses), H36M_23.n_joints, 3))
        points[:, :17] = h36m.pose3d * [1, -1, -1]
        stretch = 1 + 0.3 * np.sin(np.arange(len(poses)))[:, None]
        for joint, parent in H36M_23.bones[16:]:
            bone = np.array([0, -0.05, -0.05 if "heel" in H36M_23.joints[joint] else 0.15])
            points[:, joint] = points[:, parent] + bone * stretch
        rig = _rig.fit(Track(H36M_23, points, 30.0, 0.0))
        names = [node.name for node in rig.nodes]
        places = rig.world()[0][:, [names.index(j) for j in H36M_23.joints]]
        np.testing.assert_allclose(places[:, 17:], points[:, 17:], atol=1e-3)
        parents = [node.parent for node in rig.nodes]
        feet = [
            i for i, name in enumerate(names) if rig.moving[i] and ("toe" in name or "heel" in name)
        ]
        assert len(feet) == 6
        assert all(parents.count(parents[i]) > 1 for i in feet)

    def test_knees_and_elbows_bend_about_one_axis(self):
        """Thigh and upper arm turn with the plane of the limb."""
        places = {
            "pelvis": (0, 1, 0), "spine": (0, 1.2, 0), "thorax": (0, 1.4, 0), "head": (0, 1.6, 0),
            "hip": (0.1, 1, 0), "knee": (0.1, 0.6, 0), "shoulder": (0.2, 1.4, 0),
            "elbow": (0.45, 1.4, 0),
        }  # fmt: skip
        turns = np.radians(np.linspace(-60, 60, 9))
        bend = np.sin(1.0) * np.stack([np.sin(turns), 0 * turns, np.cos(turns)], 1)
        places["ankle"] = np.array([0.1, 0.6 - 0.4 * np.cos(1.0), 0]) - 0.4 * bend
        places["wrist"] = np.array([0.45 + 0.25 * np.cos(1.0), 1.4, 0]) + 0.25 * bend[:, [1, 0, 2]]
        points = np.zeros((9, 16, 3))
        for i, joint in enumerate(H36M_16.joints):
            side = [-1 if joint.startswith("right") else 1, 1, 1]
            points[:, i] = places[joint.split("_")[-1]] * np.array(side)
        rig = _rig.fit(Track(H36M_16, points, 30.0, 0.0))
        nodes = [node.name for node in rig.nodes]
        for joint, axis in (("knee", [1, 0, 0]), ("elbow", [0, -1, 0])):
            turn = Rotation.from_matrix(rig.rotations[:, nodes.index(f"left_{joint}")])
            np.testing.assert_allclose(turn.as_rotvec(), np.tile(axis, (9, 1)), atol=1e-6)

    def test_feet_are_level_below_upright_shanks(self):
        upright = Rotation.from_euler("yx", [[30, 0], [30, 40], [30, 90]], degrees=True)
        feet = _rig._level(upright.as_matrix())
        down = feet[:, 1, 2]
        assert down[0] == pytest.approx(0, abs=1e-9) and abs(down[1]) < 0.2
        np.testing.assert_allclose(feet[2], upright.as_matrix()[2], atol=1e-9)

    def test_ends_are_above_the_floor(self):
        """As far as their joints are; a bone that is above it is not turned."""
        bones = Rotation.from_euler("yx", [[30, 0], [30, 40], [30, 90], [0, 10]], degrees=True)
        height, tip = np.array([0.1, 0.1, 0.05, -0.2]), np.array([0.0, -0.05, 0.2])
        raised = _rig._above_floor(bones.as_matrix(), tip, height)
        np.testing.assert_allclose(raised[0], bones.as_matrix()[0])
        ends = height + (raised @ tip)[:, 1]
        np.testing.assert_allclose(ends, [0.05, 0, 0, -0.2], atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(raised), 1)

    def test_smallest_turns(self):
        random = np.random.default_rng(0)
        a, b = (_rig._unit(random.normal(size=(50, 3))) for _ in range(2))
        b[0], b[1] = a[0], -a[1]
        turn = _rig.smallest_rotations(a, b)
        np.testing.assert_allclose(np.einsum("tij,tj->ti", turn, a), b, atol=1e-6)
        np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-6)
        angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
        np.testing.assert_allclose(angle, np.arccos(np.clip((a * b).sum(1), -1, 1)), atol=1e-5)

    def test_angles_are_continuous(self):
        """Also where a knee bends by more than 90 degrees, and after full turns."""
        x = np.radians(np.linspace(0, 150, 16))
        bent = Rotation.from_euler("x", x[:, None]).as_matrix()
        expected = np.stack([0 * x, x, 0 * x], axis=1)
        np.testing.assert_allclose(bvh.continuous(bvh.euler_zxy(bent)), expected, atol=1e-6)
        t = np.linspace(0, 1, 200)
        turns = Rotation.from_euler("ZXY", np.stack([12 * t, 2 * np.sin(9 * t), -9 * t], axis=1))
        angles = bvh.continuous(bvh.euler_zxy(turns.as_matrix()))
        assert np.abs(np.diff(angles, axis=0)).max() < 0.2
        same = Rotation.from_euler("ZXY", angles) * turns.inv()
        np.testing.assert_allclose(same.magnitude(), 0, atol=1e-6)

    def test_angles_and_quaternions_say_the_same_turns(self, track):
        turns = _rig.fit(track).rotations[:, 5]
        z, x, y = np.moveaxis(bvh.euler_zxy(turns), -1, 0)
        one, zero = np.ones_like(x), np.zeros_like(x)

        def stack(*entries):
            return np.stack(entries, -1).reshape(-1, 3, 3)

        rz = stack(np.cos(z), -np.sin(z), zero, np.sin(z), np.cos(z), zero, zero, zero, one)
        rx = stack(one, zero, zero, zero, np.cos(x), -np.sin(x), zero, np.sin(x), np.cos(x))
        ry = stack(np.cos(y), zero, np.sin(y), zero, one, zero, -np.sin(y), zero, np.cos(y))
        np.testing.assert_allclose(rz @ rx @ ry, turns, atol=1e-9)
        q = gltf.quaternions(turns)
        assert ((q[1:] * q[:-1]).sum(1) > 0).all()
        np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1)


def test_contacts(poses, track, tmp_path):
    """Probabilities that the feet stand, only if they are known."""
    assert track.contact is None
    labels = {"contact_left": np.linspace(0, 1, len(poses)), "contact_right": np.zeros(len(poses))}
    standing = replace(poses, labels=poses.labels | labels)
    for name in ("a.csv", "a.wide.csv", "a.parquet"):
        write(standing, tmp_path / name)
    for table in (pandas.read_csv(tmp_path / "a.csv"), pandas.read_parquet(tmp_path / "a.parquet")):
        expected = labels["contact_left"].repeat(16).round(3)
        np.testing.assert_allclose(table["contact_left"], expected)
        assert (table["contact_right"] == 0).all()
    wide = pandas.read_csv(tmp_path / "a.wide.csv")
    present = wide["head_x_m"].notna()
    assert list(wide.columns[4:7]) == ["contact_left", "contact_right", "pelvis_x_m"]
    np.testing.assert_allclose(wide["contact_left"][present], labels["contact_left"], atol=1e-3)
    assert wide["contact_left"][~present].isna().all() and not present.all()
