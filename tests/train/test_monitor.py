"""Monitor of the adversarial training: its messages and repairs."""

import copy
import io
import math

import pytest
import torch
from helpers.training import same
from torch import nn

from camerapose.train.monitor import (
    CONTINUE_BELOW,
    INTERVAL,
    MIN_DIVERSITY,
    PAUSE_ABOVE,
    AdversarialMonitor,
    diversity,
)

GOOD = {"d2d_real": 0.6, "d2d_fake": 0.4, "d3d_real": 0.6, "d3d_fake": 0.4, "diversity": 0.3}


@pytest.fixture
def adversaries():
    torch.manual_seed(0)
    networks = {name: nn.Linear(3, 3) for name in ("generator", "d2d", "d3d")}
    optimizers = {k: torch.optim.Adam(v.parameters()) for k, v in networks.items()}
    return networks, optimizers


@pytest.fixture
def monitor(adversaries):
    return AdversarialMonitor(*adversaries)


def record(monitor, updates=INTERVAL, **values):
    """Record a number of updates; return all messages."""
    tensors = {k: torch.tensor(float(v)) for k, v in (GOOD | values).items()}
    return [message for _ in range(updates) for message in monitor.record(**tensors)]


def train(adversaries):
    """Take one step with all networks."""
    for name, network in adversaries[0].items():
        adversaries[1][name].zero_grad()
        network(torch.ones(1, 3)).square().sum().backward()
        adversaries[1][name].step()


def state(adversaries):
    return copy.deepcopy([{k: v.state_dict() for k, v in part.items()} for part in adversaries])


def test_no_message_without_a_problem(monitor, adversaries):
    for _ in range(6):
        train(adversaries)
        before = state(adversaries)
        assert record(monitor, d2d_real=0.9, d2d_fake=0.2) == []
        assert same(state(adversaries), before)
    assert not any(monitor.paused.values())


@pytest.mark.parametrize(("name", "other"), [("d2d", "d3d"), ("d3d", "d2d")])
def test_a_dominant_discriminator_is_paused_and_continues(monitor, name, other):
    winning = {f"{name}_real": 1.0, f"{name}_fake": 0.02}
    (message,) = record(monitor, **winning)
    assert f"{name.upper()} dominates" in message and "1.00 real, 0.02 generated" in message
    assert "paused" in message
    assert monitor.paused == {name: True, other: False}
    assert record(monitor, **winning) == []  # reported once
    (message,) = record(monitor)
    assert message == f"{name.upper()} continues" and not any(monitor.paused.values())


def test_hysteresis_between_the_thresholds(monitor):
    between = {"d2d_real": 0.9, "d2d_fake": 0.9 - (PAUSE_ABOVE + CONTINUE_BELOW) / 2}
    assert record(monitor, 4 * INTERVAL, **between) == [] and not monitor.paused["d2d"]
    record(monitor, 2 * INTERVAL, d2d_real=1.0, d2d_fake=0.0)
    assert record(monitor, 4 * INTERVAL, **between) == [] and monitor.paused["d2d"]


def test_checks_once_per_interval(monitor):
    assert record(monitor, INTERVAL - 1, d2d_real=1.0, d2d_fake=0.0) == []
    assert len(record(monitor, 1, d2d_real=1.0, d2d_fake=0.0)) == 1


def test_a_collapsed_generator_is_restored(monitor, adversaries):
    train(adversaries)
    record(monitor)  # passes the check: this state is kept
    good = state(adversaries)
    train(adversaries)
    monitor.means["diversity"] = torch.tensor(MIN_DIVERSITY)
    (message,) = record(monitor, diversity=0.0001)
    assert "generator collapsed" in message and "last good state" in message
    assert same(state(adversaries), good)


def test_a_collapsed_state_is_not_kept(monitor, adversaries):
    """Not even while a discriminator is paused."""
    good = state(adversaries)
    train(adversaries)
    message = record(monitor, d2d_real=1.0, d2d_fake=0.0, diversity=0.0001)
    assert len(message) == 2 and same(state(adversaries), good)
    assert not any(monitor.paused.values())  # discriminators are restored as well


def test_states_with_a_paused_discriminator_are_not_kept(monitor, adversaries):
    good = state(adversaries)
    for _ in range(3):
        train(adversaries)
        record(monitor, d2d_real=1.0, d2d_fake=0.0)
    (message,) = record(monitor, diversity=0.0, d2d_real=math.nan)
    assert "not finite" in message and same(state(adversaries), good)


@pytest.mark.parametrize("name", ["generator", "d2d", "d3d"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_restored(monitor, adversaries, name, bad):
    train(adversaries)
    record(monitor)
    good = state(adversaries)
    train(adversaries)
    with torch.no_grad():
        adversaries[0][name].weight[0, 0] = bad
    (message,) = record(monitor)
    assert "not finite" in message and "last good state" in message
    assert same(state(adversaries), good)
    assert record(monitor, 2 * INTERVAL) == []


def test_scores_that_are_not_finite_are_discarded(monitor, adversaries):
    good = state(adversaries)
    (message,) = record(monitor, d3d_fake=math.nan)
    assert "not finite" in message and same(state(adversaries), good)
    assert record(monitor, 2 * INTERVAL) == []


def test_the_kept_state_is_a_copy(monitor, adversaries):
    """Restored twice, with training in between, it is the same state, including optimizers."""
    train(adversaries)
    record(monitor)
    good = state(adversaries)
    for _ in range(2):
        train(adversaries)
        record(monitor, d2d_real=math.nan)
        assert same(state(adversaries), good)


def test_resumes_from_a_saved_state(monitor, adversaries):
    train(adversaries)
    record(monitor, INTERVAL + 7, d2d_real=1.0, d2d_fake=0.0)
    file = io.BytesIO()
    torch.save(monitor.state_dict(), file)
    file.seek(0)
    resumed = AdversarialMonitor(*copy.deepcopy(adversaries))
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert same(resumed.state_dict(), monitor.state_dict())
    assert record(resumed) == record(monitor) == ["D2D continues"]
    assert same(resumed.state_dict(), monitor.state_dict())


def test_diversity():
    """In one of two poses of two joints, one joint is displaced by 0.4 m.

    Relative to the centres of the poses, all four joints are 0.1 m from their mean. The position of
    the bodies has no influence.
    """
    poses = torch.zeros(2, 2, 3)
    poses[1, 1, 0] = 0.4
    assert float(diversity(poses)) == pytest.approx(0.1)
    assert float(diversity(poses + torch.rand(2, 1, 3))) == pytest.approx(0.1, abs=1e-5)
    assert float(diversity(torch.rand(1, 16, 3).expand(5, -1, -1))) == pytest.approx(0, abs=1e-6)
