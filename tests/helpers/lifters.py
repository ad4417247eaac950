"""The contract that every lifter fulfils."""

import importlib

import torch

from camerapose.core.joint_formats import H36M_16


def lifter(name: str, skeleton=H36M_16, **settings) -> torch.nn.Module:
    torch.manual_seed(0)
    return importlib.import_module(f"camerapose.models.lifters.{name}").Lifter(skeleton, **settings)


def disturbed(module: torch.nn.Module) -> torch.nn.Module:
    """Change the parameters, since some initial values are zero on purpose."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return module.eval()


def check_shape_and_root(name, skeleton=H36M_16):
    network = lifter(name, skeleton)
    for mode in (network.train(), network.eval()):
        out = mode(torch.randn(3, skeleton.n_joints, 2))
        assert out.shape == (3, skeleton.n_joints, 3) and out.dtype == torch.float32
        assert (out[:, skeleton.root_index] == 0).all() and out.isfinite().all()
        assert out.abs().sum() > 0


def check_batch_sizes(name):
    """One pose gives the same as within a batch; an empty batch gives an empty result."""
    network, pose2d = disturbed(lifter(name)), torch.randn(5, 16, 2)
    together = network(pose2d)
    torch.testing.assert_close(network(pose2d[2:3]), together[2:3], atol=1e-4, rtol=1e-4)
    assert network(pose2d[:0]).shape == (0, 16, 3)


def check_dropout(name):
    """Evaluation is deterministic; training applies dropout."""
    network, pose2d = lifter(name, dropout=0.5), torch.randn(4, 16, 2)
    network.eval()
    assert torch.equal(network(pose2d), network(pose2d))
    network.train()
    assert not torch.equal(network(pose2d), network(pose2d))
