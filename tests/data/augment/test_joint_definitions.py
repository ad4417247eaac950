"""Joints and joint definitions of simulated 2D formats."""

import pytest
import torch

from camerapose.core.geometry import bone_lengths
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.joint_definitions import (
    DISPLACEMENTS,
    FORMATS,
    LIMBS,
    displace,
    draw_formats,
    provided,
)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_symmetric_and_has_limbs(name):
    mask = provided(name)
    assert mask == [mask[i] for i in BODY_46.mirror]
    assert sum(mask) >= 12


def test_formats_differ_in_definition():
    hips = {name: provided(name)[BODY_46.index("left_hip")] for name in FORMATS}
    assert hips["coco_17"] and hips["limbs"] and not hips["h36m_16"]
    assert provided("h36m_16")[BODY_46.index("left_hip_h36m")]
    assert provided("smpl_24")[BODY_46.index("left_hip_centre")]
    assert sum(provided("limbs")) == len(LIMBS) == 12
    assert provided("blazepose_33")[BODY_46.index("left_heel")]


def test_formats_are_drawn_with_their_probabilities():
    masks, which = draw_formats(20_000, generator=torch.Generator().manual_seed(0))
    shares = torch.bincount(which, minlength=len(FORMATS)) / len(which)
    torch.testing.assert_close(shares, torch.tensor(list(FORMATS.values())), atol=0.01, rtol=0)
    assert masks[which == list(FORMATS).index("limbs")].sum(1).eq(12).all()


def test_unknown_format():
    with pytest.raises(ValueError, match="unknown skeleton"):
        provided("coco_18")


def test_displacements_are_small_symmetric_and_unbiased():
    pose = torch.randn(1, BODY_46.n_joints, 3, generator=torch.Generator().manual_seed(0))
    many = pose.expand(5000, -1, -1)
    moved = displace(many, 1.0, torch.Generator().manual_seed(1))
    size = bone_lengths(pose, BODY_46).mean()
    assert ((moved - many).mean(0).norm(dim=-1) < 0.03 * size).all()
    displaced = {name.format("left") for name, *_ in DISPLACEMENTS}
    for i, joint in enumerate(BODY_46.joints):
        changes = bool((moved[:, i] - many[:, i]).abs().max() > 0)
        assert changes == (joint.replace("right_", "left_") in displaced)
    torch.testing.assert_close(displace(many, 0.0), many)


def test_displacement_and_mirroring_commute():
    pose = torch.randn(50, BODY_46.n_joints, 3, generator=torch.Generator().manual_seed(0))
    mirror = list(BODY_46.mirror)
    a = displace(pose[:, mirror], 1.0, torch.Generator().manual_seed(1))
    b = displace(pose, 1.0, torch.Generator().manual_seed(1))[:, mirror]
    torch.testing.assert_close(a, b)
