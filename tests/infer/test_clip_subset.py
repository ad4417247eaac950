"""Joints that the optimisation of a clip estimates, and those that follow them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import walk, with_definitions

from camerapose.core.bones import bone_lengths
from camerapose.core.ground import Ground
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.infer import clip
from camerapose.infer.clip import subset as module
from camerapose.infer.clip.body import Body
from camerapose.infer.clip.measurements import lifter_deviation
from camerapose.infer.clip.subset import Movement, Subset

H36M = np.array([joint.endswith("_h36m") for joint in BODY_46.joints])


def test_joints_of_several_definitions():
    """One definition is estimated: the detected one; ankles and thorax always."""
    joints = BODY_46.joints
    detected = np.array([j.endswith("_h36m") or j == "left_heel" for j in joints])
    subset = Subset.of(BODY_46, detected)
    names = [joints[i] for i in subset.joints]
    assert names == [j for j in joints if j.endswith(("_h36m", "heel"))]
    parents = dict(zip(subset.skeleton.joints, subset.skeleton.parents, strict=True))
    assert parents["right_heel"] == "right_ankle" and parents["left_knee"] == "left_hip"
    assert joints[subset.anchor[joints.index("left_ankle")]] == "left_ankle_h36m"
    assert joints[subset.anchor[joints.index("left_big_toe")]] == "left_ankle"
    face = Subset.of(BODY_46, np.array([j == "nose" for j in joints]))
    body = Body.of(face.skeleton)
    assert "thorax" in face.skeleton.joints and len(body.ankles) == len(body.knees) == 2
    assert BODY_46.index("left_ankle") in face.joints
    single = Subset.of(H36M_16, np.zeros(16, bool))
    assert single.skeleton is H36M_16 and single.joints == single.anchor


@pytest.mark.parametrize("definition", ["_h36m", ""])
def test_other_definitions_keep_their_distance(definition):
    """Exact poses hardly change, whatever the detected definition; bones keep their lengths."""
    exact = with_definitions(walk(frames=30)[0], below_ankle=0.04)
    detected = np.array([
        j.endswith("_h36m") if definition else j.partition("_")[0] in ("left", "right")
        and not j.endswith(("_h36m", "_centre", "toe")) for j in BODY_46.joints
    ])  # fmt: skip
    exact = replace(exact, confidence=np.float32(np.tile(detected, (len(exact), 1))))
    result, _ = clip.optimize(exact, height=0.0, focal_known=True)
    a, b = (p.pose3d - p.root_position[:, None] for p in (exact, result))
    assert np.linalg.norm(a - b, axis=-1).mean() < 0.03
    bones = [BODY_46.index(f"left_{joint}_h36m") for joint in ("hip", "knee", "ankle")]
    lengths = np.linalg.norm(np.diff(result.pose3d[:, bones], axis=1), axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-3


def test_long_clips_are_completed_in_parts(monkeypatch):
    poses = with_definitions(walk(frames=120, noise=0.01)[1])
    chosen = Subset.of(BODY_46, H36M)
    movement = [Movement(np.arange(120), poses.labels["time"], None)]
    whole = chosen.complete(poses, chosen.select(poses), movement, 0.1)
    monkeypatch.setattr(module, "CHUNK", 30)
    monkeypatch.setattr(module, "MARGIN", 30)
    parts = chosen.complete(poses, chosen.select(poses), movement, 0.1)
    np.testing.assert_allclose(parts.pose3d, whole.pose3d, atol=1e-4)
    np.testing.assert_array_equal(whole.pose3d[:, H36M], poses.pose3d[:, H36M])
    assert whole.skeleton == BODY_46 and whole.confidence is poses.confidence


def test_heels_and_toes_that_are_not_detected_are_above_the_floor():
    poses = with_definitions(walk(frames=30)[0], below_ankle=0.2)
    chosen = Subset.of(BODY_46, H36M)
    ankles = chosen.select(poses).pose3d[:, [chosen.skeleton.index("left_ankle")], 1]
    ground = Ground.of(np.array([0.0, -1.0, 0.0]), float(ankles.max()) + 0.1)
    movement = [Movement(np.arange(30), poses.labels["time"], ground)]
    result = chosen.complete(poses, chosen.select(poses), movement, 0.1)
    left = [i for i, joint in enumerate(BODY_46.joints) if joint.startswith("left_")
            and joint.endswith(("toe", "heel"))]  # fmt: skip
    assert ground.points(poses.pose3d)[:, left, 1].min() < -0.05
    assert ground.points(result.pose3d)[:, left, 1].min() > -1e-4
    bones = [i for i, (child, _) in enumerate(BODY_46.bones) if child in left]
    assert np.ptp(bone_lengths(result.pose3d, BODY_46)[:, bones], axis=0).max() < 1e-3


def test_predicted_deviations_do_not_depend_on_the_size_of_the_network():
    poses = with_definitions(walk(frames=10)[0])
    std = np.full((10, 46), 0.05, np.float32)
    lengths = bone_lengths(poses.pose3d, BODY_46).mean(0)
    small = replace(poses, pose3d=poses.pose3d * np.float32(0.8), pose3d_std=std * np.float32(0.8))
    given = [lifter_deviation(replace(poses, pose3d_std=std), lengths, lengths),
             lifter_deviation(small, lengths, 0.8 * lengths)]  # fmt: skip
    np.testing.assert_allclose(given[1], given[0], rtol=1e-5)
    without = lifter_deviation(poses, lengths, lengths)
    assert (without > 0).all() and not np.allclose(without, given[0])
