import pytest
import roma
import torch

from camerapose.core.geometry import kcs
from camerapose.core.joint_formats import FORMATS, H36M_16
from camerapose.models._layers import PartLinear
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.losses import discriminator_loss

MAKERS = {
    "2d": (lambda s: Discriminator2D(s), 2, 5),
    "2d with layout": (lambda s: Discriminator2D(s, layout=True), 2, 6),
    "3d": (lambda s: Discriminator3D(s), 3, 5),
}
EACH = pytest.mark.parametrize("make, d, heads", MAKERS.values(), ids=MAKERS.keys())


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@EACH
@pytest.mark.parametrize("skeleton", FORMATS.values(), ids=FORMATS.keys())
def test_shapes(make, d, heads, skeleton):
    scores = make(skeleton)(torch.randn(3, skeleton.n_joints, d))
    assert scores.shape == (3, heads) and scores.dtype == torch.float32


@EACH
def test_gradients_are_finite_on_degenerate_poses(make, d, heads):
    line = torch.linspace(0, 1, 16)[:, None].expand(16, d)
    poses = torch.stack([torch.zeros(16, d), torch.full((16, d), 3.0), line, 1e6 * line])
    poses.requires_grad_()
    discriminator = make(H36M_16)
    discriminator_loss(discriminator(poses), discriminator(poses)).backward()
    assert poses.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in discriminator.parameters())


@EACH
def test_gradients_reach_every_parameter_and_the_pose(make, d, heads):
    discriminator, poses = make(H36M_16), torch.randn(8, 16, d, requires_grad=True)
    discriminator(poses).square().sum().backward()
    assert poses.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in discriminator.parameters())


def test_position_scale_and_orientation_have_no_influence():
    poses = torch.randn(4, 16, 3)
    moved = 2 * poses @ roma.random_rotmat(4).mT + torch.randn(4, 1, 3)
    judge = Discriminator3D(H36M_16)
    torch.testing.assert_close(judge(moved), judge(poses), atol=1e-4, rtol=0)
    judge, flat = Discriminator2D(H36M_16), poses[..., :2]
    torch.testing.assert_close(judge(0.1 * flat + 1), judge(flat), atol=1e-4, rtol=0)
    judge = Discriminator2D(H36M_16, layout=True)
    changed = judge(0.1 * flat + 1) - judge(flat)
    assert (changed[:, :5].abs() < 1e-4).all() and (changed[:, 5].abs() > 1e-4).all()


def test_the_score_of_a_part_depends_on_its_own_bones_only():
    """Moving the left wrist changes only the score of the left arm."""
    poses = torch.randn(4, 16, 3)
    moved = poses.clone()
    moved[:, H36M_16.index("left_wrist")] += 1
    judge = Discriminator3D(H36M_16)
    changed = (judge(moved) - judge(poses)).abs() > 1e-6
    expected = torch.tensor([part == "left_arm" for part in H36M_16.parts])
    assert (changed == expected).all()


def test_part_linear_equals_separate_linear_layers():
    layer, x = PartLinear(5, 7, 3), torch.randn(5, 4, 7)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    slow = [x[p] @ layer.weight[p] + layer.bias[p] for p in range(5)]
    torch.testing.assert_close(layer(x), torch.stack(slow))


def test_initial_scores_are_small_and_differ():
    judge = Discriminator3D(H36M_16)
    scores = judge(torch.randn(256, 16, 3))
    assert scores.abs().mean() < 3 and scores.std() > 1e-3


def test_training_separates_poses():
    judge = Discriminator3D(H36M_16)
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
    straight = torch.randn(16, 3)
    for _ in range(30):
        real = straight + 0.1 * torch.randn(32, 16, 3)
        loss = discriminator_loss(judge(real), judge(torch.randn(32, 16, 3)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert kcs(straight[None], H36M_16).shape == (1, 5, 15, 15)
