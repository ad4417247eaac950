"""Which joints of a pose are visible in the image, and which are guesses of the network."""

import numpy as np
from jaxtyping import Bool

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses

#: Joints of lower confidence are not visible.
MIN_CONFIDENCE = 0.2
#: The same of joints of the trunk, which are mostly interpolated from visible ones: each
#: interpolation halves the confidence.
MIN_INTERPOLATED = 0.05


def hidden_joints(poses: Poses) -> Bool[np.ndarray, "n joints"]:
    """Return the joints that were not detected with certainty, or outside the image."""
    is_sided = [joint.startswith(("left_", "right_")) for joint in poses.skeleton.joints]
    hidden = np.asarray(poses.confidence) < np.where(is_sided, MIN_CONFIDENCE, MIN_INTERPOLATED)
    if poses.image_size is not None:
        size = np.asarray(poses.image_size)
        points = denormalize(np.asarray(poses.pose2d), size)
        hidden |= ((points < 0) | (points > size[:, None])).any(axis=-1)
    return hidden


def hidden_note(poses: Poses) -> str | None:
    """Return a line that names the joints hidden in most poses; None if there are none."""
    hidden = hidden_joints(poses).mean(axis=0)
    names = [
        name for name, share in zip(poses.skeleton.joints, hidden, strict=True)
        if share > 0.5
    ]  # fmt: skip
    if not names:
        return None
    where = "" if len(poses) == 1 else " in most poses"
    return f"not visible{where}, so their 3D is a guess: {', '.join(names)}"
