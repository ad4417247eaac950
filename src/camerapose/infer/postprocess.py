"""Process the lifted poses of a source: camera, gaps, clip optimisation, scale, ground."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import DEFAULT_HEIGHT
from camerapose.core.ground import Ground
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
) -> tuple[Poses, Ground | None]:
    """Apply camera, gap, scale and ground options to the poses of one source.

    Args:
        frames: number and time in seconds of all frames of the source.
        focal: `known_focal` of the poses.

    Returns:
        Poses in the camera frame, and with `options.ground` the vertical and the floor.
    """
    if len(poses) == 0:
        return poses, None
    strength = options.smooth
    if strength is None:
        strength = 1.0 if "time" in poses.labels else 0.0
    poses = _with_camera(clip.average_camera(poses), focal, options, strength)
    if options.fill_gaps > 0:
        clock = frames if source.is_video else None
        poses = clip.fill_gaps(poses, options.fill_gaps, clock=clock)
        if clock is not None:
            poses = _name_filled(poses, source)
    _log_size(poses, options, log)
    poses, cameras = clip.optimize(
        poses,
        focal_known=focal is not None and bool(np.isfinite(focal).all()),
        height=options.height,
        static=options.static_camera or options.ground,
        strength=strength,
        threads=options.threads,
    )
    if not cameras:
        poses = _with_scale(poses, options)
    for camera in cameras:
        log(describe_camera(camera, poses))
    if not options.ground:
        return poses, None
    ground = cameras[0].ground if cameras else None
    if ground is None:
        ground = clip.estimate_ground(poses)
        log(f"estimated camera: {describe_ground(ground)}")
    return poses, ground


def describe_camera(camera: clip.ClipCamera, poses: Poses) -> str:
    """Return a line about an estimated camera; intervals are standard deviations."""
    width = 1.0 if poses.image_size is None else float(poses.image_size[0, 0])
    text = f"estimated camera: focal length {camera.focal * width / 2:.0f} px"
    if camera.focal_deviation:
        text += f" ± {100 * camera.focal_deviation:.0f}%"
    if camera.ground is not None:
        text += f", {describe_ground(camera.ground)}"
        text += f" (± {camera.pitch_deviation:.0f}°, {camera.roll_deviation:.0f}°"
        if np.isfinite(camera.height_deviation):
            text += f", {camera.height_deviation:.2f} m"
        text += ")"
    return text


def describe_ground(ground: Ground) -> str:
    """Return pitch, roll and height of a camera as text."""
    pitch = round(ground.pitch)
    direction = "down" if pitch >= 0 else "up"
    return (
        f"pitch {abs(pitch)}° {direction}, roll {round(ground.roll)}°, "
        f"height {ground.camera_height:.2f} m"
    )


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
    poses: Poses, focal: Float[np.ndarray, " n"] | None, options: PredictOptions, strength: float
) -> Poses:
    """Return poses with known focal lengths (pixels, NaN where unknown) or a static camera."""
    if focal is None:  # otherwise `clip.optimize` estimates the static camera
        return clip.static_camera(poses) if options.static_camera and strength == 0 else poses
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


def _log_size(poses: Poses, options: PredictOptions, log: Log) -> None:
    estimate = clip.median_height(poses)
    if options.height is None and np.isfinite(estimate):
        log(
            f"body height unknown: assuming a median height of {DEFAULT_HEIGHT:.2f} m "
            f"(network: {estimate:.2f} m)"
        )


def _with_scale(poses: Poses, options: PredictOptions) -> Poses:
    if options.height is not None:
        return clip.set_height(poses, options.height) if options.height else poses
    return clip.set_median_height(poses)
