"""`plot`: the figure of `Poses.plot()`."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from camerapose.core.poses import Poses
from camerapose.view.frames import draw_samples
from camerapose.view.rows import Row, frame_title, spread

#: Frames that a figure shows at most.
MAX_FRAMES = 5


def plot(poses: Poses, image: Any = None) -> Figure:
    """Draw poses: 2D input, 3D from two views and reprojection; 2D alone without 3D or camera.

    Poses of more than `MAX_FRAMES` frames (label `frame`; without it all poses are of one image)
    are sampled evenly.

    Args:
        poses: at least one pose.
        image: uint8 (height, width, 3) RGB, of the poses' only frame; None draws a plain
            background.

    Raises:
        ValueError: no poses, or an image for poses of several frames.
    """
    if not len(poses):
        raise ValueError("got 0 poses, nothing to plot")
    frames = np.asarray(poses.labels.get("frame", np.zeros(len(poses), int)))
    numbers = np.unique(frames)
    if image is not None and len(numbers) > 1:
        raise ValueError(
            f"got one image for poses of {len(numbers)} frames; select the poses of one frame: "
            "poses[poses.labels['frame'] == 0]"
        )
    groups = [poses[np.flatnonzero(frames == n)] for n in spread(numbers.tolist(), MAX_FRAMES)]
    return draw_samples([Row(group, image, frame_title(group)) for group in groups])
