"""People and a video for tests of the report."""

from dataclasses import replace

import numpy as np

from camerapose.core.poses import Poses
from camerapose.view.report.preview import Preview
from helpers.clips import walk

#: Frames of the second person: from second 1 to 2.
LATE = slice(30, 61)


def one_person():
    """Return a walk of four seconds."""
    ground_truth, _ = walk(frames=120)
    return replace(ground_truth, image_size=np.tile(np.float32([640, 360]), (120, 1)))


def two_people():
    """Return person 0 in all frames, person 3 from second 1 to 2."""
    poses = one_person()
    other = poses[LATE]
    other = replace(other, pose3d=other.pose3d + np.float32([0.8, 0, 0]))
    other = replace(other, labels=other.labels | {"person": np.full(len(other), 3)})
    return Poses.cat([poses, other])


def grey_video():
    """Return a video of four seconds, whose brightness increases, and its start."""
    preview = Preview(30.0, 4.0)
    for i in range(120):
        preview.add(np.full((360, 640, 3), 2 * i, np.uint8), i, i / 30)
    return preview.finish()
