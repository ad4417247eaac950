"""Bone-length augmentation of `body_46`."""

import torch

from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import bone_lengths, bone_vectors, unit
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.body_shape import deviations, vary_bone_lengths


def poses(n=200):
    return torch.randn(n, BODY_46.n_joints, 3, generator=torch.Generator().manual_seed(0))


def test_directions_symmetry_and_root_are_kept():
    before = poses()
    after = vary_bone_lengths(before, deviations(), 0.05, torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        unit(bone_vectors(after, ATTACHED)), unit(bone_vectors(before, ATTACHED)),
        atol=1e-4, rtol=0,
    )  # fmt: skip
    ratio = bone_lengths(after, ATTACHED) / bone_lengths(before, ATTACHED)
    torch.testing.assert_close(ratio, ratio[:, list(ATTACHED.bone_mirror)], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after[:, BODY_46.root_index], before[:, BODY_46.root_index])


def test_spread_of_the_lengths():
    before = poses(4000)
    after = vary_bone_lengths(before, deviations(0.06), 0.0, torch.Generator().manual_seed(1))
    ratio = (bone_lengths(after, ATTACHED) / bone_lengths(before, ATTACHED)).log()
    spread = dict(zip(ATTACHED.bone_names, ratio.std(0).tolist(), strict=True))
    assert abs(spread["left_knee_h36m"] - 0.06) < 0.004
    assert abs(spread["left_knee"] - 0.25) < 0.02
    assert abs(float(ratio.mean())) < 0.01


def test_no_deviation_changes_nothing():
    before = poses(5)
    torch.testing.assert_close(vary_bone_lengths(before, {}), before, atol=1e-5, rtol=0)


def test_surface_points_are_attached_to_their_joint_centres():
    parents = dict(zip(ATTACHED.joints, ATTACHED.parents, strict=True))
    assert parents["left_knee"] == "left_knee_h36m"
    assert parents["right_hip"] == "right_hip_centre"
    assert parents["left_heel"] == "left_ankle_h36m"
