"""Draw the figures of a prediction: image, 2D, 3D and reprojection (CameraPose, Fig. 8)."""

from pathlib import Path

import numpy as np

from camerapose.core.poses import Poses
from camerapose.infer.detection import Detections, Person
from camerapose.io.frames import Frame
from camerapose.io.resize import shrink
from camerapose.io.source import Source
from camerapose.view.rows import IMAGE_PIXELS, Row, frame_title, spread

#: Rows in the figure of a video, and maximum number of images of a folder that get a figure.
MAX_ROWS, MAX_FIGURES = 5, 20
#: Longer side in pixels up to which sampled frames are kept in full, since few of them are drawn.
FULL_PIXELS = 2000


class FrameSampler:
    """Keep some frames of a video of unknown length, evenly spaced over the frames so far.

    Args:
        max_frames: maximum number of frames.
        latest: number of frames of the source, the last ones, of which some are kept; None: all.
    """

    def __init__(self, max_frames: int = 12, latest: int | None = None):
        self.images: dict[int, np.ndarray] = {}
        self._max_frames, self._step, self._count = max_frames, 1, 0
        self._latest = latest

    def __call__(self, frame: Frame, people: list[Person], detections: Detections) -> None:
        """Offer a frame; frames without people are skipped."""
        if not people:
            return
        if self._count % self._step == 0:
            size = max(frame.image.shape)
            kept = frame.image if size <= FULL_PIXELS else shrink(frame.image, IMAGE_PIXELS)
            self.images[frame.index] = kept
        self._count += 1
        if self._latest is not None:
            oldest = frame.index - self._latest
            self.images = {i: image for i, image in self.images.items() if i > oldest}
        if len(self.images) > self._max_frames:  # from now on keep every second of them
            self._step *= 2
            self.images = dict(list(self.images.items())[::2])


def draw(
    poses: Poses,
    source: Source,
    out: Path,
    images: dict[int, np.ndarray],
    floor: float | None = None,
) -> list[Path]:
    """Draw one figure of a video, webcam or keypoint file, or one figure per image.

    Args:
        poses: at least one, with label frame.
        out: folder of the figures.
        images: frames of a video by their numbers; see `FrameSampler`.
        floor: see `draw_frames`.

    Returns:
        The files.
    """
    from camerapose.view.frames import draw_frames  # imports matplotlib
    from camerapose.view.layout import save_figure

    if source.kind in ("image", "images", "array"):
        pages = _image_pages(poses, source, out)
    else:
        pages = {out / "poses.png": _sampled_rows(poses, source, images)}
    return [
        save_figure(draw_frames(rows, floor=floor), path) for path, rows in pages.items() if rows
    ]


def _sampled_rows(poses: Poses, source: Source, images: dict[int, np.ndarray]) -> list[Row]:
    """Return rows for some frames; those of a keypoint file have no image."""
    frames = poses.labels["frame"]
    shown = np.unique(frames).tolist()
    if source.is_video:
        shown = [index for index in images if index in set(shown)]
    rows = []
    for index in spread(shown, MAX_ROWS):
        people, image = poses[frames == index], images.get(index)
        image = None if image is None else shrink(image, IMAGE_PIXELS)
        rows.append(Row(people, image, frame_title(people)))
    return rows


def _image_pages(poses: Poses, source: Source, out: Path) -> dict[Path, list[Row]]:
    frames = poses.labels["frame"]
    pages = {}
    for index in np.unique(frames)[:MAX_FIGURES]:
        people = poses[frames == index]
        name = str(people.labels["image"][0])
        image = shrink(source.read(name), IMAGE_PIXELS)
        stem = Path(name).with_suffix("").as_posix().replace("/", "_")
        pages[out / f"{stem}_poses.png"] = [Row(people, image, name)]
    return pages
