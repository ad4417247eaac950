"""Body height and bone proportions."""

import numpy as np
import pytest
import torch
from helpers.paths import HUMAN36M, needs_human36m

from camerapose.core.anatomy import BONE_PROPORTIONS, body_height, has_limbs
from camerapose.core.joint_formats import FORMATS, H36M_16
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets import human36m, synthetic


@pytest.fixture(scope="module")
def people():
    return synthetic.load(n=30, seed=2)


def test_height_scales_with_the_body_and_not_with_its_position(people):
    height = body_height(people.pose3d, H36M_16)
    assert height.shape == (30,) and ((height > 1.3) & (height < 2.2)).all()
    np.testing.assert_allclose(body_height(2 * people.pose3d, H36M_16), 2 * height, rtol=1e-5)
    np.testing.assert_allclose(body_height(people.pose3d + 1, H36M_16), height, rtol=1e-5)


def test_numpy_and_torch_agree(people):
    expected = body_height(people.pose3d, H36M_16)
    result = body_height(torch.tensor(people.pose3d), H36M_16)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("skeleton", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_has_limbs_and_gives_the_same_height(people, skeleton):
    assert has_limbs(skeleton)
    height = body_height(people.to(skeleton).pose3d, skeleton)
    np.testing.assert_allclose(height, body_height(people.pose3d, H36M_16), rtol=1e-5)


def test_a_skeleton_without_limbs():
    bust = Skeleton("bust", ("thorax", "head"), (None, "thorax"))
    assert not has_limbs(bust)
    with pytest.raises(ValueError, match="bust has no arm or leg"):
        body_height(np.zeros((1, 2, 3)), bust)


def test_proportions_are_ordered():
    assert all(0 < low < high < 0.4 for low, high in BONE_PROPORTIONS.values())


@needs_human36m
def test_height_of_a_subject_of_human36m():
    poses = human36m.load(HUMAN36M, subjects=("S9",), frame_step=200)
    assert body_height(poses.pose3d, poses.skeleton).mean() == pytest.approx(1.78, abs=0.08)
