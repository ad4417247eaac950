"""The contract of lifters, checked for every file in `models/lifters`."""

import pytest
import torch
from helpers.lifters import (
    check_batch_sizes,
    check_dropout,
    check_shape_and_root,
    disturbed,
    lifter,
)

from camerapose.core.joint_formats import COCO_17, FORMATS, H36M_16
from camerapose.core.plugins import available
from camerapose.models.lifters._base import Dropout, parts_of_joints
from camerapose.models.lifters.semgcn import SemGraphConv
from camerapose.models.lifters.stgcn import center_distances, grouped_adjacency

NAMES = available("lifters")
EVERY = pytest.mark.parametrize("name", NAMES)


def test_all_lifters_are_available():
    assert {"mlp", "parts", "videopose", "semgcn", "stgcn"} <= set(NAMES)


@EVERY
@pytest.mark.parametrize("skeleton", FORMATS.values(), ids=FORMATS.keys())
def test_shape_and_root(name, skeleton):
    check_shape_and_root(name, skeleton)


@EVERY
def test_batches_of_one_pose_and_of_none(name):
    check_batch_sizes(name)


@EVERY
def test_dropout_only_in_training(name):
    check_dropout(name)


@EVERY
def test_training_depends_on_the_seed(name):
    network, pose2d = lifter(name, dropout=0.25).train(), torch.randn(4, 16, 2)
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(network(pose2d))
    assert torch.equal(*runs)


@EVERY
def test_gradients_reach_every_parameter_and_the_input(name):
    network, pose2d = disturbed(lifter(name)), torch.randn(8, 16, 2, requires_grad=True)
    network(pose2d).square().sum().backward()
    assert pose2d.grad.abs().sum(dim=(0, 2)).min() > 0
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key
        assert parameter.grad.isfinite().all(), key


@EVERY
def test_state_round_trip(name):
    first, second, pose2d = disturbed(lifter(name)), lifter(name).eval(), torch.randn(4, 16, 2)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(pose2d), second(pose2d))
    assert all(value.dtype.is_floating_point or "num_batches" in key
               for key, value in first.state_dict().items())  # fmt: skip


@EVERY
def test_training_reduces_the_loss(name):
    """The loss on one batch decreases within a few steps."""
    network = lifter(name, dropout=0.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    pose2d = torch.randn(16, 16, 2)
    depth = pose2d.square().sum(dim=-1, keepdim=True)
    target = torch.cat([pose2d, depth], dim=-1)
    target = target - target[:, H36M_16.root_index, None]
    history = []
    for _ in range(12):
        loss = (network(pose2d) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.8 * history[0]


@EVERY
def test_export_to_onnx(name):
    network, pose2d = disturbed(lifter(name)), torch.randn(3, 16, 2)
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(network, (pose2d,), dynamic_shapes=({0: batch},))
    more = torch.randn(7, 16, 2)
    torch.testing.assert_close(program.module()(more), network(more), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "name, parameters",
    [("mlp", 4_288_557), ("videopose", 8_485_933), ("semgcn", 267_340), ("stgcn", 3_627_584)],
)
def test_parameter_counts(name, parameters):
    assert sum(p.numel() for p in lifter(name).parameters()) == parameters


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_dropout_preserves_the_mean(p):
    torch.manual_seed(0)
    dropout, x = Dropout(p), torch.ones(1001, 333, requires_grad=True)
    y = dropout(x)
    assert (y == 0).float().mean().item() == pytest.approx(p, abs=0.005)
    assert y.mean().item() == pytest.approx(1, abs=0.005)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    columns = (y.detach().flatten()[: 1001 * 332 // 8 * 8].view(-1, 8) == 0).float().mean(0)
    assert (columns - p).abs().max() < 0.01  # all bytes of the random words are uniform
    assert torch.equal(dropout.eval()(x), x)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_none_and_of_all(p):
    assert (Dropout(p)(torch.ones(9, 9)) == 1 - p).all()


def test_semgcn_gathers_from_neighbours_only():
    layer = SemGraphConv(H36M_16, 2, 3)
    torch.nn.init.normal_(layer.edges)
    x = torch.randn(1, 16, 2, requires_grad=True)
    knee = H36M_16.index("left_knee")
    (gradient,) = torch.autograd.grad(layer(x)[0, knee].sum(), x)
    reached = {H36M_16.joints[j] for j in gradient[0].abs().sum(-1).nonzero()[:, 0]}
    assert reached == {"left_hip", "left_knee", "left_ankle"}


def test_semgcn_matches_a_loop():
    layer = SemGraphConv(H36M_16, 2, 3)
    torch.nn.init.normal_(layer.edges)
    x = torch.randn(2, 16, 2)
    logits = {
        divmod(place, 16): e for place, e in zip(layer.places.tolist(), layer.edges, strict=True)
    }
    expected = torch.zeros(2, 16, 3)
    for joint in range(16):
        near = [source for to, source in logits if to == joint]
        weights = torch.stack([logits[joint, source] for source in near]).softmax(0)
        for source, weight in zip(near, weights, strict=True):
            matrix = layer.own if source == joint else layer.others
            expected[:, joint] += weight * matrix(x[:, source])
    torch.testing.assert_close(layer(x), expected)


def test_stgcn_groups():
    distances = dict(zip(H36M_16.joints, center_distances(H36M_16), strict=True))
    assert [distances[j] for j in ("spine", "thorax", "pelvis", "head")] == [0, 1, 1, 2]
    assert distances["left_shoulder"] == 2 and distances["right_ankle"] == 4
    own, outer, inner, other = grouped_adjacency(
        list(H36M_16.bones), list(H36M_16.mirror), center_distances(H36M_16)
    )
    torch.testing.assert_close((own + outer + inner + other).sum(-1), torch.ones(16))
    knee = H36M_16.index("left_knee")
    for group, joint in ((own, "left_knee"), (outer, "left_ankle"), (inner, "left_hip"),
                         (other, "right_knee")):  # fmt: skip
        assert group[knee].nonzero()[:, 0].tolist() == [H36M_16.index(joint)]
    assert other[H36M_16.index("spine")].sum() == 0
    assert outer.count_nonzero() == inner.count_nonzero() == len(H36M_16.bones)


def test_stgcn_parts():
    parts = dict(zip(COCO_17.joints, parts_of_joints(COCO_17), strict=True))
    assert parts["nose"] == parts["left_eye"] == 4
    assert [parts[f"{s}_{j}"] for j in ("wrist", "hip") for s in ("left", "right")] == [0, 1, 2, 3]
