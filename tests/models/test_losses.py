import math

import pytest
import torch

from camerapose.core import anatomy
from camerapose.core.geometry import pose_from_bones
from camerapose.core.joint_formats import FORMATS, H36M_16, MPII_16
from camerapose.core.skeleton import Skeleton
from camerapose.models import losses

#: Lengths (metres) of an adult's bones between joint centres, by outer joint.
ADULT = {
    "hip": 0.133, "knee": 0.443, "ankle": 0.454, "spine": 0.2335, "thorax": 0.257, "head": 0.182,
    "shoulder": 0.151, "elbow": 0.279, "wrist": 0.252,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def value(loss: torch.Tensor) -> float:
    assert loss.shape == ()
    return loss.item()


# Losses compared with values computed by hand


def test_refinement_loss():
    refined = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 3.0], [1.0, 1.0]]])
    target = torch.zeros(2, 2, 2)
    confidence = torch.tensor([[0.2, 0.6], [0.0, 0.5]])
    # weights 1/4, 3/4 and 0, 1; squared distances 1, 4 and 18, 2; mean over 2 poses x 2 joints
    expected = (0.25 * 1 + 0.75 * 4 + 0 + 2) / 4
    assert value(losses.refinement_loss(refined, target, confidence)) == pytest.approx(expected)


def test_refinement_loss_without_confidence_is_zero():
    pose = torch.randn(2, 16, 2, requires_grad=True)
    loss = losses.refinement_loss(pose, torch.zeros(2, 16, 2), torch.zeros(2, 16))
    loss.backward()
    assert value(loss) == 0 and pose.grad.isfinite().all()


def test_pose_loss_and_joint_distance_loss():
    predicted = torch.tensor(
        [[[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 2.0], [1.0, 2.0, 2.0]]]
    )
    target = torch.zeros(2, 2, 3)
    assert value(losses.pose_loss(predicted, target)) == pytest.approx((25 + 0 + 4 + 9) / 4)
    assert value(losses.joint_distance_loss(predicted, target)) == pytest.approx((5 + 2 + 3) / 4)


def test_camera_loss():
    focal, center = torch.tensor([[2.0, 2.0 * math.e]]), torch.tensor([[0.1, -0.2]])
    translation = torch.tensor([[0.5, -1.0, 5.0]])
    expected = 0 + 1 + 0.1**2 + 0.2**2 + (0.1 - 0.2) ** 2 + (-0.2 - 0) ** 2 + math.log(2) ** 2
    loss = losses.camera_loss(
        focal, center, translation,
        torch.tensor([[2.0, 2.0]]), torch.zeros(1, 2), torch.tensor([[0.5, 0.0, 2.5]]),
    )  # fmt: skip
    assert value(loss) == pytest.approx(expected, rel=1e-5)


def test_camera_loss_is_finite_for_any_camera():
    numbers = [
        torch.full((2, k), v, requires_grad=True) for k, v in ((2, -1.0), (2, 9.0), (3, 0.0))
    ]
    loss = losses.camera_loss(*numbers, torch.ones(2, 2), torch.zeros(2, 2), torch.ones(2, 3))
    loss.backward()
    assert math.isfinite(value(loss)) and all(n.grad.isfinite().all() for n in numbers)


def square(side: float = 2.0) -> torch.Tensor:
    """Return four joints whose RMS distance from their centre is side / sqrt(2)."""
    return side / 2 * torch.tensor([[[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]])


def test_reprojection_loss():
    pose2d = square()  # size sqrt(2)
    again = pose2d.clone()
    again[0, 0, 0] += 0.1  # squared distance over size: 0.005
    again[0, 1, 1] += math.sqrt(2)  # distance 1 in the person's size: 2 * 0.2 * 1 - 0.2**2
    confidence = torch.tensor([[1.0, 1.0, 0.5, 0.5]])
    expected = (0.005 + 0.36) / 3
    assert value(losses.reprojection_loss(again, pose2d, confidence, limit=0.2)) == pytest.approx(
        expected, rel=1e-5
    )
    expected = (0.005 + 1) / 3  # without limit: Eq. 7
    assert value(losses.reprojection_loss(again, pose2d, confidence, limit=9.0)) == pytest.approx(
        expected, rel=1e-5
    )


def test_reprojection_loss_is_independent_of_the_size_of_people():
    small, large = square(0.2), square(2.0)
    ones = torch.ones(1, 4)
    noise = torch.randn(1, 4, 2)
    assert value(losses.reprojection_loss(small + 0.02 * noise, small, ones)) == pytest.approx(
        value(losses.reprojection_loss(large + 0.2 * noise, large, ones)), rel=1e-4
    )


def test_reprojection_loss_ignores_invisible_joints():
    pose2d = torch.cat([square(), square()])
    again = pose2d + 0.1 * torch.randn_like(pose2d)
    confidence = torch.tensor([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    loss = losses.reprojection_loss(again, pose2d, confidence)
    other, other2d = again.clone(), pose2d.clone()
    other[0, 3], other[1], other2d[0, 3] = 99.0, -7.0, 55.0
    assert value(losses.reprojection_loss(other, other2d, confidence)) == pytest.approx(value(loss))
    alone = losses.reprojection_loss(again[:1], pose2d[:1], confidence[:1])
    assert value(alone) == pytest.approx(value(loss))


@pytest.mark.parametrize("confidence", [torch.zeros(2, 16), torch.eye(16)[:2], torch.ones(2, 16)])
def test_reprojection_loss_is_finite_for_any_pose(confidence):
    pose2d = torch.full((2, 16, 2), 0.3)  # all joints coincide: the size is zero
    again = pose2d.clone().requires_grad_()
    loss = losses.reprojection_loss(again, pose2d, confidence)
    loss.backward()
    assert value(loss) == 0 and again.grad.isfinite().all()


def test_adversarial_losses():
    real, fake = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 1.0], [0.5, -0.5]])
    expected = 0.5 * (0 + 0.25) / 2 + 0.5 * (0 + 1 + 0.25 + 0.25) / 4
    assert value(losses.discriminator_loss(real, fake)) == pytest.approx(expected)
    assert value(losses.adversarial_loss(fake)) == pytest.approx(0.5 * (1 + 0 + 0.25 + 2.25) / 4)


def test_bone_angle_range_loss():
    inside, outside = torch.full((1, 15), 0.36), torch.full((1, 15), 0.405)
    assert value(losses.bone_angle_range_loss(inside)) == 0
    assert value(losses.bone_angle_range_loss(outside)) == pytest.approx(0.2**2, rel=1e-5)
    assert value(losses.bone_angle_range_loss(torch.zeros(1, 15))) == pytest.approx(0.205**2)
    both = torch.cat([inside, outside])
    assert value(losses.bone_angle_range_loss(both)) == pytest.approx(0.2**2 / 2, rel=1e-5)


def test_bone_length_range_loss():
    ratio = torch.tensor([[0.09, -0.2, 0.15, 0.0]])
    assert value(losses.bone_length_range_loss(ratio)) == pytest.approx((0.04 + 0.0225) / 4)


def errors_by_group(outer: float, middle: float, inner: float, head: float) -> torch.Tensor:
    by_name = {"hip": inner, "shoulder": inner, "knee": middle, "elbow": middle, "head": head}
    by_name |= {"ankle": outer, "wrist": outer}
    names = [j.removeprefix("left_").removeprefix("right_") for j in H36M_16.joints]
    return torch.tensor([[by_name.get(name, 77.0) for name in names]])


def test_feedback_loss():
    original = errors_by_group(0.01, 0.01, 0.01, 0.01)
    # ratios 9, 4 x 2.0 + 4 x 2.0 + 11 over 9 weights = 3, 3.5; target 3 +- 2
    augmented = errors_by_group(0.09, 0.02, 0.035, 0.11)
    expected = (9 - 3) ** 2 / 3
    loss = losses.feedback_loss(original, augmented, H36M_16, target=3.0, width=2.0)
    assert value(loss) == pytest.approx(expected, rel=1e-4)
    loss = losses.feedback_loss(original, augmented, H36M_16, target=3.2, width=0.1)
    middle = (8 * 0.02 + 0.11) / 9 / 0.01
    expected = ((9 - 3.2) ** 2 + (middle - 3.2) ** 2 + (3.5 - 3.2) ** 2) / 3
    assert value(loss) == pytest.approx(expected, rel=1e-4)


def test_feedback_loss_is_finite_for_a_perfect_lifter():
    augmented = torch.rand(3, 16, requires_grad=True)
    loss = losses.feedback_loss(torch.zeros(3, 16), augmented, H36M_16, 3.0, 2.0)
    loss.backward()
    assert math.isfinite(value(loss)) and augmented.grad.isfinite().all()


# Bone prior


def adult(skeleton: Skeleton, n: int = 4, **changed: float) -> torch.Tensor:
    """Return adults in random poses; `changed` scales the bones of the given names."""
    lengths = torch.tensor(
        [
            ADULT[name.removeprefix("left_").removeprefix("right_")] * changed.get(name, 1.0)
            for name in skeleton.bone_names
        ]
    )
    directions = torch.nn.functional.normalize(torch.randn(n, len(lengths), 3), dim=-1)
    return pose_from_bones(directions * lengths[:, None], skeleton)


def test_bone_prior_is_zero_for_people_of_any_size():
    body = adult(H36M_16)
    tall = losses.prior_height(body, H36M_16)
    assert torch.allclose(tall, tall[:1]) and 1.6 < tall[0] < 1.8
    for size in (0.7, 1.0, 1.15):
        assert value(losses.bone_prior_loss(size * body, H36M_16)) < 1e-10
        torch.testing.assert_close(losses.prior_height(size * body, H36M_16), size * tall)


def test_bone_prior_penalises_implausible_sizes():
    body, (low, high) = adult(H36M_16), anatomy.HEIGHT_RANGE
    unit = body / losses.prior_height(body, H36M_16)[:, None, None]
    for size, expected in ((10.0, (10 / high - 1) ** 2), (0.5, (1 - 0.5 / low) ** 2)):
        result = value(losses.bone_prior_loss(size * unit, H36M_16))
        assert result == pytest.approx(expected, rel=1e-3)


def test_bone_prior_equals_a_value_computed_by_hand():
    longer = adult(H36M_16, left_knee=1.1)  # within the human range, but not symmetric
    ratio = 0.1 / 1.05
    expected = ratio**2 / 6  # of six pairs
    assert value(losses.bone_prior_loss(longer, H36M_16)) == pytest.approx(expected, rel=1e-4)


def test_bone_prior_penalises_implausible_proportions():
    short = adult(H36M_16, left_elbow=0.3, right_elbow=0.3)
    long = adult(H36M_16, head=3.0)
    assert value(losses.bone_prior_loss(short, H36M_16)) > 1e-3
    assert value(losses.bone_prior_loss(long, H36M_16)) > 1e-3
    flat = adult(H36M_16) * torch.tensor([1.0, 1.0, 0.0])
    assert value(losses.bone_prior_loss(flat, H36M_16)) > 1e-3


def test_bone_prior_is_independent_of_plausible_sizes():
    pose = adult(H36M_16, head=3.0).requires_grad_()
    (gradient,) = torch.autograd.grad(losses.bone_prior_loss(pose, H36M_16), pose)
    assert abs((gradient * pose).sum().item()) < 1e-6


def test_height_loss_is_zero_only_at_the_average_height():
    body = adult(H36M_16)
    unit = body / losses.prior_height(body, H36M_16)[:, None, None]
    for tall in (1.0, anatomy.DEFAULT_HEIGHT, 3.4):
        expected = (tall / anatomy.DEFAULT_HEIGHT - 1) ** 2
        result = value(losses.height_loss(tall * unit, H36M_16))
        assert result == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("skeleton", FORMATS.values(), ids=FORMATS.keys())
def test_bone_prior_on_every_skeleton_and_degenerate_poses(skeleton):
    for pose in (torch.randn(3, skeleton.n_joints, 3), torch.zeros(3, skeleton.n_joints, 3)):
        pose = pose.requires_grad_()
        loss = losses.bone_prior_loss(pose, skeleton) + losses.height_loss(pose, skeleton)
        loss.backward()
        assert math.isfinite(value(loss)) and pose.grad.isfinite().all()


def test_published_proportions_are_ordered():
    assert all(0 < low < high < 0.4 for low, high in anatomy.BONE_PROPORTIONS.values())
    bones = {ends for skeleton in (H36M_16, MPII_16) for ends in losses._ends(skeleton)}
    assert bones <= set(anatomy.BONE_PROPORTIONS)


@pytest.mark.parametrize("rows", [0, 1])
def test_batches_of_none_and_of_one_pose(rows):
    pose, target = torch.randn(rows, 16, 3), torch.randn(rows, 16, 3)
    reprojection = losses.reprojection_loss(pose[..., :2], target[..., :2], torch.ones(rows, 16))
    assert value(reprojection) >= 0
    if rows:
        assert value(losses.pose_loss(pose, target)) > 0
