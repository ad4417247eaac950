"""Properties of the pose generator and of the simulated detector."""

import math

import pytest
import torch

from camerapose.core.geometry import bone_lengths, bone_vectors, unit
from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.data.augment.detector_noise import LIMBS, detect
from camerapose.data.datasets import synthetic
from camerapose.models.generator import FOCAL, MAX_LENGTH_CHANGE, PITCH, RIGID, Generator, in_view


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def source():
    return synthetic.load(n=256, seed=1).to_torch()


@pytest.fixture(scope="module")
def generated(source):
    torch.manual_seed(0)
    generator = Generator(H36M_16)
    for net in (generator.angle_net, generator.length_net):  # large changes
        torch.nn.init.normal_(net.head.weight, std=0.2)
    with torch.no_grad():
        return generator(source.pose3d, source.camera.focal, rng())


def test_bone_angle_keeps_lengths_and_root_and_bends(source, generated):
    before, after = (bone_lengths(p, H36M_16) for p in (source.pose3d, generated.bent3d))
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.allclose(source.pose3d[:, 0], generated.bent3d[:, 0], atol=1e-6)
    assert generated.cosine_change.mean() > 0.01


def test_bone_angle_does_not_change_the_trunk(source, generated):
    rigid = [H36M_16.bone_names.index(b) for b in RIGID]
    a, b = (unit(bone_vectors(p, H36M_16))[:, rigid] for p in (source.pose3d, generated.bent3d))
    assert torch.allclose(a, b, atol=1e-5)


def test_bone_length_is_symmetric_and_bounded(generated):
    ratio = generated.length_change
    assert torch.equal(ratio, ratio[:, list(H36M_16.bone_mirror)])
    assert ratio.abs().max() <= MAX_LENGTH_CHANGE
    assert ratio.abs().max() > 0.01
    assert (ratio[:, H36M_16.bone_names.index("thorax")] == 0).all()


def test_view_keeps_the_stretched_lengths(generated):
    bent, stretched = (bone_lengths(p, H36M_16) for p in (generated.bent3d, generated.pose3d))
    assert torch.allclose(stretched, bent * (1 + generated.length_change), atol=1e-5)


def test_rotations_are_rotations(source):
    generator = Generator(H36M_16)
    rotation = generator.rotation(
        source.pose3d, generator.draw(len(source), rng(), torch.device("cpu"))
    )
    identity = rotation @ rotation.mT
    assert torch.allclose(identity, torch.eye(3).expand_as(identity), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(len(rotation)), atol=1e-5)


def test_roll_pitch_and_heading_follow_their_distributions(source):
    generator = Generator(H36M_16, roll_std=10.0)
    torch.nn.init.zeros_(generator.view_net.head.weight)
    torch.nn.init.zeros_(generator.view_net.head.bias)
    many = source.pose3d.repeat(8, 1, 1)
    rotation = generator.rotation(many, generator.draw(len(many), rng(), many.device))
    up = -rotation[:, :, 1]
    roll = torch.atan2(up[:, 0], -up[:, 1])
    assert roll.rad2deg().std().item() == pytest.approx(10, rel=0.05)
    assert roll.rad2deg().mean().abs() < 1
    pitch = torch.asin(up[:, 2])  # up leans towards a camera that looks down: negative z
    low, high = PITCH
    assert -high - 1e-4 <= pitch.min() < -high + 0.02 and -low - 0.02 < pitch.max() <= -low + 1e-4


def test_2d_is_the_projection_of_3d(generated):
    assert torch.allclose(generated.pose2d, generated.camera.project(generated.pose3d))
    assert (generated.pose3d[..., 2] > 0).float().mean() > 0.99
    focal = generated.camera.focal
    assert focal.min() >= FOCAL[0] and focal.max() <= FOCAL[1] and focal.log().std() > 0.3


def test_fixed_focal_length_is_that_of_the_source(source):
    generator = Generator(H36M_16, vary_focal=False)
    generated = generator(source.pose3d, source.camera.focal, rng())
    assert torch.equal(generated.camera.focal, source.camera.focal)


def test_random_numbers_follow_from_the_given_generator(source):
    generator = Generator(H36M_16).eval()
    args = source.pose3d, source.camera.focal
    a, b, c = (generator(*args, rng(seed)).pose3d for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_gradients_reach_all_four_networks(source):
    generator = Generator(H36M_16)
    generated = generator(source.pose3d, source.camera.focal, rng())
    generated.pose2d.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())


def test_in_view_detects_poses_that_leave_the_image():
    pose2d = torch.zeros(3, 16, 2)
    pose2d[1, 4, 0], pose2d[2, 4, 1] = 1.01, -1.8
    assert in_view(pose2d).tolist() == [1, 0, 0]


# --- simulated detector noise


def test_noise_has_the_given_level_and_confidence_decreases_with_it():
    clean = torch.randn(4000, 16, 2)
    for level in (0.02, 0.08):
        noisy, confidence = detect(
            clean,
            torch.ones(4000, 16),
            H36M_16,
            level,
            missing=0.0,
            interpolated=0.0,
            generator=rng(),
        )
        error = (noisy - clean).norm(dim=-1)
        assert error.median() == pytest.approx(level * math.sqrt(2 * math.log(2)), rel=0.15)
        certain, uncertain = confidence > confidence.median(), confidence < confidence.median()
        assert error[certain].mean() < 0.7 * error[uncertain].mean()
        assert confidence.min() > 0 and confidence.max() <= 1


def test_confidence_is_independent_of_the_drawn_error():
    """The error is Gaussian among joints of nearly equal confidence."""
    clean = torch.zeros(20000, 16, 2)
    noisy, confidence = detect(
        clean, torch.ones(20000, 16), H36M_16, 0.08, 0.0, 0.0, generator=rng()
    )
    band = (confidence > 0.78) & (confidence < 0.79)
    x = noisy[band]
    kurtosis = (x**4).mean() / (x**2).mean() ** 2
    assert band.sum() > 1000 and kurtosis == pytest.approx(3, abs=0.3)


def test_missing_joints_have_confidence_zero_and_never_more_than_half():
    _, confidence = detect(
        torch.randn(500, 16, 2), torch.ones(500, 16), H36M_16, missing=0.4, generator=rng()
    )
    missing = (confidence == 0).sum(1)
    assert missing.max() <= 8 and missing.float().mean() > 3


def test_joints_of_a_limb_are_missing_together():
    pose2d, certain = torch.randn(600, 16, 2), torch.ones(600, 16)
    _, confidence = detect(
        pose2d, certain, H36M_16, missing=0.0, interpolated=0.0, truncated=1.0, generator=rng()
    )
    missing = {tuple((row == 0).nonzero()[:, 0].tolist()) for row in confidence}
    assert missing == {tuple(sorted(H36M_16.index(j) for j in limb)) for limb in LIMBS}


def test_joints_without_annotation_keep_confidence_zero():
    confidence = torch.ones(50, 16)
    confidence[:, 5] = 0
    _, visible = detect(torch.randn(50, 16, 2), confidence, H36M_16, generator=rng())
    assert (visible[:, 5] == 0).all()


@pytest.mark.parametrize("skeleton", [H36M_16, H36M_17])
def test_interpolated_trunk_agrees_with_conversion_and_has_low_confidence(skeleton):
    n = skeleton.n_joints
    clean = torch.randn(20, n, 2)
    interpolated, confidence = detect(
        clean, torch.ones(20, n), skeleton, 1e-9, 0.0, interpolated=1.0, generator=rng()
    )
    left, right = skeleton.index("left_hip"), skeleton.index("right_hip")
    pelvis = skeleton.index("pelvis")
    assert torch.allclose(
        interpolated[:, pelvis], (clean[:, left] + clean[:, right]) / 2, atol=1e-5
    )
    assert confidence[:, pelvis].max() <= 0.5 and confidence[:, left].min() > 0.99
    knee = skeleton.index("left_knee")
    assert torch.allclose(interpolated[:, knee], clean[:, knee], atol=1e-5)


def test_redefined_joints_are_displaced_symmetrically_along_the_body():
    body = torch.zeros(200, 16, 2)
    for joint, place in {
        "left_hip": (1, 0), "right_hip": (-1, 0), "thorax": (0, -4), "left_shoulder": (1.5, -4),
        "right_shoulder": (-1.5, -4), "left_knee": (1, 3), "right_knee": (-1, 3),
        "left_ankle": (1, 6), "right_ankle": (-1, 6), "head": (0, -6),
        "left_elbow": (1.5, -2), "right_elbow": (-1.5, -2), "left_wrist": (1.5, 0),
        "right_wrist": (-1.5, 0), "spine": (0, -2),
    }.items():  # fmt: skip
        body[:, H36M_16.index(joint)] = torch.tensor(place, dtype=torch.float32)
    visible = torch.ones(200, 16)
    noiseless = dict(level=1e-9, missing=0.0, interpolated=0.0, truncated=0.0)
    redefined, _ = detect(body, visible, H36M_16, **noiseless, redefined=1.0, generator=rng())
    unchanged, _ = detect(body, visible, H36M_16, **noiseless, redefined=0.0, generator=rng())
    torch.testing.assert_close(unchanged, body, atol=1e-5, rtol=0)
    change = (redefined - body)[:, list(H36M_16.mirror)]
    torch.testing.assert_close(
        change * torch.tensor([-1.0, 1]), redefined - body, atol=1e-5, rtol=0
    )
    hip = (redefined - body)[:, H36M_16.index("left_hip")]
    assert 0.15 < hip[:, 0].std() < 0.35  # a quarter of the way from pelvis to hip
    ankle = (redefined - body)[:, H36M_16.index("left_ankle")]
    assert ankle[:, 0].abs().max() < 1e-5 < ankle[:, 1].std()  # along the shank
    assert (redefined - body)[:, H36M_16.index("pelvis")].abs().max() < 1e-6
