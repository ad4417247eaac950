"""Human3.6M: a miniature of VideoPose3D's layout, and the real files if present."""

import functools
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from helpers.human36m import tree_2d, tree_3d, write_2d
from helpers.paths import HUMAN36M, needs_human36m
from scipy.spatial.transform import Rotation

from camerapose.core.camera import Camera, denormalize
from camerapose.core.conversion import DERIVED_CONFIDENCE
from camerapose.core.joint_formats import COCO_17, H36M_16, H36M_17, MPII_16
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m
from camerapose.data.datasets.human36m import detections, layouts
from camerapose.data.datasets.human36m.calibration import cameras
from camerapose.data.datasets.human36m.layouts import Layout
from camerapose.data.datasets.human36m.recordings import (
    EXCLUDED,
    JOINTS_OF_32,
    SUBJECTS,
    action_name,
)
from camerapose.data.datasets.human36m.sequences import read_sequences
from camerapose.io.pickles import read_pickled


@pytest.fixture
def root(tmp_path):
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=tree_3d())
    return tmp_path


def test_rows_are_ordered_by_subject_action_camera_frame(root):
    poses = human36m.load(root, subjects=("S9", "S1"))
    labels = poses.labels
    assert poses.skeleton == H36M_16 and len(poses) == 4 * (8 + 19)
    assert labels["subject"].tolist() == ["S9"] * 32 + ["S1"] * 76
    actions = list(dict.fromkeys(labels["action"][32:].tolist()))
    assert actions == ["Sitting", "SittingDown", "Walking", "Walking 1"]
    assert labels["camera"][:32].tolist() == [c for c in range(4) for _ in range(8)]
    assert labels["frame"][:16].tolist() == [*range(8), *range(8)]


def test_values_are_float32_and_complete(root):
    poses = human36m.load(root, subjects=("S1",))
    for name, column in poses.columns().items():
        if not name.startswith("label_"):
            assert column.dtype == np.float32 and np.isfinite(column).all(), name
    assert (poses.confidence == 1).all()


def test_2d_is_the_reprojection_of_3d_in_the_image(root):
    poses = human36m.load(root, subjects=("S1", "S9"))
    np.testing.assert_allclose(poses.reprojection, poses.pose2d, atol=1e-6)
    assert np.abs(poses.pose2d).max() < 1 and poses.pose3d[..., 2].min() > 2


def test_translation_is_the_root(root):
    poses = human36m.load(root, subjects=("S1",))
    assert poses.camera.rotation is None
    assert (poses.camera.translation == poses.root_position).all()
    relative = poses.pose3d - poses.root_position[:, None]
    np.testing.assert_allclose(poses.camera.to_camera(relative), poses.pose3d, atol=1e-6)


def test_all_cameras_see_the_same_world(root):
    poses = human36m.load(root, subjects=("S9",), skeleton="h36m_17")
    views, sizes = cameras("S9")
    of_17 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    expected = tree_3d()["S9"]["Walking"][:, of_17]
    for i in range(4):
        detected = poses[poses.labels["camera"] == i]
        one = views[i : i + 1]
        np.testing.assert_allclose(one.to_world(detected.pose3d), expected, atol=1e-5)
        assert (detected.image_size == sizes[i]).all()


def test_frame_step_is_a_selection_of_frames(root):
    all_frames, some = (human36m.load(root, subjects=("S1",), frame_step=s) for s in (1, 3))
    chosen = all_frames[all_frames.labels["frame"] % 3 == 0]
    for name, column in some.columns().items():
        assert (column == chosen.columns()[name]).all(), name


def test_17_joints_without_the_neck_are_16(root):
    with_neck = human36m.load(root, subjects=("S1",), skeleton="h36m_17")
    without = human36m.load(root, subjects=("S1",))
    assert with_neck.skeleton == H36M_17
    assert (with_neck.to(H36M_16).pose3d == without.pose3d).all()


@pytest.mark.parametrize("joints", [17, 16])
def test_files_with_fewer_joints(root, joints):
    expected = human36m.load(root, subjects=("S1",))
    of_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    if joints == 16:
        of_32.remove(14)
    small = {s: {a: p[:, of_32] for a, p in actions.items()} for s, actions in tree_3d().items()}
    np.savez_compressed(root / "data_3d_h36m.npz", positions_3d=small)
    assert (human36m.load(root, subjects=("S1",)).pose3d == expected.pose3d).all()


def test_actions_by_name_and_by_take(root):
    def actions(asked):
        return set(human36m.load(root, subjects=("S1",), actions=asked).labels["action"].tolist())

    assert actions(["Walking"]) == {"Walking", "Walking 1"}
    assert actions(["Walking 1"]) == {"Walking 1"}
    assert actions("Sitting") == {"Sitting"}
    assert action_name("Walking 12") == "Walking"
    assert action_name("Walking 1 chunk10") == "Walking"


def test_s11_directions_is_skipped(root):
    assert set(human36m.load(root, subjects=("S11",)).labels["action"]) == {"Directions 1"}


def test_subjects_as_one_string(root):
    assert set(human36m.load(root, subjects="S1, S9").labels["subject"]) == {"S1", "S9"}


# --- detections ---------------------------------------------------------------------------------


def test_detections_are_paired_with_the_clean_2d(root):
    write_2d(root, tree_2d(extra=2))
    clean = human36m.load(root, subjects=("S1", "S9"), frame_step=2)
    detected = human36m.load(root, subjects=("S1", "S9"), frame_step=2, detections="det")
    assert (detected.pose3d == clean.pose3d).all()
    np.testing.assert_allclose(detected.reprojection, clean.pose2d, atol=1e-6)
    for name, column in clean.labels.items():
        assert (detected.labels[name] == column).all()
    wrist = denormalize(detected.pose2d, detected.image_size)[:, H36M_16.index("left_wrist")]
    first = tree_2d(extra=2)["S1"]["Sitting"][0][0, MPII_16.index("left_wrist")]
    np.testing.assert_allclose(wrist[0], first, atol=1e-3)


def test_joints_that_a_detector_lacks_have_low_confidence(root):
    write_2d(root, tree_2d())
    detected = human36m.load(root, subjects=("S1",), detections="det")
    assert (detected.confidence[:, H36M_16.index("spine")] == DERIVED_CONFIDENCE).all()
    assert (detected.confidence[:, H36M_16.index("left_knee")] == 1).all()


def test_missing_detections_have_no_confidence(root):
    positions = tree_2d(channels=3)
    for actions in positions.values():
        for views in actions.values():
            for view in views:
                view[..., 2] = 0.25
                view[0, MPII_16.index("left_wrist"), 0] = np.nan
    write_2d(root, positions)
    detected = human36m.load(root, subjects=("S9",), detections="det")
    wrist = H36M_16.index("left_wrist")
    assert detected.confidence[0, wrist] == 0 and (detected.pose2d[0, wrist] == 0).all()
    assert detected.confidence[1, wrist] == 0.25
    assert np.isfinite(detected.pose2d).all()


def test_both_are_truncated_to_the_shorter(root):
    positions = tree_2d()
    positions["S9"]["Walking"] = [view[:5] for view in positions["S9"]["Walking"]]
    write_2d(root, positions)
    assert len(human36m.load(root, subjects=("S9",), detections="det")) == 4 * 5


def test_recordings_without_2d_are_skipped_with_a_warning(root):
    positions = tree_2d()
    del positions["S1"]["Sitting"]
    write_2d(root, positions)
    with pytest.warns(UserWarning, match="lacks S1 Sitting; dropped"):
        detected = human36m.load(root, subjects=("S1",), detections="det")
    assert "Sitting" not in detected.labels["action"]


@pytest.mark.parametrize(
    ("skeleton", "metadata"),
    [
        (COCO_17, {"keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2]]}),
        (COCO_17, {"layout_name": "coco"}),
        (H36M_17, {"keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}),
        (H36M_17, {"layout_name": "h36m"}),
        (H36M_17, {}),
        (H36M_16, {"keypoints_symmetry": [[4, 5, 6, 10, 11, 12], [1, 2, 3, 13, 14, 15]]}),
        (MPII_16, {"layout_name": "mpii"}),
        (MPII_16, {}),
    ],
)
def test_layout_of_detections(root, skeleton, metadata):
    positions = tree_2d(joints=skeleton.n_joints)
    write_2d(root, positions, metadata)
    detected = human36m.load(root, subjects=("S9",), detections="det")
    ankle = denormalize(detected.pose2d, detected.image_size)[:8, H36M_16.index("right_ankle")]
    given = positions["S9"]["Walking"][0][:, skeleton.index("right_ankle")]
    np.testing.assert_allclose(ankle, given, atol=1e-3)


# --- errors -------------------------------------------------------------------------------------


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="which does not exist.*VideoPose3D"):
        human36m.load(tmp_path / "nowhere")
    (tmp_path / "other.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"npz is missing.*contains other\.txt"):
        human36m.load(tmp_path)


def test_missing_detections(root):
    with pytest.raises(FileNotFoundError, match=r"data_2d_h36m_cpn\.npz is missing"):
        human36m.load(root, subjects=("S1",), detections="cpn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": ("S2",)}, "no subject 'S2'.*it has S1, S9, S11"),
        ({"subjects": ("S5",)}, "no subject 'S5'"),
        ({"subjects": ()}, "no subjects requested"),
        ({"subjects": ("S1",), "actions": ["Flying"]}, "no action 'Flying'.*Directions, Sitting"),
        ({"subjects": ("S9",), "actions": ["Sitting"]}, "no recording of S9 among"),
        ({"frame_step": 0}, "frame_step is 0; give 1"),
        ({"skeleton": "coco_17"}, "h36m_16 or h36m_17, not as 'coco_17'"),
    ],
)
def test_invalid_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        human36m.load(root, **options)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (
            {"S1": {"Walking": np.zeros((3, 15, 3), np.float32)}},
            "got 15 joints, expected 32",
        ),
        ({"S1": {"Walking": np.zeros((3, 32), np.float32)}}, r"shape \(3, 32\), expected"),
        ({"S1": {"Walking": np.full((3, 32, 3), 900.0)}}, "within 100 m; expected metres"),
        ({"S1": {"Walking": np.full((3, 32, 3), np.nan)}}, "not all finite"),
        ({"S1": [1, 2]}, "positions_3d of type dict, not .*subject"),
        ([1, 2], "positions_3d of type list, not"),
    ],
)
def test_unexpected_content(tmp_path, positions, message):
    array = np.empty((), object)
    array[()] = positions
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=array)
    with pytest.raises(ValueError, match=message):
        human36m.load(tmp_path, subjects=("S1",))


def test_unexpected_detections(root):
    write_2d(root, tree_2d(joints=14))
    with pytest.raises(ValueError, match="has 14 joints per pose"):
        human36m.load(root, subjects=("S9",), detections="det")
    positions = tree_2d()
    positions["S9"]["Walking"].pop()
    write_2d(root, positions)
    with pytest.raises(ValueError, match="four of .*one per camera"):
        human36m.load(root, subjects=("S9",), detections="det")


def test_damaged_files(tmp_path):
    path = tmp_path / "data_3d_h36m.npz"
    path.write_text("no zip")
    with pytest.raises(ValueError, match=r"(can't|cannot) be read as an \.npz with positions_3d"):
        human36m.load(tmp_path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ValueError, match=r"has no positions_3d, but other\.npy"):
        human36m.load(tmp_path)
    np.savez_compressed(path, positions_3d=tree_3d())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(200) + whole[len(whole) // 2 + 200 :])
    with pytest.raises(ValueError, match="(can't|cannot) be read"):
        human36m.load(tmp_path)


def replace_member(path, content, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("positions_3d.npy", content)


def test_lzma_members(root):
    path = root / "data_3d_h36m.npz"
    expected = human36m.load(root, subjects=("S1",))
    with zipfile.ZipFile(path) as file:
        content = file.read("positions_3d.npy")
    replace_member(path, content, zipfile.ZIP_LZMA)
    assert (human36m.load(root, subjects=("S1",)).pose3d == expected.pose3d).all()


def test_pickles_of_numpy_1_and_of_python_2(root):
    expected = human36m.load(root, subjects=("S1",))
    path = root / "data_3d_h36m.npz"
    header = b"\x93NUMPY\x01\x00\x16\x00{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header = header[:8] + (len(header) - 9).to_bytes(2, "little") + header[10:] + b"\n"
    array = np.empty((), object)
    array[()] = tree_3d()
    content = pickle.dumps(array, protocol=2)
    assert b"numpy._core" in content
    replace_member(path, header + content.replace(b"numpy._core", b"numpy.core"))
    assert (human36m.load(root, subjects=("S1",)).pose3d == expected.pose3d).all()


class Malicious:
    def __reduce__(self):
        return os.mkdir, (os.environ["CAMERAPOSE_TEST_TRAP"],)


def test_malicious_pickle_is_refused(tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    monkeypatch.setenv("CAMERAPOSE_TEST_TRAP", str(trap))
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d={"S1": Malicious()})
    with pytest.raises(ValueError, match=r"asks for .*mkdir, which no array needs"):
        human36m.load(tmp_path)
    assert not trap.exists()


# --- published values ---------------------------------------------------------------------------


@pytest.mark.parametrize("subject", SUBJECTS)
def test_published_cameras(subject):
    views, sizes = cameras(subject)
    assert np.abs(views.focal - 2.29).max() < 0.011
    np.testing.assert_allclose(views.focal.mean(axis=1), 2.29, atol=0.01)
    np.testing.assert_allclose(views.focal[:, 0], [2.2901, 2.29935, 2.29828, 2.29102], atol=1e-4)
    np.testing.assert_allclose(sizes, [[1000, 1002], [1000, 1000], [1000, 1000], [1000, 1002]])
    eye = views.rotation @ np.swapaxes(views.rotation, 1, 2)
    np.testing.assert_allclose(eye, np.tile(np.eye(3), (4, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(views.rotation), 1, atol=1e-5)
    place = views.to_world(np.zeros((4, 1, 3), np.float32))[:, 0]
    assert ((place[:, 2] > 1.4) & (place[:, 2] < 1.7)).all()  # at a height of about 1.5 m
    up = views.rotation[:, :, 2]  # the world's z in the camera's frame
    assert (up[:, 1] < -0.9).all()


def test_cameras_of_an_unknown_subject():
    with pytest.raises(ValueError, match="unknown subject 'S2'"):
        cameras("S2")


@pytest.fixture(scope="module")
def read_once():
    """Return the reader, which reads each of the real files only once: decompression is slow."""
    read = functools.cache(lambda path, member: read_pickled(path, member))
    with pytest.MonkeyPatch.context() as patch:
        for module in (layouts, detections):
            patch.setattr(module, "read_pickled", lambda path, member, *_, **__: read(path, member))
        yield read


@needs_human36m
def test_frames_of_every_subject(read_once):
    positions = read_once(HUMAN36M / "data_3d_h36m.npz", "positions_3d")
    actions = frozenset(action for subject in positions.values() for action in subject)
    layout = Layout(HUMAN36M)
    frames = {
        subject: sum(
            len(sequence.pose3d)
            for sequence in read_sequences(layout, (subject,), actions, H36M_16)
        )
        for subject in SUBJECTS
    }
    assert frames == {
        "S1": 62094, "S5": 87054, "S6": 62466, "S7": 89808, "S8": 64678, "S9": 73544, "S11": 56419,
    }  # fmt: skip
    some = human36m.load(HUMAN36M, subjects=("S11",), actions=["Walking"])
    assert len(some) == 4 * sum(len(positions["S11"][a]) for a in ("Walking", "Walking 1"))


@needs_human36m
def test_recordings_missing_in_the_real_files(read_once):
    """Exactly five of the 209 published recordings are missing."""
    positions = read_once(HUMAN36M / "data_3d_h36m.npz", "positions_3d")
    names = human36m.expected(subjects=SUBJECTS)["subject/action"]
    there = {f"{subject}/{action}" for subject in positions for action in positions[subject]}
    assert len(names) == 209
    assert set(names) - there == {
        "S5/Discussion 2", "S5/Discussion 3", "S7/Discussion", "S7/SittingDown 1",
        "S9/Discussion 1",
    }  # fmt: skip
    assert there - set(names) == set()


@needs_human36m
def test_focal_lengths_of_the_four_cameras():
    camera, _ = cameras("S1")
    np.testing.assert_allclose(camera.focal[:, 0], 2.29, atol=0.01)
    assert camera.focal[:, 0].round(3).tolist() == pytest.approx([2.290, 2.299, 2.298, 2.291])


@needs_human36m
def test_real_poses_are_in_front_of_their_cameras(read_once):
    poses = human36m.load(HUMAN36M, subjects=SUBJECTS, frame_step=50)
    np.testing.assert_allclose(poses.reprojection, poses.pose2d, atol=1e-6)
    assert poses.pose3d[..., 2].min() > 1.5 and poses.pose3d[..., 2].max() < 9
    assert np.median(poses.root_position[:, 2]) == pytest.approx(5, abs=0.4)
    head, pelvis = H36M_16.index("head"), H36M_16.index("pelvis")
    above = poses.pose3d[:, head, 1] < poses.pose3d[:, pelvis, 1]
    assert above.mean() > 0.97


def project_world(intrinsics, extrinsics, world):
    """Project (frames, 17, 3) in metres to pixels: the published model, in double precision."""
    turn = Rotation.from_quat(extrinsics["orientation"], scalar_first=True).inv()
    points = turn.apply((world * 1000.0 - extrinsics["translation"]).reshape(-1, 3))
    x, y = points[:, :2].T / points[:, 2]
    (k1, k2, k3), (p1, p2) = (intrinsics[f"{name}_distortion"] for name in ("radial", "tangential"))
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + 2 * (p1 * y + p2 * x)
    bent = np.stack([x * radial + p2 * r2, y * radial + p1 * r2], axis=1)
    pixels = bent * intrinsics["focal_length"] + intrinsics["center"]
    return pixels.reshape(*world.shape[:2], 2)


@needs_human36m
def test_reprojected_3d_lies_on_the_ground_truth_2d(read_once):
    """Within 0.1 pixels of an independent projection with the published parameters."""
    positions = read_once(HUMAN36M / "data_3d_h36m.npz", "positions_3d")
    calibration = json.loads((HUMAN36M / "cameras.json").read_bytes())
    poses = human36m.load(HUMAN36M, subjects=SUBJECTS, frame_step=200, skeleton="h36m_17")
    clean = []
    for subject in SUBJECTS:
        for action in sorted(positions[subject]):
            if (subject, action) not in EXCLUDED:
                world = positions[subject][action][::200][:, JOINTS_OF_32].astype(float)
                views = zip(
                    calibration["intrinsics"], calibration["extrinsics"][subject], strict=True
                )
                clean += [project_world(inside, outside, world) for inside, outside in views]
    clean = np.concatenate(clean)
    for pose2d in (poses.reprojection, poses.pose2d):
        apart = np.linalg.norm(denormalize(pose2d, poses.image_size) - clean, axis=-1)
        assert apart.max() < 0.1


@needs_human36m
def test_stacked_hourglass_detections_agree_with_the_projection(read_once):
    options = dict(subjects=SUBJECTS, frame_step=50, skeleton="h36m_17")
    poses = human36m.load(HUMAN36M, detections="sh_pt_mpii", **options)
    clean = denormalize(poses.reprojection, poses.image_size)
    positions = read_once(HUMAN36M / "data_2d_h36m_sh_pt_mpii.npz", "positions_2d")
    rows = [(s, a) for s in options["subjects"] for a in sorted(positions[s])]
    views = [positions[s][a] for s, a in rows if (s, a) not in EXCLUDED]
    given = np.concatenate([view[::50] for four in views for view in four])
    # Joint of the 17 that each detected joint corresponds to in the literature.
    mapped = [3, 2, 1, 4, 5, 6, 0, 8, 9, 10, 16, 15, 14, 11, 12, 13]
    distance = np.linalg.norm(given - clean[:, mapped], axis=-1)
    assert np.median(distance) == pytest.approx(9.9, abs=0.2)
    for camera in range(4):
        assert np.median(distance[poses.labels["camera"] == camera]) < 12
    detected = denormalize(poses.pose2d, poses.image_size)
    for joint in ("left_wrist", "right_knee", "pelvis", "thorax"):
        column = given[:, MPII_16.index(joint)]
        np.testing.assert_allclose(detected[:, H36M_17.index(joint)], column, atol=1e-2)


@needs_human36m
def test_first_batch_from_the_cache(read_once, tmp_path):
    def batch():
        poses = cached(
            human36m.load, HUMAN36M, cache_dir=tmp_path, subjects=("S1", "S5"), frame_step=2
        )
        first = poses[np.random.default_rng(0).integers(len(poses), size=1024)]
        assert isinstance(first.camera, Camera)
        return first

    prepared, again = batch(), batch()
    assert (again.pose3d == prepared.pose3d).all()
