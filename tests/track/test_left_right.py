"""Correction of left-right swaps."""

import numpy as np
import pytest
from helpers.fakes import person as detection

from camerapose.core import joint_formats
from camerapose.track.left_right import fix_left_right_swaps


@pytest.fixture
def walk():
    """40 frames at 30 fps of a person who walks to the right and swings the arms."""
    points = np.stack([detection(100 + 3 * i).keypoints for i in range(40)])
    wrist = joint_formats.COCO_17.index("left_wrist")
    points[:, wrist, 1] += 40 * np.sin(np.arange(40) / 5)
    return points, np.tile(np.linspace(0.5, 1, 17), (40, 1)), np.arange(40) / 30


def fix(points, confidence, time, person=None):
    person = np.zeros(len(points), int) if person is None else person
    return fix_left_right_swaps(points, confidence, person, time, joint_formats.COCO_17)


def test_a_body_swapped_for_some_frames(walk):
    points, confidence, time = walk
    wrong, swapped_confidence = points.copy(), confidence.copy()
    mirror = list(joint_formats.COCO_17.mirror)
    body = slice(5, 17)  # without the face
    for frames in (slice(12, 20), slice(25, 26)):
        wrong[frames, body] = wrong[frames][:, mirror][:, body]
        swapped_confidence[frames, body] = swapped_confidence[frames][:, mirror][:, body]
    fixed, fixed_confidence, count = fix(wrong, swapped_confidence, time)
    np.testing.assert_array_equal(fixed, points)
    np.testing.assert_array_equal(fixed_confidence, confidence)
    assert count == 9


def test_legs_alone_and_several_people(walk):
    points, confidence, time = walk
    wrong, mirror = points.copy(), list(joint_formats.COCO_17.mirror)
    wrong[5:9, 11:] = wrong[5:9][:, mirror][:, 11:]
    person = np.repeat([0, 1], 40)
    order = np.random.default_rng(0).permutation(80)
    both = np.concatenate([wrong, points + 200])[order]
    fixed, _, count = fix(
        both, np.tile(confidence, (2, 1))[order], np.tile(time, 2)[order], person[order]
    )
    assert count == 4
    np.testing.assert_array_equal(fixed, np.concatenate([points, points + 200])[order])


def test_correct_detections_are_not_changed(walk):
    """Also where the sides cross, and where a person turns round for good."""
    points, confidence, time = walk
    turning = points.copy()
    centre = turning.mean(1)[:, None, :1]
    turn = np.cos(np.linspace(0, np.pi, 40))[:, None, None]
    turning[..., :1] = centre + (turning[..., :1] - centre) * turn
    for given, when in ((points, time), (turning, time)):
        fixed, _, count = fix(given, confidence, when)
        assert count == 0 and fixed is not given
        np.testing.assert_array_equal(fixed, given)
    rotated = points.copy()
    rotated[20:] = rotated[20:, list(joint_formats.COCO_17.mirror)]
    assert fix(rotated, confidence, time)[2] == 0  # no return: either side may be correct
    assert fix(points[:1], confidence[:1], time[:1])[2] == 0


def test_legs_close_together_are_swapped_with_the_arms(walk):
    """Their displacement is too small to be a jump of its own."""
    points, confidence, time = walk
    legs = slice(11, 17)
    centre = points[:, legs].reshape(40, 3, 2, 2).mean(2, keepdims=True)
    close = centre + 0.2 * (points[:, legs].reshape(40, 3, 2, 2) - centre)
    points[:, legs] = close.reshape(40, 6, 2)
    wrong, body = points.copy(), slice(5, 17)
    wrong[20:23, body] = wrong[20:23][:, list(joint_formats.COCO_17.mirror)][:, body]
    fixed, _, count = fix(wrong, confidence, time)
    np.testing.assert_array_equal(fixed, points)
    assert count == 3
    arms = points.copy()
    arms[20:23, 5:11] = arms[20:23][:, list(joint_formats.COCO_17.mirror)][:, 5:11]
    np.testing.assert_array_equal(fix(arms, confidence, time)[0], points)


def test_legs_that_are_swapped_while_they_pass_each_other(walk):
    """There is no jump: the exchanged legs go back the way they came."""
    points, confidence, time = walk
    sway = 60 * np.cos(np.arange(40) * np.pi / 10)  # they pass in frames 5, 15, 25 and 35
    for joint, share in (("hip", 0.1), ("knee", 0.6), ("ankle", 1.0)):
        both = [joint_formats.COCO_17.index(f"{side}_{joint}") for side in ("left", "right")]
        points[:, both, 0] = points[:, both, 0].mean(1, keepdims=True)
        points[:, both, 0] += share * sway[:, None] * (1, -1)
    wrong = points.copy()
    wrong[15:25, 11:] = wrong[15:25][:, list(joint_formats.COCO_17.mirror)][:, 11:]
    fixed, _, count = fix(wrong, confidence, time)
    np.testing.assert_allclose(fixed, points, atol=1e-9)
    assert count in (9, 10)  # the legs have one place in frame 15
    np.testing.assert_array_equal(fix(points, confidence, time)[0], points)


def test_gaps_and_repeated_times(walk):
    points, confidence, time = walk
    wrong, body = points.copy(), slice(5, 17)
    wrong[12:20, body] = wrong[12:20][:, list(joint_formats.COCO_17.mirror)][:, body]
    apart = time + 5.0 * (np.arange(40) >= 16)  # an absence in the middle of the swap
    assert fix(wrong, confidence, apart)[2] == 0
    fixed, _, count = fix(points, confidence, np.zeros(40))
    assert count == 0 and np.isfinite(fixed).all()


def test_feet_follow_the_legs(walk):
    """Corrected ankles with exchanged heels and toes are crossed feet."""
    points, confidence, time = walk
    skeleton = joint_formats.FORMATS["coco_wholebody_23"]
    ankles = [skeleton.index(f"{side}_ankle") for side in ("left", "right")]
    sides = [name.startswith("right") for name in skeleton.joints[17:]]
    feet = points[:, [ankles[side] for side in sides]] + np.arange(6)[:, None]
    points = np.concatenate([points, feet], axis=1)
    confidence = np.concatenate([confidence, np.tile(np.linspace(0.4, 0.9, 6), (40, 1))], axis=1)
    wrong, mirror = points.copy(), list(skeleton.mirror)
    wrong[12:20, 11:] = wrong[12:20][:, mirror][:, 11:]
    person = np.zeros(40, int)
    fixed, _, count = fix_left_right_swaps(wrong, confidence, person, time, skeleton)
    np.testing.assert_array_equal(fixed, points)
    assert count == 8
