"""Bone directions of bodies in all joint definitions."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from camerapose.core.attachment import ATTACHED
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.data import retarget
from camerapose.data.augment.bone_directions import H36M_JOINTS, smallest_rotation, turn_bones

LIMBS = ("knee", "ankle", "elbow", "wrist")


@pytest.fixture(scope="module")
def bodies():
    return torch.randn(40, 46, 3, generator=torch.Generator().manual_seed(0)).double()


@pytest.fixture(scope="module")
def targets():
    return torch.randn(40, 16, 3, generator=torch.Generator().manual_seed(1)).double()


def lengths(poses):
    children, parents = zip(*ATTACHED.bones, strict=True)
    return (poses[:, list(children)] - poses[:, list(parents)]).norm(dim=-1)


def test_lengths_and_trunk_are_kept(bodies, targets):
    turned = turn_bones(bodies, targets)
    torch.testing.assert_close(lengths(turned), lengths(bodies))
    for joint in ("pelvis_h36m", "thorax_h36m", "left_hip", "right_shoulder_centre"):
        i = BODY_46.index(joint)
        torch.testing.assert_close(turned[:, i], bodies[:, i])


def test_the_own_directions_change_nothing(bodies):
    torch.testing.assert_close(turn_bones(bodies, bodies[:, H36M_JOINTS]), bodies)


def test_limbs_between_joint_centres_take_the_directions_of_the_target(bodies, targets):
    """Knees and wrists follow exactly, because their bones start at the same joint centres."""
    turned = turn_bones(bodies, targets)[:, H36M_JOINTS]
    for side in ("left", "right"):
        for start, end in (("knee", "ankle"), ("elbow", "wrist")):
            i, j = (H36M_16.index(f"{side}_{joint}") for joint in (end, start))
            bone, wanted = turned[:, i] - turned[:, j], targets[:, i] - targets[:, j]
            cosine = torch.cosine_similarity(bone, wanted, dim=-1)
            torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_rotated_bodies_and_targets_give_rotated_results(bodies, targets):
    rotation = torch.as_tensor(Rotation.from_euler("xyz", [0.3, 0.5, 1.0]).as_matrix())
    rotated = turn_bones(bodies @ rotation.T, targets @ rotation.T)
    torch.testing.assert_close(rotated, turn_bones(bodies, targets) @ rotation.T)


def test_mirror_images_give_mirror_images(bodies, targets):
    def mirrored(poses, skeleton):
        return poses[:, list(skeleton.mirror)] * torch.tensor([-1.0, 1.0, 1.0])

    other = turn_bones(mirrored(bodies, BODY_46), mirrored(targets, H36M_16))
    torch.testing.assert_close(other, mirrored(turn_bones(bodies, targets), BODY_46))


def test_smallest_rotation_equals_that_of_numpy(bodies, targets):
    a, b = bodies[:, 0], targets[:, 0]
    expected = retarget.smallest_rotation(a.numpy(), b.numpy())
    np.testing.assert_allclose(smallest_rotation(a, b).numpy(), expected, atol=1e-9)
    opposite = smallest_rotation(a, -a)
    torch.testing.assert_close(opposite, torch.eye(3).double().expand_as(opposite))
