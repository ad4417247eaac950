"""Lift detections to 3D."""

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.infer.detection import Detections
from camerapose.infer.keypoint_checks import PoseWarning, outside
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.infer.temporal import TemporalModel

#: Detections that are lifted at once.
PART = 8192


class Lifted(NamedTuple):
    """3D poses and cameras of detections.

    Attributes:
        poses: with the labels of the detections.
        detections: those that were lifted, row by row of `poses`.
        frames_with_people: number of frames with at least one detection.
        skipped: number of detections with too few visible joints.
        outside: number of poses without a joint inside the image.
        focal: known focal lengths of the poses in pixels, NaN where unknown; or None.
    """

    poses: Poses
    detections: Detections
    frames_with_people: int
    skipped: int
    outside: int
    focal: Float[np.ndarray, " n"] | None = None


def lift(
    detections: Detections,
    predictor: Predictor,
    focal: Float[np.ndarray, " n"] | None = None,
    height: float | None = None,
) -> Lifted:
    """Lift the detections that have enough visible joints.

    Args:
        detections: the people.
        predictor: the network.
        focal: known focal lengths in pixels, NaN where unknown; inputs of a network that accepts
            them, ignored by others (`infer.postprocess` fits the poses to them).
        height: known body height in metres, likewise.
    """
    skeleton, frames_with_people = detections.skeleton, detections.frames_with_people
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoseWarning)  # reported once for all frames
        usable = np.concatenate(
            [
                predictor.usable(detections.keypoints[rows], detections.confidence[rows], skeleton)
                for rows in _parts(np.arange(len(detections)))
            ]
        )
        detections = detections[usable]
        focal = None if focal is None else focal[usable]
        inputs = (focal, height or None) if predictor.accepts_known else (None, None)
        poses = _predict(detections, predictor, *inputs)
    size = np.asarray(poses.image_size)
    return Lifted(
        poses=replace(poses, labels=detections.labels),
        detections=detections,
        frames_with_people=frames_with_people,
        skipped=int((~usable).sum()),
        outside=int(outside(denormalize(poses.pose2d, size), size).sum()),
        focal=focal,
    )


def corrected(poses: Poses, predictor: Predictor, options: PredictOptions) -> Poses:
    """Return the poses of a clip, corrected by the temporal model as far as the options want it.

    Raises:
        ValueError: the options require a temporal model, and the weights have none.
    """
    mode, is_clip = options.temporal, "time" in poses.labels
    if mode == "off" or (mode == "auto" and (not is_clip or options.smooth == 0)):
        return poses
    if (model := check_temporal(predictor, options)) is None or not is_clip:
        return poses
    return model(poses, "centred" if mode == "auto" else mode)


def check_temporal(predictor: Predictor, options: PredictOptions) -> TemporalModel | None:
    """Return the temporal model, None if it is off or there is none.

    Raises:
        ValueError: the options require one, and the weights have none.
    """
    if options.temporal == "off":
        return None
    if predictor.temporal is None and options.temporal != "auto":
        raise ValueError(
            f"temporal is {options.temporal!r}, and {predictor.path} has no temporal model; train "
            "one (configs/temporal.toml), or leave the option out"
        )
    return predictor.temporal


def _predict(
    detections: Detections,
    predictor: Predictor,
    focal: Float[np.ndarray, " n"] | None,
    height: float | None,
) -> Poses:
    """Lift detections, those of known and of unknown focal length separately."""

    def some(mask: np.ndarray, focal: np.ndarray | None) -> Poses:
        parts = []
        for rows in _parts(np.flatnonzero(mask)):
            chosen = detections[rows]
            parts.append(
                predictor(
                    chosen.keypoints, chosen.confidence, image_size=chosen.image_size,
                    skeleton=chosen.skeleton, height=height,
                    focal=None if focal is None else focal[rows, None],
                )
            )  # fmt: skip
        return Poses.cat(parts)

    known = np.zeros(len(detections), bool) if focal is None else np.isfinite(focal)
    if known.all() or not known.any():
        return some(np.ones(len(known), bool), focal if known.any() else None)
    poses = Poses.cat([some(known, focal), some(~known, None)])
    return poses[np.argsort(np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)]))]


def _parts(rows: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " rows"]]:
    """Return rows in parts of bounded size, at least one."""
    return np.split(rows, range(PART, len(rows), PART))
