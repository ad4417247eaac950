"""Bone vectors of numpy poses."""

import numpy as np
import pytest
import torch
from helpers.joint_formats import points_of

from camerapose.core import geometry
from camerapose.core.bones import bone_lengths, bone_vectors, pose_from_bones, unit
from camerapose.core.joint_formats import FORMATS, H36M_16


@pytest.mark.parametrize("skeleton", FORMATS.values(), ids=FORMATS.keys())
def test_bones_and_poses_are_inverse(skeleton):
    pose3d, _ = points_of(skeleton, d=3)
    relative = pose3d - pose3d[:, [skeleton.root_index]]
    bones = bone_vectors(pose3d, skeleton)
    np.testing.assert_allclose(pose_from_bones(bones, skeleton), relative, atol=1e-12)


def test_agrees_with_the_torch_counterpart():
    pose3d, _ = points_of(H36M_16, d=3)
    points = torch.from_numpy(pose3d)
    for ours, theirs in (
        (bone_vectors, geometry.bone_vectors),
        (bone_lengths, geometry.bone_lengths),
    ):
        np.testing.assert_allclose(ours(pose3d, H36M_16), theirs(points, H36M_16), atol=1e-12)


def test_unit_is_finite_at_zero():
    vectors = np.array([[3.0, 0, 4], [0, 0, 0]])
    np.testing.assert_allclose(unit(vectors), [[0.6, 0, 0.8], [0, 0, 0]])
