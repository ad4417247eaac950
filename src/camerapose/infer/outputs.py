"""Write the files of a prediction."""

from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import plugins
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.infer import clip, report
from camerapose.infer.detection import Detections
from camerapose.infer.lift import Lifted
from camerapose.infer.options import Check, PredictOptions
from camerapose.io import export, results
from camerapose.io.source import Source
from camerapose.view.report.preview import Preview


def write_poses(poses: Poses, lifted: Lifted, out: Path, plane: Ground | None) -> list[Path]:
    """Write the poses after per-clip processing into an existing folder; return the files.

    They are in the frame of the camera; the ground is written beside them.
    """
    # The JSON first, since it refuses values that are not finite.
    results.write_json(poses, out / "poses.json", plane)
    extra = detected_columns(lifted.detections, poses)
    if plane is not None:
        extra |= {"ground_axes": plane.axes, "ground_camera_height": np.array(plane.camera_height)}
    poses.save(out / results.ARRAYS, **extra)
    return [out / results.ARRAYS, out / "poses.json"]


def write_outputs(
    poses: Poses,
    lifted: Lifted,
    source: Source,
    out: Path,
    options: PredictOptions,
    *,
    images: dict[int, np.ndarray],
    preview: Preview | None,
    plane: Ground | None,
    progress: bool,
    check: Check,
) -> list[Path]:
    """Write all other files that the options require.

    Args:
        poses: after per-clip processing.
        out: existing folder.
        images: frames for the figure of a video, by their numbers.
        preview: small copy of a video for the report.
        plane: ground with which exported files, report and figures are aligned, and which the
            overlay shows; None: the frame of the camera.
        check: called before each file.

    Returns:
        The files.
    """
    written = []
    if len(poses):
        times = lifted.detections.frames[1]
        span = (float(times[0]), float(times[-1])) if source.is_video and len(times) else None
        written += _export(poses, out / _stem(source), options, plane, span, check)
        check()
        if options.report:
            written += report.write(poses, source, out, span=span, plane=plane, preview=preview)
    check()
    if options.overlay:
        from camerapose.view.overlay import write_overlay

        path = out / "overlay.mp4"
        write_overlay(
            poses, source, path, start=options.start, end=options.end,
            stride=options.stride, ground=plane, progress=progress,
        )  # fmt: skip
        written.append(path)
    check()
    if options.figure and len(poses):
        from camerapose.infer.figures import draw

        shown, floor = (poses, None) if plane is None else (clip.align(poses, plane), 0.0)
        written += draw(shown, source, out, images, floor)
    return written


def detected_columns(detections: Detections, poses: Poses) -> dict[str, Any]:
    """Return the 2D detections in the detector's joints and in pixels, row by row of the poses.

    Interpolated rows are 0. Nothing is returned for keypoints from files.
    """
    if not detections.from_images or not len(detections):
        return {}
    columns = {
        "detected_keypoints": detections.keypoints,
        "detected_confidence": detections.confidence,
    }
    if "filled" in poses.labels:
        columns = {
            name: _insert_zeros(column, ~poses.labels["filled"]) for name, column in columns.items()
        }
    return columns | {"detected_skeleton": detections.skeleton.name}


def _insert_zeros(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return an array with the values of `column` where the mask `rows` is true, otherwise 0."""
    whole = np.zeros((len(rows), *column.shape[1:]), column.dtype)
    whole[rows] = column
    return whole


def _export(
    poses: Poses,
    base: Path,
    options: PredictOptions,
    plane: Ground | None,
    span: tuple[float, float] | None,
    check: Check,
) -> list[Path]:
    """Write the files of each format.

    Args:
        base: path of the files without suffix.
        plane: estimated ground.
        span: time of their first and last row, seconds; None: those of the poses.
    """
    start, end = span or (None, None)
    written = []
    for name in options.export:
        check()
        path = base.with_name(base.name + plugins.load("exports", name).EXTENSION)
        written += export.write(poses, path, ground=plane, start=start, end=end)
    return written


def _stem(source: Source) -> str:
    """Return the name of exported files: that of the input without suffix."""
    if source.kind in ("array", "webcam"):
        return "poses" if source.kind == "array" else "webcam"
    if source.kind == "images":
        return source.folder.absolute().name or "images"
    return source.path.absolute().stem or "poses"
