"""Training of temporal models on the output of a lifter."""

import json

import numpy as np
import pytest
import torch
from helpers.anny import CLIPS, write_files
from helpers.human36m import world, write_2d
from helpers.posture import standing

from camerapose.core import temporal
from camerapose.core.joint_formats import BODY_46, H36M_16, H36M_17
from camerapose.data.datasets import open_mocap
from camerapose.infer.predictor import Predictor
from camerapose.train import config_io
from camerapose.train.temporal import data, trainer
from camerapose.train.temporal.clips import Clips, other_body, straightened
from camerapose.train.temporal.config import TemporalConfig

FRAMES = 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write miniatures of Human3.6M with detections, `anny` and `open_mocap`."""
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    subjects = {name: {"Walking": world(i, FRAMES)} for i, name in enumerate(("S1", "S8"))}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(subjects, dtype=object))
    rng = np.random.default_rng(0)
    detections = {
        name: {"Walking": [np.float32(rng.uniform(300, 600, (FRAMES, 16, 2))) for _ in range(4)]}
        for name in subjects
    }
    write_2d(tmp_path, detections)
    write_files(tmp_path, frames=FRAMES)
    np.savez(
        tmp_path / open_mocap.FILE,
        joints=rng.normal(size=(FRAMES, 17, 3)).astype(np.float16) / 3,
        root=rng.normal(size=(FRAMES, 3)).astype(np.float32) / 9,
        frame=np.arange(FRAMES) // 3 * 4,
        clip=np.arange(FRAMES) % 3,
        clips=CLIPS,
        joint_names=H36M_17.joints,
    )
    return tmp_path


@pytest.fixture
def config(folder, graph):
    settings = {
        "iterations": 4, "batch": 3, "frames": 5, "validate_every": 2, "device": "cpu",
        "lifter": str(graph), "arguments": {"width": 16},
        "data": {
            "human36m": str(folder), "human36m_subjects": ["S1"], "detections": "det",
            "open_mocap": str(folder), "held_out": ["S8", "cmu/05"], "clips": 6,
            "validation_clips": 3, "frames": 30,
        },
    }  # fmt: skip
    return config_io.update(TemporalConfig(), settings, "test")


def weights(folder):
    return torch.load(folder / "temporal.pt", weights_only=True)["network"]


def test_training_writes_both_graphs_and_resumes_with_the_same_result(
    config, tmp_path, monkeypatch
):
    whole = trainer.train(config, tmp_path / "whole")
    predictor = Predictor(whole)
    assert predictor.temporal is not None
    assert "non-commercial" in predictor.temporal.metadata["license"]
    assert str(tmp_path) not in predictor.temporal.metadata["card"]
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [2, 4]
    assert "causal, simulated" in json.loads(lines[-1])["validation"]
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
    with pytest.raises(ValueError, match="batch"):
        trainer.train(config_io.update(config, {"batch": 2}, "test"), tmp_path / "whole")


def test_open_data_and_standard_deviations(config, body_graph, tmp_path):
    settings = {"lifter": str(body_graph), "data": {"human36m": False}, "iterations": 1}
    predictor = Predictor(trainer.train(config_io.update(config, settings, "test"), tmp_path / "o"))
    assert predictor.temporal is not None and predictor.temporal.skeleton == BODY_46


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"data": {"held_out": ["S9"]}}, "test set"),
        ({"data": {"held_out": ["S1"]}}, "remove it from one"),
        ({"arguments": {"depth": 3}}, "no argument depth"),
        ({"network": "dilate"}, "did you mean 'dilated'"),
    ],
)
def test_invalid_settings(config, tmp_path, settings, text):
    with pytest.raises(ValueError, match=text):
        trainer.train(config_io.update(config, settings, "test"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_clips_match_their_cameras(config):
    """Clean 2D is the projection of the 3D; detections differ; joints without truth are NaN."""
    source = Clips(config, H36M_16, held_out=False)
    rng, seen = np.random.default_rng(0), {}
    for _ in range(60):
        clip = source.draw(rng)
        error = clip.poses.camera.project(clip.poses.pose3d) - clip.poses.pose2d
        seen.setdefault(clip.kind, []).append(float(np.abs(error).max()))
        assert np.isfinite(clip.poses.pose2d).all() and (np.diff(clip.time) > 0).all()
    assert set(seen) == {"clean", "detected", "simulated", "open"}
    assert max(seen["clean"]) < 1e-4 < min(seen["detected"])
    wide = Clips(config, BODY_46, held_out=False)
    clip = next(c for c in (wide.draw(rng) for _ in range(50)) if c.kind == "clean")
    known = np.array([joint.endswith("_h36m") for joint in BODY_46.joints])
    assert np.isnan(clip.poses.pose3d[:, ~known]).all()
    assert np.isfinite(clip.poses.pose3d[:, known]).all()


def test_bodies_keep_their_bone_lengths_over_a_clip():
    still = np.repeat(world(0, 1, 17), 4, axis=0)
    moved = still + np.arange(4)[:, None, None]
    other = other_body(moved, H36M_17, 0.1, 0.1, np.random.default_rng(0))
    root = H36M_17.root_index
    relative = other - other[:, root, None]
    np.testing.assert_allclose(relative, relative[:1].repeat(4, 0), atol=1e-5)
    assert np.abs(relative - (still - still[:, root, None])).max() > 0.01


def test_batches_leave_absent_frames_out(config, tmp_path):
    """Mirrored, short and interrupted clips have finite inputs, and targets that fit the poses."""
    from camerapose.evaluate.models import OnnxModel

    clips = data.prepare(config, OnnxModel(config.lifter), tmp_path / "clips.npz", held_out=False)
    again = data.prepare(config, OnnxModel(config.lifter), tmp_path / "clips.npz", held_out=False)
    np.testing.assert_array_equal(again.target, clips.target)
    config = config_io.update(config, {"gaps": 1.0, "short": 0.5}, "test")
    shapes = set()
    for seed in range(20):
        batch = data.draw(clips, config, H36M_16, np.random.default_rng(seed))
        assert batch.window.isfinite().all() and batch.target.isfinite().all()
        assert batch.window.shape[1] == config.frames + temporal.LENGTH - 1
        assert (batch.labelled.any(-1) == batch.present).all() and batch.present.any()
        shapes.add(batch.window[0, 0, -1].item())
    assert shapes == {0.0, 1.0}  # both modes


def test_feet_that_stand_do_not_slide_when_legs_are_straightened():
    """A person who crouches over one place."""
    pose = torch.cat([standing(degrees, 1) for degrees in np.linspace(70, 110, 20)]).numpy()
    ankle = BODY_46.index("left_ankle_h36m")
    root = np.array([2.0, 1.0, 0.0]) - pose[:, ankle]
    knees = [BODY_46.index(f"left_{joint}") for joint in ("hip_centre", "knee_h36m")]
    result = straightened(pose, root, 0.92, 0)
    np.testing.assert_allclose(np.ptp(result[:, ankle], axis=0), 0, atol=1e-5)
    distance = [np.linalg.norm(p[:, knees[0]] - p[:, ankle], axis=-1) for p in (pose, result)]
    np.testing.assert_allclose(distance[1], distance[0] / 0.92, rtol=1e-4)
