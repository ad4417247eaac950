"""The literal configuration of the paper: its settings, losses, updates and generator."""

import math

import pytest
import torch
from helpers.golden import settings, start
from helpers.paths import ROOT

from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.models import losses
from camerapose.models.camerapose import build
from camerapose.models.paper_generator import PaperGenerator
from camerapose.train import config_io, trainer
from camerapose.train.loss_terms import LossForms, refinement_term

PAPER = ROOT / "configs" / "paper.toml"


@pytest.fixture(scope="module")
def pairs():
    return synthetic.load(n=8, seed=1).to_torch()


def test_settings():
    """Section 4.3 and Eqs. 10, 11, 16 and 17; only refinement weights are not printed."""
    config = config_io.check(config_io.read(PAPER))
    assert [s.epochs for s in (config.refine, config.warmup, config.joint)] == [100, 10, 75]
    assert [s.lr for s in (config.refine, config.warmup, config.joint)] == [1e-4, 1e-4, 5e-4]
    assert config.refine.milestones == (30, 60, 90) and config.joint.milestones == (30, 60)
    weights = config_io.as_dict(config.weights)
    printed = {"camera": 0.01, "reprojection": 0.5, "reprojection_unlabelled": 0.2, "pose": 1.0}
    assert printed.items() <= weights.items()
    others = set(weights) - set(printed) - {"refine", "refine_unlabelled"}
    assert all(weights[name] == 0 for name in others), "a term that the paper does not have"
    assert config.noise.clean == 1 and config.data.detections is None  # ground-truth 2D
    assert config.model.refiner_hidden == config.model.camera_hidden == 512
    assert config.model.camera_blocks == 2


def test_printed_camera_loss():
    focal, center = torch.tensor([[2.0, 2.5]]), torch.tensor([[0.1, -0.2]])
    translation = torch.tensor([[0.5, -1.0, 5.0]])
    loss = losses.printed_camera_loss(
        focal, center, translation, focal + 0.5, center * 0, translation + 2.0
    )
    assert float(loss) == pytest.approx(2 * 0.25 + 0.01 + 0.04 + 3 * 4.0)


def test_printed_reprojection_loss_sums_joints_and_skips_missing_ones():
    reprojection, target = torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)
    reprojection[0, 0] = torch.tensor([0.3, 0.4])
    reprojection[0, 1] = torch.tensor([1.0, 1.0])
    reprojection[1, 2] = 7.0
    confidence = torch.tensor([[1.0, 0.5, 1.0], [1.0, 1.0, 0.0]])
    loss = losses.printed_reprojection_loss(reprojection, target, confidence)
    assert float(loss) == pytest.approx((0.25 + 2.0) / 2)


def test_printed_refinement_loss_is_in_image_coordinates(pairs):
    """Eq. 4: twice as far away, a quarter of the loss; relative to the person, the same loss."""
    half = Poses(pairs.skeleton, pairs.pose2d / 2, pairs.confidence)
    values = {
        (form, name): refinement_term(
            poses.pose2d * 1.1, poses.confidence, poses, poses.confidence, form
        )
        for form in ("crop", "printed")
        for name, poses in (("whole", pairs), ("half", half))
    }
    ratio = values["printed", "whole"] / values["printed", "half"]
    assert float(ratio) == pytest.approx(4.0, rel=1e-4)
    assert float(values["crop", "whole"] / values["crop", "half"]) == pytest.approx(1.0, rel=1e-3)


def test_forms_choose_the_losses(pairs):
    camera = pairs.camera
    other = camera.map(lambda column: column * 2)
    printed = LossForms(camera="printed").camera_loss(other, camera)
    assert printed > 10 * LossForms().camera_loss(other, camera)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(
        H36M_16, "mlp", {"width": 32, "dropout": 0.0}, 32, 32,
        input="image", norm="batch", camera_output="direct",
    )  # fmt: skip


class TestNetwork:
    def test_the_lifter_reads_normalised_image_coordinates(self, model, pairs):
        received = []
        handle = model.lifter.register_forward_pre_hook(lambda _, x: received.append(x[0]))
        lifted = model.eval()(pairs.pose2d, pairs.confidence)
        handle.remove()
        torch.testing.assert_close(received[0], lifted.refined2d)
        torch.testing.assert_close(received[0], pairs.pose2d)  # an untrained refiner

    def test_pose_is_neither_rotated_nor_placed(self, model, pairs):
        lifted = model.eval()(pairs.pose2d, pairs.confidence)
        facing = model.lifter(pairs.pose2d)
        torch.testing.assert_close(lifted.pose3d, facing + lifted.translation[:, None])

    def test_batch_norm_in_refiner_and_camera_branch(self, model):
        for network in (model.refiner, model.camera_branch):
            kinds = {type(m) for m in network.modules()}
            assert torch.nn.BatchNorm1d in kinds and torch.nn.LayerNorm not in kinds

    def test_image_input_depends_on_the_place_of_the_person(self, model, pairs):
        moved = model.eval()(pairs.pose2d + 0.2, pairs.confidence)
        assert not torch.allclose(moved.translation, model(*columns(pairs)).translation)


def columns(poses):
    return poses.pose2d, poses.confidence


def test_generator_predicts_view_and_position(pairs):
    torch.manual_seed(0)
    generator = PaperGenerator(H36M_16, hidden=16)
    assert len([n for n, _ in generator.named_children() if n.endswith("_net")]) == 3
    generated = generator(pairs.pose3d, pairs.camera.focal, torch.Generator().manual_seed(0))
    assert torch.equal(generated.camera.focal, pairs.camera.focal)
    assert (generated.camera.translation[:, 2] >= 0).all()
    root = generated.pose3d[:, H36M_16.root_index]
    torch.testing.assert_close(root, generated.camera.translation, atol=1e-6, rtol=1e-5)
    projected = generated.camera.project(generated.pose3d)
    torch.testing.assert_close(generated.pose2d, projected)


@pytest.mark.parametrize("updates", ["camera", "all"])
def test_2d_only_updates_change_the_camera_branch_alone(updates, tmp_path, monkeypatch):
    """With learning rate 0 for all but the third update, only what it trains changes."""
    config = config_io.update(settings("paper"), {"unlabelled_updates": updates}, "the test")
    run = start(config, tmp_path)
    changed = []
    from camerapose.train.stages import alternating

    original = alternating.update

    def update(optimizer, loss, parameters=None):
        before = {name: p.detach().clone() for name, p in run.model.named_parameters()}
        original(optimizer, loss, parameters)
        after = dict(run.model.named_parameters())
        changed.append({n.partition(".")[0] for n in after if not torch.equal(before[n], after[n])})

    monkeypatch.setattr(alternating, "update", update)
    trainer.stages(config, run)["joint"]()
    others = {"camera_branch"} if updates == "camera" else {"lifter", "camera_branch", "refiner"}
    assert changed[0::2] == [{"lifter", "camera_branch", "refiner"}] * 3
    assert changed[1::2] == [others] * 3


def test_generator_and_discriminators_follow_the_schedule(tmp_path):
    """1e-4 in the warm-up, 5e-4 in the joint stage, a tenth after its milestones."""
    config = config_io.update(
        settings("paper"),
        {
            "warmup": {"lr": 1e-4},
            "joint": {"lr": 5e-4, "epochs": 2, "milestones": [1]},
            "refine": {"epochs": 0},
        },
        "the test",
    )
    run = start(config, tmp_path)
    rates, step = [], run.adversarial.step

    def record(*arguments, **options):
        optimizers = run.adversarial.optimizers.values()
        rates.append({o.param_groups[0]["lr"] for o in optimizers})
        return step(*arguments, **options)

    run.adversarial.step = record
    for name, stage in trainer.stages(config, run).items():
        stage()
        run.loop.end_stage(name)
    assert [len(r) for r in rates] == [1] * 9
    assert [r.pop() for r in rates] == pytest.approx([1e-4] * 3 + [5e-4] * 3 + [5e-5] * 3)


def test_three_stages_with_a_frame_step(tmp_path):
    """All stages run and end with finite validation errors."""
    config = settings("paper")
    done = trainer.train(config, tmp_path)
    assert (done / "model.onnx").exists()
    from helpers.training import metrics

    values = [entry["validation"] for entry in metrics(tmp_path) if "validation" in entry]
    assert len(values) == 3 and all(math.isfinite(v) for row in values for v in row.values())
