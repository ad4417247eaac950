"""Ski-Pose PTZ from a miniature labels.h5."""

import numpy as np
import pytest
from helpers.miniatures import JOINTS_SKI, bodies, ski, ski_columns

from camerapose.core.camera import denormalize
from camerapose.data.datasets.ski_pose import expected, files, load


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return ski(tmp_path_factory.mktemp("ski"))


def test_pelvis_position_agrees_with_its_2d(root):
    poses = load(root)
    columns, place = ski_columns()
    np.testing.assert_allclose(poses.root_position, place, rtol=1e-4)
    relative = bodies(JOINTS_SKI, 6)
    relative -= relative[:, :1]
    np.testing.assert_allclose(poses.pose3d - poses.root_position[:, None], relative, atol=1e-5)
    assert poses.reprojection_error.max() < 1e-3  # pixels
    pixels = denormalize(poses.pose2d, poses.image_size)
    np.testing.assert_allclose(pixels, columns["2D"].reshape(6, 17, 2) * 256, atol=1e-3)
    camera = poses.camera.in_pixels((256, 256))
    np.testing.assert_allclose(camera.matrix[:, :2], columns["cam_intrinsic"][:, :2] * 256, 1e-5)
    np.testing.assert_array_equal(poses.camera.translation, poses.root_position)


def test_labels_and_joints(root):
    poses = load(root)
    assert poses.labels["action"].tolist() == ["seq_000"] * 3 + ["seq_001"] * 3
    assert poses.labels["camera"].tolist() == [0, 1, 2, 3, 4, 5]
    assert poses.labels["frame"].tolist() == [1, 2, 3, 4, 5, 6]
    assert poses.labels["subject"].tolist() == ["1"] * 6
    assert set(poses.labels["split"]) == {"test"}
    assert expected() == {"split": {"test": 1716}}
    assert expected(split="train", frame_step=2) == {"split": {"train": 4241}}
    of_16 = load(root, skeleton="h36m_16", frame_step=2)
    assert of_16.labels["frame"].tolist() == [1, 3, 5]
    # their neck is the thorax, what they call head the neck_nose, and the head's top the head
    called = {"thorax": "neck", "neck_nose": "head", "head": "head_top"}
    for some in (poses, of_16):
        for i, joint in enumerate(some.skeleton.joints):
            theirs = JOINTS_SKI.index(called.get(joint, joint))
            assert np.array_equal(some.pose3d[:, i], poses.pose3d[:: 6 // len(some), theirs])


def test_2d_that_is_not_the_projection_is_reported(tmp_path):
    rng = np.random.default_rng(0)
    noisy = ski_columns()[0]["2D"] + rng.normal(0, 8 / 256, (6, 34))
    with pytest.warns(UserWarning, match=r"labels\.h5: the median reprojection error"):
        poses = load(ski(tmp_path, **{"2D": noisy}))
    np.testing.assert_allclose(poses.pose2d[..., 0], noisy.reshape(6, 17, 2)[..., 0] * 2 - 1, 1e-4)
    np.testing.assert_allclose(poses.root_position[:, :2], ski_columns()[1][:, :2], atol=0.2)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(split="valid"), "unknown split 'valid' of Ski-Pose PTZ; give train or test"),
        (dict(skeleton="coco_17"), "available as h36m_17 or h36m_16, not as 'coco_17'"),
        (dict(frame_step=0), "frame_step is 0"),
    ],
)
def test_invalid_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        load(root, **options)


def test_missing(root):
    with pytest.raises(FileNotFoundError, match=r"no .*train.labels\.h5.*epfl\.ch"):
        load(root, split="train")
    assert files(root) == [root / "test" / "labels.h5"]


def a_nan(name, row):
    values = np.array(ski_columns()[0][name], float)
    values[row] = np.nan
    return {name: values}


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"3D": None}, "has no 3D, but 2D, cam_intrinsic"),
        ({"seq": None}, "got|has no seq"),
        ({"3D": np.zeros((6, 48))}, r"3D: got float64 \(6, 48\), expected 51 numbers .* 6"),
        ({"2D": np.zeros((5, 34))}, r"2D: got float64 \(5, 34\)"),
        ({"cam_intrinsic": np.zeros((6, 3, 3))}, "cam_intrinsic, row 0: got .* relative to"),
        ({"seq": np.zeros(0)}, "images"),
        ({"3D": np.array([b"x"] * 6)}, "3D: got"),
        (a_nan("3D", 2), "3D: not all numbers are finite .* first in row 2"),
        (a_nan("2D", 0), "2D: not all numbers are finite .* first in row 0"),
        (a_nan("frame", 5), "frame: not all numbers are finite .* row 5"),
        ({"2D": -ski_columns()[0]["2D"] + 1}, "poses are behind their camera, first in row"),
    ],
)
def test_unexpected_content(tmp_path, changed, message):
    with pytest.raises(ValueError, match=rf"labels\.h5.*({message})"):
        load(ski(tmp_path, **changed))


def test_truncated_and_other_files(root, tmp_path):
    whole = (root / "test" / "labels.h5").read_bytes()
    (tmp_path / "test").mkdir()
    for broken in (b"", whole[: len(whole) // 2], b"no hdf5" * 100):
        (tmp_path / "test" / "labels.h5").write_bytes(broken)
        with pytest.raises(ValueError, match=r"labels\.h5 cannot be read as HDF5 .*epfl\.ch"):
            load(tmp_path)
