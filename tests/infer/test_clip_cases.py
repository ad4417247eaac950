"""Unusual clips: the optimised poses are no worse than those of the single frames."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import STEP_TIME, WALK_FPS, steady_walk, walk

from camerapose.core.bones import bone_vectors, pose_from_bones, unit
from camerapose.core.camera import Camera
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.clip.rows import shots

ANKLES = [H36M_16.index("left_ankle"), H36M_16.index("right_ankle")]


def error(poses, ground_truth):
    """Return the mean joint error of root-relative poses, metres."""
    a, b = (np.asarray(p.pose3d, float) - p.root_position[:, None] for p in (poses, ground_truth))
    return np.linalg.norm(a - b, axis=-1).mean()


def optimized(poses, **options):
    return clip.optimize(poses, **{"height": 0.0, "focal_known": True, **options})[0]


def scene(points, times, noise=0.04, person=0, seed=0):
    """Return poses at points of the camera frame, and others with noisy bone directions."""
    n, random = len(points), np.random.default_rng(seed)
    focal = np.full((n, 2), 2.0, np.float32)
    labels = {"person": np.full(n, person), "frame": np.arange(n), "time": np.asarray(times, float)}

    def poses(pose3d):
        camera = Camera(focal, np.zeros_like(focal), np.float32(pose3d[:, 0]))
        pose2d = np.float32(points[..., :2] / points[..., 2:] * 2.0)
        confidence = np.ones(points.shape[:2], np.float32)
        return Poses(H36M_16, pose2d, confidence, np.float32(pose3d), camera, labels=labels)

    bones = bone_vectors(points, H36M_16)
    length = np.linalg.norm(bones, axis=-1, keepdims=True)
    noisy = unit(bones + noise * random.normal(size=bones.shape)) * length
    root = points[:, :1] * (1 + noise * random.normal(size=(n, 1, 1)))  # along the ray
    return poses(points), poses(pose_from_bones(noisy, H36M_16) + root)


def walker(heading=0.0, start=(-2.4, 6.0), seconds=4.0):
    """Return a walk on a floor 1.2 m below a level camera, and its times.

    The knees are bent such that thighs and shanks have constant lengths.
    """
    points = steady_walk(heading=heading, seconds=seconds)
    times = np.arange(len(points)) / WALK_FPS
    forward = np.array([np.cos(heading), 0, -np.sin(heading)])
    for side in ("left", "right"):
        hip, knee, ankle = (H36M_16.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
        leg = points[:, ankle] - points[:, hip]
        half = np.linalg.norm(leg, axis=-1, keepdims=True) / 2
        bend = unit(forward - (leg @ forward)[:, None] * leg / (2 * half) ** 2)
        middle = (points[:, hip] + points[:, ankle]) / 2
        points[:, knee] = middle + bend * np.sqrt(0.5**2 - half**2)
    return points * (1, -1, -1) + np.array([start[0], 1.2, start[1]]), times


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, np.pi / 4])
def test_feet_stand_or_swing(heading):
    """Feet in contact do not slide, feet in motion keep their speed, and nothing lags."""
    points, times = walker(heading, start=(-1.5, 5.0))
    ground_truth, noisy = scene(points, times)
    result = optimized(noisy, static=True)
    true, found = (np.diff(p.pose3d[:, ANKLES].astype(float), axis=0) for p in
                   (ground_truth, result))  # fmt: skip
    true, found = np.linalg.norm(true, axis=-1), np.linalg.norm(found, axis=-1)
    standing = true < 1e-6
    assert np.median(found[standing]) < 0.001
    assert found[standing].mean() < 0.006  # where a stance begins or ends
    assert 0.9 < found[~standing].sum() / true[~standing].sum() < 1.1
    contact = np.stack([result.labels["contact_left"], result.labels["contact_right"]], 1)
    assert contact[1:][standing].mean() > 0.8
    walked = [np.linalg.norm(p.root_position[-1] - p.root_position[0]) for p in
              (ground_truth, result)]  # fmt: skip
    assert walked[1] == pytest.approx(walked[0], rel=0.05)
    assert error(result, ground_truth) < error(noisy, ground_truth)


def test_no_phase_lag():
    """The swing of the legs correlates most with the ground truth at a shift of 0."""
    points, times = walker()
    ground_truth, noisy = scene(points, times)
    true, found = (p.pose3d[:, ANKLES[0], 0] - p.root_position[:, 0] for p in
                   (ground_truth, optimized(noisy, static=True)))  # fmt: skip
    half = round(STEP_TIME * WALK_FPS / 2)
    middle = slice(half, len(times) - half)
    scores = [
        np.corrcoef(true[middle], found[middle.start + k : middle.stop + k])[0, 1]
        for k in range(-half, half + 1)
    ]
    assert np.argmax(scores) == half


def test_two_people_who_cross():
    a, times = walker(0.0, start=(-2.4, 6.0))
    b, _ = walker(np.pi, start=(2.4, 7.0))
    parts = [scene(p, times, person=i, seed=i) for i, p in enumerate((a, b))]
    order = np.random.default_rng(0).permutation(2 * len(times))
    ground_truth, noisy = (Poses.cat(list(p))[order] for p in zip(*parts, strict=True))
    result = optimized(noisy, static=True)
    for person in (0, 1):
        rows = result.labels["person"] == person
        assert error(result[rows], ground_truth[rows]) < error(noisy[rows], ground_truth[rows])
        off = np.linalg.norm(result.root_position - ground_truth.root_position, axis=1)[rows]
        assert off.max() < 0.3


def test_a_panning_camera():
    """The person walks, and the camera follows: only terms without a floor apply."""
    points, times = walker()
    angle = np.arctan2(points[:, 0, 0], points[:, 0, 2])
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros(len(angle)), np.ones(len(angle))
    turn = np.stack([cos, zero, -sin, zero, one, zero, sin, zero, cos], -1).reshape(-1, 3, 3)
    ground_truth, noisy = scene(np.einsum("tij,tkj->tki", turn, points), times)
    result, cameras = clip.optimize(noisy, height=0.0, focal_known=True)
    assert cameras[0].ground is None and "contact_left" not in result.labels
    assert error(result, ground_truth) < error(noisy, ground_truth)


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("static", [False, True])
def test_few_frames(frames, static):
    points, times = walker()
    ground_truth, noisy = (p[:frames] for p in scene(points, times))
    result = optimized(noisy, static=static)
    assert error(result, ground_truth) < 1.1 * error(noisy, ground_truth)


@pytest.mark.parametrize("number", [0, 1])
def test_a_cut(number):
    """The person before the cut has no influence on the one after it, also with one identity."""
    a, times = walker(0.0)
    b, _ = walker(np.pi, start=(2.4, 3.0))
    parts = [scene(p, times, person=i, seed=i) for i, p in ((0, a), (number, b))]
    later = {name: parts[0][0].labels[name] for name in ("frame", "time")}
    later = {"frame": later["frame"] + len(times), "time": later["time"] + times[-1] + 1 / WALK_FPS}
    parts[1] = [replace(p, labels=p.labels | later) for p in parts[1]]
    ground_truth, noisy = (Poses.cat(list(p)) for p in zip(*parts, strict=True))
    assert [len(rows) for rows in shots(noisy, noisy.labels["time"])] == [len(times)] * 2
    result = optimized(noisy)
    near = slice(len(times) - 5, len(times) + 5)
    assert error(result[near], ground_truth[near]) < error(noisy[near], ground_truth[near])
    off = np.linalg.norm(result.root_position - ground_truth.root_position, axis=1)[near]
    assert off.max() < 0.3


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_fast_movements_and_single_errors_are_no_cuts(fps):
    """A sprinter, of whom one detection is elsewhere and one has half the size."""
    poses = scene(*walker(seconds=4.0))[0][:: round(WALK_FPS / fps)]
    frames = np.arange(len(poses))
    poses = replace(poses, labels=poses.labels | {"frame": frames, "time": frames / fps})
    points = poses.pose2d + np.float32([1.0, 0]) * (7.0 * frames / fps / 6.0 * 2)[:, None, None]
    points[9] += 3.0
    points[20] *= 0.5
    assert len(shots(replace(poses, pose2d=np.float32(points)), frames / fps)) == 1


@pytest.mark.parametrize("fps", [12.0, 240.0])
def test_frame_rates(fps):
    points = walk(frames=int(2 * fps), fps=fps)[0].pose3d.astype(float)
    ground_truth, noisy = scene(points, np.arange(len(points)) / fps)
    result = optimized(noisy)
    assert error(result, ground_truth) < error(noisy, ground_truth)


def test_variable_frame_rate():
    points, times = walker()
    rows = np.flatnonzero(np.random.default_rng(0).uniform(size=len(times)) < 0.6)
    ground_truth, noisy = (p[rows] for p in scene(points, times))
    result = optimized(noisy, static=True)
    assert error(result, ground_truth) < error(noisy, ground_truth)


@pytest.mark.parametrize("static", [False, True])
def test_gaps(static):
    """Of one frame, half a second, and longer than `MAX_GAP`."""
    points, times = walker(seconds=5.0)
    kept = np.ones(len(times), bool)
    kept[10] = kept[30:45] = kept[70:110] = False
    ground_truth, noisy = (p[kept] for p in scene(points, times))
    result = optimized(noisy, static=static)
    assert error(result, ground_truth) < error(noisy, ground_truth)
    filled = clip.fill_gaps(noisy, 1.0)
    expected = scene(points, times)[0][filled.labels["frame"]]
    assert len(filled) == kept.sum() + 16
    result, added = optimized(filled, static=static), filled.labels["filled"]
    assert error(result[added], expected[added]) < 0.12
    assert np.linalg.norm(result.root_position - expected.root_position, axis=1).max() < 0.3


@pytest.mark.parametrize("static", [False, True])
def test_out_of_the_image_and_back(static):
    """Joints outside are not detected, and the person is absent while all are outside."""
    there, times = walker(seconds=3.0, start=(0.3, 4.5))
    back, _ = walker(np.pi, seconds=3.0, start=(there[-1, 0, 0], 4.5))
    points, times = np.concatenate([there, back]), np.arange(2 * len(times)) / WALK_FPS
    ground_truth, noisy = scene(points, times)
    inside = np.abs(noisy.pose2d[..., 0]) < 1
    middle = np.nanmean(np.where(inside[..., None], noisy.pose2d, np.nan), axis=1, keepdims=True)
    noisy = replace(
        noisy,
        pose2d=np.where(inside[..., None], noisy.pose2d, np.float32(middle)),
        confidence=np.float32(inside),
    )
    rows = np.flatnonzero(inside.sum(1) >= 6)
    partial = ~inside[rows].all(1)
    assert len(rows) < len(times) - 10 and 4 < partial.sum() < len(rows) / 2
    ground_truth, noisy = ground_truth[rows], noisy[rows]
    result = optimized(noisy, static=static)
    for part in (partial, ~partial):
        assert error(result[part], ground_truth[part]) < error(noisy[part], ground_truth[part])
    off = np.linalg.norm(result.root_position - ground_truth.root_position, axis=1)
    assert off.max() < 0.3


def test_without_contacts_the_height_of_the_camera_is_uncertain():
    """A person who is visible for a few frames, in some of them with a foot in the air."""
    points, times = walker()
    _, noisy = scene(points, times)
    for first in (0, 5, 20, 40):
        few = noisy[first : first + 6]
        _, cameras = clip.optimize(few, height=0.0, focal_known=True, static=True)
        assert cameras[0].height_deviation > 0.5
