"""Measured errors of detectors: known errors are recovered."""

import pytest
from helpers.rendered import simulated

from camerapose.core.joint_formats import COCO_17
from camerapose.data.datasets.rendered import errors
from camerapose.data.datasets.rendered.content import COCO_23, Rendered


@pytest.mark.parametrize("level", [0.02, 0.06])
def test_level_of_equal_errors(level):
    found = errors.measure(simulated(level=level))
    assert found["level"] == pytest.approx(level, rel=0.05)
    assert found["joint_spread"] < 0.15
    assert found["swaps"]["both"] < 0.01 and found["outliers"] == 0


def test_spreads_between_people_and_joints():
    found = errors.measure(simulated(level=0.02, sample=0.6, joint=0.4))
    assert found["sample_spread"] == pytest.approx(0.63, abs=0.08)
    assert found["joint_spread"] == pytest.approx(0.4, abs=0.08)


def test_swaps_are_counted_and_are_not_errors():
    found = errors.measure(simulated(swap=0.2))
    assert found["swaps"]["both"] == pytest.approx(0.2, abs=0.02)
    assert found["level"] == pytest.approx(0.04, rel=0.05)


def test_outliers_and_confidence():
    found = errors.measure(simulated(level=0.03, joint=0.5, outliers=0.02))
    assert found["outliers"] == pytest.approx(0.02, abs=0.004)
    assert found["outlier_size"] > 1
    assert found["rank_correlation"] < -0.3
    medians = [row["error"] for row in found["confidence"]]
    assert medians == sorted(medians, reverse=True)


def test_displacements_along_the_body():
    raw = simulated(level=1e-4)
    knee, hip = (COCO_17.index(f"left_{j}") for j in ("knee", "hip"))
    detected = raw.detected.copy()
    detected[:, knee, :2] += 0.1 * (detected[:, knee, :2] - detected[:, hip, :2])
    other_knee, other_hip = (COCO_17.index(f"right_{j}") for j in ("knee", "hip"))
    detected[:, other_knee, :2] += 0.1 * (detected[:, other_knee, :2] - detected[:, other_hip, :2])
    found = errors.measure(Rendered(**{**vars(raw), "detected": detected}))["displacements"]
    assert found["knee (hip to knee)"]["median"] == pytest.approx(0.1, abs=0.01)
    assert found["hip (knee to hip)"]["median"] == pytest.approx(0, abs=0.01)
    assert found["knee (hip to knee)"]["deviation"] < 0.02


def test_visibility_and_joints_are_reported_separately():
    raw = simulated()
    raw.visible[:, COCO_23.index("left_wrist")] = 1
    raw.visible[:, COCO_23.index("right_wrist")] = 0
    found = errors.measure(raw)
    assert found["by_visibility"]["hidden"]["share"] == pytest.approx(1 / 12)
    assert found["by_visibility"]["outside"]["share"] == pytest.approx(1 / 12)
    assert found["by_joint"]["wrist"]["share"] == pytest.approx(1 / 12)
