"""The pose generator in front of the data engine."""

import numpy as np
import pytest
import torch
from helpers.anny import write_files

from camerapose.core.attachment import ATTACHED
from camerapose.core.joint_formats import BODY_46, COCO_17
from camerapose.core.poses import Poses
from camerapose.data.augment.engine import EngineOptions, simulate
from camerapose.models.body_model import BodyModel
from camerapose.train import config_io
from camerapose.train.config import AdversarialConfig
from camerapose.train.simulated import generated as module
from camerapose.train.simulated import trainer
from camerapose.train.simulated.config import SimulatedConfig
from camerapose.train.simulated.generated import GeneratedPoses

SETTINGS = AdversarialConfig(
    generated_share=1.0, unlabelled_sources=0.5, interval=1, batch=32
)  # half of a batch is varied, half of that lifted


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def annotated(n=20):
    """Return 2D-only people with the joints of COCO."""
    confidence = torch.zeros(n, 46)
    confidence[:, [BODY_46.index(joint) for joint in COCO_17.joints]] = 1.0
    return Poses(BODY_46, 0.3 * torch.randn(n, 46, 2, generator=rng(5)), confidence)


@pytest.fixture
def world():
    poses = 0.4 * torch.randn(64, 46, 3, generator=rng(1))
    return poses - poses[:, BODY_46.root_index, None]


@pytest.fixture
def generated():
    torch.manual_seed(0)
    return GeneratedPoses(BodyModel(16, 1), SETTINGS, annotated(), rng(2))


def lengths(poses):
    children, parents = zip(*ATTACHED.bones, strict=True)
    return (poses[:, list(children)] - poses[:, list(parents)]).norm(dim=-1)


def test_half_of_the_poses_have_other_bone_directions_and_the_same_lengths(generated, world):
    varied = generated.vary(world, progress=0.0)
    torch.testing.assert_close(varied[32:], world[32:], rtol=0, atol=0)
    torch.testing.assert_close(lengths(varied), lengths(world), atol=1e-4, rtol=1e-4)
    elbow = BODY_46.index("left_wrist")
    assert (varied[:32, elbow] - world[:32, elbow]).norm(dim=-1).median() > 0.01


def test_a_share_of_zero_changes_nothing(world):
    settings = AdversarialConfig(generated_share=0.0)
    poses = GeneratedPoses(BodyModel(16, 1), settings, None, rng()).vary(world, 1.0)
    torch.testing.assert_close(poses, world, rtol=0, atol=0)


def test_plausible_lifted_poses_become_sources(generated, world, monkeypatch):
    """Sources have the height of the pose that they replace; implausible ones are not used."""
    assert torch.equal(generated._with_lifted(world), world)  # an untrained network: implausible
    lifted = torch.randn(16, 46, 3, generator=rng(7))
    monkeypatch.setattr(
        module, "AbsoluteBodyModel", lambda _: lambda *_: type("Lifted", (), {"pose3d": lifted})
    )
    zero = torch.zeros(16, 1)
    zero[3] = 1.0
    monkeypatch.setattr(module, "bone_deviations", lambda *_: (zero, torch.zeros(16, 1)))
    sources = generated._with_lifted(world[:32])
    changed = (sources - world[:32]).abs().amax((1, 2)) > 1e-6
    assert changed.tolist() == [i < 16 and i != 3 for i in range(32)]
    heights = [module.body_height(p[:16], BODY_46) for p in (sources, world)]
    torch.testing.assert_close(*heights)


def test_a_step_trains_generator_and_discriminators(generated, world):
    before = {k: [p.clone() for p in n.parameters()] for k, n in generated.networks.items()}
    model = [p.clone() for p in generated.model.parameters()]
    generated.step(0, simulate(world, EngineOptions(), rng(3)), 0.5)
    for name, network in generated.networks.items():
        pairs = zip(network.parameters(), before[name], strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs), name
    assert all(map(torch.equal, generated.model.parameters(), model))


def test_people_without_a_limb_are_no_sources():
    poses = annotated()
    poses.confidence[:15, BODY_46.index("left_knee")] = 0
    assert len(GeneratedPoses(BodyModel(16, 1), SETTINGS, poses, rng()).complete) == 5
    poses.confidence[:, BODY_46.index("left_knee")] = 0
    assert GeneratedPoses(BodyModel(16, 1), SETTINGS, poses, rng())._real2d() is None


def test_an_interrupted_run_with_a_generator_resumes_with_the_same_result(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trainer, "export_body_model", lambda *_: None)
    settings = {
        "iterations": 4, "batch": 16, "validate_every": 2, "device": "cpu",
        "network": {"width": 16, "blocks": 1},
        "data": {"anny": str(write_files(tmp_path)), "held_out": ["cmu/05"]},
        "adversarial": {"generated_share": 0.5, "interval": 1, "batch": 8},
    }  # fmt: skip
    config = config_io.update(SimulatedConfig(), settings, "test")
    whole = trainer.train(config, tmp_path / "whole")
    log = trainer._log

    def interrupt(out, iteration, *values):
        log(out, iteration, *values)
        if iteration == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_log", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer.train(config, tmp_path / "parts")
    monkeypatch.setattr(trainer, "_log", log)
    parts = trainer.train(config, tmp_path / "parts")
    states = [torch.load(f / "model.pt", weights_only=True)["state"] for f in (whole, parts)]
    for name, value in states[0].items():
        np.testing.assert_array_equal(states[1][name], value)
