"""Motion capture: BVH against bvhio, ASF and AMC against a simple implementation; both as pairs."""

import numpy as np
import pytest
from helpers.mocap import BODY, BONES, amc_text, amc_values, asf_text, bvh_text
from scipy.spatial.transform import Rotation

from camerapose.core.joint_formats import H36M_16
from camerapose.data.cache import cached
from camerapose.data.check import check_poses
from camerapose.data.datasets import mocap
from camerapose.data.readers.acclaim import read_amc, read_asf
from camerapose.data.readers.bvh import read_bvh


@pytest.fixture
def root(tmp_path):
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "a.bvh").write_text(bvh_text())
    (tmp_path / "b.bvh").write_text(bvh_text(seed=1, frames=9))
    return tmp_path


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YZX"])
def test_bvh_agrees_with_bvhio(tmp_path, order):
    bvhio = pytest.importorskip("bvhio")
    path = tmp_path / "motion.bvh"
    path.write_text(bvh_text(order=order, frames=4))
    ours = read_bvh(path)
    theirs = bvhio.readAsHierarchy(str(path))
    for frame in range(4):
        theirs.loadPose(frame)
        for joint, _, _ in theirs.layout():
            place = np.array(joint.PositionWorld)
            np.testing.assert_allclose(ours.joints[joint.Name][frame], place, atol=1e-3)
    assert ours.seconds == pytest.approx(1 / 120, rel=1e-3)


def test_bone_lengths_are_constant(tmp_path):
    (tmp_path / "motion.bvh").write_text(bvh_text(angle=170))
    motion = read_bvh(tmp_path / "motion.bvh")
    assert list(motion.joints) == list(BODY)
    for name, (parent, offset) in BODY.items():
        if parent is not None:
            length = np.linalg.norm(motion.joints[name] - motion.joints[parent], axis=1)
            np.testing.assert_allclose(length, np.linalg.norm(offset), rtol=1e-5)
    some = read_bvh(tmp_path / "motion.bvh", step=4)
    assert (some.joints["Head"] == motion.joints["Head"][::4]).all()


def test_pairs(root):
    poses = mocap.load(root, frame_step=1)
    assert poses.skeleton == H36M_16 and len(poses) == 6 + 9
    assert poses.labels["action"].tolist() == ["b"] * 9 + ["a"] * 6
    assert poses.labels["subject"][-1] == "walks" and poses.labels["frame"][-6:].tolist() == [
        *range(6)
    ]
    assert (poses.confidence == 1).all() and poses.pose3d.dtype == np.float32
    np.testing.assert_allclose(poses.reprojection, poses.pose2d, atol=1e-6)
    assert (poses.camera.translation == poses.root_position).all() and poses.camera.rotation is None
    report = check_poses(poses, {})
    assert report.problems == []


def test_joint_positions(root):
    poses = mocap.load(root / "b.bvh", frame_step=1)
    bones = dict(zip(H36M_16.bone_names, H36M_16.bones, strict=True))

    def length(name):
        child, parent = bones[name]
        return np.linalg.norm(poses.pose3d[:, child] - poses.pose3d[:, parent], axis=1)

    for side in ("left", "right"):
        np.testing.assert_allclose(length(f"{side}_knee"), 0.42, atol=1e-4)
        np.testing.assert_allclose(length(f"{side}_ankle"), 0.41, atol=1e-4)
        np.testing.assert_allclose(length(f"{side}_elbow"), 0.28, atol=1e-4)
        np.testing.assert_allclose(length(f"{side}_wrist"), 0.25, atol=1e-4)
        np.testing.assert_allclose(length(f"{side}_hip"), 0.09, atol=1e-4)
    motion = read_bvh(root / "b.bvh")
    sides = {
        name: np.linalg.norm(motion.joints["Head_end"] - motion.joints[name], axis=1) / 100
        for name in ("LeftHand", "RightHand")
    }
    head, thorax = H36M_16.index("head"), H36M_16.index("thorax")
    top = (poses.pose3d[:, head] - 0.3 * poses.pose3d[:, thorax]) / 0.7
    for side, name in (("left", "LeftHand"), ("right", "RightHand")):
        wrist = poses.pose3d[:, H36M_16.index(f"{side}_wrist")]
        np.testing.assert_allclose(np.linalg.norm(top - wrist, axis=1), sides[name], atol=1e-4)


def test_vertical_axis(tmp_path):
    """Cameras look down by 45 degrees at most, so an upright body's head is above its feet."""
    (tmp_path / "y.bvh").write_text(bvh_text(angle=4, frames=20))
    above = {}
    for up in ("y", "z"):
        poses = mocap.load(tmp_path, frame_step=1, up=up, cameras={"pitch": (0, 5)})
        head, foot = H36M_16.index("head"), H36M_16.index("left_ankle")
        above[up] = (poses.pose3d[:, head, 1] < poses.pose3d[:, foot, 1] - 0.7).mean()
    assert above["y"] == 1 and above["z"] < 0.3


def test_the_body_is_not_mirrored(tmp_path):
    """From the front, a person's left is right in the image."""
    (tmp_path / "y.bvh").write_text(bvh_text(angle=3, frames=40))
    poses = mocap.load(tmp_path, frame_step=1)
    at = {joint: poses.pose3d[:, H36M_16.index(joint)] for joint in H36M_16.joints}
    across = at["left_hip"] - at["right_hip"]
    upwards = at["thorax"] - at["pelvis"]
    forward = np.cross(across, upwards)  # of a person; the camera's frame is right-handed too
    nose = at["head"] - at["thorax"]  # this body's head is a little in front of its neck
    assert ((forward * nose).sum(axis=1) > 0).mean() > 0.9


def test_views_seeds_and_steps(root):
    one, same = (mocap.load(root, frame_step=1, views=3, seed=5) for _ in range(2))
    assert len(one) == 45 and (one.pose3d == same.pose3d).all()
    assert one.labels["camera"][:27].tolist() == [0] * 9 + [1] * 9 + [2] * 9
    other = mocap.load(root, frame_step=1, views=3, seed=6)
    assert not np.allclose(one.pose3d, other.pose3d)
    assert mocap.load(root, frame_step=4).labels["frame"].tolist() == [0, 4, 8, 0, 4]


def test_parts_equal_the_whole(root, tmp_path):
    whole = mocap.load(root, frame_step=2)
    kept = cached(mocap.load, root, cache_dir=tmp_path / "cache", frame_step=2)
    for name, column in whole.columns().items():
        assert (column == kept.columns()[name]).all(), name


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45])
def test_unit_is_inferred_from_the_body_size(tmp_path, unit):
    (tmp_path / "a.bvh").write_text(bvh_text(unit=0.01 / unit))
    poses = mocap.load(tmp_path, frame_step=1)
    knee = poses.pose3d[:, H36M_16.index("left_knee")] - poses.pose3d[:, H36M_16.index("left_hip")]
    np.testing.assert_allclose(np.linalg.norm(knee, axis=1), 0.42, atol=1e-4)


def test_given_unit(tmp_path):
    (tmp_path / "a.bvh").write_text(bvh_text(unit=37.0))
    with pytest.raises(ValueError, match=r"a\.bvh: the body measures 6\.\d+e\+03 units.*pass unit"):
        mocap.load(tmp_path)
    poses = mocap.load(tmp_path, unit=0.01 / 37)
    assert not check_poses(poses, {}).problems


BIOVISION = {
    "UpLeg": "Hip", "Leg": "Knee", "Foot": "Ankle", "Shoulder": "Collar", "ForeArm": "Elbow",
    "Arm": "Shoulder", "Hand": "Wrist",
}  # fmt: skip


def biovision(name):
    for old, new in BIOVISION.items():
        if name in (f"Left{old}", f"Right{old}"):
            return name.replace(old, new)
    return name


def unity(name):
    names = {"UpLeg": "UpperLeg", "Leg": "LowerLeg", "Arm": "UpperArm", "ForeArm": "LowerArm"}
    side = "Left" if name.startswith("Left") else "Right" if name.startswith("Right") else ""
    return side + names.get(name.removeprefix(side), name.removeprefix(side)) if side else name


def blender(name):
    names = {"UpLeg": "thigh", "Leg": "shin", "Arm": "upper_arm", "ForeArm": "forearm"}
    for side in ("Left", "Right"):
        if name.startswith(side):
            rest = name.removeprefix(side)
            return f"{names.get(rest, rest.lower())}.{side[0]}"
    return name.lower()


@pytest.mark.parametrize(
    "rename",
    [biovision, unity, blender, lambda n: f"mixamorig:{n}", str.lower, lambda n: f"Bip01_{n}"],
)
def test_names_of_other_vendors(tmp_path, rename):
    (tmp_path / "a.bvh").write_text(bvh_text())
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.bvh").write_text(bvh_text(rename=rename))
    expected, result = mocap.load(tmp_path / "a.bvh"), mocap.load(tmp_path / "b" / "a.bvh")
    np.testing.assert_allclose(result.pose3d, expected.pose3d, atol=1e-5)


def test_names_that_are_not_recognised(tmp_path):
    def rename(name):
        return {"LeftArm": "Q1", "RightArm": "Q2", "LeftShoulder": "Q3"}.get(name, name)

    (tmp_path / "a.bvh").write_text(bvh_text(rename=rename))
    with pytest.raises(ValueError, match=r"joints left_shoulder.* are not recognised.*Q1.*names="):
        mocap.load(tmp_path)
    names = {"left_shoulder": "Q1", "right_shoulder": "Q2"}
    assert len(mocap.load(tmp_path, names=names)) == 2
    with pytest.raises(ValueError, match="joints left_shoulder.* are not recognised"):
        mocap.load(tmp_path, names={"left_shoulder": "Q9", "right_shoulder": "Q2"})


def test_exported_bvh_is_read_back(tmp_path):
    from camerapose.data.datasets import synthetic
    from camerapose.io.export import Track, bvh

    synthetic_pose = synthetic.load(n=1)
    still = np.repeat(synthetic_pose.pose3d * np.float32([1, -1, -1]), 5, axis=0)
    bvh.write(tmp_path / "own.bvh", Track(H36M_16, still, 25.0, 0.0))
    poses = mocap.load(tmp_path, frame_step=1)
    apart = [
        np.linalg.norm(p[:, H36M_16.index("left_knee")] - p[:, H36M_16.index("right_wrist")])
        for p in (poses.pose3d[:1], synthetic_pose.pose3d)
    ]
    assert apart[0] == pytest.approx(apart[1], rel=0.03)


LINES = bvh_text().splitlines()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "line 1: expected HIERARCHY"),
        (lambda t: t.replace("HIERARCHY", "HIER"), "line 1: expected HIERARCHY"),
        (lambda t: t[: len(t) // 5], "ends before MOTION|unexpected|expected numbers"),
        (lambda t: t[:-120], "declares 6 frames and has 6|numbers, expected .* .channels"),
        (lambda t: t.replace("Frames: 6", "Frames: 7"), "declares 7 frames and has 6"),
        (lambda t: t.replace("Frames: 6", "Frames: six"), "expected positive numbers"),
        (lambda t: t.replace("Frames: 6", "Frames: 0"), "expected positive numbers"),
        (lambda t: t.replace("Frame Time: 0.008333", "Frame Time: nan"), "positive numbers"),
        (lambda t: t.replace("CHANNELS 3 Z", "CHANNELS 4 Z", 1), "line 9: unexpected"),
        (lambda t: t.replace("3 Zrotation", "3 Wrotation", 1), "line 9: unknown channels"),
        (lambda t: t.replace("OFFSET 0.000000 12", "OFFSET a 12"), "line 8: .* expected numbers"),
        (lambda t: t + LINES[-1].replace("0", "x") + "\n", "declares 6 frames and has 7"),
        (lambda t: t.replace(LINES[-2], "nan " * len(LINES[-2].split())), "not finite"),
        (lambda t: t.replace(LINES[-2], "1e300 " * len(LINES[-2].split())), "or exceed"),
        (lambda t: t.replace("MOTION", "}\nMOTION"), "unexpected '}'"),
    ],
)
def test_unexpected_bvh(tmp_path, change, message):
    (tmp_path / "a.bvh").write_text(change(bvh_text()))
    with pytest.raises(ValueError, match=rf"a\.bvh.*({message})"):
        mocap.load(tmp_path)


# --- ASF and AMC in the style of CMU ------------------------------------------------------------


@pytest.fixture
def cmu(tmp_path):
    folder = tmp_path / "subjects" / "01"
    folder.mkdir(parents=True)
    (folder / "01.asf").write_text(asf_text())
    (folder / "01_01.amc").write_text(amc_text(amc_values()))
    (folder / "01_02.amc").write_text(amc_text(amc_values(frames=3, seed=1)))
    return tmp_path / "subjects"


def test_amc_agrees_with_a_simple_implementation(cmu):
    """One bone and frame after the other, with scipy's rotations about fixed axes."""
    motion = read_amc(cmu / "01/01_01.amc", read_asf(cmu / "01/01.asf"))
    for i, frame in enumerate(amc_values()):
        place = {"root": frame["root"][:3]}
        turn = {"root": Rotation.from_euler("xyz", frame["root"][3:], degrees=True)}
        for name, parent, direction, length, axis, dof in BONES:
            angles = dict.fromkeys("xyz", 0.0)
            angles |= {d[1]: v for d, v in zip(dof.split(), frame.get(name, []), strict=True)}
            own = Rotation.from_euler("xyz", axis, degrees=True)
            moved = Rotation.from_euler("xyz", list(angles.values()), degrees=True)
            turn[name] = turn[parent] * own * moved * own.inv()
            vector = np.array(direction) * length
            place[name] = place[parent] + turn[name].apply(vector)
            np.testing.assert_allclose(motion.joints[name][i], place[name], atol=1e-9)


def test_pairs_of_cmu(cmu):
    poses = mocap.load(cmu, frame_step=1)
    assert len(poses) == 8 and set(poses.labels["action"]) == {"01_01", "01_02"}
    assert set(poses.labels["subject"]) == {"01"}
    knee, hip = (poses.pose3d[:, H36M_16.index(f"left_{j}")] for j in ("knee", "hip"))
    metres = 7.1 * np.linalg.norm((0.34, -0.94, 0)) * 0.0254 / 0.45
    np.testing.assert_allclose(np.linalg.norm(knee - hip, axis=1), metres, atol=1e-5)
    assert check_poses(poses, {}).problems == []
    assert len(mocap.files(cmu)) == 3


def test_missing_skeleton(cmu):
    (cmu / "01/01.asf").rename(cmu / "01/other.asf")
    assert len(mocap.load(cmu, frame_step=1)) == 8  # the only one in the folder
    (cmu / "01/more.asf").write_text(asf_text())
    with pytest.raises(FileNotFoundError, match=r"01_01\.amc has no skeleton 01\.asf"):
        mocap.load(cmu)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "has no bonedata, hierarchy, root"),
        (lambda t: t[: len(t) // 2], "has no hierarchy"),
        (lambda t: t.replace("length 0.45", "length x"), "expected a positive length in :units"),
        (lambda t: t.replace("direction 0.6", "direction nan", 1), "line 22: some numbers"),
        (
            lambda t: t.replace("axis 0 0 20  XYZ", "axis 0 0 20  XXZ", 1),
            "expected three numbers",
        ),
        (lambda t: t.replace("name lfemur", "name lhipjoint"), "duplicate bone 'lhipjoint'"),
        (lambda t: t.replace("     length 7.1\n", "", 1), "expected name, direction"),
        (lambda t: t.replace("root lhipjoint", "root ghost"), "expected a bone defined"),
        (lambda t: t.replace("   axis XYZ\n", "", 1), "expected order, axis"),
    ],
)
def test_unexpected_asf(cmu, change, message):
    (cmu / "01/01.asf").write_text(change(asf_text()))
    with pytest.raises(ValueError, match=rf"01\.asf.*{message}"):
        mocap.load(cmu)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: ":FULLY-SPECIFIED\n", "has no frame"),
        (lambda t: t.replace("\n1\n", "\n"), "line 4: expected the number of a frame first"),
        (lambda t: t[: t.rindex("rhumerus")], "frame 5: rhumerus.* missing"),
        (lambda t: t.replace("ltibia ", "ltibia 3 ", 1), "frame 1, line .*ltibia with 2 numbers"),
        (lambda t: t.replace("ltibia ", "tail ", 1), "frame 1, line .*unknown in the .asf"),
        (lambda t: t.replace("ltibia ", "ltibia x", 1), "frame 1, line .* expected numbers"),
        (lambda t: t.replace("\n3\nroot 9.4", "\n3\nroot nan"), "frame 3, line .*not finite"),
    ],
)
def test_unexpected_amc(cmu, change, message):
    (cmu / "01/01_01.amc").write_text(change(amc_text(amc_values())))
    with pytest.raises(ValueError, match=rf"01_01\.amc.*{message}"):
        mocap.load(cmu, frame_step=1)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no .bvh or .amc in"):
        mocap.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(frame_step=0), "frame_step is 0"),
        (dict(views=0), "views 0"),
        (dict(up="x"), "up is 'x'; give y or z"),
        (dict(skeleton="coco_17"), "available as h36m_16 or h36m_17, not as 'coco_17'"),
        (dict(cameras={"focal": (3, 1)}), r"focal is \(3, 1\)"),
        (dict(cameras={"zoom": (1, 2)}), "cameras has zoom; give focal, pitch, height"),
    ],
)
def test_invalid_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        mocap.load(root, **options)
