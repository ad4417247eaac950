"""Random postures: exchanged limbs, rotated segments, rotated bodies."""

import pytest
import torch
from helpers.posture import people, standing

from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import bone_lengths
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.engine import tumble
from camerapose.data.augment.posture import exchange_limbs, extend_legs, rotate_segments

LEGS = [i for i, joint in enumerate(BODY_46.joints) if "knee" in joint or "ankle" in joint]
ARMS = [i for i, joint in enumerate(BODY_46.joints) if "elbow" in joint or "wrist" in joint]
TRUNK = [BODY_46.index(joint) for joint in ("thorax_h36m", "left_hip", "right_shoulder_centre")]


def seeded():
    return torch.Generator().manual_seed(1)


def legs(pose, side="left"):
    """Thigh, shank and foot of one side."""
    hip, knee, ankle, toe = (
        pose[:, BODY_46.index(f"{side}_{joint}")]
        for joint in ("hip_centre", "knee_h36m", "ankle_h36m", "big_toe")
    )
    return knee - hip, ankle - knee, toe - ankle


def flexion(pose, side="left"):
    """Flexion of the knee in degrees."""
    thigh, shank, _ = legs(pose, side)
    cosine = torch.nn.functional.cosine_similarity(thigh, shank)
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


VARIATIONS = {
    "extend": lambda pose: extend_legs(pose, (0.7, 0.9), seeded()),
    "exchange": lambda pose: exchange_limbs(pose, 1.0, seeded()),
    "rotate": lambda pose: rotate_segments(pose, 0.2, seeded()),
    "tumble": lambda pose: tumble(pose, 1.0, seeded()),
}


@pytest.mark.parametrize("name", VARIATIONS)
def test_bone_lengths_and_root_are_kept_and_the_posture_changes(name):
    pose = people()
    varied = VARIATIONS[name](pose)
    torch.testing.assert_close(
        bone_lengths(varied, ATTACHED), bone_lengths(pose, ATTACHED), atol=1e-5, rtol=1e-5
    )
    root = BODY_46.root_index
    torch.testing.assert_close(varied[:, root], pose[:, root])
    assert (varied - pose).norm(dim=-1).mean() > 0.05


@pytest.mark.parametrize("amount", [exchange_limbs, rotate_segments, tumble])
def test_zero_changes_nothing(amount):
    pose = people(20)
    torch.testing.assert_close(amount(pose, 0.0, seeded()), pose, atol=1e-6, rtol=1e-6)


def test_exchange_keeps_the_trunk_and_takes_limbs_of_other_poses():
    pose = people()
    varied = exchange_limbs(pose, 0.5, seeded())
    torch.testing.assert_close(varied[:, TRUNK], pose[:, TRUNK], atol=1e-5, rtol=1e-5)
    moved = (varied - pose).norm(dim=-1) > 1e-4
    legs, arms = moved[:, LEGS].any(1), moved[:, ARMS].any(1)
    assert 0.4 < legs.float().mean() < 0.6 and 0.4 < arms.float().mean() < 0.6
    assert 0.15 < (legs & arms).float().mean() < 0.35


def test_exchanged_limbs_keep_their_orientation_relative_to_the_trunk():
    pose = people(1).expand(50, -1, -1)
    turned = tumble(pose, 1.0, seeded())  # the same posture in other orientations
    torch.testing.assert_close(exchange_limbs(turned, 1.0, seeded()), turned, atol=1e-5, rtol=1e-4)


def test_rotation_of_a_segment_moves_what_follows_it():
    pose = people(2000)
    varied = rotate_segments(pose, 0.1, seeded())
    direction = torch.nn.functional.normalize(
        varied[:, BODY_46.index("left_ankle_h36m")] - varied[:, BODY_46.index("left_knee_h36m")],
        dim=1,
    )
    original = torch.nn.functional.normalize(
        pose[:, BODY_46.index("left_ankle_h36m")] - pose[:, BODY_46.index("left_knee_h36m")], dim=1
    )
    angle = (direction * original).sum(1).clamp(-1, 1).acos()
    # Pelvis, thigh and shank: three rotations, two components of each tilt the direction.
    expected = 0.1 * (3 * 2) ** 0.5
    assert abs(angle.square().mean().sqrt() / expected - 1) < 0.05


def test_legs_of_standing_people_become_straight():
    pose = standing(30.0)
    straight = extend_legs(pose, (0.9, 0.9), seeded())
    for side in ("left", "right"):
        assert flexion(pose, side).median() == pytest.approx(30.0, abs=0.1)
        assert flexion(straight, side).median() < 5
        assert flexion(straight, side).max() < 20
        before, after = legs(pose, side), legs(straight, side)
        torch.testing.assert_close(after[2], before[2])  # the feet keep their orientation
        lines = [limb[0] + limb[1] for limb in (before, after)]
        cosine = torch.nn.functional.cosine_similarity(*lines)
        assert cosine.min() > 0.9999


def test_the_distance_from_hip_to_ankle_is_divided():
    pose = standing(90.0)
    extended = extend_legs(pose, (0.95, 0.95), seeded())
    before, after = (sum(legs(p)[:2]).norm(dim=-1) for p in (pose, extended))
    torch.testing.assert_close(after, before / 0.95, atol=1e-4, rtol=1e-4)
    forward = [legs(p)[0][:, 1] for p in (pose, extended)]
    assert (forward[1] > 0).all() and (forward[1] < forward[0]).all()


def test_no_shortening_changes_nothing():
    pose = people()
    torch.testing.assert_close(extend_legs(pose, (1.0, 1.0), seeded()), pose, atol=1e-4, rtol=1e-4)
