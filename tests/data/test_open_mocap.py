"""Freely licensed motion capture: reading, and making both files from the motion files."""

import json

import numpy as np
import pytest
from helpers.mocap import amc_text, amc_values, asf_text, bvh_text

from camerapose.cli.main import main
from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.data.datasets import anny, cmu_dance, open_mocap
from camerapose.data.datasets.anny import build as anny_build
from camerapose.data.datasets.open_mocap import build
from camerapose.data.level_view import to_world
from camerapose.data.readers.acclaim import read_amc, read_asf

#: Two bones of 2 and 1 units of 1 / 0.45 inch: the thigh points down, the shank, whose axes are
#: turned by 90 degrees about z, down as well.
ASF = """:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lfemur
    direction 0 -1 0
    length 2
    axis 0 0 0 XYZ
    dof rx ry rz
  end
  begin
    id 2
    name ltibia
    direction 0 -1 0
    length 1
    axis 0 0 90 XYZ
    dof rx
  end
:hierarchy
  begin
    root lfemur
    lfemur ltibia
  end
"""
AMC = """:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
lfemur 0 0 0
ltibia 0
2
root 1 2 3 0 90 0
lfemur 90 0 0
ltibia 0
3
root 0 0 0 0 0 0
lfemur 0 0 30
ltibia 90
"""


def test_positions_by_hand(tmp_path):
    """Frame 2: the thigh swings backwards (rx 90: down becomes -z), and the body is turned by 90
    degrees about y (-z becomes -x). Frame 3: the thigh is turned by 30 degrees about z; the shank
    bends about its own x axis, which is the y axis of the thigh, along which it lies: no change."""
    (tmp_path / "1.asf").write_text(ASF)
    (tmp_path / "1_1.amc").write_text(AMC)
    joints = read_amc(tmp_path / "1_1.amc", read_asf(tmp_path / "1.asf")).joints
    np.testing.assert_allclose(joints["root"], [[1, 2, 3], [1, 2, 3], [0, 0, 0]], atol=1e-12)
    half = np.sqrt(3) / 2
    knees = [[1, 0, 3], [-1, 2, 3], [2 * 0.5, -2 * half, 0]]
    ankles = [[1, -1, 3], [-2, 2, 3], [3 * 0.5, -3 * half, 0]]
    np.testing.assert_allclose(joints["lfemur"], knees, atol=1e-12)
    np.testing.assert_allclose(joints["ltibia"], ankles, atol=1e-12)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two clips of CMU that are used, one that is not, and a clip of Mesh2Motion."""
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data" / "cmu" / "subjects" / "05"
    folder.mkdir(parents=True)
    (folder / "05.asf").write_text(asf_text())
    for seed, clip in enumerate(("01", "02", "99")):
        (folder / f"05_{clip}.amc").write_text(amc_text(amc_values(frames=9, seed=seed)))
    other = tmp_path / "data" / "mesh2motion" / "cc0"
    other.mkdir(parents=True)
    (other / "bow.bvh").write_text(bvh_text(frames=9))
    return tmp_path / "data"


def test_file_from_motion_files(root):
    """Frames 0, 4 and 8 of each clip at 120 frames per second, z up, relative to the pelvis."""
    poses = open_mocap.load(root)
    assert poses.skeleton == H36M_17 and len(poses) == 3 * 3
    assert sorted(set(poses.labels["subject"])) == ["cmu/05", "mesh2motion/cc0"]
    assert set(poses.labels["action"]) == {"01", "02", "bow"}
    assert poses.labels["frame"][:3].tolist() == [0, 4, 8]
    assert not (root / build.PARTS).exists() and open_mocap.files(root) == [root / build.FILE]
    skeleton = read_asf(root / "cmu/subjects/05/05.asf")
    joints = read_amc(root / "cmu/subjects/05/05_01.amc", skeleton, 4).joints
    bone = joints["ltibia"] - joints["lfemur"]
    expected = np.stack([bone[:, 0], -bone[:, 2], bone[:, 1]], axis=1) * 0.0254 / 0.45
    world = to_world(poses)[:3]
    i, j = H36M_17.index("left_ankle"), H36M_17.index("left_knee")
    np.testing.assert_allclose(world[:, i] - world[:, j], expected, atol=2e-3)
    assert "NSF EIA-0196217" in open_mocap.licences(root)["cmu"]


def test_subjects(root):
    assert set(open_mocap.load(root, subjects=("cmu/05",)).labels["action"]) == {"01", "02"}
    with pytest.raises(ValueError, match="no poses of"):
        open_mocap.load(root, excluded=("cmu/05", "mesh2motion/cc0"))


def test_frames_without_movement_are_left_out():
    """2 cm since the last kept frame count, also if they add up slowly."""
    joints = np.zeros((6, 17, 3))
    joints[:, 3, 0] = [0, 0.01, 0.019, 0.021, 0.03, 0.5]
    assert build.distinct(joints).tolist() == [0, 3, 5]


def test_calibration_poses_are_left_out(tmp_path, monkeypatch):
    """CMU's recordings as BVH begin with one."""
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cmu").mkdir()
    (tmp_path / "cmu" / "05_05_01.bvh").write_text(bvh_text(frames=10))
    poses = open_mocap.load(tmp_path)
    assert poses.labels["frame"].tolist() == [1, 5, 9]
    assert set(poses.labels["subject"]) == {"cmu/05"}


def test_an_interrupted_build_resumes(root, monkeypatch):
    expected = open_mocap.load(root)
    (root / build.FILE).unlink()
    convert, done = build.convert, []

    def interrupted(path, first):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path.name)
        return convert(path, first)

    monkeypatch.setattr(build, "convert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_mocap.load(root)
    done.clear()
    assert not (root / build.FILE).exists()
    assert open_mocap.load(root) == expected and len(done) == 1


def test_dance_is_made_from_the_motion(root, fake_bodies, capsys):
    """Every fifth frame of the clips that are used, upright in metres; others are ignored."""
    for name in ("60_01", "61_02", "94_06", "135_03", "94_05", "62_01"):
        (root / "cmu" / f"{name}.bvh").write_text(bvh_text(frames=12))
    assert main(["data", "prepare", "cmu_dance", "--root", str(root)]) == 0
    assert "12 poses (body_46)" in capsys.readouterr().out
    with np.load(root / cmu_dance.FILE, allow_pickle=True) as file:
        positions = file["positions_3d"].item()
    names = {style: list(clips) for style, clips in positions.items()}
    assert names == {"salsa": ["60_01", "61_02"], "indian": ["94_06"], "martial": ["135_03"]}
    expected, step = build.read_h36m(root / "cmu" / "94_06.bvh", 24.0, first=1)
    np.testing.assert_allclose(positions["indian"]["94_06"], expected, atol=1e-6)
    assert step == 5 and expected.shape == (3, 17, 3)
    head, foot = (expected[:, H36M_17.index(j), 2] for j in ("head", "left_ankle"))
    assert (head - foot > 0.8).all()  # z up, metres
    poses = cmu_dance.load(root)
    assert set(poses.labels["subject"]) == {"cmu/salsa", "cmu/indian", "cmu/martial"}
    with pytest.raises(FileNotFoundError, match="60, 61, 94 and 135"):
        cmu_dance.load(root / "fair")


def test_missing_and_wrong_files(tmp_path, root):
    with pytest.raises(FileNotFoundError, match=r"mocap\.cs\.cmu\.edu"):
        open_mocap.load(tmp_path / "nothing")
    np.savez(tmp_path / build.FILE, joints=np.zeros((1, 17, 3)))
    with pytest.raises(ValueError, match="lacks"):
        open_mocap.load(tmp_path)
    copy = root / "cmu" / "again"
    copy.mkdir()
    (copy / "05_01.bvh").write_text(bvh_text())
    with pytest.raises(ValueError, match="both the clip cmu/05/01"):
        open_mocap.load(root)


def test_from_the_command_line(root, capsys):
    assert main(["data", "prepare", "open_mocap", "--root", str(root)]) == 0
    assert "9 poses" in capsys.readouterr().out


@pytest.fixture
def fake_bodies(monkeypatch):
    """Bodies as the retargeting of the fake body at rest, without the package anny."""
    from camerapose.data.render import motion

    rng = np.random.default_rng(3)
    rest = rng.normal(size=(39 + 23, 3)) * 0.3

    def in_motion(bodies, shape, frames):
        n = len(frames)
        points = np.tile(rest, (n, 1, 1)) * (0.5 + shape[:, :1, None])
        return points[:, :39].astype(np.float32), points[:, 39:].astype(np.float32)

    monkeypatch.setattr(motion, "in_motion", in_motion)
    monkeypatch.setattr("camerapose.data.render.bodies.load", lambda names: None)


def test_bodies_are_made_from_the_motion(root, fake_bodies):
    poses = anny.load(root)
    motion = open_mocap.load(root)
    assert poses.skeleton == BODY_46 and len(poses) == len(motion)
    for name in ("subject", "action", "frame"):
        np.testing.assert_array_equal(poses.labels[name], motion.labels[name])
    assert np.abs(to_world(poses)[:, BODY_46.root_index]).max() < 1e-3
    with np.load(root / anny.FILE) as file:
        assert (file["shape"] >= anny_build.SHAPE_LOW).all()
        assert (file["shape"] <= np.float16(anny_build.SHAPE_HIGH)).all()
        assert len(np.unique(file["shape"][:, 1])) == len(poses)
    assert anny.files(root) == [root / anny.FILE] and not (root / anny_build.PARTS).exists()


def test_an_interrupted_build_of_bodies_resumes(root, fake_bodies, monkeypatch):
    from camerapose.data.render import motion

    expected = anny.load(root)
    (root / anny.FILE).unlink()
    monkeypatch.setattr(anny_build, "PART_SIZE", 4)
    in_motion, calls = motion.in_motion, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return in_motion(*arguments)

    monkeypatch.setattr(motion, "in_motion", interrupted)
    with pytest.raises(KeyboardInterrupt):
        anny.load(root)
    again = anny.load(root)
    assert len(calls) == 4 and len(again) == len(expected)


def test_real_bodies_take_the_directions_of_the_motion():
    pytest.importorskip("anny")
    from camerapose.data.datasets.rendered.joints import BONES
    from camerapose.data.render import bodies, motion

    rng = np.random.default_rng(0)
    shape = rng.uniform(0.3, 0.7, (4, 6)).astype(np.float32)
    frames = rng.normal(size=(4, 17, 3)).astype(np.float32)
    heads, coco = motion.in_motion(bodies.load(BONES), shape, frames)
    assert heads.shape == (4, 39, 3) and coco.shape == (4, 23, 3)
    for start, end, bones in (
        ("left_elbow", "left_wrist", ("lowerarm01.L", "wrist.L")),
        ("right_knee", "right_ankle", ("lowerleg01.R", "foot.R")),
    ):
        a, b = (heads[:, BONES.index(bone)] for bone in bones)
        wanted = frames[:, H36M_17.index(end)] - frames[:, H36M_17.index(start)]
        cosine = ((b - a) * wanted).sum(1) / np.linalg.norm(b - a, axis=1)
        np.testing.assert_allclose(cosine, np.linalg.norm(wanted, axis=1), rtol=1e-3)


def test_meta_lists_the_clips(root):
    with np.load(open_mocap.make(root)) as file:
        meta = json.loads(str(file["meta"]))
    assert [entry["clip"] for entry in meta] == ["cmu/05/01", "cmu/05/02", "mesh2motion/cc0/bow"]
