"""Keypoints coloured by confidence."""

from dataclasses import replace

import numpy as np
from helpers.drawing import grey_image, people

from camerapose.view.confidence import draw_keypoints
from camerapose.view.rows import Row
from camerapose.view.style import CONFIDENCE


def test_keypoints_and_bars_show_confidence():
    poses = people(3)
    confidence = np.linspace(0, 1, 16, dtype=np.float32)
    poses = replace(poses, confidence=np.stack([confidence] * 3))
    rows = [Row(one, grey_image(), "a") for one in poses]
    axes = draw_keypoints(rows).axes
    assert [ax.get_visible() for ax in axes] == [True] * 6 + [False] * 2
    dots = axes[0].collections[-1]
    np.testing.assert_allclose(dots.get_facecolors(), CONFIDENCE(confidence[1:]))
    bars = [patch.get_width() for patch in axes[1].patches][1::2]
    np.testing.assert_allclose(np.array(bars) / bars[-1], confidence, atol=1e-6)
    texts = [text.get_text() for text in axes[1].texts]
    assert texts[:2] == ["pelvis", "not visible"] and "15 of 16 joints visible" in texts[-1]


def test_crosses_mark_joints_moved_by_refinement():
    def marked(poses):
        figure = draw_keypoints([Row(poses, grey_image())])
        return len(figure.axes[0].collections[-1].get_offsets())

    poses = people()
    moved = poses.pose2d.copy()
    moved[0, 3] += 0.3
    assert marked(replace(poses, refined2d=moved)) == 1 < marked(replace(poses, refined2d=None))
