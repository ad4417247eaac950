"""Additional losses of pairs: bone directions, and the mean prediction of teachers."""

import dataclasses

import pytest
import torch
from helpers.golden import settings, start

from camerapose.core.geometry import root_relative
from camerapose.core.joint_formats import H36M_16
from camerapose.data.datasets import synthetic
from camerapose.models import losses
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import save_model
from camerapose.models.config import ModelConfig
from camerapose.train import config_io, trainer
from camerapose.train.config import Config, LossWeights
from camerapose.train.distillation import Teachers
from camerapose.train.loss_terms import pair_terms

SIZES = ModelConfig("mlp", {"width": 16, "dropout": 0.0}, 16, 16)


@pytest.fixture(scope="module")
def pairs():
    return synthetic.load(n=8, seed=1).to_torch()


@pytest.fixture
def paths(tmp_path):
    """Write two teachers that predict different poses."""
    result = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = build(H36M_16, **dataclasses.asdict(SIZES))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        save_model(model, tmp_path / f"{seed}.safetensors", SIZES)
        result.append(str(tmp_path / f"{seed}.safetensors"))
    return result


def test_bone_directions_do_not_depend_on_size(pairs):
    pose = root_relative(pairs.pose3d, H36M_16)
    assert float(losses.bone_direction_loss(2 * pose, pose, H36M_16)) == pytest.approx(0, abs=1e-6)
    assert float(losses.bone_direction_loss(-pose, pose, H36M_16)) == pytest.approx(2, abs=1e-6)
    right_angle = pose[..., [1, 0, 2]] * torch.tensor([-1.0, 1.0, 0.0])
    flat = pose * torch.tensor([1.0, 1.0, 0.0])
    assert float(losses.bone_direction_loss(right_angle, flat, H36M_16)) == pytest.approx(1)


def test_teachers_are_averaged_without_gradient(pairs, paths):
    observed = pairs.pose2d.requires_grad_(), pairs.confidence
    one, other = (Teachers([path], "h36m_16", torch.device("cpu"))(*observed) for path in paths)
    both = Teachers(paths, "h36m_16", torch.device("cpu"))(*observed)
    assert not torch.allclose(one, other)
    torch.testing.assert_close(both, (one + other) / 2)
    assert not both.requires_grad and not both[:, H36M_16.root_index].any()


def test_other_joint_format(paths):
    with pytest.raises(ValueError, match="trained on h36m_16"):
        Teachers(paths, "h36m_17", torch.device("cpu"))


def test_teachers_treat_left_and_right_alike(pairs, paths):
    teach, mirrored = Teachers(paths, "h36m_16", torch.device("cpu")), pairs.mirror()
    pose = teach(pairs.pose2d, pairs.confidence)
    other = teach(mirrored.pose2d, mirrored.confidence)[:, H36M_16.mirror]
    torch.testing.assert_close(other * torch.tensor([-1.0, 1.0, 1.0]), pose)


def test_terms(pairs, paths):
    teach = Teachers(paths[:1], "h36m_16", torch.device("cpu"))
    lifted = teach.models[0](pairs.pose2d, pairs.confidence)
    weights = LossWeights(bone_direction=0.5, distillation=2.0)
    taught = root_relative(lifted.pose3d, H36M_16)
    terms = pair_terms(lifted, pairs.confidence, pairs, weights, taught=taught)
    assert float(terms["distillation"].detach()) == pytest.approx(0, abs=1e-6)
    assert 0 < float(terms["bone_direction"].detach()) < 1
    moved = pair_terms(lifted, pairs.confidence, pairs, weights, taught=taught + 0.1)
    assert float(moved["distillation"].detach()) == pytest.approx(2 * 0.1 * 3**0.5, rel=1e-4)
    plain = pair_terms(lifted, pairs.confidence, pairs, LossWeights(), taught=taught)
    assert not {"distillation", "bone_direction"} & set(plain)


@pytest.mark.parametrize(
    "changes", [{"teachers": ["human36m"]}, {"weights": {"distillation": 1.0}}]
)
def test_weight_and_teachers_belong_together(changes):
    with pytest.raises(ValueError, match="or neither"):
        config_io.check(config_io.update(Config(), changes, "the test"))


@pytest.mark.parametrize("updates", ["together", "alternating"])
def test_both_forms_of_the_joint_stage_use_teachers(updates, paths, tmp_path):
    changes = {
        "teachers": paths, "updates": updates,
        "weights": {"distillation": 1.0, "bone_direction": 0.1},
    }  # fmt: skip
    config = config_io.update(settings("mlp"), changes, "the test")
    run = start(config, tmp_path)
    stage = trainer.stages(config, run)["joint"]
    stage()
    text = (tmp_path / "metrics.jsonl").read_text()
    assert '"distillation"' in text and '"bone_direction"' in text
    assert trainer.model_card(config, [])["config"]["teachers"] == [
        "1.safetensors", "2.safetensors",
    ]  # fmt: skip
