"""Bone-length augmentation: same directions, other lengths, consistent cameras and 2D."""

import math
from dataclasses import replace

import pytest
import torch

from camerapose.core.geometry import bone_lengths, bone_vectors, unit
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data.augment.bone_lengths import WHOLE_BODY, vary_bone_lengths
from camerapose.data.datasets import synthetic

N = 32


@pytest.fixture(scope="module")
def pairs():
    """Return pairs as in training: torch, cameras without distortion, no labels."""
    return replace(synthetic.load(n=N), labels={}, image_size=None).to_torch()


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def varied(pairs, rng):
    result = Poses(H36M_16, pairs.pose2d + 0.01, pairs.confidence)
    return vary_bone_lengths(pairs, result, 0.1, rng)


def test_directions_are_preserved_and_sides_change_equally(pairs, varied):
    before, after = (bone_vectors(p.pose3d, H36M_16) for p in (pairs, varied[0]))
    assert torch.allclose(unit(before), unit(after), atol=1e-4)
    factor = after.norm(dim=-1) / before.norm(dim=-1)
    assert torch.allclose(factor, factor[:, list(H36M_16.bone_mirror)], rtol=1e-4)
    assert factor.min() < 0.95 and factor.max() > 1.05


def test_deviation_of_bone_and_body(pairs, rng):
    many = Poses.cat([pairs] * 100)
    varied, _ = vary_bone_lengths(many, None, 0.1, rng)
    change = bone_lengths(varied.pose3d, H36M_16).log() - bone_lengths(many.pose3d, H36M_16).log()
    assert change.std().item() == pytest.approx(0.1 * math.sqrt(1 + WHOLE_BODY**2), rel=0.1)


def test_lower_ankle_keeps_its_position(pairs, varied):
    ankles = [H36M_16.index("left_ankle"), H36M_16.index("right_ankle")]
    moved = (varied[0].pose3d - pairs.pose3d)[:, ankles].norm(dim=-1)
    lower = pairs.pose3d[:, ankles, 1].argmax(1)
    assert moved[torch.arange(N), lower].max() < 1e-5
    assert moved[torch.arange(N), 1 - lower].mean() > 1e-3


def test_camera_2d_and_detections_are_consistent(pairs, varied):
    new, result = varied
    assert torch.equal(new.camera.translation, new.root_position)
    assert torch.allclose(new.pose2d, new.camera.project(new.pose3d))
    assert torch.equal(new.camera.focal, pairs.camera.focal)
    error = result.pose2d - new.pose2d
    assert torch.allclose(error, torch.full_like(error, 0.01), atol=1e-5)


def test_no_deviation(pairs, rng):
    same, nothing = vary_bone_lengths(pairs, None, 0.0, rng)
    assert torch.allclose(same.pose3d, pairs.pose3d, atol=1e-5) and nothing is None
