"""Process the lifted poses of a source: camera, gaps, smoothing, scale."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import DEFAULT_HEIGHT
from camerapose.core.poses import Poses
from camerapose.infer import clip
from camerapose.infer.detection import Detections
from camerapose.infer.options import Log, PredictOptions
from camerapose.io.source import Source


def process(
    poses: Poses,
    source: Source,
    frames: tuple[np.ndarray, np.ndarray],
    options: PredictOptions,
    log: Log,
    *,
    focal: Float[np.ndarray, " n"] | None = None,
) -> Poses:
    """Apply camera, gap, smoothing and scale options to the poses of one source.

    Args:
        frames: number and time in seconds of all frames of the source.
        focal: `known_focal` of the poses.
    """
    if len(poses) == 0:
        return poses
    poses = _with_camera(clip.average_camera(poses), focal, options)
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


def known_focal(
    detections: Detections, source: Source, options: PredictOptions, log: Log
) -> Float[np.ndarray, " n"] | None:
    """Return the known focal length of each detection in pixels, NaN where unknown, or None.

    It is the option, or that in the EXIF data of photos.
    """
    n = len(detections)
    if options.focal is not None:
        return np.full(n, float(options.focal))
    if n == 0 or source.kind not in ("image", "images"):
        return None
    names = [str(name) for name in detections.labels["image"]]
    exif = {name: source.focal_length(name) for name in np.unique(names)}
    known = {name: value for name, value in exif.items() if value}
    if not known:
        return None
    name, pixels = next(iter(known.items()))
    images = "1 image" if len(known) == 1 else f"{len(known)} images"
    log(f"focal length from EXIF in {images}: {name} {pixels:.0f} px")
    return np.array([known.get(name, np.nan) for name in names])


def _with_camera(
    poses: Poses, focal: Float[np.ndarray, " n"] | None, options: PredictOptions
) -> Poses:
    """Return poses with known focal lengths (pixels, NaN where unknown) or a static camera."""
    if focal is None:
        return clip.static_camera(poses) if options.static_camera else poses
    assert poses.camera is not None  # lifted
    estimate = poses.camera.in_pixels(poses.image_size).focal
    known = np.isfinite(focal)[:, None]
    return clip.set_focal_length(poses, np.where(known, focal[:, None], estimate))


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
