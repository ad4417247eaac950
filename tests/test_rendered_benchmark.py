"""benchmarks/rendered.py: a perfect prediction has no error; only detected people count."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.rendered import simulated

from camerapose.core.poses import Poses
from camerapose.data.datasets.rendered.content import COCO_23

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import rendered  # noqa: E402


class Perfect:
    """Predicts the true 3D of everybody, rotated and scaled."""

    def __init__(self, raw):
        self.raw = raw

    def usable(self, keypoints, confidence, skeleton):
        return confidence.max(1) > 0

    def __call__(self, keypoints, confidence, *, image_size, skeleton):
        turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
        pose3d = 1.3 * self.raw.coco[self.raw.matched & (self.raw.visible > 0).any(1)] @ turn
        n = len(keypoints)
        return Poses(COCO_23, np.zeros((n, 23, 2)), np.ones((n, 23)), pose3d)


def test_perfect_prediction():
    raw = simulated(n=30)
    raw = replace(raw, matched=np.arange(30) % 3 > 0)
    raw.visible[:10] = 0
    rows = rendered.measure(Perfect(raw), raw)
    assert set(rows) == {"detected", "true"}
    for row in rows.values():
        assert row["people"] == 14  # matched, and not entirely outside of the image
        assert row["pa_mpjpe"] == pytest.approx(0, abs=0.1)
        assert row["complete"] == pytest.approx(0, abs=0.1)
