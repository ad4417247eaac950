"""Rows of sample figures, titled by the labels of a pose."""

from pathlib import Path

from camerapose.core.poses import Poses
from camerapose.io.images import read_image
from camerapose.view.rows import Row

#: Maximum number of characters in a title.
MAX_TITLE = 40


def sample_row(pose: Poses, images: Path | None = None) -> Row:
    """Return one pose as a row of `draw_samples`, titled by its labels.

    Args:
        pose: a single pose (n = 1).
        images: folder of the images named by the label `image`, to draw the pose on.

    Raises:
        FileNotFoundError: the image is not in the folder.
    """
    words = {"camera": "cam ", "frame": "frame ", "person": "person "}
    title = ", ".join(
        words.get(label, "") + str(pose.labels[label][0])
        for label in ("subject", "action", "camera", "frame", "image", "person")
        if label in pose.labels
    )
    image = None
    if images is not None and "image" in pose.labels:
        path = Path(images).expanduser() / str(pose.labels["image"][0])
        if not path.is_file():
            raise FileNotFoundError(f"no image {path}; give the folder of the images")
        image = read_image(path)
    return Row(pose, image, title[:MAX_TITLE])
