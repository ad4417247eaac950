"""Temporal models: clips, gaps, frame rates, live streams, and files that do not fit."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import walk

from camerapose.core import temporal
from camerapose.core.bones import bone_lengths
from camerapose.core.poses import Poses
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.infer.temporal import REACH, LiveTemporal

pytest.importorskip("torch")
from helpers.temporal import write_temporal_model  # noqa: E402


@pytest.fixture(scope="module")
def weights(graph, tmp_path_factory):
    """Path of a lifter with a temporal model next to it."""
    path = tmp_path_factory.mktemp("temporal") / "model.onnx"
    shutil.copyfile(graph, path)
    write_temporal_model(path, Predictor(graph).skeleton)
    return path


@pytest.fixture(scope="module")
def model(weights):
    return Predictor(weights).temporal


def lifted(frames=60, fps=30.0, **options):
    return walk(frames=frames, fps=fps, noise=0.01, **options)[1]


def relative(poses):
    return poses.pose3d - poses.root_position[:, None]


def test_weights_without_a_temporal_model(graph):
    assert Predictor(graph).temporal is None


def test_poses_change_and_keep_their_rows(model):
    poses = lifted()
    result = model(poses)
    assert len(result) == len(poses) and np.isfinite(result.pose3d).all()
    np.testing.assert_array_equal(result.pose2d, poses.pose2d)
    np.testing.assert_array_equal(result.labels["frame"], poses.labels["frame"])
    assert np.abs(relative(result) - relative(poses)).max() > 1e-3
    assert model(poses[:0]) == poses[:0]


@pytest.mark.parametrize(("mode", "before", "after"), [("centred", 13, 13), ("causal", 26, 0)])
def test_bone_lengths_are_those_of_the_lifter(model, mode, before, after):
    """They are means over the window of each frame."""
    poses = lifted()
    expected = bone_lengths(poses.pose3d, poses.skeleton)[30 - before : 31 + after].mean(0)
    found = bone_lengths(model(poses, mode).pose3d, poses.skeleton)
    np.testing.assert_allclose(found[30], expected, rtol=1e-4)


def test_order_of_rows_and_other_people_do_not_matter(model):
    poses = lifted()
    order = np.random.default_rng(0).permutation(len(poses))
    np.testing.assert_allclose(model(poses[order]).pose3d, model(poses).pose3d[order], atol=1e-5)
    other = lifted(seed=5)
    other = replace(other, labels=other.labels | {"person": np.ones(len(other), int)})
    both = model(Poses.cat([poses, other]))
    np.testing.assert_allclose(both.pose3d[: len(poses)], model(poses).pose3d, atol=1e-5)


@pytest.mark.parametrize(("mode", "before", "after"), [("centred", 39, 39), ("causal", 52, 0)])
def test_frames_depend_on_the_window_of_the_mode(model, mode, before, after):
    """13 or 26 frames of the network, and as many of the mean view at its ends."""
    poses = lifted(120)
    result = model(poses, mode).pose3d[60]
    near = poses[60 - before : 61 + after]
    np.testing.assert_allclose(model(near, mode).pose3d[before], result, atol=1e-4)
    changed = replace(poses, pose3d=poses.pose3d.copy())
    changed.pose3d[61 if mode == "causal" else 110 :, 3] += 0.2
    np.testing.assert_allclose(model(changed, mode).pose3d[60], result, atol=1e-5)


def test_long_clips_are_processed_in_chunks(model, monkeypatch):
    poses = lifted(200)
    whole = [model(poses, mode).pose3d for mode in temporal.LOOKAHEAD]
    monkeypatch.setattr("camerapose.infer.temporal.CHUNK", 37)
    for mode, expected in zip(temporal.LOOKAHEAD, whole, strict=True):
        np.testing.assert_allclose(model(poses, mode).pose3d, expected, atol=1e-4)


def test_a_long_absence_separates_movements(model):
    poses = lifted(80)
    labels = dict(poses.labels)
    late = np.arange(80) >= 40
    labels["frame"], labels["time"] = labels["frame"] + 60 * late, labels["time"] + 2.0 * late
    parts = [model(poses[:40]), model(poses[40:])]
    both = model(replace(poses, labels=labels))
    np.testing.assert_allclose(both.pose3d, Poses.cat(parts).pose3d, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_appearances(model, frames):
    result = model(lifted(frames))
    assert len(result) == frames and np.isfinite(result.pose3d).all()


def test_fast_clips_are_interleaved_and_slow_ones_unchanged(model):
    poses = lifted(80, fps=240.0)
    part = poses[1::4]
    np.testing.assert_allclose(model(poses).pose3d[1::4], model(part).pose3d, atol=1e-5)
    slow = lifted(20, fps=4.0)
    assert model(slow) == slow


def test_equal_times_are_accepted(model):
    poses = lifted(30)
    times = poses.labels["time"].copy()
    times[10:13] = times[10]
    assert np.isfinite(model(poses, times=times).pose3d).all()


def test_a_constant_focal_length_is_kept(model):
    poses = lifted()
    np.testing.assert_allclose(model(poses).camera.focal, poses.camera.focal, rtol=1e-6)


def test_live_equals_the_causal_mode(model):
    poses = lifted(90)
    live = LiveTemporal(model)
    rows = [live(poses[[i]], float(poses.labels["time"][i])) for i in range(len(poses))]
    result = Poses.cat(rows)
    expected = model(poses, "causal")
    np.testing.assert_allclose(result.pose3d[:REACH], expected.pose3d[:REACH], atol=1e-4)
    np.testing.assert_allclose(result.pose3d, expected.pose3d, atol=1e-4)
    assert list(result.labels["frame"]) == list(range(90))


def test_live_forgets_people_who_are_absent(model):
    poses = lifted(3)
    live = LiveTemporal(model)
    first = live(poses[[0]], 0.0)
    again = live(poses[[0]], 5.0)
    np.testing.assert_array_equal(first.pose3d, again.pose3d)
    assert len(live(poses[:0], 6.0)) == 0


def test_invalid_arguments(model):
    poses = lifted(5)
    with pytest.raises(ValueError, match="mode is 'both'"):
        model(poses, "both")
    with pytest.raises(ValueError, match="joints coco_17"):
        model(poses.to("coco_17"))
    with pytest.raises(ValueError, match="temporal is 'on'"):
        PredictOptions(temporal="on")


def test_a_model_for_another_lifter_is_refused(weights, make_graph, body_graph, tmp_path):
    """Another lifter with the same joints, with other joints, and a graph of another kind."""

    def put(name, lifter, model):
        shutil.copyfile(lifter, tmp_path / f"{name}.onnx")
        shutil.copyfile(model, tmp_path / f"{name}_temporal.onnx")
        return Predictor(tmp_path / f"{name}.onnx")

    own = weights.with_name("model_temporal.onnx")
    with pytest.raises(ValueError, match="trained on another lifter"):
        _ = put("same", make_graph(note="other"), own).temporal
    with pytest.raises(ValueError, match="other outputs than those of the lifter"):
        _ = put("other", body_graph, own).temporal
    with pytest.raises(ValueError, match="not a temporal model"):
        _ = put("broken", weights, body_graph).temporal


def test_models_with_standard_deviations(body_graph, tmp_path):
    path = tmp_path / "body.onnx"
    shutil.copyfile(body_graph, path)
    predictor = Predictor(path)
    write_temporal_model(path, predictor.skeleton, std=True)
    points = np.random.default_rng(0).uniform(100, 600, (10, 17, 2))
    poses = predictor(points, image_size=(1280, 720))
    poses = replace(poses, labels={"frame": np.arange(10), "time": np.arange(10) / 30})
    result = predictor.temporal(poses)
    assert np.isfinite(result.pose3d).all() and result.pose3d_std is not None
