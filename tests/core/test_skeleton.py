"""Skeleton: what is derived from names, and conversion by name."""

import numpy as np
import pytest
import torch

from camerapose.core import conversion, formats
from camerapose.core.conversion import DERIVED_CONFIDENCE
from camerapose.core.formats import (
    BODY_25,
    COCO_17,
    H36M_16,
    H36M_17,
    HALPE_26,
    LSP_14,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    MPII_16,
    SMPL_24,
)
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

EVERY = pytest.mark.parametrize("skeleton", formats.FORMATS.values(), ids=lambda s: s.name)


def points_of(skeleton, n=5, d=2, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, skeleton.n_joints, d)), np.ones((n, skeleton.n_joints))


@EVERY
def test_mirror_twice_is_identity(skeleton):
    order = np.array(skeleton.mirror)
    assert (order[order] == np.arange(skeleton.n_joints)).all()
    bones = np.array(skeleton.bone_mirror)
    assert (bones[bones] == np.arange(len(skeleton.bones))).all()


@EVERY
def test_bones_reach_every_joint_from_the_root(skeleton):
    parent = dict(skeleton.bones)
    assert len(skeleton.bones) == skeleton.n_joints - 1
    for joint in range(skeleton.n_joints):
        steps = 0
        while joint != skeleton.root_index:
            joint, steps = parent[joint], steps + 1
            assert steps < skeleton.n_joints


@EVERY
def test_mirrored_bones_join_mirrored_joints(skeleton):
    for i, (child, _) in enumerate(skeleton.bones):
        other, _ = skeleton.bones[skeleton.bone_mirror[i]]
        assert other == skeleton.mirror[child]


@EVERY
@pytest.mark.parametrize("target", [H36M_16, H36M_17], ids=lambda s: s.name)
def test_every_format_gives_the_lifters_joints(skeleton, target):
    assert None not in conversion.joint_weights(skeleton, target)
    points, confidence = conversion.convert(*points_of(skeleton), skeleton, target)
    assert points.shape == (5, target.n_joints, 2)
    assert (confidence > 0).all()


@EVERY
def test_conversion_commutes_with_mirroring(skeleton):
    points, confidence = points_of(skeleton, n=2, d=3)
    confidence *= np.linspace(0.1, 1, skeleton.n_joints)
    poses = Poses(skeleton, points[..., :2], confidence, pose3d=points)
    for target in formats.FORMATS.values():
        first, after = poses.mirror().to(target), poses.to(target).mirror()
        np.testing.assert_allclose(first.pose2d, after.pose2d, atol=1e-12)
        np.testing.assert_allclose(first.pose3d, after.pose3d, atol=1e-12)
        np.testing.assert_array_equal(first.confidence, after.confidence)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back_keeps_shared_joints_bit_for_bit(skeleton, dtype):
    points, confidence = (column.astype(dtype) for column in points_of(skeleton, n=2, d=3))
    confidence *= np.linspace(0.1, 1, skeleton.n_joints).astype(dtype)
    for target in formats.FORMATS.values():
        there = conversion.convert(points, confidence, skeleton, target)
        back, score = conversion.convert(*there, target, skeleton)
        shared = [skeleton.index(joint) for joint in skeleton.joints if joint in target.joints]
        assert len(shared) >= 10
        assert back[:, shared].tobytes() == points[:, shared].tobytes()
        assert score[:, shared].tobytes() == confidence[:, shared].tobytes()


@EVERY
def test_conversion_commutes_with_translation(skeleton):
    points, confidence = points_of(skeleton, d=3)
    moved, _ = conversion.convert(points + 7, confidence, skeleton, H36M_17)
    np.testing.assert_allclose(
        moved, conversion.convert(points, confidence, skeleton, H36M_17)[0] + 7, atol=1e-12
    )


@EVERY
def test_shared_joints_are_copied_and_others_say_so(skeleton):
    points, confidence = points_of(skeleton, n=2)
    for target in formats.FORMATS.values():
        new, score = conversion.convert(points, confidence, skeleton, target)
        for i, joint in enumerate(target.joints):
            if joint in skeleton.joints:
                assert (new[:, i] == points[:, skeleton.index(joint)]).all()
                assert (score[:, i] == 1).all()
            else:
                assert set(np.unique(score[:, i])) <= {0, DERIVED_CONFIDENCE}


def test_conversion_to_itself_changes_nothing():
    points, confidence = points_of(H36M_16)
    same, score = conversion.convert(points, confidence, H36M_16, H36M_16)
    assert same is points and score is confidence


def test_numpy_and_torch_agree():
    points, confidence = points_of(COCO_17)
    expected = conversion.convert(points, confidence, COCO_17, H36M_17)
    got = conversion.convert(
        torch.from_numpy(points), torch.from_numpy(confidence), COCO_17, H36M_17
    )
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-12)


def test_a_joint_made_of_an_unseen_one_is_unseen():
    points, confidence = points_of(COCO_17)
    confidence[:, COCO_17.index("left_hip")] = 0
    confidence[:, COCO_17.index("right_shoulder")] = 0.6
    _, score = conversion.convert(points, confidence, COCO_17, H36M_16)
    assert (score[:, H36M_16.index("pelvis")] == 0).all()
    assert (score[:, H36M_16.index("right_hip")] == 1).all()
    np.testing.assert_allclose(score[:, H36M_16.index("thorax")], 0.6 * DERIVED_CONFIDENCE)


def test_a_joint_that_cannot_be_made_is_zero():
    points, score = conversion.convert(*points_of(H36M_16), H36M_16, COCO_17)
    eye = COCO_17.index("left_eye")
    assert (score[:, eye] == 0).all() and (points[:, eye] == 0).all()


def test_mpii_to_16_joints_as_the_field_does_it_but_for_the_head():
    """Human3.6M's head is inside the skull: between MPII's upper neck and its head top."""
    points, confidence = points_of(MPII_16)
    new, _ = conversion.convert(points, confidence, MPII_16, H36M_16)
    spine = points[:, 6] + 0.476 * (points[:, 7] - points[:, 6])
    expected = points[:, [6, 2, 1, 0, 3, 4, 5, 6, 7, 9, 13, 14, 15, 12, 11, 10]]
    expected[:, 7] = spine
    expected[:, 9] = 0.6 * points[:, 9] + 0.4 * points[:, 8]
    np.testing.assert_allclose(new, expected, atol=1e-12)


def assert_places(source, target, places):
    """Joints of `target` stand at these places of `source`, untouched."""
    points, confidence = points_of(source)
    new, score = conversion.convert(points, confidence, source, target)
    for joint, place in places.items():
        assert (new[:, target.index(joint)] == points[:, place]).all(), joint
        assert (score[:, target.index(joint)] == 1).all(), joint


LIMBS = [
    f"{side}_{joint}"
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    for side in ("right", "left")
]


def limbs(*places):
    """Right and left hip, knee, ankle, shoulder, elbow, wrist."""
    return dict(zip(LIMBS, places, strict=True))


@pytest.mark.parametrize(
    ("source", "places"),
    [
        (H36M_17, limbs(1, 4, 2, 5, 3, 6, 14, 11, 15, 12, 16, 13)),
        (MPII_16, limbs(2, 3, 1, 4, 0, 5, 12, 13, 11, 14, 10, 15)),
        (LSP_14, limbs(2, 3, 1, 4, 0, 5, 8, 9, 7, 10, 6, 11)),
        (COCO_17, limbs(12, 11, 14, 13, 16, 15, 6, 5, 8, 7, 10, 9)),
        (formats.BLAZEPOSE_33, limbs(24, 23, 26, 25, 28, 27, 12, 11, 14, 13, 16, 15)),
        (BODY_25, limbs(9, 12, 10, 13, 11, 14, 2, 5, 3, 6, 4, 7)),
        (formats.OPENPOSE_18, limbs(8, 11, 9, 12, 10, 13, 2, 5, 3, 6, 4, 7)),
        (HALPE_26, limbs(12, 11, 14, 13, 16, 15, 6, 5, 8, 7, 10, 9)),
        (formats.HUMANEVA_15, limbs(11, 8, 12, 9, 13, 10, 5, 2, 6, 3, 7, 4)),
        (MPI_INF_3DHP_28, limbs(23, 18, 24, 19, 25, 20, 14, 9, 15, 10, 16, 11)),
        (MPI_INF_3DHP_17, limbs(8, 11, 9, 12, 10, 13, 2, 5, 3, 6, 4, 7)),
        (SMPL_24, limbs(2, 1, 5, 4, 8, 7, 17, 16, 19, 18, 21, 20)),
    ],
    ids=lambda s: s.name if isinstance(s, Skeleton) else "",
)
def test_limbs_stand_where_each_set_says(source, places):
    """Numbers as each set's own publication counts its joints."""
    assert_places(source, H36M_16, places)


def test_trunk_and_head_stand_where_each_set_says():
    assert_places(BODY_25, H36M_17, {"thorax": 1, "pelvis": 8})
    assert_places(HALPE_26, H36M_17, {"thorax": 18, "pelvis": 19})
    assert_places(formats.HUMANEVA_15, H36M_17, {"pelvis": 0, "thorax": 1, "head": 14})
    assert_places(SMPL_24, H36M_17, {"pelvis": 0, "thorax": 12, "neck_nose": 15})
    assert_places(LSP_14, MPII_16, {"upper_neck": 12, "head_top": 13})
    trunk = {"pelvis": 4, "spine": 3, "thorax": 5, "neck_nose": 6}
    assert_places(MPI_INF_3DHP_28, H36M_17, trunk)


def test_mpi_inf_3dhp_17_are_those_of_its_28_that_the_test_set_has():
    """Its own list of relevant joints, counted from 1 as in its Matlab code."""
    relevant = np.array([8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]) - 1
    assert [MPI_INF_3DHP_28.joints[i] for i in relevant] == list(MPI_INF_3DHP_17.joints)


def test_mpi_inf_3dhp_to_17_joints_as_the_field_does_it_but_for_the_head():
    points, confidence = points_of(MPI_INF_3DHP_17)
    new, _ = conversion.convert(points, confidence, MPI_INF_3DHP_17, H36M_17)
    expected = points[:, [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]]
    expected[:, 10] = 0.7 * points[:, 0] + 0.3 * points[:, 1]
    np.testing.assert_allclose(new, expected, atol=1e-12)


def test_lsp_is_mpii_without_trunk():
    points, confidence = points_of(MPII_16)
    new, _ = conversion.convert(points, confidence, MPII_16, LSP_14)
    assert (new == points[:, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9]]).all()


def test_what_lsp_and_smpl_lack_is_made():
    points, confidence = points_of(LSP_14)
    new, score = conversion.convert(points, confidence, LSP_14, H36M_16)
    for joint, pair in {"pelvis": (2, 3), "thorax": (8, 9)}.items():
        at = H36M_16.index(joint)
        np.testing.assert_allclose(new[:, at], points[:, pair].mean(axis=1), atol=1e-12)
        assert (score[:, at] == DERIVED_CONFIDENCE).all()
    points, confidence = points_of(SMPL_24)
    new, score = conversion.convert(points, confidence, SMPL_24, H36M_16)
    head = 2 * points[:, 15] - points[:, 12]
    np.testing.assert_allclose(new[:, H36M_16.index("head")], head, atol=1e-12)
    spine = 0.524 * points[:, 0] + 0.476 * points[:, 12]
    np.testing.assert_allclose(new[:, H36M_16.index("spine")], spine, atol=1e-12)


@pytest.mark.parametrize(
    ("skeleton", "parents"),
    [
        (
            SMPL_24,
            [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21],
        ),
        (
            MPI_INF_3DHP_28,
            [2, 0, 3, 4, -1, 1, 5, 6, 5, 8, 9, 10, 11, 5, 13, 14, 15, 16, 4, 18, 19, 20, 21, 4, 23,
             24, 25, 26],
        ),
    ],
    ids=lambda s: s.name if isinstance(s, Skeleton) else "",
)  # fmt: skip
def test_trees_as_published(skeleton, parents):
    """SMPL's kintree_table; MPI-INF-3DHP's first-order parents (clavicles at the neck)."""
    found = [-1 if p is None else skeleton.index(p) for p in skeleton.parents]
    assert found == parents


def test_17_joints_without_the_neck_are_16():
    points, confidence = points_of(H36M_17)
    new, _ = conversion.convert(points, confidence, H36M_17, H36M_16)
    assert (new == np.delete(points, H36M_17.index("neck_nose"), axis=1)).all()


def test_parts_name_bones_of_their_side():
    for part, bones in H36M_16.parts.items():
        names = [H36M_16.bone_names[b] for b in bones]
        for side in ("left", "right"):
            if part.endswith("_arm") and part.startswith(side):
                other = "right" if side == "left" else "left"
                assert f"{side}_wrist" in names and f"{other}_wrist" not in names
            if part.endswith("_leg") and part.startswith(side):
                assert f"{side}_ankle" in names
    covered = {bone for bones in H36M_16.parts.values() for bone in bones}
    assert covered == set(range(len(H36M_16.bones)))


@pytest.mark.parametrize(
    ("joints", "parents", "message"),
    [
        (("a", "b"), (None,), "2 joints and 1 parents"),
        (("a", "a"), (None, "a"), "duplicate joints"),
        (("a", "b"), (None, None), "needs one root"),
        (("a", "b"), (None, "c"), r"unknown parents: \['c'\]"),
        (("a", "b", "c"), (None, "c", "b"), r"form a cycle \(b -> c -> b\)"),
        (("a", "left_b"), (None, "a"), "has 'left_b' but no 'right_b'"),
    ],
)
def test_impossible_skeletons(joints, parents, message):
    with pytest.raises(ValueError, match=message):
        Skeleton("odd", joints, parents)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"known are h36m_16.*did you mean 'coco_17'"):
        formats.get("coco17")
    with pytest.raises(ValueError, match="has no joint 'nose'; it has pelvis"):
        H36M_16.index("nose")


def test_wrong_joint_count():
    with pytest.raises(ValueError, match="17 joints but h36m_16 has 16"):
        conversion.convert(*points_of(COCO_17), H36M_16, H36M_17)


OWN = """
name = "markers"
joints = ["sacrum", "left_hip:sacrum", "right_hip:sacrum", "left_collar:sacrum",
          "right_collar:sacrum", "cap:sacrum"]
derived.pelvis = { sacrum = 0.2, left_hip = 0.4, right_hip = 0.4 }
derived.thorax = { left_collar = 0.5, right_collar = 0.5 }
derived.left_shoulder = { left_collar = 1 }
derived.right_shoulder = { right_collar = 1 }
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return formats.get(str(path))


def test_a_format_of_ones_own(own):
    assert own.joints[:2] == ("sacrum", "left_hip") and own.root == "sacrum"
    points, confidence = points_of(own)
    new, score = conversion.convert(points, confidence, own, H36M_16)
    pelvis = np.array([0.2, 0.4, 0.4]) @ points[:, :3]
    np.testing.assert_allclose(new[:, 0], pelvis, atol=1e-12)
    thorax = points[:, 3:5].mean(axis=1)
    np.testing.assert_allclose(new[:, H36M_16.index("thorax")], thorax, atol=1e-12)
    spine = 0.524 * pelvis + 0.476 * thorax
    np.testing.assert_allclose(new[:, H36M_16.index("spine")], spine, atol=1e-12)
    assert (score[:, 0] == DERIVED_CONFIDENCE).all()
    assert (score[:, H36M_16.index("left_knee")] == 0).all()


def test_mirroring_commutes_for_ones_own(own):
    points, confidence = points_of(own)
    poses = Poses(own, points, confidence)
    np.testing.assert_allclose(
        poses.mirror().to(H36M_16).pose2d, poses.to(H36M_16).mirror().pose2d, atol=1e-12
    )


def test_ones_own_format_travels_with_the_poses(own, tmp_path):
    points, confidence = (np.float32(column) for column in points_of(own))
    Poses(own, points, confidence).save(tmp_path / "poses.npz")
    assert Poses.load(tmp_path / "poses.npz").skeleton == own
    assert formats.get(formats.definition(own)) == own
    assert formats.definition(H36M_16) == "h36m_16"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "markers"', 'name = "h36m_16"', "'h36m_16' is a built-in joint format"),
        ('name = "markers"', "name = 3", 'needs name = "..." and joints'),
        ('name = "markers"', 'names = "markers"', "unknown keys: names"),
        ('name = "markers"', "name = ", "is not valid TOML"),
        ('"left_hip:sacrum", ', "", "has 'right_hip' but no 'left_hip'"),
        ('"cap:sacrum"', '"Cap:sacrum"', "'Cap:sacrum' is not a joint"),
        ('"cap:sacrum"', '"cap:skull"', r"unknown parents: \['skull'\]"),
        ("sacrum = 0.2", "sacrum = 0.3", "'pelvis' cannot be derived from .*sum to 1"),
        ("sacrum = 0.2", "skull = 0.2", r"unknown: skull"),
        ("left_hip = 0.4", "left_hip = 0.6", "'pelvis' cannot be derived"),
        ("left_hip = 0.4, right_hip = 0.4", "left_hip = 0.5, right_hip = 0.3", "its mirror image"),
        ("{ left_collar = 1 }", "1", "`derived` needs the weights"),
        ("derived.left_shoulder = { left_collar = 1 }", "", "its mirror image 'left_shoulder'"),
    ],
)
def test_bad_formats_of_ones_own(old, new, message, tmp_path):
    path = tmp_path / "own.toml"
    assert old in OWN
    path.write_text(OWN.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        formats.get(str(path))
    assert str(path) in str(caught.value)


def test_no_file_of_a_format(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*own.toml"):
        formats.get(str(tmp_path / "own.toml"))
