"""The floor of clips with people on several levels; nobody is below it."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from helpers.clips import WALK_FPS, steady_walk, with_definitions

import camerapose
from camerapose.core.camera import Camera
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.clip.floor import lowest_level
from camerapose.infer.options import PredictOptions
from camerapose.infer.postprocess import process
from camerapose.io.source import Source

HEIGHT = 1.6


def observe(points, person):
    """Return poses (y up, camera at `HEIGHT`, 5 m away) as seen by a level camera.

    The walk leans forward by 5 degrees, so that its mass is above the middle of the support.
    """
    n, above = len(points), points[..., 1] - points[..., 1].min()
    points = points + 0.09 * above[..., None] * [1, 0, 0]
    pose3d = np.float32((points - [0, HEIGHT, 5]) * [1, -1, -1])
    camera = Camera(np.full((n, 2), 2.0, np.float32), np.zeros((n, 2), np.float32), pose3d[:, 0])
    labels = {"person": np.full(n, person), "frame": np.arange(n), "time": np.arange(n) / WALK_FPS}
    return Poses(
        H36M_16, camera.project(pose3d), np.ones((n, 16), np.float32), pose3d, camera, labels=labels
    )


@pytest.mark.parametrize("up", [0.0, 1.5])
def test_the_floor_is_the_lowest_level(up):
    """Most frames are of a person on a roof."""
    ground = observe(steady_walk(seconds=1.5), 0)
    above = observe(steady_walk(seconds=4.0) + [-1, up, 1], 1)
    poses, (camera,) = clip.optimize(
        Poses.cat([ground, above]), height=0.0, static=True, focal_known=True
    )
    assert camera.ground.camera_height == pytest.approx(HEIGHT, abs=0.2)
    heights = camera.ground.points(poses.pose3d)[..., 1].min(1)
    on_roof = poses.labels["person"] == 1
    assert np.median(heights[~on_roof]) == pytest.approx(0.08, abs=0.05)
    assert np.median(heights[on_roof]) == pytest.approx(0.08 + up, abs=0.15)
    contact = np.maximum(poses.labels["contact_left"], poses.labels["contact_right"])
    assert np.median(contact[~on_roof]) > 0.8 and np.median(contact[on_roof]) > 0.8


def test_people_who_only_pass_below_a_roof_are_not_below_the_floor():
    """Their feet are never still, so that only the roof has contacts."""
    moving = observe(steady_walk(seconds=1.5), 0)
    above = observe(steady_walk(seconds=4.0) + [-1, 1.5, 1], 1)
    drift = np.float32(np.arange(len(moving))[:, None, None] * [0.05, 0, 0])
    pose3d = moving.pose3d + drift
    moving = replace(
        moving, pose3d=pose3d, pose2d=moving.camera.project(pose3d),
        camera=replace(moving.camera, translation=pose3d[:, 0]),
    )  # fmt: skip
    poses, (camera,) = clip.optimize(
        Poses.cat([moving, above]), height=0.0, static=True, focal_known=True
    )
    heights = camera.ground.points(poses.pose3d)[..., 1].min(1)
    on_roof = poses.labels["person"] == 1
    assert np.median(heights[~on_roof]) == pytest.approx(0.08, abs=0.15)
    assert np.median(heights[on_roof]) == pytest.approx(1.58, abs=0.2)


def test_levels():
    heights = np.array([[2.0, 2.1]] * 10 + [[0.1, 0.15]] * 10 + [[3.0, 5.0]])
    weight = np.array([[1.0, 1.0]] * 10 + [[9.0, 9.0]] * 10 + [[0.1, 0.0]])
    on, height = lowest_level(heights, weight)
    np.testing.assert_array_equal(on, heights.round() == 2)
    assert height in (2.0, 2.1)


def test_no_level_below_which_there_are_people_is_the_floor():
    """Somebody stands on a roof, somebody walks below it without a contact."""
    heights = np.array([[-2.0, -2.1]] * 10 + [[0.1, 0.15]])
    weight = np.array([[1.0, 1.0]] * 10 + [[0.0, 0.02]])
    on, height = lowest_level(heights, weight)
    np.testing.assert_array_equal(on, heights > 0)
    assert height == pytest.approx(0.1, abs=0.1)


def test_without_contacts_most_feet_are_above_the_floor():
    heights = np.linspace(0, 1, 101).reshape(-1, 1)
    on, height = lowest_level(heights, np.zeros_like(heights))
    np.testing.assert_array_equal(on, heights > 0.951 - 0.3)
    assert height == pytest.approx(0.95)


def test_sample_clip():
    """One person stands on a roof, one walks below, one has jumped down."""
    keypoints = files("camerapose") / "samples" / "demo_keypoints.npz"
    lifted = camerapose.predict(str(keypoints), fps=30.0, smooth=0.0)
    frames = (lifted.labels["frame"], lifted.labels["time"])
    poses, ground = process(
        lifted, Source.open(str(keypoints)), frames, PredictOptions(ground=True, smooth=1.0),
        lambda _: None,
    )  # fmt: skip
    heights = ground.points(poses.pose3d)[..., 1]
    ankles = heights[:, [poses.skeleton.index(f"{side}_ankle") for side in ("left", "right")]]
    lowest = [ankles[poses.labels["person"] == person].min() for person in range(3)]
    assert lowest[0] > 1.5 and min(lowest) > 0
    assert heights.min() > -0.01  # heels and toes


def test_all_definitions_follow_the_floor_and_the_vertical():
    """With the skeleton of the default weights, contacts hold the exported ankles."""
    poses = with_definitions(observe(steady_walk(seconds=1.5), 0), below_ankle=0.1)
    result, (camera,) = clip.optimize(poses, height=0.0, static=True, focal_known=True)
    assert abs(camera.ground.pitch) < camera.pitch_deviation < 10
    heights = camera.ground.points(result.pose3d)[..., 1]
    assert heights.min() > -0.03
    ankles = [BODY_46.index(f"left_ankle{ending}") for ending in ("", "_h36m")]
    contact = result.labels["contact_left"]
    standing = contact[1:] * contact[:-1] > 0.7
    speed = np.linalg.norm(np.diff(result.pose3d[:, ankles], axis=0), axis=-1) * WALK_FPS
    assert standing.sum() > 10 and speed[standing].mean() < 0.1
