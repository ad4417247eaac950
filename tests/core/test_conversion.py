"""Conversion between joint formats by name."""

import numpy as np
import pytest
import torch
from helpers.joint_formats import CUSTOM, points_of

from camerapose.core import conversion, joint_formats
from camerapose.core.conversion import DERIVED_CONFIDENCE
from camerapose.core.joint_formats import (
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

EVERY = pytest.mark.parametrize("skeleton", joint_formats.FORMATS.values(), ids=lambda s: s.name)


@pytest.fixture
def custom(tmp_path):
    path = tmp_path / "custom.toml"
    path.write_text(CUSTOM)
    return joint_formats.get(str(path))


@EVERY
@pytest.mark.parametrize("target", [H36M_16, H36M_17], ids=lambda s: s.name)
def test_every_format_converts_to_the_formats_of_the_lifters(skeleton, target):
    assert None not in conversion.joint_weights(skeleton, target)
    points, confidence = conversion.convert(*points_of(skeleton), skeleton, target)
    assert points.shape == (5, target.n_joints, 2)
    assert (confidence > 0).all()


@EVERY
def test_conversion_commutes_with_mirroring(skeleton):
    points, confidence = points_of(skeleton, n=2, d=3)
    confidence *= np.linspace(0.1, 1, skeleton.n_joints)
    poses = Poses(skeleton, points[..., :2], confidence, pose3d=points)
    for target in joint_formats.FORMATS.values():
        first, after = poses.mirror().to(target), poses.to(target).mirror()
        np.testing.assert_allclose(first.pose2d, after.pose2d, atol=1e-12)
        np.testing.assert_allclose(first.pose3d, after.pose3d, atol=1e-12)
        np.testing.assert_array_equal(first.confidence, after.confidence)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip_keeps_shared_joints_bit_for_bit(skeleton, dtype):
    points, confidence = (column.astype(dtype) for column in points_of(skeleton, n=2, d=3))
    confidence *= np.linspace(0.1, 1, skeleton.n_joints).astype(dtype)
    for target in joint_formats.FORMATS.values():
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
def test_shared_joints_are_copied_and_others_have_lower_confidence(skeleton):
    points, confidence = points_of(skeleton, n=2)
    for target in joint_formats.FORMATS.values():
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


def test_a_joint_derived_from_an_invisible_one_is_invisible():
    points, confidence = points_of(COCO_17)
    confidence[:, COCO_17.index("left_hip")] = 0
    confidence[:, COCO_17.index("right_shoulder")] = 0.6
    _, score = conversion.convert(points, confidence, COCO_17, H36M_16)
    assert (score[:, H36M_16.index("pelvis")] == 0).all()
    assert (score[:, H36M_16.index("right_hip")] == 1).all()
    np.testing.assert_allclose(score[:, H36M_16.index("thorax")], 0.6 * DERIVED_CONFIDENCE)


def test_a_joint_that_cannot_be_derived_is_zero():
    points, score = conversion.convert(*points_of(H36M_16), H36M_16, COCO_17)
    eye = COCO_17.index("left_eye")
    assert (score[:, eye] == 0).all() and (points[:, eye] == 0).all()


def test_mpii_to_16_joints_as_in_the_literature_except_the_head():
    """Human3.6M's head is inside the skull: between the upper neck and the head top of MPII."""
    points, confidence = points_of(MPII_16)
    new, _ = conversion.convert(points, confidence, MPII_16, H36M_16)
    spine = points[:, 6] + 0.476 * (points[:, 7] - points[:, 6])
    expected = points[:, [6, 2, 1, 0, 3, 4, 5, 6, 7, 9, 13, 14, 15, 12, 11, 10]]
    expected[:, 7] = spine
    expected[:, 9] = 0.6 * points[:, 9] + 0.4 * points[:, 8]
    np.testing.assert_allclose(new, expected, atol=1e-12)


def assert_copied(source, target, places):
    """Check that joints of `target` are copies of the given joints of `source`."""
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
        (joint_formats.BLAZEPOSE_33, limbs(24, 23, 26, 25, 28, 27, 12, 11, 14, 13, 16, 15)),
        (BODY_25, limbs(9, 12, 10, 13, 11, 14, 2, 5, 3, 6, 4, 7)),
        (joint_formats.OPENPOSE_18, limbs(8, 11, 9, 12, 10, 13, 2, 5, 3, 6, 4, 7)),
        (HALPE_26, limbs(12, 11, 14, 13, 16, 15, 6, 5, 8, 7, 10, 9)),
        (joint_formats.HUMANEVA_15, limbs(11, 8, 12, 9, 13, 10, 5, 2, 6, 3, 7, 4)),
        (MPI_INF_3DHP_28, limbs(23, 18, 24, 19, 25, 20, 14, 9, 15, 10, 16, 11)),
        (MPI_INF_3DHP_17, limbs(8, 11, 9, 12, 10, 13, 2, 5, 3, 6, 4, 7)),
        (SMPL_24, limbs(2, 1, 5, 4, 8, 7, 17, 16, 19, 18, 21, 20)),
    ],
    ids=lambda s: s.name if isinstance(s, Skeleton) else "",
)
def test_limb_indices_of_each_format(source, places):
    """Indices from the publication of each data set."""
    assert_copied(source, H36M_16, places)


def test_trunk_and_head_indices_of_each_format():
    assert_copied(BODY_25, H36M_17, {"thorax": 1, "pelvis": 8})
    assert_copied(HALPE_26, H36M_17, {"thorax": 18, "pelvis": 19})
    assert_copied(joint_formats.HUMANEVA_15, H36M_17, {"pelvis": 0, "thorax": 1, "head": 14})
    assert_copied(SMPL_24, H36M_17, {"pelvis": 0, "thorax": 12, "neck_nose": 15})
    assert_copied(LSP_14, MPII_16, {"upper_neck": 12, "head_top": 13})
    trunk = {"pelvis": 4, "spine": 3, "thorax": 5, "neck_nose": 6}
    assert_copied(MPI_INF_3DHP_28, H36M_17, trunk)


def test_mpi_inf_3dhp_17_is_the_relevant_subset_of_28():
    """The list of relevant joints of the data set's Matlab code, counted from 1."""
    relevant = np.array([8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]) - 1
    assert [MPI_INF_3DHP_28.joints[i] for i in relevant] == list(MPI_INF_3DHP_17.joints)


def test_mpi_inf_3dhp_to_17_joints_as_in_the_literature_except_the_head():
    points, confidence = points_of(MPI_INF_3DHP_17)
    new, _ = conversion.convert(points, confidence, MPI_INF_3DHP_17, H36M_17)
    expected = points[:, [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]]
    expected[:, 10] = 0.7 * points[:, 0] + 0.3 * points[:, 1]
    np.testing.assert_allclose(new, expected, atol=1e-12)


def test_lsp_is_mpii_without_trunk():
    points, confidence = points_of(MPII_16)
    new, _ = conversion.convert(points, confidence, MPII_16, LSP_14)
    assert (new == points[:, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9]]).all()


def test_joints_that_lsp_and_smpl_lack_are_derived():
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


def test_17_joints_without_neck_nose_are_the_16():
    points, confidence = points_of(H36M_17)
    new, _ = conversion.convert(points, confidence, H36M_17, H36M_16)
    assert (new == np.delete(points, H36M_17.index("neck_nose"), axis=1)).all()


def test_wrong_joint_count():
    with pytest.raises(ValueError, match="17 joints but h36m_16 has 16"):
        conversion.convert(*points_of(COCO_17), H36M_16, H36M_17)


def test_custom_format(custom):
    assert custom.joints[:2] == ("sacrum", "left_hip") and custom.root == "sacrum"
    points, confidence = points_of(custom)
    new, score = conversion.convert(points, confidence, custom, H36M_16)
    pelvis = np.array([0.2, 0.4, 0.4]) @ points[:, :3]
    np.testing.assert_allclose(new[:, 0], pelvis, atol=1e-12)
    thorax = points[:, 3:5].mean(axis=1)
    np.testing.assert_allclose(new[:, H36M_16.index("thorax")], thorax, atol=1e-12)
    spine = 0.524 * pelvis + 0.476 * thorax
    np.testing.assert_allclose(new[:, H36M_16.index("spine")], spine, atol=1e-12)
    assert (score[:, 0] == DERIVED_CONFIDENCE).all()
    assert (score[:, H36M_16.index("left_knee")] == 0).all()


def test_mirroring_commutes_with_conversion_of_a_custom_format(custom):
    points, confidence = points_of(custom)
    poses = Poses(custom, points, confidence)
    np.testing.assert_allclose(
        poses.mirror().to(H36M_16).pose2d, poses.to(H36M_16).mirror().pose2d, atol=1e-12
    )
