import pytest
import torch

from camerapose.core.joint_formats import FORMATS, H36M_16
from camerapose.models.losses import refinement_loss
from camerapose.models.refiner import Refiner


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(**settings) -> Refiner:
    """Return a refiner whose last layer is not zero."""
    refiner = Refiner(H36M_16, **settings)
    torch.nn.init.normal_(refiner.last.weight, std=0.05)
    torch.nn.init.normal_(refiner.last.bias, std=0.05)
    return refiner.eval()


def test_untrained_refiner_returns_its_input():
    pose2d, confidence = torch.randn(5, 16, 2), torch.rand(5, 16)
    confidence[0, 3] = 0
    out = Refiner(H36M_16)(pose2d, confidence)
    assert torch.equal(out[confidence > 0], pose2d[confidence > 0])
    assert (out[confidence == 0] == 0).all()


@pytest.mark.parametrize("junk", [9.0, torch.nan, torch.inf])
def test_coordinates_of_invisible_joints_are_ignored(junk):
    pose2d, confidence = torch.randn(4, 16, 2), torch.rand(4, 16)
    confidence[:, 5] = 0
    confidence[2] = 0
    refiner = trained()
    expected = refiner(pose2d, confidence)
    pose2d[confidence == 0] = junk
    assert torch.equal(refiner(pose2d, confidence), expected)
    assert expected.isfinite().all()


def test_scale_of_the_confidence_is_ignored():
    refiner, pose2d, confidence = trained(), torch.randn(4, 16, 2), torch.rand(4, 16) + 0.01
    torch.testing.assert_close(refiner(pose2d, confidence / 2), refiner(pose2d, confidence))
    other = refiner(pose2d, torch.ones(4, 16))
    assert not torch.allclose(other, refiner(pose2d, confidence))


def test_poses_are_independent_of_their_batch():
    refiner, pose2d, confidence = trained().train(), torch.randn(4, 16, 2), torch.rand(4, 16)
    torch.testing.assert_close(
        refiner(pose2d[:1], confidence[:1]), refiner(pose2d, confidence)[:1], atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("skeleton", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("blocks", [1, 2])
def test_shapes(skeleton, blocks):
    joints = skeleton.n_joints
    out = Refiner(skeleton, hidden=64, blocks=blocks)(
        torch.randn(3, joints, 2), torch.rand(3, joints)
    )
    assert out.shape == (3, joints, 2) and out.dtype == torch.float32


def test_gradients_reach_every_parameter():
    refiner = trained(blocks=2)
    refinement_loss(
        refiner(torch.randn(8, 16, 2), torch.rand(8, 16)), torch.randn(8, 16, 2), torch.ones(8, 16)
    ).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in refiner.parameters())


def test_training_removes_noise():
    """The joints are on a line; one, displaced or missing, can be restored from the others."""
    refiner = Refiner(H36M_16, hidden=64)
    optimizer = torch.optim.Adam(refiner.parameters(), lr=3e-3)
    steps = torch.linspace(-1, 1, 16)[:, None]

    def batch():
        clean = steps * torch.randn(64, 1, 2)
        confidence = (torch.rand(64, 16) > 0.1).float()
        noisy = clean + 0.2 * torch.randn_like(clean)
        return torch.where(confidence[..., None] > 0, noisy, 0.0), confidence, clean

    for _ in range(200):
        noisy, confidence, clean = batch()
        loss = refinement_loss(refiner(noisy, confidence), clean, torch.ones(64, 16))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    noisy, confidence, clean = batch()
    ones = torch.ones(64, 16)
    before = refinement_loss(noisy, clean, ones)
    assert refinement_loss(refiner(noisy, confidence), clean, ones) < 0.3 * before
