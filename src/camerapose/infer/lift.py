"""Lift detections to 3D."""

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.infer.detection import Detections
from camerapose.infer.keypoint_checks import PoseWarning, outside
from camerapose.infer.predictor import Predictor


class Lifted(NamedTuple):
    """3D poses and cameras of detections.

    Attributes:
        poses: with the labels of the detections.
        detections: those that were lifted, row by row of `poses`.
        frames_with_people: number of frames with at least one detection.
        skipped: number of detections with too few visible joints.
        outside: number of poses without a joint inside the image.
    """

    poses: Poses
    detections: Detections
    frames_with_people: int
    skipped: int
    outside: int


def lift(detections: Detections, predictor: Predictor) -> Lifted:
    """Lift the detections that have enough visible joints."""
    skeleton, frames_with_people = detections.skeleton, detections.frames_with_people
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoseWarning)  # reported once for all frames
        usable = predictor.usable(detections.keypoints, detections.confidence, skeleton)
        detections = detections[usable]
        poses = predictor(
            detections.keypoints,
            detections.confidence,
            image_size=detections.image_size,
            skeleton=skeleton,
        )
    size = np.asarray(poses.image_size)
    return Lifted(
        poses=replace(poses, labels=detections.labels),
        detections=detections,
        frames_with_people=frames_with_people,
        skipped=int((~usable).sum()),
        outside=int(outside(denormalize(poses.pose2d, size), size).sum()),
    )
