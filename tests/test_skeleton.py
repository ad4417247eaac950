"""Skeleton: what is derived from names, and conversion by name."""

import numpy as np
import pytest
import torch

from camerapose import skeleton as skeletons
from camerapose.skeleton import COCO_17, H36M_16, H36M_17, MADE_CONFIDENCE, MPII_16, Skeleton

EVERY = pytest.mark.parametrize("skeleton", skeletons.FORMATS.values(), ids=lambda s: s.name)


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
    assert None not in skeletons.conversion(skeleton, target)
    points, confidence = skeletons.convert(*points_of(skeleton), skeleton, target)
    assert points.shape == (5, target.n_joints, 2)
    assert (confidence > 0).all()


@EVERY
def test_conversion_commutes_with_mirroring(skeleton):
    points, confidence = points_of(skeleton)
    first, _ = skeletons.convert(points[:, list(skeleton.mirror)], confidence, skeleton, H36M_16)
    after, _ = skeletons.convert(points, confidence, skeleton, H36M_16)
    np.testing.assert_allclose(first, after[:, list(H36M_16.mirror)], atol=1e-12)


@EVERY
def test_conversion_commutes_with_translation(skeleton):
    points, confidence = points_of(skeleton, d=3)
    moved, _ = skeletons.convert(points + 7, confidence, skeleton, H36M_17)
    np.testing.assert_allclose(
        moved, skeletons.convert(points, confidence, skeleton, H36M_17)[0] + 7, atol=1e-12
    )


@EVERY
@pytest.mark.parametrize("target", skeletons.FORMATS.values(), ids=lambda s: s.name)
def test_shared_joints_are_copied_and_others_say_so(skeleton, target):
    points, confidence = points_of(skeleton)
    new, score = skeletons.convert(points, confidence, skeleton, target)
    for i, joint in enumerate(target.joints):
        if joint in skeleton.joints:
            assert (new[:, i] == points[:, skeleton.index(joint)]).all()
            assert (score[:, i] == 1).all()
        else:
            assert set(np.unique(score[:, i])) <= {0, MADE_CONFIDENCE}


def test_conversion_to_itself_changes_nothing():
    points, confidence = points_of(H36M_16)
    same, score = skeletons.convert(points, confidence, H36M_16, H36M_16)
    assert same is points and score is confidence


def test_numpy_and_torch_agree():
    points, confidence = points_of(COCO_17)
    expected = skeletons.convert(points, confidence, COCO_17, H36M_17)
    got = skeletons.convert(
        torch.from_numpy(points), torch.from_numpy(confidence), COCO_17, H36M_17
    )
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-12)


def test_a_joint_made_of_an_unseen_one_is_unseen():
    points, confidence = points_of(COCO_17)
    confidence[:, COCO_17.index("left_hip")] = 0
    confidence[:, COCO_17.index("right_shoulder")] = 0.6
    _, score = skeletons.convert(points, confidence, COCO_17, H36M_16)
    assert (score[:, H36M_16.index("pelvis")] == 0).all()
    assert (score[:, H36M_16.index("right_hip")] == 1).all()
    np.testing.assert_allclose(score[:, H36M_16.index("thorax")], 0.6 * MADE_CONFIDENCE)


def test_a_joint_that_cannot_be_made_is_zero():
    points, score = skeletons.convert(*points_of(H36M_16), H36M_16, COCO_17)
    eye = COCO_17.index("left_eye")
    assert (score[:, eye] == 0).all() and (points[:, eye] == 0).all()


def test_mpii_to_16_joints_as_the_field_does_it_but_for_the_head():
    """Human3.6M's head is inside the skull: between MPII's upper neck and its head top."""
    points, confidence = points_of(MPII_16)
    new, _ = skeletons.convert(points, confidence, MPII_16, H36M_16)
    spine = points[:, 6] + 0.476 * (points[:, 7] - points[:, 6])
    expected = points[:, [6, 2, 1, 0, 3, 4, 5, 6, 7, 9, 13, 14, 15, 12, 11, 10]]
    expected[:, 7] = spine
    expected[:, 9] = 0.6 * points[:, 9] + 0.4 * points[:, 8]
    np.testing.assert_allclose(new, expected, atol=1e-12)


def test_17_joints_without_the_neck_are_16():
    points, confidence = points_of(H36M_17)
    new, _ = skeletons.convert(points, confidence, H36M_17, H36M_16)
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
        (("a", "a"), (None, "a"), "names a joint twice"),
        (("a", "b"), (None, None), "needs one root"),
        (("a", "b"), (None, "c"), r"unknown parents: \['c'\]"),
    ],
)
def test_impossible_skeletons(joints, parents, message):
    with pytest.raises(ValueError, match=message):
        Skeleton("odd", joints, parents)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"known are h36m_16.*did you mean 'coco_17'"):
        skeletons.get("coco17")
    with pytest.raises(ValueError, match="has no joint 'nose'; it has pelvis"):
        H36M_16.index("nose")


def test_wrong_joint_count():
    with pytest.raises(ValueError, match="17 joints but h36m_16 has 16"):
        skeletons.convert(*points_of(COCO_17), H36M_16, H36M_17)
