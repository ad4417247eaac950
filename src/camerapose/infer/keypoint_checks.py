"""Check 2D keypoints before they are lifted."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from camerapose.core import joint_formats
from camerapose.core.limits import DEFAULT
from camerapose.core.skeleton import Skeleton

#: Minimum number of visible joints of the network's skeleton.
MIN_JOINTS = 4
#: Joints outside the image with a lower confidence are not used (`without_guesses`).
GUESSED = 0.5
#: Joints at most this far apart (pixels) count as one point.
SAME_POINT = 1e-3
#: Range of accepted scores. Some detectors report scores slightly outside [0, 1]; they are clipped.
MIN_SCORE, MAX_SCORE = -0.1, 1.5


class PoseWarning(UserWarning):
    """Keypoints that can be lifted but are probably wrong."""


def check_keypoints(
    keypoints: Any, confidence: Any, skeleton: Skeleton
) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
    """Return finite keypoints (0 where missing) and confidences in [0, 1].

    Args:
        keypoints: (n, joints, 2) pixels, or (joints, 2) for one person; numpy, torch or lists.
        confidence: (n, joints); None: 1 for all joints.

    Raises:
        ValueError: shapes or values do not fit.
    """
    points = _numpy(keypoints)
    points = points[None] if points.ndim == 2 else points
    _check_shape(points, skeleton)
    scores = np.ones(points.shape[:2]) if confidence is None else _numpy(confidence)
    scores = scores[None] if scores.ndim == 1 else scores
    if scores.shape != points.shape[:2]:
        raise ValueError(
            f"confidence has shape {scores.shape} for {points.shape[0]} people with "
            f"{points.shape[1]} joints; expected one value per joint: {points.shape[:2]}"
        )
    scores = np.where(np.isnan(scores), 0.0, scores)
    if scores.size and not (scores.min() >= MIN_SCORE and scores.max() <= MAX_SCORE):
        raise ValueError(
            f"confidences range from {scores.min():g} to {scores.max():g}; expected 0 (missing) to "
            "1 (certain): divide percentages by 100, replace COCO visibility flags by flag > 0"
        )
    infinite = np.isinf(points).any((1, 2))
    if infinite.any():
        warnings.warn(
            f"infinite coordinates in {rows_text(infinite)}; these joints are treated as missing",
            PoseWarning,
            stacklevel=4,
        )
    finite = np.isfinite(points).all(-1)
    points = np.where(finite[..., None], points, 0.0)
    return points, np.where(finite, np.clip(scores, 0.0, 1.0), 0.0)


def _check_shape(points: np.ndarray, skeleton: Skeleton) -> None:
    if points.ndim == 3 and points.shape[2] == 3:
        raise ValueError(
            f"keypoints have shape {points.shape}, three values per joint; pass x and y as "
            "keypoints and the score as confidence: predictor(k[..., :2], k[..., 2], ...)"
        )
    if points.ndim != 3 or points.shape[2] != 2:
        raise ValueError(
            f"keypoints have shape {points.shape}; expected (people, joints, 2), or (joints, 2) "
            "for one person, in pixels"
        )
    count = points.shape[1]
    if count == skeleton.n_joints:
        return
    fitting = [s.name for s in joint_formats.FORMATS.values() if s.n_joints == count]
    hint = (
        f"pass skeleton={fitting[0]!r} (formats with {count} joints: {', '.join(fitting)})"
        if fitting
        else "convert them to one of the known formats: "
        + ", ".join(f"{s.name} ({s.n_joints})" for s in joint_formats.FORMATS.values())
    )
    raise ValueError(
        f"keypoints have {count} joints, but {skeleton.name} has {skeleton.n_joints}; {hint}"
    )


def check_image_sizes(image_size: Any, n: int) -> Float[np.ndarray, "n 2"]:
    """Return one (width, height) per person.

    Raises:
        ValueError: the shape does not fit, or a size is below one pixel.
    """
    size = _numpy(image_size)
    if size.shape not in ((2,), (n, 2)):
        raise ValueError(
            f"image_size has shape {size.shape}; expected (width, height) in pixels, or one row "
            f"for each of the {n} people"
        )
    if not ((size >= 1) & (size <= DEFAULT.max_side)).all():  # also NaN
        raise ValueError(
            f"image_size is {image_size}; expected (width, height) of 1 to {DEFAULT.max_side} "
            "pixels"
        )
    return np.broadcast_to(size, (n, 2)).astype(np.float32)


def usable(
    points: Float[np.ndarray, "n joints 2"], confidence: Float[np.ndarray, "n joints"]
) -> Bool[np.ndarray, " n"]:
    """Return which people have enough visible joints that are not all at one point."""
    extent = points.max(1) - points.min(1)
    return ((confidence > 0).sum(1) >= MIN_JOINTS) & (extent > SAME_POINT).any(1)


def without_guesses(
    points: Float[np.ndarray, "n joints 2"],
    confidence: Float[np.ndarray, "n joints"],
    size: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n joints"]:
    """Return confidences, 0 where a joint outside the image is less certain than `GUESSED`.

    Detectors such as BlazePose place the legs of a portrait somewhere below the image. People keep
    all joints if too few would remain.

    Args:
        points: pixels.
        confidence: 0 to 1.
        size: width and height of the images.
    """
    outside = ((points < 0) | (points > size[:, None])).any(-1)
    kept = np.where(outside & (confidence < GUESSED), 0, confidence).astype(confidence.dtype)
    return np.where(usable(points, kept)[:, None], kept, confidence)


def check_usable(points: np.ndarray, confidence: np.ndarray, skeleton: Skeleton) -> None:
    """Raise ValueError unless all people are `usable`."""
    bad = np.flatnonzero(~usable(points, confidence))
    if not len(bad):
        return
    counts = (confidence[bad] > 0).sum(1)
    if (counts == 0).all():
        reason = "no visible joint (confidence 0 or NaN coordinates)"
    elif (counts < MIN_JOINTS).any():
        reason = f"fewer than {MIN_JOINTS} visible joints of {skeleton.name}"
    else:
        reason = "all joints at one point"
    raise ValueError(
        f"{rows_text(bad)}: {reason}; at least {MIN_JOINTS} are required; "
        "predictor.usable(...) returns which people can be lifted"
    )


def warn_of_positions(points: np.ndarray, size: np.ndarray) -> None:
    """Warn about people outside the image, and about coordinates that are not pixels."""
    if not len(points):
        return
    if np.abs(points).max() <= 2 and size.min() > 50:
        warnings.warn(
            f"all coordinates are between {points.min():.2f} and {points.max():.2f}, which looks "
            "like normalised coordinates; expected pixels",
            PoseWarning,
            stacklevel=3,
        )
        return
    off_image = outside(points, size)
    if off_image.any():
        warnings.warn(
            f"{rows_text(off_image)} completely outside the image; check that image_size is "
            "(width, height) of this image",
            PoseWarning,
            stacklevel=3,
        )


def outside(
    points: Float[np.ndarray, "n joints 2"], size: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    """Return which people are completely outside the image; points and size in pixels."""
    low, high = points.min(1), points.max(1)
    return ((high < 0) | (low > size)).any(1)


def rows_text(rows: np.ndarray) -> str:
    """Return `pose 3` or `poses 3, 5, 7 and 12 more` for indices or a mask."""
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    shown = ", ".join(str(row) for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"pose{'s' if len(rows) > 1 else ''} {shown}{more}"


def _numpy(values: Any) -> np.ndarray:
    """Return numpy arrays, torch tensors or lists as float64, without importing torch."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float64)
