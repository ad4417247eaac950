"""One iteration's parts: what is learned from what, and what is left alone."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from camerapose.core.camera import Camera
from camerapose.core.conversion import DERIVED_CONFIDENCE
from camerapose.core.formats import H36M_16, MPII_16
from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses
from camerapose.models import losses
from camerapose.models.camerapose import Lifted, build
from camerapose.models.crop import VirtualCamera
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generated, Generator
from camerapose.train import config, data
from camerapose.train.config import Adversary, Config, Noise, Weights
from camerapose.train.data import mirror_half, observe, truth_weight
from camerapose.train.steps import (
    adversarial_update,
    at_rest,
    made_pairs,
    pair_terms,
    reprojected,
    update,
    wild_terms,
    with_lifted,
)

N = 32
EXACT = Noise(exact=1.0, detected=0.0)


@pytest.fixture(scope="module")
def pairs():
    """As training has them: torch, cameras without distortion, no labels."""
    only = {"human36m": False, "mpii": False, "synthetic": N}
    settings = config.update(Config(), {"data": only}, "the test")
    return data.load(settings, torch.device("cpu")).pairs


@pytest.fixture(scope="module")
def wild(pairs):
    """2D alone, other people than the pairs."""
    turned = pairs.mirror()
    return Poses(H36M_16, turned.pose2d, turned.confidence)


@pytest.fixture
def networks():
    torch.manual_seed(3)
    return {
        "model": build(H36M_16, "mlp", {"width": 32, "dropout": 0.2}, 32, 32, 1).train(),
        "generator": Generator(H36M_16, hidden=32).train(),
        "d2d": Discriminator2D(H36M_16, layout=True),
        "d3d": Discriminator3D(H36M_16),
    }


@pytest.fixture
def optimizers(networks):
    return {
        name: torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        for name, network in networks.items()
        if name != "model"
    }


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


def state(network):
    return copy.deepcopy(network.state_dict())


def unchanged(network, before):
    return all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def moved(module):
    """Whether a gradient arrived."""
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    return any(bool((g != 0).any()) for g in grads)


class TestWild:
    def step(self, networks, wild, weights=None):
        lifted = networks["model"](wild.pose2d, wild.confidence)
        return wild_terms(lifted, wild.confidence, wild, networks, weights or Weights())

    def test_moves_camera_branch_lifter_and_refiner(self, networks, wild):
        assert wild.pose3d is None and wild.camera is None
        sum(self.step(networks, wild).values()).backward()
        model = networks["model"]
        for module in (model.camera_branch, model.lifter, model.refiner):
            assert moved(module)

    def test_reprojection_alone_moves_camera_branch_and_lifter(self, networks, wild):
        """Eq. 11: nothing but the 2D annotation teaches 3D pose and camera."""
        self.step(networks, wild)["reprojection_wild"].backward()
        model = networks["model"]
        assert moved(model.lifter)
        grad = model.camera_branch.output.weight.grad
        assert (grad.abs().sum(1) > 0).sum() >= 5  # focal length, centre, offset: not one of them

    def test_reads_no_3d_label(self, networks, wild):
        """Whatever stands where labels would stand, the terms are the same."""
        nothing = torch.full((N, 16, 3), math.nan)
        camera = Camera(*(torch.full((N, d), math.nan) for d in (2, 2, 3)))
        torch.manual_seed(0)
        without = self.step(networks, wild)
        torch.manual_seed(0)
        with_labels = self.step(networks, replace(wild, pose3d=nothing, camera=camera))
        assert without.keys() == with_labels.keys()
        assert all(torch.equal(without[k], with_labels[k]) for k in without)

    def test_terms_and_their_weights(self, networks, wild):
        networks["model"].eval()
        terms = self.step(networks, wild, Weights(d3d_wild=0.5))
        assert set(terms) == {
            "refine_wild", "reprojection_wild", "prior_wild", "d2d_wild", "d3d_wild",
        }  # fmt: skip
        more = self.step(networks, wild, Weights(reprojection_wild=0.4, d3d_wild=0.0, d2d_wild=0.0))
        assert "d2d_wild" not in more and "d3d_wild" not in more
        torch.testing.assert_close(more["reprojection_wild"], 2 * terms["reprojection_wild"])

    def test_exact_refinement_costs_nothing(self, networks, wild):
        """The untrained refiner gives the 2D as it is."""
        assert self.step(networks, wild)["refine_wild"] < 1e-10


class TestPairs:
    """L_phi (Eq. 16) with a model that tells the truth, but for one thing at a time."""

    @pytest.fixture
    def truth(self, pairs):
        camera = pairs.camera
        return Lifted(
            pairs.pose2d, pairs.pose3d, camera.focal, camera.center, camera.translation
        )  # fmt: skip

    def terms(self, lifted, pairs, confidence=None, weights=None):
        confidence = pairs.confidence if confidence is None else confidence
        terms = pair_terms(lifted, confidence, pairs, weights or Weights())
        return {name: float(value) for name, value in terms.items()}

    def test_truth_costs_nothing(self, truth, pairs):
        expected = dict.fromkeys(("refine", "camera", "reprojection", "pose"), 0.0)
        assert self.terms(truth, pairs) == pytest.approx(expected, abs=1e-9)

    def test_a_displaced_joint(self, truth, pairs):
        """0.3 m at one of 16 joints."""
        moved = truth.pose3d.clone()
        moved[:, 5, 2] += 0.3
        terms = self.terms(truth._replace(pose3d=moved), pairs)
        assert terms["pose"] == pytest.approx(1.0 * 0.3**2 / 16, rel=1e-4)
        assert terms["camera"] == terms["refine"] == pytest.approx(0, abs=1e-9)
        assert terms["reprojection"] > 0
        distance = self.terms(truth._replace(pose3d=moved), pairs, weights=Weights(distance=True))
        assert distance["pose"] == pytest.approx(0.3 / 16, rel=1e-4)

    def test_a_joint_displaced_in_the_image(self, truth, pairs):
        """By a tenth of the person's size: the square of it, averaged over 16 joints."""
        size = VirtualCamera.on(pairs.pose2d, pairs.confidence).size[:, 0, 0]
        moved = truth.pose3d.clone()
        moved[:, 5, 0] += 0.1 * size * moved[:, 5, 2] / truth.focal[:, 0]
        terms = self.terms(truth._replace(pose3d=moved), pairs)
        assert terms["reprojection"] == pytest.approx(0.5 * 0.1**2 / 16, rel=1e-3)

    def test_another_camera(self, truth, pairs):
        """Focal length a tenth longer, a fifth farther away: logarithms, squared and summed."""
        other = truth._replace(
            focal=truth.focal * math.exp(0.1), translation=truth.translation * math.exp(0.2)
        )
        terms = self.terms(other, pairs)
        assert terms["camera"] == pytest.approx(0.01 * (2 * 0.1**2 + 0.2**2), rel=1e-4)
        assert terms["pose"] == 0

    def test_refinement_is_weighted_by_what_was_seen(self, truth, pairs):
        """Half the person's size off at one joint; Eq. 4 divides by the joints twice. A joint
        that was not seen still weighs a tenth."""
        size = VirtualCamera.on(pairs.pose2d, pairs.confidence).size
        refined = truth.refined2d.clone()
        refined[:, 5] += size[:, 0] * torch.tensor([0.3, 0.4])
        lifted = truth._replace(refined2d=refined)
        everything = self.terms(lifted, pairs)["refine"]
        assert everything == pytest.approx(10 * (1 / 16) * 0.5**2 / 16, rel=1e-4)
        seen = pairs.confidence.clone()
        seen[:, 5] = 0
        hidden = self.terms(lifted, pairs, seen)["refine"]
        assert hidden == pytest.approx(10 * (0.1 / 15.1) * 0.5**2 / 16, rel=1e-4)


class Spy(nn.Module):
    """A discriminator that remembers what it was shown."""

    def __init__(self, network):
        super().__init__()
        self.network, self.shown = network, []

    def forward(self, poses):
        self.shown.append(poses.detach().clone())
        return self.network(poses)


class TestGame:
    def play(self, networks, optimizers, pairs, rng, wild2d=None, feedback=None, paused=(), **more):
        return adversarial_update(
            networks, optimizers, {k: k in paused for k in ("d2d", "d3d")}, pairs, wild2d,
            Adversary(**more), feedback, rng,
        )  # fmt: skip

    def shown(self, networks, optimizers, pairs, rng, wild2d, **more):
        """What D_2D and D_3D took for the generator's, for real and for fake."""
        spies = {name: Spy(networks[name]) for name in ("d2d", "d3d")}
        self.play(networks | spies, optimizers, pairs, rng, wild2d, **more)
        return spies["d2d"].shown, spies["d3d"].shown

    def test_d2d_sees_reprojections_as_fakes_and_annotations_as_real(
        self, networks, optimizers, pairs, wild, rng
    ):
        """Eqs. 12 and 13."""
        again = reprojected(networks["model"], wild.pose2d)
        (made, both), _ = self.shown(networks, optimizers, pairs, rng, wild.pose2d)
        real, fake = both.split(2 * N)
        assert torch.equal(real, torch.cat([pairs.pose2d, wild.pose2d]))
        assert torch.equal(fake, torch.cat([made, again]))

    def test_reprojections_are_the_models(self, networks, wild):
        model = networks["model"]
        again = reprojected(model, wild.pose2d)
        assert model.training and not again.requires_grad
        model.eval()
        expected = model(wild.pose2d, wild.confidence).reprojection
        torch.testing.assert_close(again, expected.detach())

    @pytest.mark.parametrize(
        ("off", "real", "fake"),
        [({"reprojected": False}, 2 * N, N), ({"wild": False}, N, 2 * N)],
    )
    def test_either_can_be_left_out(self, networks, optimizers, pairs, wild, rng, off, real, fake):
        shown, _ = self.shown(networks, optimizers, pairs, rng, wild.pose2d, **off)
        assert [len(s) for s in shown] == [N, real + fake]

    def test_without_2d_only_poses(self, networks, optimizers, pairs, rng):
        shown, _ = self.shown(networks, optimizers, pairs, rng, None)
        assert [len(s) for s in shown] == [N, 2 * N] and torch.equal(shown[1][:N], pairs.pose2d)

    def test_d3d_sees_annotated_and_bent_poses(self, networks, optimizers, pairs, wild, rng):
        """Eqs. 14 and 15; 2D-only poses are none of its business."""
        _, (made, both) = self.shown(networks, optimizers, pairs, rng, wild.pose2d)
        assert torch.equal(both, torch.cat([pairs.pose3d, made]))

    def test_everyone_learns_but_the_model(self, networks, optimizers, pairs, wild, rng):
        """PoseAug's lifter kept statistics of fakes in its batch norm; ours only judges."""
        before = {name: state(network) for name, network in networks.items()}
        assert any("running_mean" in name for name in before["model"])
        self.play(networks, optimizers, pairs, rng, wild.pose2d, feedback=0.5)
        assert unchanged(networks["model"], before["model"]) and networks["model"].training
        for name in ("generator", "d2d", "d3d"):
            assert not unchanged(networks[name], before[name]), name

    def test_feedback_reaches_the_generator(self, networks, optimizers, pairs, rng):
        """With nothing else to go by."""
        only = {"d2d": 0.0, "d3d": 0.0, "range": 0.0}
        self.play(networks, optimizers, pairs, rng, feedback=0.5, feedback_view=1.0, **only)
        assert moved(networks["generator"])

    @pytest.mark.parametrize("paused", ["d2d", "d3d"])
    def test_a_paused_discriminator_does_not_learn(self, networks, optimizers, pairs, rng, paused):
        before = {name: state(networks[name]) for name in ("d2d", "d3d")}
        watched = self.play(networks, optimizers, pairs, rng, paused=(paused,))
        assert {name for name in before if unchanged(networks[name], before[name])} == {paused}
        assert {"d2d_real", "d2d_fake", "d3d_real", "d3d_fake", "variety"} <= set(watched)
        assert all(value.ndim == 0 and value.isfinite() for value in watched.values())


class Leaving(Generator):
    """Half of what it makes stands outside the image."""

    def forward(self, pose3d, focal, generator=None):
        made = super().forward(pose3d, focal, generator)
        place = torch.zeros_like(made.pose2d)
        place[::2, 3] = 1.01
        return Generated(**made._asdict() | {"pose2d": place})


class TestMadePairs:
    def test_out_of_view_the_source_stays(self, pairs, rng):
        made = made_pairs(Leaving(H36M_16, hidden=32), pairs, rng)
        out, inside = slice(0, None, 2), slice(1, None, 2)
        for name, column in made[out].columns().items():
            assert torch.equal(column, pairs[out].columns()[name]), name
        assert (made.pose2d[inside] == 0).all()
        assert (made.pose3d[inside] != pairs.pose3d[inside]).any(-1).any(-1).all()
        assert (made.camera.focal[inside] != pairs.camera.focal[inside]).all()

    def test_pairs_are_whole(self, pairs, rng):
        """2D, 3D and camera of a made pair tell the same; nothing learns from making it."""
        generator = Generator(H36M_16, hidden=32)
        before = state(generator)
        made = made_pairs(generator, pairs, rng)
        assert not made.pose2d.requires_grad and generator.training
        assert unchanged(generator, before)
        torch.testing.assert_close(made.reprojection, made.pose2d, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(made.camera.translation, made.root_position)
        assert made.pose2d[..., 0].abs().max() <= 1
        assert made.pose2d[..., 1].abs().max() <= 16 / 9
        assert (made.pose3d != pairs.pose3d).any()


class Knowing(nn.Module):
    """Lifts people of whom it knows the truth; sets the camera at their root."""

    def __init__(self, people):
        super().__init__()
        self.people, self.modes = people, []
        self.norm = nn.BatchNorm1d(4)

    def forward(self, pose2d, confidence):
        self.modes.append(self.norm.training)
        people = self.people[: len(pose2d)]
        return Lifted(pose2d, people.pose3d, people.camera.focal, people.camera.center,
                      people.camera.translation)  # fmt: skip


class TestWithLifted:
    def test_bodies_of_2d_only_people_stand_where_pairs_stood(self, pairs, wild):
        model = Knowing(pairs.mirror()).train()
        found = with_lifted(model, pairs, wild, 10)
        bodies = root_relative(found.pose3d, H36M_16)
        known = root_relative(model.people.pose3d, H36M_16)
        ratio = losses.prior_height(pairs.pose3d, H36M_16) / losses.prior_height(known, H36M_16)
        torch.testing.assert_close(bodies[:10], (known * ratio[:, None, None])[:10])
        assert torch.equal(found.pose3d[10:], pairs.pose3d[10:]) and len(found) == len(pairs)
        torch.testing.assert_close(found.root_position, pairs.root_position)
        torch.testing.assert_close(found.reprojection, found.pose2d)
        assert model.modes == [False] and model.norm.training

    def test_a_giant_is_made_as_tall_as_whom_he_replaces(self, pairs, wild):
        people = pairs.mirror()
        giants = Knowing(replace(people, pose3d=3 * people.pose3d))
        found, usual = (with_lifted(m, pairs, wild, 10) for m in (giants, Knowing(people)))
        torch.testing.assert_close(found.pose3d, usual.pose3d)
        tall = losses.prior_height(found.pose3d, H36M_16)
        torch.testing.assert_close(tall, losses.prior_height(pairs.pose3d, H36M_16))

    @pytest.mark.parametrize("change", ["nobody", "long arm", "cut off"])
    def test_who_is_no_whole_human_is_not_taken(self, pairs, wild, change):
        people, sure = pairs.mirror(), wild.confidence.clone()
        pose3d = people.pose3d.clone()
        if change == "nobody":
            pose3d[3] = 0.0
        elif change == "long arm":
            pose3d[3, H36M_16.index("left_wrist")] += 1.0
        else:
            sure[3, 2] = 0.0
        model = Knowing(replace(people, pose3d=pose3d))
        found = with_lifted(model, pairs, replace(wild, confidence=sure), 10)
        same = (found.pose3d == pairs.pose3d).all(-1).all(-1)
        assert same[:10].tolist() == [row == 3 for row in range(10)]
        assert torch.equal(found.pose2d[3], pairs.pose2d[3])

    def test_no_more_than_there_are(self, pairs, wild):
        found = with_lifted(Knowing(pairs.mirror()), pairs, wild[:3], 10)
        assert torch.equal(found.pose3d[3:], pairs.pose3d[3:])
        assert with_lifted(Knowing(pairs), pairs, wild, 0) is pairs


def test_rest_ends_as_it_began():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()).train()
    with at_rest(network, nn.BatchNorm1d):
        with at_rest(network):
            assert not any(m.training for m in network.modules())
        assert [m.training for m in network] == [False, True]
    with at_rest(network, ()):
        assert all(m.training for m in network.modules())
    assert all(m.training for m in network.modules())


class TestObservation:
    def test_mirror_half(self, pairs):
        few = pairs[:5]
        both, nothing = mirror_half(few, None)
        assert nothing is None and len(both) == 5
        for name, column in both[:2].columns().items():
            assert torch.equal(column, few[:2].mirror().columns()[name]), name
        for name, column in both[2:].columns().items():
            assert torch.equal(column, few[2:].columns()[name]), name

    def test_exact(self, pairs, rng):
        sure = pairs.confidence.clone()
        sure[:, 4] = 0.5
        pose2d, confidence = observe(replace(pairs, confidence=sure), None, EXACT, rng)
        assert torch.equal(pose2d, pairs.pose2d) and torch.equal(confidence, sure)

    def test_noisy(self, pairs, rng):
        pose2d, confidence = observe(pairs, None, Noise(exact=0.0, detected=0.0), rng)
        assert (pose2d != pairs.pose2d).any(-1).any(-1).all()
        assert (confidence <= 1).all() and (confidence < 1).any(-1).all()
        size = VirtualCamera.on(pairs.pose2d, pairs.confidence).size
        assert ((pose2d - pairs.pose2d) / size).abs().median() < 0.3

    def test_detected(self, pairs, rng):
        found = Poses(H36M_16, pairs.pose2d + 0.01, torch.full((N, 16), 0.7))
        pose2d, confidence = observe(pairs, found, Noise(exact=0.0, detected=1.0), rng)
        assert torch.equal(pose2d, found.pose2d) and torch.equal(confidence, found.confidence)

    def test_without_detections_their_share_is_noisy(self, pairs, rng):
        pose2d, _ = observe(pairs, None, Noise(exact=0.0, detected=1.0), rng)
        assert (pose2d != pairs.pose2d).any(-1).any(-1).all()

    def test_shares(self, pairs, rng):
        many = Poses.cat([pairs] * 64)
        found = Poses(H36M_16, many.pose2d + 0.01, torch.full((len(many), 16), 0.7))
        pose2d, _ = observe(many, found, Noise(exact=0.5, detected=0.2), rng)
        exact = (pose2d == many.pose2d).all(-1).all(-1).float().mean()
        detected = (pose2d == found.pose2d).all(-1).all(-1).float().mean()
        assert float(exact) == pytest.approx(0.5, abs=0.05)
        assert float(detected) == pytest.approx(0.2, abs=0.05)


class TestTruth:
    def test_a_guessed_spine_is_no_truth(self):
        mpii = Poses(MPII_16, torch.rand(2, 16, 2), torch.ones(2, 16))
        weight = truth_weight(mpii.to(H36M_16))
        spine = H36M_16.index("spine")
        assert (weight[:, spine] == 0).all()
        assert (weight[:, [i for i in range(16) if i != spine]] > 0).all()
        assert (weight[:, H36M_16.index("pelvis")] == 1).all()
        assert (weight[:, H36M_16.index("head")] == DERIVED_CONFIDENCE).all()

    def test_a_measured_spine_is(self, pairs):
        assert (truth_weight(pairs) == 1).all()


class TestUpdate:
    @pytest.fixture
    def network(self):
        torch.manual_seed(0)
        return nn.Linear(4, 4)

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_step_that_is_not_finite_is_left_out(self, network, bad):
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        for _ in range(2):
            before, momenta = state(network), copy.deepcopy(optimizer.state_dict()["state"])
            update(optimizer, network(torch.ones(1, 4)).sum() * bad)
            assert unchanged(network, before)
            for number, one in optimizer.state_dict()["state"].items():
                for name, value in one.items():
                    earlier = momenta[number][name] if momenta else torch.zeros_like(value)
                    assert torch.equal(value, earlier), name
            update(optimizer, network(torch.ones(1, 4)).sum())
            assert not unchanged(network, before)
        assert all(p.isfinite().all() for p in network.parameters())

    def test_the_gradients_norm_is_at_most_one(self, network):
        optimizer = torch.optim.SGD(network.parameters(), lr=1.0, fused=True)
        before = state(network)
        update(optimizer, 1000 * network(torch.ones(1, 4)).sum())
        step = sum((v - before[k]).square().sum() for k, v in network.state_dict().items())
        assert float(step.sqrt()) == pytest.approx(1, rel=1e-4)

    def test_what_rests_does_not_count(self, network):
        """In warm-up the refiner takes no step: its gradients are not even computed."""
        resting = nn.Linear(4, 4)
        whole = nn.Sequential(resting, network)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0, fused=True)
        norms = []
        for _ in range(2):
            update(optimizer, 1e-3 * whole(torch.ones(1, 4)).sum())
            norms.append([float(p.grad.norm()) for p in network.parameters()])
            assert all(p.grad is None for p in resting.parameters())
        assert norms[0] == norms[1]
        huge = 1e6 * resting(torch.ones(1, 4)).sum() + 1e-3 * network(torch.ones(1, 4)).sum()
        update(optimizer, huge)
        assert float(network.bias.grad.norm()) == pytest.approx(2e-3, rel=1e-4)


def test_poses_stay_root_relative(networks, wild):
    """What D_3D and the prior judge of 2D-only poses is the body, wherever it stands."""
    lifted = networks["model"].eval()(wild.pose2d, wild.confidence)
    farther = lifted._replace(pose3d=lifted.pose3d + torch.tensor([0.0, 0.0, 1.0]))
    with torch.no_grad():
        prior = [
            wild_terms(one, wild.confidence, wild, networks, Weights())["prior_wild"]
            for one in (lifted, farther)
        ]
    torch.testing.assert_close(*prior)
    torch.testing.assert_close(
        root_relative(lifted.pose3d, H36M_16), root_relative(farther.pose3d, H36M_16)
    )
