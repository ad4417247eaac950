"""Collect what the report shows besides the poses, and write it with its plots."""

import warnings
from pathlib import Path

import numpy as np

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.detection import Detections, Observer, Person
from camerapose.infer.options import PredictOptions
from camerapose.io.frames import Frame, SourceInfo
from camerapose.io.resize import shrink
from camerapose.io.source import Source
from camerapose.view.report.preview import MAX_SECONDS, MAX_SIDE, Preview
from camerapose.view.rows import spread

#: Maximum number of images of a folder in the report.
MAX_IMAGES = 40


def start_preview(
    source: Source, info: SourceInfo | None, options: PredictOptions
) -> Preview | None:
    """Return the encoder of the small video in the report; None if it is not needed."""
    if not options.report or source.kind != "video":
        return None
    fps = info.fps if info is not None else None
    frames = options.end or (info.n_frames if info is not None else None)
    seconds = (frames - (options.start or 0)) / fps if frames and fps else None
    return Preview(fps and fps / options.stride, seconds, options.slowmo)


def observer(preview: Preview) -> Observer:
    """Return a function that encodes the frames of `infer.detection.collect`."""

    def add(frame: Frame, people: list[Person], detections: Detections) -> None:
        preview.add(frame.image, frame.index, frame.time)

    return add


def write(
    poses: Poses,
    source: Source,
    out: Path,
    *,
    span: tuple[float, float] | None,
    plane: Ground | None,
    preview: Preview | None,
) -> list[Path]:
    """Write the report and its plots.

    Args:
        poses: at least one, after per-clip processing.
        out: existing folder.
        span: time of the first and the last frame, seconds.
        plane: ground with which scene and plots are aligned; None: it is estimated and offered.
        preview: of the video.

    Returns:
        The files.
    """
    from camerapose.view.report import Recording, write_report
    from camerapose.view.report.plots import write_plots

    video = preview.finish() if preview is not None else None
    note = ""
    if preview is not None and video is None:
        note = f"The video is longer than {MAX_SECONDS / 60:.0f} minutes and not part of this page."
    recording = Recording(
        span=span,
        video=video,
        images=_images(poses, source),
        ground=_ground(poses) if plane is None else plane,
        aligned=plane is not None,
        note=note,
    )
    page = write_report(poses, out / "report.html", source.title, recording)
    return [page, *write_plots(poses, out, plane)]


def _images(poses: Poses, source: Source) -> dict[int, np.ndarray]:
    """Return some images of a folder, or the only one, by their frame numbers."""
    if source.kind not in ("image", "images", "array"):
        return {}
    frames = poses.labels["frame"]
    names = dict(zip(frames.tolist(), poses.labels["image"].tolist(), strict=True))
    return {i: shrink(source.read(str(names[i])), MAX_SIDE) for i in spread([*names], MAX_IMAGES)}


def _ground(poses: Poses) -> Ground | None:
    """Return the estimated floor; None if the joints do not determine it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plane = clip.estimate_ground(poses)
    except ValueError:
        return None
    return plane if np.isfinite(plane.axes).all() and np.isfinite(plane.camera_height) else None
