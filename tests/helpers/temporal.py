"""The contract that every temporal model fulfils, and small models for tests."""

import hashlib

import numpy as np
import torch

from camerapose.core import plugins, temporal
from camerapose.core.skeleton import Skeleton
from camerapose.infer.temporal import TemporalModel
from camerapose.io.runtime import onnx_session
from camerapose.models.temporal_export import export_temporal
from helpers.lifters import disturbed

FEATURES, OUTPUTS = 20, 6


def network(name: str, features: int = FEATURES, outputs: int = OUTPUTS, **settings):
    torch.manual_seed(0)
    return plugins.load("temporal", name).Temporal(features, outputs, **settings)


def windows(n: int, frames: int, features: int = FEATURES):
    """Return random windows, and the estimated frames of the centred mode."""
    window = torch.randn(n, frames + temporal.LENGTH - 1, features)
    return window, window[:, 13 : 13 + frames]


def check_shapes(name: str, frames: int) -> None:
    """One clip gives the same as within a batch."""
    model = disturbed(network(name))
    window, estimated = windows(3, frames)
    output = model(window, estimated)
    assert output.shape == (3, frames, OUTPUTS) and output.isfinite().all()
    alone = model(window[1:2], estimated[1:2])
    torch.testing.assert_close(alone, output[1:2], atol=1e-4, rtol=1e-4)


def check_window(name: str) -> None:
    """A frame is determined by its 27 frames, wherever they are in the clip; all of them count."""
    model = disturbed(network(name))
    window, estimated = windows(1, 30)
    output = model(window, estimated)
    part = model(window[:, 10:37], estimated[:, 10:11])
    torch.testing.assert_close(part[:, 0], output[:, 10], atol=1e-4, rtol=1e-4)
    window.requires_grad_()
    model(window, estimated.detach())[:, 10].square().sum().backward()
    used = window.grad.abs().sum((0, 2)) > 0
    assert used[10:37].all() and not used[:10].any() and not used[37:].any()


def check_training(name: str) -> None:
    model = network(name)
    window, estimated = windows(8, 4)
    target = window.unfold(1, 27, 1).mean(-1)[..., :OUTPUTS]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    history = []
    for _ in range(15):
        loss = (model(window, estimated) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.9 * history[0]
    model.eval()
    assert torch.equal(model(window, estimated), model(window, estimated))


def check_export(name: str, skeleton: Skeleton, path) -> None:
    """The graph adds the output to the pose, for other numbers of people and frames as well."""
    joints, features = skeleton.n_joints, temporal.n_features(skeleton.n_joints, False)
    model = disturbed(network(name, features, 3 * joints))
    export_temporal(model, skeleton, path, std=False, lifter="0")
    for n, frames in ((1, 1), (2, 7)):
        window, estimated = windows(n, frames, features)
        pose = torch.randn(n, frames, joints, 3)
        (corrected,) = onnx_session(path).run(
            ["corrected"],
            {"window": window.numpy(), "estimated": estimated.numpy(), "pose": pose.numpy()},
        )
        change = model(window, estimated).detach().unflatten(-1, (joints, 3))
        change = change - change[:, :, skeleton.root_index, None]
        np.testing.assert_allclose(corrected, pose + change, atol=1e-4)
    assert TemporalModel(path, skeleton, False).skeleton == skeleton


def write_temporal_model(weights, skeleton: Skeleton, *, std: bool = False, seed: int = 0):
    """Write an untrained temporal model next to a lifter, and return its path."""
    path = weights.with_name(f"{weights.stem}_temporal.onnx")
    features = temporal.n_features(skeleton.n_joints, std)
    model = network("dilated", features, 3 * skeleton.n_joints, width=16).eval()
    torch.manual_seed(seed)
    torch.nn.init.normal_(model.last.weight, std=0.01)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    export_temporal(model, skeleton, path, std=std, lifter=digest)
    return path
