"""Visible joints, and those that are guesses."""

import numpy as np

from camerapose.core.camera import normalize
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.core.visibility import hidden_joints


def test_hidden_joints():
    """Limbs below 0.2 and joints outside the image; the trunk is interpolated, which halves."""
    size = np.array([[640.0, 480.0]], np.float32)
    points = np.full((1, 16, 2), 200, np.float32)
    confidence = np.ones((1, 16), np.float32)
    names = {name: H36M_16.index(name) for name in H36M_16.joints}
    points[0, names["left_ankle"]] = 300, 481
    confidence[0, [names["right_wrist"], names["spine"], names["head"]]] = 0.19, 0.18, 0.04
    poses = Poses(H36M_16, normalize(points, size), confidence, image_size=size)
    hidden = np.flatnonzero(hidden_joints(poses)[0])
    assert {H36M_16.joints[i] for i in hidden} == {"left_ankle", "right_wrist", "head"}
