"""Training on simulated detections."""

import json

import numpy as np
import pytest
import torch
from helpers.anny import write_files

from camerapose.core.camera import Camera
from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.core.poses import Poses
from camerapose.data.augment.detector_errors import DetectorOptions
from camerapose.data.augment.engine import EngineOptions, simulate
from camerapose.data.datasets import anny
from camerapose.infer.predictor import Predictor
from camerapose.io.locks import FolderInUse, lock_folder
from camerapose.models.body_model import BodyModel
from camerapose.train import config_io
from camerapose.train.simulated import data, own_views, trainer, validation
from camerapose.train.simulated.config import SimulatedConfig, SimulatedData, SimulatedWeights
from camerapose.train.simulated.data import World
from camerapose.train.simulated.losses import facing_target, supervised_terms
from camerapose.train.simulated.weights import licence


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    folder = str(write_files(tmp_path))
    settings = {
        "iterations": 4, "batch": 16, "validate_every": 2, "device": "cpu",
        "network": {"width": 16, "blocks": 1}, "data": {"anny": folder, "cmu_dance": folder},
    }  # fmt: skip
    return config_io.update(SimulatedConfig(), settings, "test")


def weights(folder):
    return torch.load(folder / "model.pt", weights_only=True)["state"]


def test_training_writes_a_graph_and_metrics(config, tmp_path):
    folder = trainer.train(config, tmp_path / "run")
    poses = Predictor(folder)(
        np.random.default_rng(0).uniform(0, 500, (2, 17, 2)), image_size=(640, 480)
    )
    assert poses.skeleton == BODY_46 and poses.pose3d_std.shape == (2, 46)
    assert "products permitted" in Predictor(folder).metadata["license"]
    card = json.loads(Predictor(folder).metadata["card"])["config"]["data"]
    assert card["anny"] is True and card["human36m_subjects"][0] == "S1"  # no paths, but settings
    research = config_io.update(config, {"data": {"human36m": "data/h36m"}}, "test")
    assert "non-commercial" in licence(research)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [2, 4]
    assert trainer.read(tmp_path / "run" / "config.toml") == config


def test_an_interrupted_run_resumes_with_the_same_result(config, tmp_path, monkeypatch):
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
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], value, rtol=0, atol=0)


def test_a_second_training_in_the_folder(config, tmp_path):
    with lock_folder(tmp_path), pytest.raises(FolderInUse, match="in use by another process"):
        trainer.train(config, tmp_path)
    assert not (tmp_path / "config.toml").exists()


def test_bfloat16_is_used_in_training_only():
    torch.manual_seed(0)
    model = BodyModel(width=64, blocks=1)
    model.last.weight.data.normal_()
    inputs = torch.randn(32, 46, 2), torch.ones(32, 46)

    def facing(bfloat16):
        model.uses_bfloat16 = bfloat16
        return model(*inputs).facing.detach()

    exact, rounded = facing(False), facing(True)
    assert 0 < float((rounded - exact).norm() / exact.norm()) < 0.02
    assert rounded.dtype == torch.float32
    model.eval()
    assert torch.equal(facing(True), facing(False))


def test_other_settings_in_the_folder(config, tmp_path):
    trainer.train(config, tmp_path / "run")
    other = config_io.update(config, {"batch": 8}, "test")
    with pytest.raises(ValueError, match="batch"):
        trainer.train(other, tmp_path / "run")


def test_all_subjects_are_trained_on_when_none_is_held_out(config, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "export_body_model", lambda *_: None)
    chosen = config_io.update(config, {"data": {"held_out": ["cmu/05"]}}, "test")
    final = config_io.update(config, {"data": {"held_out": []}, "calibration": 1.3}, "test")
    held_out, everything = (data.load(c.data, torch.device("cpu")) for c in (chosen, final))
    assert len(held_out.held_out.joints) == 4 and everything.held_out is None
    assert len(everything.train.joints) == len(held_out.train.joints) + 4
    folder = trainer.train(final, tmp_path / "run")
    assert float(weights(folder)["calibration"]) == pytest.approx(1.3)


def test_some_frames_are_whole_clips(config):
    """Two clips of four frames; the second one is cut."""
    poses = anny.load(config.data.anny, excluded=("cmu/09",))
    chosen = data.some_clips(poses, 6)
    clips, counts = np.unique(chosen.labels["subject"], return_counts=True)
    assert sorted(counts) == [2, 4] and len(clips) == 2
    with pytest.raises(ValueError, match="there are 8 frames"):
        data.some_clips(poses, 9)


def test_shipped_configurations():
    from helpers.paths import ROOT

    for name in ("open", "open-short", "research"):
        path = ROOT / "configs" / f"{name}.toml"
        assert config_io.recipe(path) == "simulated"
        trainer.read(path)
    assert config_io.recipe(ROOT / "configs" / "quick.toml") == "stages"


def sample(n=64):
    world = 0.4 * torch.randn(n, 46, 3, generator=torch.Generator().manual_seed(0))
    return simulate(world, EngineOptions(), torch.Generator().manual_seed(1))


def test_joints_without_ground_truth_do_not_count():
    model, pairs = BodyModel(16, 1), sample()
    predicted = model(pairs.pose2d, pairs.confidence, pairs.known)
    partial = pairs.pose3d.clone()
    partial[:, 5] = torch.nan
    terms = supervised_terms(predicted, pairs._replace(pose3d=partial), SimulatedWeights())
    sum(terms.values()).backward()
    joints = model.last.weight.grad[:138].unflatten(0, (46, 3)).abs().sum((1, 2))
    assert joints[5] == 0 and (joints > 0).sum() >= 44
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_calibrated_standard_deviations_contain_two_thirds_of_the_errors():
    model = BodyModel(16, 1)
    pairs = validation.fixed_sample(
        World(0.4 * torch.randn(50, 46, 3), torch.ones(50)), EngineOptions()
    )
    validation.calibrate(model, pairs)
    values = validation.validate(model, pairs)
    too_many, too_few = values["within_1"] - 68.27, 95.45 - values["within_2"]
    assert too_many == pytest.approx(too_few, abs=0.5)  # both differ by the same amount
    model.calibration.mul_(1.2)
    others = validation.validate(model, pairs)
    assert others["within_1"] - 68.27 > too_many


def test_bone_lengths_are_learnt_where_they_are_known():
    pairs = sample(8)
    pairs = pairs._replace(pose3d=pairs.pose3d.index_fill(0, torch.tensor([1]), torch.nan))
    model = BodyModel(width=16, blocks=1)
    predicted = model(pairs.pose2d, pairs.confidence, pairs.known)
    true = facing_target(predicted, pairs).nan_to_num(nan=0.5).requires_grad_()
    weights = SimulatedWeights(bones=1.0)

    def error(size):
        return supervised_terms(predicted._replace(facing=size * true), pairs, weights)["bones"]

    assert error(1.0).item() == pytest.approx(0, abs=1e-6)
    assert error(0.9) > 0.01
    assert error(0.8).item() == pytest.approx(2 * error(0.9).item(), rel=1e-4)
    error(0.8).backward()
    assert true.grad[0].abs().sum() > 0 and (true.grad[1] == 0).all()


def rendered_people(n=200):
    """Perfect detections of people, as of the data set `rendered`."""
    pairs = sample(n)
    camera = Camera(pairs.focal, pairs.center, pairs.pose3d[:, BODY_46.root_index])
    return Poses(BODY_46, camera.project(pairs.pose3d), torch.ones(n, 46), pairs.pose3d, camera)


def test_rendered_people_are_rolled_and_zoomed_consistently():
    """A quarter of them exactly; the others with further errors and missing joints."""
    drawn = data.draw_rendered(rendered_people(), 100, 0.5, torch.Generator().manual_seed(0))
    projected = drawn.pose3d[..., :2] / drawn.pose3d[..., 2:] * drawn.focal[:, None]
    given = drawn.confidence > 0
    assert (drawn.pose2d[~given] == 0).all()
    error = (torch.linalg.vector_norm(drawn.pose2d - projected, dim=-1) * given).sum(1) / given.sum(
        1
    )
    exact = error < 2e-5
    assert 0.15 < exact.float().mean() < 0.35 and error.max() < 0.3
    assert set(given[exact].sum(1).tolist()) == {12, 46} and not given[~exact].all(1).all()
    assert 0.1 < (given.sum(1) <= 12).float().mean() < 0.4


def test_shares_of_a_batch():
    world = World(0.4 * torch.randn(50, 46, 3), torch.ones(50))
    sources = data.SimulatedTrainingData(world, None, world, None, rendered_people(), None)
    config = SimulatedData(human36m_share=0.25, rendered_share=0.5)
    drawn = data.draw(sources, config, 80, EngineOptions(), torch.Generator().manual_seed(0))
    unlabelled = drawn.pose3d.isnan().any(-1)
    assert len(drawn.pose2d) == 80
    assert unlabelled[:20].any(1).all() and not unlabelled[20:].any()
    assert not unlabelled[:20, own_views.JOINTS].any()


def own_views_of(n: int, conf: float = 1.0) -> Poses:
    """Return people in Human3.6M's joints, seen by cameras with an off-centre principal point."""
    generator = np.random.default_rng(0)
    pose3d = (0.4 * generator.normal(size=(n, 17, 3)) + [0, 0, 5]).astype(np.float32)
    focal = np.full((n, 2), 2.3, np.float32)
    center = np.full((n, 2), 0.03, np.float32)
    camera = Camera(focal, center, np.zeros((n, 3), np.float32))
    pose2d = pose3d[..., :2] / pose3d[..., 2:] * focal[:, None] + center[:, None]
    confidence = np.full((n, 17), conf, np.float32)
    return Poses(H36M_17, pose2d, confidence, pose3d, camera=camera).to_torch("cpu")


def test_own_views_are_exact_detected_or_noisy():
    views = own_views.OwnViews(own_views_of(40), own_views_of(40, conf=0.5))
    drawn = own_views.draw(views, 200, 0.5, DetectorOptions(), torch.Generator().manual_seed(0))
    exact, noisy, detected = slice(0, 90), slice(90, 120), slice(120, 200)
    projected = drawn.pose3d[..., :2] / drawn.pose3d[..., 2:] * drawn.focal[:, None]
    error = (drawn.pose2d - projected - drawn.center[:, None]).norm(dim=-1)
    given = drawn.confidence > 0
    assert error[exact][given[exact]].max() < 1e-5
    assert error[noisy][given[noisy]].max() > 1e-3
    assert (drawn.confidence[exact][given[exact]] == 1).all()
    assert (drawn.confidence[detected][given[detected]] == 0.5).all()
    assert set(given[exact].sum(1).tolist()) == {16, 17}
    assert (drawn.center[:, 0] < 0).float().mean() == 0.5  # mirrored
    assert not drawn.pose3d[:, own_views.JOINTS].isnan().any()
    assert drawn.pose3d.isnan().any(-1).sum(1).eq(29).all()
    assert 0.1 < (~drawn.known[:, 0].isnan()).float().mean() < 0.4
    assert drawn.known[:, 3:].isnan().all()
