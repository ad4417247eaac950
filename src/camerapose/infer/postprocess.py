"""Process the lifted poses of a source: camera, gaps, smoothing, scale."""

from dataclasses import replace
from typing import Any

import numpy as np

from camerapose.core.anatomy import DEFAULT_HEIGHT
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.options import Log, PredictOptions
from camerapose.io.source import Source


def process(
    poses: Poses,
    source: Source,
    frames: tuple[np.ndarray, np.ndarray],
    options: PredictOptions,
    log: Log,
) -> Poses:
    """Apply camera, gap, smoothing and scale options to the poses of one source.

    Args:
        frames: number and time in seconds of all frames of the source.
    """
    if len(poses) == 0:
        return poses
    poses = _with_camera(clip.average_camera(poses), source, options, log)
    if options.fill_gaps > 0:
        clock = frames if source.is_video else None
        poses = clip.fill_gaps(poses, options.fill_gaps, clock=clock)
        if clock is not None:
            poses = _name_filled(poses, source)
    smooth = options.smooth
    if smooth is None:
        smooth = 1.0 if "time" in poses.labels else 0.0
    poses = clip.smooth(poses, strength=smooth)
    return _with_scale(poses, options, log)


def _with_camera(poses: Poses, source: Source, options: PredictOptions, log: Log) -> Poses:
    focal: Any = options.focal
    if focal is None and source.kind in ("image", "images"):
        focal = _exif_focal(poses, source, log)
    if focal is not None:
        return clip.set_focal_length(poses, focal)
    return clip.static_camera(poses) if options.static_camera else poses


def _exif_focal(poses: Poses, source: Source, log: Log) -> np.ndarray | None:
    """Return focal lengths (n, 2) in pixels: from EXIF, or estimated for photos without; or None.

    None means that no photo has a focal length.
    """
    names = poses.labels["image"]
    exif = {str(name): source.focal_length(str(name)) for name in np.unique(names)}
    known = {name: value for name, value in exif.items() if value}
    if not known:
        return None
    name, pixels = next(iter(known.items()))
    images = "1 image" if len(known) == 1 else f"{len(known)} images"
    log(f"focal length from EXIF in {images}: {name} {pixels:.0f} px")
    assert poses.camera is not None  # lifted
    focal = poses.camera.in_pixels(poses.image_size).focal.copy()
    for i, name in enumerate(names):
        if str(name) in known:
            focal[i] = known[str(name)]
    return focal


def _name_filled(poses: Poses, source: Source) -> Poses:
    """Set the image names of rows that were added in gaps."""
    filled = np.flatnonzero(poses.labels["filled"])
    if not len(filled):
        return poses
    names = poses.labels["image"].astype(object)
    frames = poses.labels["frame"][filled]
    names[filled] = [source.frame_name(int(frame)) for frame in frames]
    return replace(poses, labels={**poses.labels, "image": names.astype(str)})


def _with_scale(poses: Poses, options: PredictOptions, log: Log) -> Poses:
    if options.height is not None:
        return clip.set_height(poses, options.height) if options.height else poses
    estimate = clip.median_height(poses)
    if np.isfinite(estimate):
        log(
            f"body height unknown: assuming a median height of {DEFAULT_HEIGHT:.2f} m "
            f"(network: {estimate:.2f} m)"
        )
    return clip.set_median_height(poses)
