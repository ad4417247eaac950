"""MPI-INF-3DHP from miniatures in the official layout, in both versions of MATLAB files."""

import numpy as np
import pytest
from helpers import miniatures
from helpers.miniatures import (
    JOINTS_17,
    JOINTS_28,
    TEST_CAMERAS,
    bodies,
    calibration,
    mpi_test,
    mpi_train,
)

from camerapose.core import joint_formats
from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.data.datasets import mpi_inf_3dhp
from camerapose.data.datasets.mpi_inf_3dhp import load
from camerapose.data.datasets.mpi_inf_3dhp.published import FRAMES, VALID_FRAMES
from camerapose.data.readers.matlab import read_mat


@pytest.fixture(scope="module", params=[False, True], ids=["v5", "v7.3"])
def root(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("3dhp")
    mpi_train(root, subjects=("S1", "S8"), v73=request.param)
    return mpi_test(root, v73=request.param)


class TestTrain:
    def test_every_recording_camera_and_frame(self, root):
        poses = load(root, subjects=("S8", "S1"))
        assert len(poses) == 4 * 8 * 5 and poses.pose3d.dtype == poses.pose2d.dtype == np.float32
        labels = poses.labels
        rows = list(zip(labels["subject"], labels["action"], labels["camera"], strict=True))[::5]
        cameras = [0, 1, 2, 4, 5, 6, 7, 8]
        wanted = [(s, q, c) for s in ("S8", "S1") for q in ("Seq1", "Seq2") for c in cameras]
        assert rows == wanted
        assert labels["frame"].tolist() == [0, 1, 2, 3, 4] * 32

    def test_joint_positions(self, root):
        """Seq2 of S1 before camera 5, joint by joint of the official list."""
        poses = load(root, subjects=("S1",), cameras=(5,), skeleton="mpi_inf_3dhp_28")[5:]
        np.testing.assert_allclose(
            poses.pose3d, bodies(JOINTS_28, 5, 105) + [0.1, 0.2, 3.5], atol=1e-5
        )
        assert poses.skeleton.n_joints == 28 and poses.skeleton.joints[4] == "pelvis"
        of_17 = load(root, subjects=("S1",), cameras=(5,))[5:]
        for i, name in enumerate(JOINTS_17):
            joint = poses.pose3d[:, JOINTS_28.index(name)]
            assert np.array_equal(of_17.pose3d[:, i], joint)

    def test_3d_seen_by_the_calibrated_camera_is_the_2d(self, root):
        poses = load(root, subjects=("S1",), cameras=range(14))
        assert poses.reprojection_error.max() < 1e-3  # pixels
        camera = poses[poses.labels["camera"] == 13].camera.in_pixels((2048, 2048))
        np.testing.assert_allclose(camera.focal[0], miniatures.intrinsics_of(13)[:2], rtol=1e-6)
        np.testing.assert_allclose(camera.center[0], miniatures.intrinsics_of(13)[2:], rtol=1e-6)
        assert (poses.image_size == 2048).all()
        np.testing.assert_array_equal(poses.camera.translation, poses.root_position)

    def test_steps(self, root):
        some = load(root, subjects=("S1",), cameras=(2,), frame_step=2)
        assert some.labels["frame"].tolist() == [0, 2, 4] * 2
        every = load(root, subjects=("S1",), cameras=(2,))
        assert np.array_equal(some.pose3d, every.pose3d[[0, 2, 4, 5, 7, 9]])

    def test_universal_bodies_have_the_positions_of_the_real_ones(self, root):
        true = load(root, subjects=("S1",), skeleton="mpi_inf_3dhp_28")
        scaled = load(root, subjects=("S1",), skeleton="mpi_inf_3dhp_28", annotation="univ_annot3")
        np.testing.assert_array_equal(scaled.root_position, true.root_position)
        relative, of_true = (p.pose3d - p.root_position[:, None] for p in (scaled, true))
        np.testing.assert_allclose(relative, 0.9 * of_true, atol=1e-5)

    def test_annotations_without_images_are_skipped(self, root, monkeypatch):
        monkeypatch.setitem(FRAMES, ("S1", "Seq2"), 3)
        poses = load(root, subjects=("S1",), cameras=(0,))
        assert poses.labels["frame"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]

    def test_published_numbers_of_frames(self):
        assert sum(FRAMES.values()) == 131592
        assert sum(VALID_FRAMES.values()) == 2929


class TestTest:
    def test_valid_frames_with_their_activities(self, root):
        poses = load(root, split="test")
        assert len(poses) == 6 * 5
        assert poses.labels["subject"].tolist() == [f"TS{i}" for i in range(1, 7) for _ in range(5)]
        assert poses.labels["frame"].tolist() == [0, 2, 3, 4, 5] * 6
        first = ["Standing/Walking", "Sitting", "Reaching/Crouching", "On The Floor", "Sports"]
        assert poses.labels["action"].tolist() == first * 6
        assert load(root, split="test", frame_step=2).labels["frame"].tolist() == [0, 3, 5] * 6

    @pytest.mark.parametrize("subject", TEST_CAMERAS)
    def test_cameras_are_estimated(self, root, subject):
        intrinsics, size = TEST_CAMERAS[subject]
        poses = load(root, split="test", subjects=(subject,))
        camera = poses.camera.in_pixels(size)
        np.testing.assert_allclose(camera.focal[0], intrinsics[:2], rtol=1e-4)
        np.testing.assert_allclose(camera.center[0], intrinsics[2:], atol=0.1)
        assert (poses.image_size == size).all() and poses.reprojection_error.max() < 1e-3
        ground_truth = bodies(JOINTS_17, 6, int(subject[2])) + [0.2, 0.1, 3.0]
        np.testing.assert_allclose(poses.pose3d, ground_truth[[0, 2, 3, 4, 5]], atol=1e-5)

    def test_universal(self, root):
        scaled, true = (load(root, split="test", annotation=a) for a in ("univ_annot3", "annot3"))
        relative, of_true = (p.pose3d - p.root_position[:, None] for p in (scaled, true))
        np.testing.assert_allclose(relative, 0.9 * of_true, atol=1e-5)
        assert np.array_equal(scaled.pose2d, true.pose2d)

    def test_2d_of_another_pose_is_refused(self, tmp_path):
        mpi_test(tmp_path, annot2=np.random.default_rng(0).uniform(0, 2048, (2, 17, 1, 6)))
        with pytest.raises(ValueError, match=r"annot_data\.mat: no camera projects annot3"):
            load(tmp_path, split="test")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ["h36m_16", "h36m_17"])
def test_in_human36m_joints(root, split, name):
    """As in the literature: the neck is the thorax, the head's top the head."""
    options = dict(subjects=("S1",)) if split == "train" else {}
    poses = load(root, split=split, skeleton=name, **options)
    own = load(root, split=split, **options)
    assert poses.skeleton == joint_formats.get(name)
    called = {"thorax": "neck", "head": "head_top", "neck_nose": "head"}
    for joint in poses.skeleton.joints:
        place = JOINTS_17.index(called.get(joint, joint))
        mine = poses.skeleton.index(joint)
        assert np.array_equal(poses.pose3d[:, mine], own.pose3d[:, place])
        assert np.array_equal(poses.pose2d[:, mine], own.pose2d[:, place])
    y = poses.pose3d[:, [poses.skeleton.index(j) for j in ("head", "pelvis", "left_ankle")], 1]
    assert (np.diff(y.mean(axis=0)) > 0.3).all()  # y points down


def test_the_folder_of_the_test_archive(root, tmp_path):
    (tmp_path / "mpi_inf_3dhp_test_set").symlink_to(root)
    assert len(load(tmp_path, split="test")) == 30


@pytest.mark.parametrize("split", ["train", "test"])
def test_parts_equal_the_whole(root, split):
    options = dict(split=split, subjects=("S8", "S1") if split == "train" else ("TS2", "TS5"))
    pieces = mpi_inf_3dhp.parts(root, **options, frame_step=2, skeleton="h36m_17")
    assert [name for name, _ in pieces] == list(options["subjects"])
    joined = Poses.cat([make() for _, make in pieces])
    whole = load(root, **options, frame_step=2, skeleton="h36m_17")
    assert set(joined.columns()) == set(whole.columns())
    for name, column in whole.columns().items():
        assert np.array_equal(joined.columns()[name], column), name


def test_published_counts():
    result = mpi_inf_3dhp.expected(subjects=("S3",), cameras=(0, 4), frame_step=5)
    assert result == {"subject/action": {"S3/Seq1": 2 * 2498, "S3/Seq2": 2 * 2457}}
    assert mpi_inf_3dhp.expected(split="test")["subject"]["TS5"] == 276
    assert sum(mpi_inf_3dhp.expected()["subject/action"].values()) == 8 * 131592


def test_only_the_selected_files_are_read(root):
    files = mpi_inf_3dhp.files(root, subjects=("S8",), cameras=(1,), frame_step=3)
    folders = [root / "S8" / "Seq1", root / "S8" / "Seq2"]
    names = ("annot.mat", "camera.calibration")
    assert files == [folder / name for folder in folders for name in names]


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(split="valid"), "unknown split 'valid'"),
        (dict(subjects=("S9",)), "no subject 'S9' in .*it has S1, S2"),
        (dict(subjects=()), "no subjects requested"),
        (dict(annotation="annot4"), "unknown annotation 'annot4'; give annot3 or univ"),
        (dict(skeleton="coco_17"), "not as 'coco_17'"),
        (dict(split="test", skeleton="mpi_inf_3dhp_28"), "available as mpi_inf_3dhp_17"),
        (dict(frame_step=0), "frame_step is 0"),
        (dict(cameras=(14,)), r"cameras are \(14,\); give some of 0 to 13"),
        (dict(cameras=()), r"cameras are \(\)"),
    ],
)
def test_invalid_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        load(root, **options)


def test_missing_files(tmp_path):
    mpi_train(tmp_path, n_cameras=1)
    with pytest.raises(FileNotFoundError, match=r"12 of 16 files.*S2.*annot.mat.*gvv\.mpi-inf"):
        load(tmp_path, subjects=("S1", "S2", "S3", "S4"), cameras=(0,))
    (tmp_path / "S1" / "Seq2" / "camera.calibration").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 files are missing.*camera\.calibration"):
        load(tmp_path, subjects=("S1",), cameras=(0,))
    with pytest.raises(FileNotFoundError, match=r"\(test\): 6 of 6 files"):
        load(tmp_path, split="test")


def cells(shape, value=1.0):
    return [np.full(shape, value)]


@pytest.mark.parametrize(
    "changed, message",
    [
        (dict(annot2=None), "has no annot2"),
        (dict(cameras=None), "has no cameras"),
        (dict(frames=None), "has no frames"),
        (dict(frames=np.empty((0, 1))), "has no frames"),
        (dict(cameras=np.array([[3.0]])), r"annot\.mat has no camera 0, but \[3\]"),
        (dict(annot3=cells((5, 51))), r"annot3, cell 0: got \(5, 51\).*84 \(28 joints\)"),
        (dict(annot3=cells((4, 84))), r"annot3, cell 0: got \(4, 84\).*5 frames by 84"),
        (dict(annot2=cells((5, 56), np.nan)), r"annot2, cell 0: 280 numbers are not finite"),
        (dict(annot3=cells((5, 84), 1e9)), r"annot3, cell 0: 420 numbers.*not finite.*\(0, 0\)"),
        (dict(annot3=np.ones((5, 84))), "annot3, cell 0 is missing"),
        (dict(annot3=[["text"]]), "annot3, cell 0: got"),
    ],
)
def test_invalid_training_files(tmp_path, changed, message):
    mpi_train(tmp_path, n_cameras=1, **changed)
    with pytest.raises(ValueError, match=rf"S1.Seq1.*{message}"):
        load(tmp_path, subjects=("S1",), cameras=(0,))


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "line 1: expected 'Skeletool"),
        ("Skeletool Camera Calibration File V1.0\n", "has no camera 0, but"),
        (calibration([3]), r"has no camera 0, but \[3\]"),
        (
            calibration([0]).replace("intrinsic", "extrinsic"),
            "camera 0: got .*expected an intrinsic",
        ),
        (calibration([0]).replace("2048 2048", "2048"), "camera 0: got .*expected an intrinsic"),
        (calibration([0]).replace("2048 2048", "0 0"), "camera 0: got .*expected an intrinsic"),
        (calibration([0]).replace("1497.7", "nan"), "camera 0: got .*expected an intrinsic"),
        (calibration([0]).replace("1497.7", "x"), "line 6: '  intrinsic   x 0"),
        (calibration([0]).replace("name          0", "name"), "line 2: 'name' is not valid"),
        (calibration([0]).replace("radial      0", "radial  0.1"), "and radial 0"),
    ],
)
def test_invalid_calibration(tmp_path, content, message):
    mpi_train(tmp_path, n_cameras=1)
    (tmp_path / "S1" / "Seq2" / "camera.calibration").write_text(content)
    with pytest.raises(ValueError, match=rf"S1.Seq2.camera\.calibration.*{message}"):
        load(tmp_path, subjects=("S1",), cameras=(0,))


@pytest.mark.parametrize(
    "changed, message",
    [
        (dict(univ_annot3=None), "has no univ_annot3"),
        (dict(valid_frame=np.zeros((1, 6))), r"has no valid frame \(of 6\)"),
        (dict(annot2=np.ones((2, 28, 1, 6))), r"annot2: got \(2, 28, 1, 6\), .* 2 x 17 joints"),
        (dict(annot3=np.ones((3, 17, 1, 5))), r"annot3: got \(3, 17, 1, 5\), .* x 6 frames"),
        (dict(annot3=-np.ones((3, 17, 1, 6))), "annot3: joints are behind the camera"),
        (dict(annot3=np.full((3, 17, 1, 6), np.nan)), "annot3: 255 numbers are not finite"),
        (dict(univ_annot3=np.full((3, 17, 1, 6), np.nan)), "univ_annot3: 255 numbers are not"),
        (dict(activity_annotation=np.full((6, 1), 9.0)), "activity_annotation: got .* 1 to 7"),
        (dict(annot2=[np.eye(2)]), "annot2: got list"),
    ],
)
def test_invalid_test_files(tmp_path, changed, message):
    mpi_test(tmp_path, **changed)
    with pytest.raises(ValueError, match=rf"TS1.annot_data\.mat.*{message}"):
        load(tmp_path, split="test", annotation="univ_annot3")


@pytest.mark.parametrize("v73", [False, True])
def test_truncated_and_other_files(tmp_path, v73):
    path = mpi_test(tmp_path, v73=v73) / "TS3" / "annot_data.mat"
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], content[:100], b"", b"something else" * 40):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"TS3.annot_data\.mat.*(cannot be read|has no)"):
            load(tmp_path, split="test")


def test_2d_is_in_pixels_of_the_image(root):
    poses = load(root, subjects=("S1",), cameras=(0,))
    pixels = denormalize(poses.pose2d, poses.image_size)
    content = read_mat(root / "S1" / "Seq1" / "annot.mat", ["annot2"])["annot2"][0]
    of_17 = content.reshape(5, 28, 2)[:, [JOINTS_28.index(j) for j in JOINTS_17]]
    np.testing.assert_allclose(pixels[:5], of_17, atol=1e-3)
