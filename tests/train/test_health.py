"""The watch over the adversarial game: what it says, and that it mends what it says."""

import copy
import io
import math

import pytest
import torch
from torch import nn

from camerapose.train.monitor import COLLAPSED, EVEN, INTERVAL, WON, Health, variety

HEALTHY = {"d2d_real": 0.6, "d2d_fake": 0.4, "d3d_real": 0.6, "d3d_fake": 0.4, "variety": 0.3}


@pytest.fixture
def game():
    torch.manual_seed(0)
    networks = {name: nn.Linear(3, 3) for name in ("generator", "d2d", "d3d")}
    optimizers = {k: torch.optim.Adam(v.parameters()) for k, v in networks.items()}
    return networks, optimizers


@pytest.fixture
def health(game):
    return Health(*game)


def watch(health, updates=INTERVAL, **values):
    """So many updates; everything that was said."""
    tensors = {k: torch.tensor(float(v)) for k, v in (HEALTHY | values).items()}
    return [sentence for _ in range(updates) for sentence in health.watch(**tensors)]


def learn(game):
    """One step of all networks."""
    for name, network in game[0].items():
        game[1][name].zero_grad()
        network(torch.ones(1, 3)).square().sum().backward()
        game[1][name].step()


def state(game):
    return copy.deepcopy([{k: v.state_dict() for k, v in part.items()} for part in game])


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_a_healthy_game_says_nothing(health, game):
    for _ in range(6):
        learn(game)
        before = state(game)
        assert watch(health, d2d_real=0.9, d2d_fake=0.2) == []
        assert same(state(game), before)
    assert not any(health.paused.values())


@pytest.mark.parametrize(("name", "other"), [("d2d", "d3d"), ("d3d", "d2d")])
def test_a_winner_pauses_and_learns_again(health, name, other):
    winning = {f"{name}_real": 1.0, f"{name}_fake": 0.02}
    (said,) = watch(health, **winning)
    assert f"{name.upper()} wins (real 1.00, made 0.02)" in said and "pauses" in said
    assert health.paused == {name: True, other: False}
    assert watch(health, **winning) == []  # said once
    (said,) = watch(health)
    assert said == f"{name.upper()} learns again" and not any(health.paused.values())


def test_between_won_and_even_it_stays_as_it_is(health):
    between = {"d2d_real": 0.9, "d2d_fake": 0.9 - (WON + EVEN) / 2}
    assert watch(health, 4 * INTERVAL, **between) == [] and not health.paused["d2d"]
    watch(health, 2 * INTERVAL, d2d_real=1.0, d2d_fake=0.0)
    assert watch(health, 4 * INTERVAL, **between) == [] and health.paused["d2d"]


def test_it_looks_once_an_interval(health):
    assert watch(health, INTERVAL - 1, d2d_real=1.0, d2d_fake=0.0) == []
    assert len(watch(health, 1, d2d_real=1.0, d2d_fake=0.0)) == 1


def test_a_collapsed_generator_returns_to_its_last_healthy_state(health, game):
    learn(game)
    watch(health)  # healthy: this state is kept
    healthy = state(game)
    learn(game)
    health.means["variety"] = torch.tensor(COLLAPSED)
    (said,) = watch(health, variety=0.0001)
    assert "the generator has collapsed" in said and "last healthy state" in said
    assert same(state(game), healthy)


def test_a_collapse_is_not_taken_for_healthy(health, game):
    """Not even while a discriminator, which tells all its poses, has won."""
    healthy = state(game)
    learn(game)
    said = watch(health, d2d_real=1.0, d2d_fake=0.0, variety=0.0001)
    assert len(said) == 2 and same(state(game), healthy)
    assert not any(health.paused.values())  # the discriminators, too, are those of before


def test_a_lost_game_is_not_taken_for_healthy(health, game):
    """What is learned while a discriminator has won is not where it returns to."""
    healthy = state(game)
    for _ in range(3):
        learn(game)
        watch(health, d2d_real=1.0, d2d_fake=0.0)
    (said,) = watch(health, variety=0.0, d2d_real=math.nan)
    assert "no longer finite" in said and same(state(game), healthy)


@pytest.mark.parametrize("name", ["generator", "d2d", "d3d"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_restored(health, game, name, bad):
    learn(game)
    watch(health)
    healthy = state(game)
    learn(game)
    with torch.no_grad():
        game[0][name].weight[0, 0] = bad
    (said,) = watch(health)
    assert "no longer finite" in said and "last healthy state" in said
    assert same(state(game), healthy)
    assert watch(health, 2 * INTERVAL) == []


def test_scores_that_are_not_finite_are_forgotten(health, game):
    healthy = state(game)
    (said,) = watch(health, d3d_fake=math.nan)
    assert "no longer finite" in said and same(state(game), healthy)
    assert watch(health, 2 * INTERVAL) == []


def test_the_state_kept_is_no_view_of_the_networks(health, game):
    """Restored twice, with learning in between, it is the same state, optimisers' and all."""
    learn(game)
    watch(health)
    healthy = state(game)
    for _ in range(2):
        learn(game)
        watch(health, d2d_real=math.nan)
        assert same(state(game), healthy)


def test_goes_on_from_a_saved_state(health, game):
    learn(game)
    watch(health, INTERVAL + 7, d2d_real=1.0, d2d_fake=0.0)
    file = io.BytesIO()
    torch.save(health.state_dict(), file)
    file.seek(0)
    again = Health(*copy.deepcopy(game))
    again.load_state_dict(torch.load(file, weights_only=True))
    assert same(again.state_dict(), health.state_dict())
    assert watch(again) == watch(health) == ["D2D learns again"]
    assert same(again.state_dict(), health.state_dict())


def test_variety():
    """Two poses, one of whose two joints lies 0.4 m apart: relative to the poses' middles all four
    joints are 0.1 m off their mean. Where the people stand doesn't matter."""
    poses = torch.zeros(2, 2, 3)
    poses[1, 1, 0] = 0.4
    assert float(variety(poses)) == pytest.approx(0.1)
    assert float(variety(poses + torch.rand(2, 1, 3))) == pytest.approx(0.1, abs=1e-5)
    assert float(variety(torch.rand(1, 16, 3).expand(5, -1, -1))) == pytest.approx(0, abs=1e-6)
