"""The JSON of predictions."""

import numpy as np
import pytest
from helpers.fakes import PERSON, SIZE

from camerapose import Predictor
from camerapose.io import results


@pytest.fixture(scope="module")
def predictor(graph):
    return Predictor(graph, threads=1)


def test_content(predictor):
    keypoints, confidence = PERSON[None], np.ones((1, 17))
    confidence[0, 9] = 0
    poses = predictor(keypoints, confidence, image_size=SIZE)
    content = results.to_dict(poses)
    assert content["format"] == "camerapose" and content["skeleton"] == "h36m_16"
    (row,) = content["poses"]
    wrist = content["joints"].index("left_wrist")
    assert row["keypoints"][wrist] is None and row["confidence"][wrist] == 0
    assert row["image_size"] == [640, 480]
    np.testing.assert_allclose(row["pose3d"], poses.pose3d[0], atol=1e-4)
    np.testing.assert_allclose(row["camera"]["focal"], [640, 640])
    np.testing.assert_allclose(row["camera"]["center"], [320, 240])
    np.testing.assert_allclose(row["camera"]["translation"], row["pose3d"][0])
    assert {"frame", "time", "person", "image"} <= set(row)


def test_camera_and_3d_give_the_reprojection(predictor):
    (row,) = results.rows(predictor(PERSON, image_size=SIZE))
    points, camera = np.array(row["pose3d"]), row["camera"]
    pixels = points[:, :2] / points[:, 2:] * camera["focal"] + camera["center"]
    np.testing.assert_allclose(pixels, row["reprojection"], atol=0.1)
