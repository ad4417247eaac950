"""Long clips are processed in parts, with the results of shorter ones."""

import numpy as np
from helpers.clips import three_people
from helpers.fakes import PERSON, SIZE

from camerapose import Predictor
from camerapose.core.joint_formats import COCO_17
from camerapose.infer import clip
from camerapose.infer import lift as lifting
from camerapose.infer.detection import Detections


def test_people_are_lifted_in_parts(graph, monkeypatch):
    """Also those of which some have a known focal length, and some too few joints."""
    n = 11
    confidence = np.ones((n, 17), np.float32)
    confidence[3, 2:] = 0
    frames = np.arange(n)
    detections = Detections(
        COCO_17, PERSON + np.arange(n, dtype=np.float32)[:, None, None], confidence,
        np.tile(np.float32(SIZE), (n, 1)), {"frame": frames}, frames=(frames, frames / 30),
    )  # fmt: skip
    focal = np.where(frames % 3 == 0, 700.0, np.nan)
    whole = lifting.lift(detections, Predictor(graph), focal)
    monkeypatch.setattr(lifting, "PART", 3)
    parts = lifting.lift(detections, Predictor(graph), focal)
    assert parts.skipped == 1 and len(parts.poses) == n - 1
    np.testing.assert_allclose(parts.poses.pose3d, whole.poses.pose3d, atol=1e-5)
    np.testing.assert_array_equal(parts.poses.labels["frame"], whole.poses.labels["frame"])


def test_heights_are_computed_in_parts(monkeypatch):
    people = three_people()
    whole = clip.median_height(people)
    monkeypatch.setattr("camerapose.infer.clip.scale.ROWS", 4)
    assert clip.median_height(people) == whole
