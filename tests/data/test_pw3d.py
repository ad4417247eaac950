"""3DPW from miniature sequences, pickled as by Python 2."""

import os

import numpy as np
import pytest
from helpers.miniatures import JOINTS_24, PHONE, bodies, pw3d, pw3d_sequence, save_python2_pickle

from camerapose.core import joint_formats
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import OPENPOSE_18
from camerapose.data.datasets import pw3d as pw3d_data
from camerapose.data.datasets.pw3d import files, load


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return pw3d(tmp_path_factory.mktemp("3dpw"))


def test_people_in_frames_whose_camera_is_valid(root):
    poses = load(root)
    names = ["downtown_walking_00"] * 7 + ["office_phoneCall_00"] * 3
    assert poses.labels["action"].tolist() == names
    assert poses.labels["person"].tolist() == [0] * 4 + [1] * 3 + [0] * 3
    assert poses.labels["frame"].tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 2]
    assert poses.pose3d.dtype == poses.pose2d.dtype == np.float32
    some = load(root, sequences=["office_phoneCall_00"], frame_step=2)
    assert some.labels["frame"].tolist() == [0, 2]


def test_3d_is_in_the_camera_frame(root):
    """The world turns from frame to frame before the camera; the person does not."""
    poses = load(root)
    np.testing.assert_allclose(poses.pose3d[:4], bodies(JOINTS_24, 4, 0) + [0, 0, 4.5], atol=1e-5)
    np.testing.assert_allclose(
        poses.pose3d[4:7], bodies(JOINTS_24, 4, 1)[:3] + [0.3, 0, 4.5], atol=1e-5
    )
    y = poses.pose3d[:, [JOINTS_24.index(j) for j in ("head", "pelvis", "left_ankle")], 1]
    assert (np.diff(y.mean(axis=0)) > 0.3).all()  # y points down


def test_cameras(root):
    poses = load(root)
    assert (poses.image_size == (1080, 1920)).all()
    camera = poses.camera.in_pixels(poses.image_size)
    np.testing.assert_allclose(camera.matrix, np.tile(PHONE, (10, 1, 1)), rtol=1e-5)
    np.testing.assert_array_equal(poses.camera.translation, poses.root_position)
    assert poses.camera.focal[0, 0] == pytest.approx(3.63, abs=0.01)
    assert poses.reprojection_error.max() < 1e-3
    x, y, z = poses.pose3d[0, 7]
    pixel = denormalize(poses.pose2d, poses.image_size)[0, 7]
    np.testing.assert_allclose(pixel, [x / z * 1961.9 + 540, y / z * 1969.2 + 960], atol=1e-2)


def test_openpose_detections(root):
    poses = load(root, keypoints="poses2d")
    # frames without detections are skipped
    assert poses.labels["frame"].tolist() == [0, 1, 3, 0, 1, 0, 1]
    detected = pw3d_sequence(2, seed=0)["poses2d"][0]
    pixels = denormalize(poses.pose2d, poses.image_size)
    for joint in ("left_wrist", "right_knee", "left_shoulder"):
        mine, theirs = poses.skeleton.index(joint), OPENPOSE_18.index(joint)
        np.testing.assert_allclose(pixels[1, mine], detected[1, :2, theirs], atol=1e-3)
        assert poses.confidence[1, mine] == pytest.approx(detected[1, 2, theirs])
    lost = OPENPOSE_18.joints[5]
    assert poses.confidence[0, poses.skeleton.index(lost)] == 0 and np.isfinite(poses.pose2d).all()
    assert poses.confidence[1, JOINTS_24.index("left_hand")] == 0  # its position is unknown


def test_in_human36m_joints(root):
    """As in the literature: SMPL's neck is the thorax, its second spine joint the spine."""
    poses, own = load(root, skeleton="h36m_16"), load(root)
    assert poses.skeleton == joint_formats.get("h36m_16")
    called = {"thorax": "neck", "spine": "spine2"}
    for i, joint in enumerate(poses.skeleton.joints):
        place = JOINTS_24.index(called.get(joint, joint))
        assert np.array_equal(poses.pose3d[:, i], own.pose3d[:, place]), joint
        assert np.array_equal(poses.pose2d[:, i], own.pose2d[:, place])


def test_the_folder_itself_and_other_splits(root, tmp_path):
    assert len(load(root / "sequenceFiles")) == 10
    pw3d(tmp_path, split="validation", names=("courtyard_basketball_01",))
    assert len(load(tmp_path, split="validation")) == 7
    assert [path.stem for path in files(root)] == ["downtown_walking_00", "office_phoneCall_00"]


def test_published_sequences():
    names = pw3d_data.expected()["action"]
    assert len(names) == pw3d_data.SEQUENCES["test"] == 24 and "flat_guitar_01" in names
    assert pw3d_data.expected(sequences=("a",)) == {"action": {"a": None}}
    assert pw3d_data.expected(split="train") == {"action": {}}


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(split="valid"), "unknown split 'valid' of 3DPW; give train, validation, test"),
        (dict(keypoints="hrnet"), "unknown keypoints 'hrnet'; give projection or poses2d"),
        (dict(skeleton="lsp_14"), "available as smpl_24 or h36m_16, not as 'lsp_14'"),
        (dict(frame_step=0), "frame_step is 0"),
    ],
)
def test_invalid_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        load(root, **options)


def test_missing(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \.pkl in .*train.*virtualhumans"):
        load(root, split="train")
    with pytest.raises(FileNotFoundError, match=r"office_no missing in .*downtown_walking_00"):
        load(root, sequences=["office_no"])


def cut(key, person=None):
    def change(content):
        value = content[key]
        content[key] = value[:-1] if person is None else [v[:-1] for v in value]

    return change


def put(key, value):
    def change(content):
        content[key] = value

    return change


def put_number(key, place, number, person=None):
    def change(content):
        (content[key] if person is None else content[key][person])[place] = number

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.pop("jointPositions"), "jointPositions missing; it contains sequence"),
        (lambda c: c.pop("cam_intrinsics"), "cam_intrinsics missing"),
        (cut("jointPositions"), r"poses2d have \[1, 2, 2\]"),
        (put("jointPositions", []), r"poses2d have \[0, 2, 2\]"),
        (put("jointPositions", np.zeros((4, 72))), "jointPositions should be lists"),
        (put("jointPositions", [np.zeros((4, 51))] * 2), r"person 0, jointPositions: got float64"),
        (put("jointPositions", ["x", "y"]), r"person 0, jointPositions: got <class 'str'>"),
        (put("cam_intrinsics", np.zeros((3, 3))), "cam_intrinsics: got .*expected .*pixels"),
        (put("cam_intrinsics", np.full((3, 3), np.nan)), "cam_intrinsics: got .*expected .*pixels"),
        (put("cam_intrinsics", np.eye(4)), r"cam_intrinsics: got float64 \(4, 4\)"),
        (cut("cam_poses"), r"cam_poses: got float64 \(3, 4, 4\), expected numbers \(4, 4, 4\)"),
        (cut("campose_valid", 0), r"person 0, campose_valid: got int64 \(3,\)"),
        (cut("poses2d", 0), r"person 0, poses2d: got float64 \(3, 3, 18\)"),
        (put_number("cam_poses", (1, 0, 0), np.nan), "cam_poses: not all .* first in row 1"),
        (put_number("jointPositions", (2, 5), np.inf, 1), "person 1, jointPositions: .* row 2"),
        (put("campose_valid", [np.zeros(4, int)] * 2), "no frame with a valid camera"),
    ],
)  # fmt: skip
def test_unexpected_sequences(tmp_path, change, message):
    content = pw3d_sequence()
    change(content)
    path = tmp_path / "sequenceFiles" / "test" / "downtown_walking_00.pkl"
    save_python2_pickle(path, content)
    with pytest.raises(ValueError, match=rf"(walking_00\.pkl|sequences of 3DPW).*{message}"):
        load(tmp_path, keypoints="poses2d")


def test_files_that_are_not_pickles(root, tmp_path):
    path = tmp_path / "sequenceFiles" / "test" / "downtown_walking_00.pkl"
    whole = (root / "sequenceFiles" / "test" / "downtown_walking_00.pkl").read_bytes()
    save_python2_pickle(path, [1, 2])
    with pytest.raises(ValueError, match=r"walking_00\.pkl.*cam_poses, .*missing.* list"):
        load(tmp_path)
    for broken in (b"", whole[: len(whole) // 2], b"no pickle"):
        path.write_bytes(broken)
        with pytest.raises(
            ValueError, match=r"walking_00\.pkl can(not|'t) be read as a pickle.*Register"
        ):
            load(tmp_path)


def test_malicious_pickle_is_not_executed(tmp_path, monkeypatch):
    import pickle

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "sequenceFiles" / "test" / "a.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(pw3d_sequence() | {"genders": Hostile()}, protocol=2))
    with pytest.raises(ValueError, match=r"a\.pkl can(not|'t) be read .* asks for \w+\.mkdir"):
        load(tmp_path)
    assert not (tmp_path / "ran").exists()
