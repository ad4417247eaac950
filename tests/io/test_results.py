"""The JSON of predictions."""

import numpy as np
import pytest
from helpers.fakes import PERSON, SIZE

from camerapose import Predictor
from camerapose.core.bones import unit
from camerapose.core.ground import Ground
from camerapose.io import results
from camerapose.io.export import tracks


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


def test_ground_leads_to_the_coordinates_of_exported_files(predictor):
    poses = predictor(PERSON[None], image_size=SIZE)
    ground = Ground.of(unit(np.array([0.1, -0.9, -0.3])), 1.6)
    content = results.to_dict(poses, ground)
    axes, height = content["ground"]["axes"], content["ground"]["camera_height"]
    points = np.array(content["poses"][0]["pose3d"]) @ np.array(axes).T + [0, height, 0]
    np.testing.assert_allclose(points, tracks(poses, ground=ground)[0].points[0], atol=2e-3)
    assert results.to_dict(poses)["ground"] is None
