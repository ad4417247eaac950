"""Human3.6M in the official files (.cdf) and in those of h36m-fetch (.h5)."""

import numpy as np
import pytest
from helpers.human36m_official import FRAMES, annotations, world, write_cdf, write_h5

from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import H36M_17
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m
from camerapose.data.datasets.human36m.calibration import cameras

cdflib = pytest.importorskip("cdflib")
h5py = pytest.importorskip("h5py")

#: Recordings of two subjects as their files are named, and as the literature names them.
RECORDINGS = {
    "S1": {"Walking 1": 5, "TakingPhoto": 3, "WalkingDog 1": 4},
    "S11": {"Directions": 4, "Sitting": 6},
}
FIELD = {"TakingPhoto": "Photo", "WalkingDog 1": "WalkDog 1"}


@pytest.fixture
def official(tmp_path):
    root = tmp_path / "official"
    for i, (subject, actions) in enumerate(RECORDINGS.items()):
        for j, (action, frames) in enumerate(actions.items()):
            path = root / subject / "MyPoseFeatures/D3_Positions" / f"{action}.cdf"
            write_cdf(path, world(10 * i + j, frames))
    write_cdf(root / "S1/MyPoseFeatures/D3_Positions/_ALL.cdf", world(0, 2))
    return root


@pytest.fixture
def as_npz(tmp_path):
    """Write the same recordings in VideoPose3D's layout."""
    folder = tmp_path / "npz"
    folder.mkdir()
    tree = {
        subject: {
            FIELD.get(action, action): world(10 * i + j, frames)
            for j, (action, frames) in enumerate(actions.items())
        }
        for i, (subject, actions) in enumerate(RECORDINGS.items())
    }
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=tree)
    return folder


def test_official_files_equal_those_of_videopose3d(official, as_npz):
    options = dict(subjects=("S1", "S11"), skeleton="h36m_17")
    result, same = human36m.load(official, **options), human36m.load(as_npz, **options)
    assert len(result) == 4 * (5 + 3 + 4 + 6)  # without S11 Directions, without _ALL
    assert set(result.labels["action"]) == {"Walking 1", "Photo", "WalkDog 1", "Sitting"}
    for name, column in same.columns().items():
        if name.startswith("label_"):
            assert (result.columns()[name] == column).all(), name
        else:
            np.testing.assert_allclose(result.columns()[name], column, atol=1e-5, err_msg=name)


def test_options_of_the_official_files(official):
    some = human36m.load(official, subjects=("S1",), actions=["Walking"], frame_step=2)
    assert len(some) == 4 * 3 and some.labels["frame"][:3].tolist() == [0, 2, 4]
    with pytest.raises(ValueError, match=r"no subject 'S5' in .*official; it has S1, S11"):
        human36m.load(official, subjects=("S5",))
    with pytest.raises(ValueError, match="no action 'Flying'"):
        human36m.load(official, subjects=("S1",), actions=["Flying"])


def test_detections_with_the_official_files(official):
    views = [np.float32(np.random.default_rng(c).uniform(1, 999, (6, 16, 2))) for c in range(4)]
    np.savez_compressed(
        official / "data_2d_h36m_det.npz", positions_2d={"S11": {"Sitting": views}}, metadata={}
    )
    poses = human36m.load(official, subjects=("S11",), detections="det")
    pixels = denormalize(poses.pose2d, poses.image_size)
    np.testing.assert_allclose(pixels[:6, 1], views[0][:, 2], atol=1e-2)  # right hip


def test_files_are_those_of_the_subjects(official):
    assert len(human36m.files(official, subjects=("S1",))) == 3
    assert len(human36m.files(official, subjects=("S1", "S11"))) == 5


def test_parts_equal_the_whole(official, tmp_path):
    whole = human36m.load(official, subjects=("S11", "S1"))
    kept = cached(human36m.load, official, cache_dir=tmp_path / "cache", subjects=("S11", "S1"))
    for name, column in whole.columns().items():
        assert column.dtype == kept.columns()[name].dtype, name
        assert (column == kept.columns()[name]).all(), name


def damage(path, how):
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "another version":
        path.write_bytes(b"\xcd\xf3\x00\x09" + content[4:])
    else:
        path.write_bytes(b"<html>please log in</html>" * 9)


@pytest.mark.parametrize("how", ["truncated", "empty", "another version", "another file"])
def test_damaged_cdf(official, how):
    path = official / "S11/MyPoseFeatures/D3_Positions/Sitting.cdf"
    damage(path, how)
    with pytest.raises(ValueError, match=r"Sitting\.cdf cannot be read as a CDF with Pose \(.+\)"):
        human36m.load(official, subjects=("S11",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[:, :17], r"got Pose of float32 and shape \(1, 6, 51\), expected .* 96"),
        (lambda p: np.where(np.arange(32)[:, None] == 3, np.nan, p), "not all finite"),
        (lambda p: p * 1000, "within 100 m; expected metres"),
    ],
)
def test_unexpected_cdf(official, change, message):
    path = official / "S11/MyPoseFeatures/D3_Positions/Sitting.cdf"
    path.unlink()
    write_cdf(path, change(world(0, 6)))
    with pytest.raises(ValueError, match=rf"Sitting\.cdf: .*{message}"):
        human36m.load(official, subjects=("S11",))


def test_cdf_of_other_content(official):
    path = official / "S11/MyPoseFeatures/D3_Positions/Sitting.cdf"
    path.unlink()
    write_cdf(path, world(0, 6), name="Angles")
    with pytest.raises(ValueError, match=r"Sitting\.cdf cannot be read as a CDF with Pose"):
        human36m.load(official, subjects=("S11",))


# --- h36m-fetch ---------------------------------------------------------------------------------


@pytest.fixture
def fetched(tmp_path):
    root = tmp_path / "fetched"
    write_h5(root / "processed/S1/Walking-1/annot.h5", annotations("S1", 1))
    write_h5(root / "processed/S1/TakingPhoto-2/annot.h5", annotations("S1", 2))
    write_h5(root / "processed/S11/Directions-2/annot.h5", annotations("S11", 3))
    write_h5(root / "processed/S11/Eating-1/annot.h5", annotations("S11", 4))
    return root


def test_h36m_fetch(fetched):
    poses = human36m.load(fetched, subjects=("S1", "S11"), skeleton="h36m_17")
    assert len(poses) == 3 * 12 and poses.skeleton == H36M_17  # without S11 Directions
    assert list(dict.fromkeys(poses.labels["action"])) == ["Photo 2", "Walking 1", "Eating 1"]
    assert poses.labels["camera"][:12].tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert poses.labels["frame"][:3].tolist() == FRAMES.tolist()
    assert (poses.reprojection_error < 0.1).all()
    np.testing.assert_allclose(poses.camera.focal[:3, 0], 2.290, atol=1e-3)
    walking = poses[poses.labels["action"] == "Walking 1"]
    first = cameras("S1")[0][:1].to_camera(world(1, 3))
    np.testing.assert_allclose(walking.pose3d[:3, 0], first[:, 0], atol=1e-5)


def test_h36m_fetch_by_steps_actions_and_parts(fetched, tmp_path):
    some = human36m.load(fetched, subjects=("S1",), actions=["Photo"], frame_step=2)
    assert some.labels["frame"].tolist() == [0, 64] * 4
    kept = cached(human36m.load, fetched, cache_dir=tmp_path / "cache", subjects=("S1", "S11"))
    assert len(kept) == 36
    with pytest.raises(ValueError, match="do not match detections"):
        human36m.load(fetched, detections="det")


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("pose/2d", np.zeros((12, 17, 2)), r"got pose/2d of float64 and shape \(12, 17, 2\)"),
        ("pose/3d", np.zeros((11, 32, 3)), r"got pose/3d of float64 and shape \(11, 32, 3\)"),
        ("pose/3d", None, "it has no pose/3d"),
        ("pose/3d", np.full((12, 32, 3), np.nan), "row 0: pose/3d is not finite"),
        ("pose/3d", np.full((12, 32, 3), 2e5), "row 0: pose/3d .*expected millimetres"),
        ("camera", np.full(12, 5), "unknown camera 5; Human3.6M has 54138969, 55011271"),
        ("frame", np.full(12, b"a"), r"got frame of \|S1"),
    ],
)
def test_unexpected_h5(fetched, name, column, message):
    columns = annotations("S11", 4)
    columns[name] = column
    columns = {name: column for name, column in columns.items() if column is not None}
    write_h5(fetched / "processed/S11/Eating-1/annot.h5", columns)
    with pytest.raises(ValueError, match=rf"Eating-1.annot\.h5.*{message}"):
        human36m.load(fetched, subjects=("S11",))


@pytest.mark.parametrize("how", ["truncated", "empty", "another file"])
def test_damaged_h5(fetched, how):
    damage(fetched / "processed/S11/Eating-1/annot.h5", how)
    with pytest.raises(ValueError, match=r"annot\.h5 cannot be read as an annot\.h5 \(.+\)"):
        human36m.load(fetched, subjects=("S11",))


def test_published_recordings():
    names = human36m.expected(subjects=("S11",))["subject/action"]
    assert len(names) == 29 and "S11/Directions" not in names and "S11/Phoning 3" in names
    assert human36m.expected(subjects="S5, S7")["subject"] == {"S5+S7": 4 * 200700}
    assert "subject" not in human36m.expected(frame_step=5)
