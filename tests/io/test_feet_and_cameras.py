"""Heels, toes and cameras in exported files."""

import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import bvhio
import ezc3d
import numpy as np
import pandas
import pygltflib
import pytest
from helpers.clips import WALK_FPS, steady_walk, walk
from scipy.spatial.transform import Rotation

from camerapose.core.camera import denormalize
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import BODY_46, H36M_16, H36M_23
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.io.export import tracks, write


@pytest.fixture(scope="module")
def feet():
    """Two seconds of walking in `body_46`, and its joints of `h36m_23`; feet point forward."""
    points = steady_walk(seconds=2)
    body = dict(zip(H36M_16.joints, np.moveaxis(points, 1, 0), strict=True))
    body["neck_nose"] = (body["thorax"] + body["head"]) / 2
    for side, sign in (("left", -1), ("right", 1)):
        ankle = body[f"{side}_ankle"]
        body[f"{side}_heel"] = ankle + [-0.05, -0.05, 0]
        body[f"{side}_big_toe"] = ankle + [0.17, -0.06, -0.02 * sign]
        body[f"{side}_small_toe"] = ankle + [0.14, -0.06, 0.05 * sign]
    joints = [name.removesuffix("_h36m").removesuffix("_centre") for name in BODY_46.joints]
    whole = np.stack([body.get(joint, body["head"]) for joint in joints], axis=1)
    n = len(whole)
    poses = Poses(
        BODY_46, np.zeros((n, 46, 2)), np.ones((n, 46)), whole * [1, -1, -1],
        labels={"frame": np.arange(n), "time": np.arange(n) / WALK_FPS},
    )  # fmt: skip
    return poses, np.stack([body[joint] for joint in H36M_23.joints], axis=1)


def test_feet_in_marker_files(feet, tmp_path):
    poses, points = feet
    write(poses, tmp_path / "a.trc")
    lines = (tmp_path / "a.trc").read_text().splitlines()
    assert [name for name in lines[3].split("\t")[2:] if name] == list(H36M_23.joints)
    table = np.genfromtxt(lines[6:], delimiter="\t")
    np.testing.assert_allclose(table[:, 2:].reshape(points.shape), points, atol=1e-4)
    write(poses, tmp_path / "a.c3d")
    content = ezc3d.c3d(str(tmp_path / "a.c3d"))
    labels = content["parameters"]["POINT"]["LABELS"]["value"]
    heel = content["data"]["points"][:3, labels.index("right_heel")].T / 1000
    x, y, z = points[:, H36M_23.index("right_heel")].T
    np.testing.assert_allclose(heel, np.stack([x, -z, y], -1), atol=1e-4)
    assert "ankle_angles_r" in labels


def test_feet_in_opensim(feet, tmp_path):
    """Feet are markers, and scale the foot of the model."""
    write(feet[0], tmp_path / "a.ik.xml")
    markers = ElementTree.parse(tmp_path / "a.markers.xml")
    places = {m.get("name"): m.findtext("socket_parent_frame") for m in markers.iter("Marker")}
    assert places["left_heel"] == "/bodyset/calcn_l"
    assert places["right_big_toe"] == "/bodyset/toes_r"
    scaling = ElementTree.parse(tmp_path / "a.scale.xml")
    pairs = {m.get("name"): m.find(".//markers").text for m in scaling.iter("Measurement")}
    assert pairs["left_foot"] == "left_heel left_big_toe"
    scaled = [body.get("name") for body in scaling.iter("BodyScale")]
    assert scaled.count("calcn_l") == 1 and scaled.count("tibia_r") == 1


def test_feet_in_animation(feet, tmp_path):
    """Joints are exact; toes and heels have ends."""
    poses, points = feet
    write(poses, tmp_path / "a.bvh")
    root = bvhio.readAsHierarchy(str(tmp_path / "a.bvh"))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    root.loadPose(20)
    for name in ("left_heel", "right_big_toe", "left_small_toe", "right_knee"):
        found = np.array(list(joints[name].PositionWorld))
        np.testing.assert_allclose(found, points[20, H36M_23.index(name)], atol=1e-3)
    text = (tmp_path / "a.bvh").read_text().split("MOTION")[0]
    for name in ("left_heel", "right_big_toe", "left_small_toe"):
        assert "End Site" in text.split(f"JOINT {name}\n")[1].split("JOINT")[0]
    write(poses, tmp_path / "a.glb")
    file = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    assert set(H36M_23.joints) <= {file.nodes[i].name for i in file.skins[0].joints}


def test_feet_in_tables(feet, tmp_path):
    """Tables of joints contain all 46; the ankle has an angle."""
    for name in ("a.csv", "a.kinematics.csv", "a.mot"):
        write(feet[0], tmp_path / name)
    assert set(pandas.read_csv(tmp_path / "a.csv")["joint"]) == set(BODY_46.joints)
    table = pandas.read_csv(tmp_path / "a.kinematics.csv").set_index("quantity")
    assert {"ankle_angle_l", "knee_angle_r", "center_of_mass_y"} <= set(table.index)
    assert "ankle_angle_r" in (tmp_path / "a.mot").read_text()


def test_ground_of_several_joint_definitions(feet):
    ground = clip.estimate_ground(feet[0])
    assert abs(ground.pitch) < 5 and ground.camera_height == pytest.approx(-0.02, abs=0.05)


@pytest.fixture(scope="module")
def poses():
    """A walk that is seen by a camera of 1280 x 720 pixels."""
    truth, _ = walk(frames=20, fps=25.0)
    return replace(truth, image_size=np.tile(np.array([[1280.0, 720.0]], np.float32), (20, 1)))


def read_calibration(path):
    """Return projection matrix and size of the camera, as Pose2Sim's `computeP` does."""
    calibration = tomllib.loads(path.read_text())
    (name,) = [key for key in calibration if key != "metadata"]
    camera = calibration[name]
    assert len(camera["distortions"]) == 4 and camera["fisheye"] is False
    rotation = Rotation.from_rotvec(camera["rotation"]).as_matrix()
    extrinsic = np.concatenate([rotation, np.array(camera["translation"])[:, None]], axis=1)
    return np.array(camera["matrix"]) @ extrinsic, camera["size"]


@pytest.mark.parametrize("level", [False, True])
def test_pose2sim_calibration(poses, level, tmp_path):
    """Exported points are projected to where the camera sees them."""
    tilt = Rotation.from_euler("xz", [20, 7], degrees=True).as_matrix()
    ground = Ground(tilt @ np.diag([1.0, -1.0, -1.0]), 1.6) if level else None
    path = tmp_path / "a.calib.toml"
    assert write(poses, path, ground=ground) == [path]
    matrix, size = read_calibration(path)
    assert size == [1280, 720]
    points = tracks(poses, ground=ground)[0].points[5]  # y up
    world = points[:, [2, 0, 1]]  # Pose2Sim's `zup2yup` makes `points` of these
    image = np.concatenate([world, np.ones((16, 1))], axis=1) @ matrix.T
    expected = denormalize(poses.reprojection, poses.image_size)[5]
    np.testing.assert_allclose(image[:, :2] / image[:, 2:], expected, atol=0.1)


def test_invalid_calibrations(poses, tmp_path):
    path, size = tmp_path / "a.calib.toml", np.array(poses.image_size)
    with pytest.raises(ValueError, match="no image size"):
        write(replace(poses, image_size=None), path)
    size[3] = 320
    with pytest.raises(ValueError, match="2 sizes"):
        write(replace(poses, image_size=size), path)
    camera = replace(poses.camera, distortion=np.full((len(poses), 5), 0.1))
    with pytest.raises(ValueError, match="no k3"):
        write(replace(poses, camera=camera), path)
