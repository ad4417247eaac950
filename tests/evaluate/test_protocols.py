"""Named test sets: their poses match their descriptions."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import miniatures
from helpers.human36m import tree_3d
from helpers.paths import HUMAN36M, needs_human36m

from camerapose.data.datasets import human36m
from camerapose.data.datasets.human36m.calibration import cameras
from camerapose.evaluate.novel_cameras import DISTANCE, FOCAL, PITCH, novel_cameras
from camerapose.evaluate.protocols import NOVEL_SIZES, load


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=tree_3d())
    return tmp_path


@pytest.fixture
def many(root):
    """Return a few hundred rows, so that draws cover their ranges."""
    poses = human36m.load(root, subjects=("S1", "S9"))
    return poses[np.arange(600) % len(poses)]


@pytest.mark.parametrize("size", NOVEL_SIZES.values(), ids=NOVEL_SIZES.keys())
def test_novel_cameras_cover_their_ranges(many, size):
    projected = novel_cameras(many, size)
    aspect = size[1] / size[0]
    distance = np.linalg.norm(projected.root_position, axis=1)
    place = projected.pose2d[:, projected.skeleton.root_index] / [0.5, 0.5 * aspect]
    for values, (low, high) in (
        (projected.camera.focal[:, 0], FOCAL),
        (distance, DISTANCE),
        (place[:, 0], (-1, 1)),
        (place[:, 1], (-1, 1)),
    ):
        width = high - low
        assert low - 1e-4 <= values.min() < low + 0.1 * width
        assert high - 0.1 * width < values.max() <= high + 1e-4
    assert (projected.image_size == size).all()
    np.testing.assert_allclose(projected.reprojection, projected.pose2d, atol=1e-6)


def test_shape_and_up_direction_are_kept(many):
    projected = novel_cameras(many, (1280, 720))
    for poses in (many, projected):
        span = np.linalg.norm(poses.pose3d - poses.root_position[:, None], axis=-1)
        np.testing.assert_allclose(
            span, np.linalg.norm(many.pose3d - many.root_position[:, None], axis=-1), atol=1e-5
        )
    # the vertical in the frame of a camera of pitch p: up and, looking down, towards the viewer
    above = cameras("S1")[0]
    up_of_source = above.rotation[many.labels["camera"]] @ [0, 0, 1]
    body = replace(
        many,
        pose3d=np.float32(
            many.root_position[:, None] + up_of_source[:, None] * np.ones((1, 16, 1))
        ),
    )
    body.pose3d[:, many.skeleton.root_index] = many.root_position
    subjects = many.labels["subject"] == "S1"
    standing = novel_cameras(body[subjects], (1280, 720))
    up = (standing.pose3d - standing.root_position[:, None])[:, 5]
    pitch = np.degrees(np.arcsin(-up[:, 2] / np.linalg.norm(up, axis=1)))
    assert np.abs(up[:, 0]).max() < 1e-4  # no roll
    assert (up[:, 1] < 0).all()  # y points down
    low, high = PITCH
    assert low - 0.1 <= pitch.min() < low + 6 and high - 6 < pitch.max() <= high + 0.1


def test_seed(many):
    a, b, c = (novel_cameras(many, (720, 1280), seed=s) for s in (0, 0, 1))
    assert np.array_equal(a.pose2d, b.pose2d) and not np.array_equal(a.pose2d, c.pose2d)


def test_each_pose_is_used_once(root):
    test = load("novel_portrait", root, subjects=("S9",))
    assert len(test.poses) == 8 and "720 x 1280" in test.protocol and test.target2d is None


def test_invalid_options(root):
    with pytest.raises(ValueError, match="known are human36m, novel_landscape.*pw3d_24, ski"):
        load("3dpw", root)
    with pytest.raises(ValueError, match="pw3d_16 has only poses2d as detections"):
        load("pw3d_16", root, detections="det")
    with pytest.raises(ValueError, match="ski_pose has no detections"):
        load("ski_pose", root, detections="poses2d")
    with pytest.raises(ValueError, match="humaneva has no detections"):
        load("humaneva", root, detections="det")


class TestMpiInf3dhp:
    @pytest.mark.parametrize("name, joints", [("h36m_16", 16), ("h36m_17", 17), ("coco_17", 16)])
    def test_joint_format_of_the_model_if_available(self, others, name, joints):
        test = load("mpi_inf_3dhp", others, skeleton=name)
        assert test.poses.skeleton.n_joints == joints and test.joints is None
        assert len(test.poses) == 30 and test.source2d == "ground truth"
        assert "TS1 to TS6, 30 valid frames of 2,929 published, univ_annot3" in test.protocol

    def test_universal_annotation(self, others):
        poses = load("mpi_inf_3dhp", others).poses
        knee, hip = (poses.pose3d[:, poses.skeleton.index(f"left_{j}")] for j in ("knee", "hip"))
        true = miniatures.bodies(miniatures.JOINTS_17, 6, 1)[0]
        there = [miniatures.JOINTS_17.index(f"left_{j}") for j in ("knee", "hip")]
        expected = 0.9 * (true[there[0]] - true[there[1]])
        np.testing.assert_allclose((knee - hip)[0], expected, atol=1e-5)

    def test_fourteen_joints_of_the_official_measure(self, others):
        test = load("mpi_inf_3dhp_14", others, skeleton="h36m_17")
        # the first 14 of the official list, by the names that they have here
        called = {"neck": "thorax", "head_top": "head"}
        official = {called.get(joint, joint) for joint in miniatures.JOINTS_17[:14]}
        assert set(test.joints) == official and len(test.joints) == 14
        assert test.poses.skeleton.name == "h36m_16" and "PCK@150 and AUC" in test.protocol

    def test_fewer_frames(self, others):
        test = load("mpi_inf_3dhp", others, frame_step=2)
        assert len(test.poses) == 18 and "published" not in test.protocol


class TestPw3d:
    @pytest.mark.parametrize(
        "name, skeleton, scored",
        [("pw3d_16", "h36m_16", 16), ("pw3d_14", "h36m_16", 14), ("pw3d_24", "smpl_24", 24)],
    )
    def test_by_number_of_joints(self, others, name, skeleton, scored):
        test = load(name, others)
        assert test.poses.skeleton.name == skeleton
        assert len(test.joints or test.poses.skeleton.joints) == scored
        assert len(test.poses) == 10 and test.source2d == "projection of the 3D"
        assert (
            "3DPW, test, 2 sequences of 24 published, frames with a valid camera" in test.protocol
        )
        if scored == 14:
            assert not {"pelvis", "spine"} & set(test.joints)

    def test_detections(self, others):
        test = load("pw3d_16", others, detections="poses2d")
        assert test.source2d == "poses2d (OpenPose)" and len(test.poses) == 7
        np.testing.assert_allclose(test.target2d, test.poses.reprojection)
        assert np.abs(test.target2d - test.poses.pose2d).max() > 0.1


def test_ski_pose(others):
    test = load("ski_pose", others, skeleton="h36m_17")
    assert test.poses.skeleton.name == "h36m_17" and len(test.poses) == 6
    assert test.protocol == "Ski-Pose PTZ, test, 6 images of 1,716 published"


@needs_human36m
def test_real_poses_are_upright():
    """Heads are above feet in nearly all of the test poses, whatever the heading."""
    poses = load("novel_landscape", HUMAN36M, subjects=("S11",), frame_step=50).poses
    y = {j: poses.pose3d[:, poses.skeleton.index(j), 1] for j in ("head", "left_ankle")}
    assert (y["head"] < y["left_ankle"]).mean() > 0.95
    assert np.isfinite(poses.pose2d).all()
