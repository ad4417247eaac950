"""Skeleton: properties derived from the joint names."""

import numpy as np
import pytest

from camerapose.core import joint_formats
from camerapose.core.joint_formats import (
    H36M_16,
)
from camerapose.core.skeleton import Skeleton

EVERY = pytest.mark.parametrize("skeleton", joint_formats.FORMATS.values(), ids=lambda s: s.name)


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


def test_parts_contain_bones_of_their_side():
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
def test_invalid_skeletons(joints, parents, message):
    with pytest.raises(ValueError, match=message):
        Skeleton("invalid", joints, parents)


def test_unknown_joint():
    with pytest.raises(ValueError, match="has no joint 'nose'; it has pelvis"):
        H36M_16.index("nose")
