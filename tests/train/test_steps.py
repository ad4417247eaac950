"""Parts of an iteration: loss terms, adversarial step, augmentation and optimisation."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from camerapose.core.camera import Camera
from camerapose.core.conversion import DERIVED_CONFIDENCE
from camerapose.core.geometry import root_relative
from camerapose.core.joint_formats import H36M_16, MPII_16
from camerapose.core.poses import Poses
from camerapose.models import losses
from camerapose.models.camerapose import Lifted, build
from camerapose.models.crop import VirtualCamera
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generated, Generator
from camerapose.train import config_io, data
from camerapose.train.adversarial_step import AdversarialTraining, reprojected
from camerapose.train.augmentation import (
    generated_pairs,
    mirror_half,
    observe,
    with_lifted_sources,
)
from camerapose.train.config import AdversarialConfig, Config, LossWeights, NoiseConfig
from camerapose.train.loss_terms import (
    LossForms,
    ground_truth_weight,
    pair_terms,
    unlabelled_terms,
)
from camerapose.train.monitor import AdversarialMonitor
from camerapose.train.steps import evaluation_mode, update

N = 32
CLEAN = NoiseConfig(clean=1.0, detected=0.0)


@pytest.fixture(scope="module")
def pairs():
    """Pairs as in training: torch, cameras without distortion, no labels."""
    only = {"human36m": False, "mpii": False, "synthetic": N}
    settings = config_io.update(Config(), {"data": only}, "the test")
    return data.load(settings, torch.device("cpu")).pairs


@pytest.fixture(scope="module")
def unlabelled(pairs):
    """2D-only poses that differ from the pairs."""
    mirrored = pairs.mirror()
    return Poses(H36M_16, mirrored.pose2d, mirrored.confidence)


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
    """Return whether any gradient is not zero."""
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    return any(bool((g != 0).any()) for g in grads)


class TestUnlabelled:
    def terms(self, networks, unlabelled, weights=None):
        lifted = networks["model"](unlabelled.pose2d, unlabelled.confidence)
        return unlabelled_terms(
            lifted, unlabelled.confidence, unlabelled, networks, weights or LossWeights()
        )

    def test_trains_camera_branch_lifter_and_refiner(self, networks, unlabelled):
        assert unlabelled.pose3d is None and unlabelled.camera is None
        sum(self.terms(networks, unlabelled).values()).backward()
        model = networks["model"]
        for module in (model.camera_branch, model.lifter, model.refiner):
            assert moved(module)

    def test_reprojection_alone_trains_camera_branch_and_lifter(self, networks, unlabelled):
        """Eq. 11: the 2D annotation alone trains 3D pose and camera."""
        self.terms(networks, unlabelled)["reprojection_unlabelled"].backward()
        model = networks["model"]
        assert moved(model.lifter)
        grad = model.camera_branch.output.weight.grad
        assert (grad.abs().sum(1) > 0).sum() >= 5  # several of focal length, centre and translation

    def test_reads_no_3d_label(self, networks, unlabelled):
        """The terms do not depend on 3D labels."""
        invalid = torch.full((N, 16, 3), math.nan)
        camera = Camera(*(torch.full((N, d), math.nan) for d in (2, 2, 3)))
        torch.manual_seed(0)
        without = self.terms(networks, unlabelled)
        torch.manual_seed(0)
        with_labels = self.terms(networks, replace(unlabelled, pose3d=invalid, camera=camera))
        assert without.keys() == with_labels.keys()
        assert all(torch.equal(without[k], with_labels[k]) for k in without)

    def test_terms_and_their_weights(self, networks, unlabelled):
        networks["model"].eval()
        terms = self.terms(networks, unlabelled, LossWeights(d3d_unlabelled=0.5))
        names = ("refine", "reprojection", "bone_prior", "d2d", "d3d")
        assert set(terms) == {f"{name}_unlabelled" for name in names}
        more = self.terms(
            networks,
            unlabelled,
            LossWeights(reprojection_unlabelled=0.4, d3d_unlabelled=0.0, d2d_unlabelled=0.0),
        )
        assert "d2d_unlabelled" not in more and "d3d_unlabelled" not in more
        torch.testing.assert_close(
            more["reprojection_unlabelled"], 2 * terms["reprojection_unlabelled"]
        )

    def test_perfect_refinement_has_no_loss(self, networks, unlabelled):
        """The untrained refiner returns its input."""
        assert self.terms(networks, unlabelled)["refine_unlabelled"] < 1e-10


class TestPairs:
    """L_phi (Eq. 16) for the ground truth with one error at a time."""

    @pytest.fixture
    def perfect(self, pairs):
        camera = pairs.camera
        return Lifted(
            pairs.pose2d, pairs.pose3d, camera.focal, camera.center, camera.translation
        )  # fmt: skip

    def terms(self, lifted, pairs, confidence=None, pose_loss="mean_square"):
        confidence = pairs.confidence if confidence is None else confidence
        terms = pair_terms(lifted, confidence, pairs, LossWeights(), LossForms(pose_loss))
        return {name: float(value) for name, value in terms.items()}

    def test_ground_truth_has_no_loss(self, perfect, pairs):
        expected = dict.fromkeys(("refine", "camera", "reprojection", "pose"), 0.0)
        assert self.terms(perfect, pairs) == pytest.approx(expected, abs=1e-9)

    def test_a_displaced_joint(self, perfect, pairs):
        """0.3 m at one of 16 joints."""
        moved = perfect.pose3d.clone()
        moved[:, 5, 2] += 0.3
        terms = self.terms(perfect._replace(pose3d=moved), pairs)
        assert terms["pose"] == pytest.approx(1.0 * 0.3**2 / 16, rel=1e-4)
        assert terms["camera"] == terms["refine"] == pytest.approx(0, abs=1e-9)
        assert terms["reprojection"] > 0
        distance = self.terms(perfect._replace(pose3d=moved), pairs, pose_loss="mean_distance")
        assert distance["pose"] == pytest.approx(0.3 / 16, rel=1e-4)

    def test_a_joint_displaced_in_the_image(self, perfect, pairs):
        """Displacement by a tenth of the person's size: its square, averaged over 16 joints."""
        size = VirtualCamera.fit(pairs.pose2d, pairs.confidence).scale[:, 0, 0]
        moved = perfect.pose3d.clone()
        moved[:, 5, 0] += 0.1 * size * moved[:, 5, 2] / perfect.focal[:, 0]
        terms = self.terms(perfect._replace(pose3d=moved), pairs)
        assert terms["reprojection"] == pytest.approx(0.5 * 0.1**2 / 16, rel=1e-3)

    def test_another_camera(self, perfect, pairs):
        """Focal length a tenth longer, a fifth farther away: logarithms, squared and summed."""
        other = perfect._replace(
            focal=perfect.focal * math.exp(0.1), translation=perfect.translation * math.exp(0.2)
        )
        terms = self.terms(other, pairs)
        assert terms["camera"] == pytest.approx(0.01 * (2 * 0.1**2 + 0.2**2), rel=1e-4)
        assert terms["pose"] == 0

    def test_refinement_is_weighted_by_confidence(self, perfect, pairs):
        """One joint displaced by half the person's size; Eq. 4 divides by the joints twice.

        A missing joint has a tenth of the weight.
        """
        size = VirtualCamera.fit(pairs.pose2d, pairs.confidence).scale
        refined = perfect.refined2d.clone()
        refined[:, 5] += size[:, 0] * torch.tensor([0.3, 0.4])
        lifted = perfect._replace(refined2d=refined)
        complete = self.terms(lifted, pairs)["refine"]
        assert complete == pytest.approx(10 * (1 / 16) * 0.5**2 / 16, rel=1e-4)
        confidence = pairs.confidence.clone()
        confidence[:, 5] = 0
        hidden = self.terms(lifted, pairs, confidence)["refine"]
        assert hidden == pytest.approx(10 * (0.1 / 15.1) * 0.5**2 / 16, rel=1e-4)


class Spy(nn.Module):
    """A discriminator that records its inputs."""

    def __init__(self, network):
        super().__init__()
        self.network, self.inputs = network, []

    def forward(self, poses):
        self.inputs.append(poses.detach().clone())
        return self.network(poses)


class TestAdversarialStep:
    def step(self, networks, optimizers, pairs, rng, unlabelled2d=None, feedback=None, **more):
        paused = more.pop("paused", ())
        monitor = AdversarialMonitor(
            {name: networks[name] for name in optimizers}, dict(optimizers)
        )
        monitor.paused = {name: name in paused for name in ("d2d", "d3d")}
        settings = AdversarialConfig(**more)
        training = AdversarialTraining(networks, optimizers, monitor, settings, rng)
        values, messages = training.step(0, pairs, unlabelled2d, feedback)
        assert messages == []
        return values

    def inputs(self, networks, optimizers, pairs, rng, unlabelled2d, **more):
        """Return the inputs of D_2D and D_3D, and the pairs in their order within the step."""
        spies = {name: Spy(networks[name]) for name in ("d2d", "d3d")}
        order = torch.randperm(len(pairs), generator=rng.clone_state())
        self.step(networks | spies, optimizers, pairs, rng, unlabelled2d, **more)
        return spies["d2d"].inputs, spies["d3d"].inputs, pairs[order]

    def test_d2d_sees_reprojections_as_fakes_and_annotations_as_real(
        self, networks, optimizers, pairs, unlabelled, rng
    ):
        """Eqs. 12 and 13."""
        reprojections = reprojected(networks["model"], unlabelled.pose2d)
        (generated, both), _, pairs = self.inputs(
            networks, optimizers, pairs, rng, unlabelled.pose2d
        )
        real, fake = both.split(2 * N)
        assert torch.equal(real, torch.cat([pairs.pose2d, unlabelled.pose2d]))
        assert torch.equal(fake, torch.cat([generated, reprojections]))

    def test_reprojections_are_those_of_the_model(self, networks, unlabelled):
        model = networks["model"]
        reprojections = reprojected(model, unlabelled.pose2d)
        assert model.training and not reprojections.requires_grad
        model.eval()
        expected = model(unlabelled.pose2d, unlabelled.confidence).reprojection
        torch.testing.assert_close(reprojections, expected.detach())

    @pytest.mark.parametrize(
        ("off", "real", "fake"),
        [({"reprojected_fakes": False}, 2 * N, N), ({"unlabelled_real": False}, N, 2 * N)],
    )
    def test_either_can_be_disabled(
        self, networks, optimizers, pairs, unlabelled, rng, off, real, fake
    ):
        inputs, *_ = self.inputs(networks, optimizers, pairs, rng, unlabelled.pose2d, **off)
        assert [len(i) for i in inputs] == [N, real + fake]

    def test_without_2d_only_poses(self, networks, optimizers, pairs, rng):
        inputs, _, pairs = self.inputs(networks, optimizers, pairs, rng, None)
        assert [len(i) for i in inputs] == [N, 2 * N]
        assert torch.equal(inputs[1][:N], pairs.pose2d)

    def test_d3d_sees_annotated_and_bent_poses(self, networks, optimizers, pairs, unlabelled, rng):
        """Eqs. 14 and 15; 2D-only poses are not among its inputs."""
        _, (generated, both), pairs = self.inputs(
            networks, optimizers, pairs, rng, unlabelled.pose2d
        )
        assert torch.equal(both, torch.cat([pairs.pose3d, generated]))

    def test_trains_all_networks_except_the_model(
        self, networks, optimizers, pairs, unlabelled, rng
    ):
        """Unlike in PoseAug, batch norm of the lifter does not collect statistics of fakes."""
        before = {name: state(network) for name, network in networks.items()}
        assert any("running_mean" in name for name in before["model"])
        self.step(networks, optimizers, pairs, rng, unlabelled.pose2d, feedback=0.5)
        assert unchanged(networks["model"], before["model"]) and networks["model"].training
        for name in ("generator", "d2d", "d3d"):
            assert not unchanged(networks[name], before[name]), name

    def test_feedback_trains_the_generator(self, networks, optimizers, pairs, rng):
        """Without any other loss."""
        only = {"d2d_weight": 0.0, "d3d_weight": 0.0, "range_weight": 0.0}
        self.step(networks, optimizers, pairs, rng, feedback=0.5, feedback_view_weight=1.0, **only)
        assert moved(networks["generator"])

    @pytest.mark.parametrize("paused", ["d2d", "d3d"])
    def test_a_paused_discriminator_is_not_trained(self, networks, optimizers, pairs, rng, paused):
        before = {name: state(networks[name]) for name in ("d2d", "d3d")}
        values = self.step(networks, optimizers, pairs, rng, paused=(paused,))
        assert {name for name in before if unchanged(networks[name], before[name])} == {paused}
        names = ("d2d_real", "d2d_fake", "d3d_real", "d3d_fake", "diversity", "generator")
        assert set(values) == {f"adversarial_{name}" for name in names}
        assert all(value.ndim == 0 and value.isfinite() for value in values.values())

    @pytest.mark.parametrize("off", [{"generated_share": 0.0}, {"interval": 2}])
    def test_no_update_if_none_is_due(self, networks, optimizers, pairs, rng, off):
        before = {name: state(networks[name]) for name in optimizers}
        monitor = AdversarialMonitor(
            {name: networks[name] for name in optimizers}, dict(optimizers)
        )
        settings = AdversarialConfig(**off)
        training = AdversarialTraining(networks, optimizers, monitor, settings, rng)
        assert training.step(1, pairs, None, None) == ({}, [])
        assert all(unchanged(networks[name], before[name]) for name in before)


class Leaving(Generator):
    """Half of its poses leave the image."""

    def forward(self, pose3d, focal, generator=None):
        generated = super().forward(pose3d, focal, generator)
        pose2d = torch.zeros_like(generated.pose2d)
        pose2d[::2, 3] = 1.01
        return Generated(**generated._asdict() | {"pose2d": pose2d})


class TestGeneratedPairs:
    def test_sources_replace_poses_outside_the_image(self, pairs, rng):
        generated = generated_pairs(Leaving(H36M_16, hidden=32), pairs, rng)
        out, inside = slice(0, None, 2), slice(1, None, 2)
        for name, column in generated[out].columns().items():
            assert torch.equal(column, pairs[out].columns()[name]), name
        assert (generated.pose2d[inside] == 0).all()
        assert (generated.pose3d[inside] != pairs.pose3d[inside]).any(-1).any(-1).all()
        assert (generated.camera.focal[inside] != pairs.camera.focal[inside]).all()

    def test_pairs_are_consistent(self, pairs, rng):
        """2D, 3D and camera of a generated pair agree; the generator is not changed."""
        generator = Generator(H36M_16, hidden=32)
        before = state(generator)
        generated = generated_pairs(generator, pairs, rng)
        assert not generated.pose2d.requires_grad and generator.training
        assert unchanged(generator, before)
        torch.testing.assert_close(generated.reprojection, generated.pose2d, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(generated.camera.translation, generated.root_position)
        assert generated.pose2d[..., 0].abs().max() <= 1
        assert generated.pose2d[..., 1].abs().max() <= 16 / 9
        assert (generated.pose3d != pairs.pose3d).any()


class Oracle(nn.Module):
    """A model that returns the ground truth of given people."""

    def __init__(self, people):
        super().__init__()
        self.people, self.modes = people, []
        self.norm = nn.BatchNorm1d(4)

    def forward(self, pose2d, confidence):
        self.modes.append(self.norm.training)
        people = self.people[: len(pose2d)]
        return Lifted(pose2d, people.pose3d, people.camera.focal, people.camera.center,
                      people.camera.translation)  # fmt: skip


class TestLiftedSources:
    def test_lifted_poses_take_the_position_of_the_pairs(self, pairs, unlabelled):
        model = Oracle(pairs.mirror()).train()
        result = with_lifted_sources(model, pairs, unlabelled, 10)
        bodies = root_relative(result.pose3d, H36M_16)
        known = root_relative(model.people.pose3d, H36M_16)
        ratio = losses.prior_height(pairs.pose3d, H36M_16) / losses.prior_height(known, H36M_16)
        torch.testing.assert_close(bodies[:10], (known * ratio[:, None, None])[:10])
        assert torch.equal(result.pose3d[10:], pairs.pose3d[10:]) and len(result) == len(pairs)
        torch.testing.assert_close(result.root_position, pairs.root_position)
        torch.testing.assert_close(result.reprojection, result.pose2d)
        assert model.modes == [False] and model.norm.training

    def test_lifted_poses_take_the_height_of_the_pairs(self, pairs, unlabelled):
        people = pairs.mirror()
        too_large = Oracle(replace(people, pose3d=3 * people.pose3d))
        result, usual = (
            with_lifted_sources(m, pairs, unlabelled, 10) for m in (too_large, Oracle(people))
        )
        torch.testing.assert_close(result.pose3d, usual.pose3d)
        tall = losses.prior_height(result.pose3d, H36M_16)
        torch.testing.assert_close(tall, losses.prior_height(pairs.pose3d, H36M_16))

    @pytest.mark.parametrize("change", ["no size", "long arm", "incomplete"])
    def test_implausible_and_incomplete_poses_are_not_used(self, pairs, unlabelled, change):
        people, confidences = pairs.mirror(), unlabelled.confidence.clone()
        pose3d = people.pose3d.clone()
        if change == "no size":
            pose3d[3] = 0.0
        elif change == "long arm":
            pose3d[3, H36M_16.index("left_wrist")] += 1.0
        else:
            confidences[3, 2] = 0.0
        model = Oracle(replace(people, pose3d=pose3d))
        result = with_lifted_sources(model, pairs, replace(unlabelled, confidence=confidences), 10)
        same = (result.pose3d == pairs.pose3d).all(-1).all(-1)
        assert same[:10].tolist() == [row == 3 for row in range(10)]
        assert torch.equal(result.pose2d[3], pairs.pose2d[3])

    def test_number_of_lifted_poses_is_limited(self, pairs, unlabelled):
        result = with_lifted_sources(Oracle(pairs.mirror()), pairs, unlabelled[:3], 10)
        assert torch.equal(result.pose3d[3:], pairs.pose3d[3:])
        assert with_lifted_sources(Oracle(pairs), pairs, unlabelled, 0) is pairs


def test_evaluation_mode_is_undone():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()).train()
    with evaluation_mode(network, nn.BatchNorm1d):
        with evaluation_mode(network):
            assert not any(m.training for m in network.modules())
        assert [m.training for m in network] == [False, True]
    with evaluation_mode(network, ()):
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

    def test_clean(self, pairs, rng):
        given = pairs.confidence.clone()
        given[:, 4] = 0.5
        pose2d, confidence = observe(replace(pairs, confidence=given), None, CLEAN, rng)
        assert torch.equal(pose2d, pairs.pose2d) and torch.equal(confidence, given)

    def test_noisy(self, pairs, rng):
        pose2d, confidence = observe(pairs, None, NoiseConfig(clean=0.0, detected=0.0), rng)
        assert (pose2d != pairs.pose2d).any(-1).any(-1).all()
        assert (confidence <= 1).all() and (confidence < 1).any(-1).all()
        size = VirtualCamera.fit(pairs.pose2d, pairs.confidence).scale
        assert ((pose2d - pairs.pose2d) / size).abs().median() < 0.3

    def test_detected(self, pairs, rng):
        result = Poses(H36M_16, pairs.pose2d + 0.01, torch.full((N, 16), 0.7))
        pose2d, confidence = observe(pairs, result, NoiseConfig(clean=0.0, detected=1.0), rng)
        assert torch.equal(pose2d, result.pose2d) and torch.equal(confidence, result.confidence)

    def test_without_detections_their_share_is_noisy(self, pairs, rng):
        pose2d, _ = observe(pairs, None, NoiseConfig(clean=0.0, detected=1.0), rng)
        assert (pose2d != pairs.pose2d).any(-1).any(-1).all()

    def test_shares(self, pairs, rng):
        many = Poses.cat([pairs] * 64)
        result = Poses(H36M_16, many.pose2d + 0.01, torch.full((len(many), 16), 0.7))
        pose2d, _ = observe(many, result, NoiseConfig(clean=0.5, detected=0.2), rng)
        clean_share = (pose2d == many.pose2d).all(-1).all(-1).float().mean()
        detected = (pose2d == result.pose2d).all(-1).all(-1).float().mean()
        assert float(clean_share) == pytest.approx(0.5, abs=0.05)
        assert float(detected) == pytest.approx(0.2, abs=0.05)


class TestGroundTruthWeight:
    def test_interpolated_spine(self):
        mpii = Poses(MPII_16, torch.rand(2, 16, 2), torch.ones(2, 16))
        weight = ground_truth_weight(mpii.to(H36M_16))
        spine = H36M_16.index("spine")
        assert (weight[:, spine] == 0).all()
        assert (weight[:, [i for i in range(16) if i != spine]] > 0).all()
        assert (weight[:, H36M_16.index("pelvis")] == 1).all()
        assert (weight[:, H36M_16.index("head")] == DERIVED_CONFIDENCE).all()

    def test_measured_spine(self, pairs):
        assert (ground_truth_weight(pairs) == 1).all()


class TestUpdate:
    @pytest.fixture
    def network(self):
        torch.manual_seed(0)
        return nn.Linear(4, 4)

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_step_that_is_not_finite_is_skipped(self, network, bad):
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

    def test_gradient_norm_is_clipped(self, network):
        optimizer = torch.optim.SGD(network.parameters(), lr=1.0, fused=True)
        before = state(network)
        update(optimizer, 1000 * network(torch.ones(1, 4)).sum())
        step = sum((v - before[k]).square().sum() for k, v in network.state_dict().items())
        assert float(step.sqrt()) == pytest.approx(1, rel=1e-4)

    def test_frozen_parameters_have_no_gradient(self, network):
        """Gradients of parameters outside of the optimizer are not computed."""
        frozen = nn.Linear(4, 4)
        whole = nn.Sequential(frozen, network)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0, fused=True)
        norms = []
        for _ in range(2):
            update(optimizer, 1e-3 * whole(torch.ones(1, 4)).sum())
            norms.append([float(p.grad.norm()) for p in network.parameters()])
            assert all(p.grad is None for p in frozen.parameters())
        assert norms[0] == norms[1]
        huge = 1e6 * frozen(torch.ones(1, 4)).sum() + 1e-3 * network(torch.ones(1, 4)).sum()
        update(optimizer, huge)
        assert float(network.bias.grad.norm()) == pytest.approx(2e-3, rel=1e-4)


def test_poses_stay_root_relative(networks, unlabelled):
    """The bone prior of 2D-only poses does not depend on their position."""
    lifted = networks["model"].eval()(unlabelled.pose2d, unlabelled.confidence)
    farther = lifted._replace(pose3d=lifted.pose3d + torch.tensor([0.0, 0.0, 1.0]))
    with torch.no_grad():
        prior = [
            unlabelled_terms(one, unlabelled.confidence, unlabelled, networks, LossWeights())[
                "bone_prior_unlabelled"
            ]
            for one in (lifted, farther)
        ]
    torch.testing.assert_close(*prior)
    torch.testing.assert_close(
        root_relative(lifted.pose3d, H36M_16), root_relative(farther.pose3d, H36M_16)
    )
