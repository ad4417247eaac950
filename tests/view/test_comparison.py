"""Comparisons with ground truth and of two models."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.drawing import grey_image, panel_texts, people
from matplotlib.colors import to_rgb

from camerapose import Poses
from camerapose.view.comparison import draw_against_ground_truth, draw_two_models
from camerapose.view.rows import Row
from camerapose.view.style import GROUND_TRUTH


def test_errors_are_below_the_panels():
    ground_truth = people(2, [0, 0.5])
    predicted = replace(ground_truth, pose3d=ground_truth.pose3d + np.float32([0, 0, 0.25]))
    text = " ".join(panel_texts(draw_against_ground_truth(ground_truth, predicted)))
    assert "MPJPE 0 mm" in text and "root error 250 mm" in text


def test_ground_truth_without_3d():
    predicted = people(2)
    ground_truth = Poses(predicted.skeleton, predicted.pose2d, predicted.confidence)
    assert len(draw_against_ground_truth(ground_truth, predicted).axes) == 6


def test_ground_truth_is_below_the_prediction():
    """Also if it is nearer to the viewer."""
    ground_truth = people()
    for offset in (-0.3, 0.3):
        moved = ground_truth.pose3d.copy()
        moved[:, 1:, 2] += offset
        figure = draw_against_ground_truth(ground_truth, replace(ground_truth, pose3d=moved))
        colors = [line.get_color() for line in figure.axes[1].lines]
        last = [i for i, color in enumerate(colors) if color == to_rgb(GROUND_TRUTH)][-1]
        assert last < len(colors) / 2 + 1


def test_arrows_mark_differences_of_two_models():
    first = people()
    moved = first.pose3d.copy()
    moved[0, 12, 0] += 0.2  # the left wrist, to the right
    moved[0, 15, 2] += 0.2  # the right wrist, away from the camera
    moved += np.float32([0, 0, 1])  # and the person: not marked by arrows
    row = Row(first, grey_image())
    figure = draw_two_models([(row, replace(first, pose3d=moved))], ("a", "b"))
    titles = [text.get_text() for text in figure.texts]
    assert titles == ["detected 2D", "a, front", "b, front", "a, side", "b, side"]
    arrows = [[text for text in ax.texts if text.arrow_patch] for ax in figure.axes]
    # Each with its white rim; from the front the second is hidden.
    assert [len(panel) // 2 for panel in arrows] == [0, 0, 1, 0, 2]
    tip, tail = np.array(arrows[2][0].xy), np.array(arrows[2][0].xyann)
    assert tip[0] - tail[0] == pytest.approx(0.2, abs=0.01) and abs(tip - tail)[1] < 0.01
    texts = panel_texts(figure)
    assert "mean difference 25 mm" in texts and "root distance 100 cm" in texts


def test_equal_poses_have_no_arrows():
    figure = draw_two_models([(Row(people()), people())], ("a", "b"))
    assert not [text for ax in figure.axes for text in ax.texts if text.arrow_patch]
