"""Turned views: each person lifted as cameras turned a little would see them, and the mean taken.

A camera that turns about its own centre sees from the same place, so what it sees follows from
the image and its camera alone. A network errs a little differently in each view. Numpy.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.infer.clip.camera import reposition

#: How far the cameras are turned: up, down, left and right.
DEGREES = 5.0


def lift(predict: Callable[[Poses], Poses], poses: Poses) -> Poses:
    """What `predict` says of the poses in five views, averaged: their own and four turned ones.

    Bodies are turned back by what their view was turned, and averaged relative to the root; focal
    lengths have their geometric mean. With them each person is placed where it meets its 2D. The
    principal point and the refined 2D are those of the first view.

    Args:
        predict: adds pose3d, camera and refined2d to poses, as `Predictor` does.
        poses: numpy columns, normalised image coordinates.
    """
    first = predict(poses)
    bodies, focals = [_body(first)], [np.log(first.camera.focal)]
    for rotation in _rotations():
        turned = predict(replace(poses, pose2d=_seen(poses.pose2d, first.camera, rotation)))
        bodies.append(_body(turned) @ rotation)
        focals.append(np.log(turned.camera.focal))
    focal = np.exp(np.mean(focals, axis=0))
    return reposition(first, np.mean(bodies, axis=0), focal, first.camera.center)


def _rotations() -> Float[np.ndarray, "views 3 3"]:
    """From our camera's axes to each turned one's."""
    cos, sin = np.cos(np.deg2rad(DEGREES)), np.sin(np.deg2rad(DEGREES))
    up = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    left = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return np.stack([up, up.T, left, left.T])


def _seen(
    points: Float[np.ndarray, "n joints 2"], camera: Camera, rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n joints 2"]:
    """Image points as the camera would see them if it were turned."""
    rays = (points - camera.center[:, None]) / camera.focal[:, None]
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) @ rotation.T
    return camera.project(rays).astype(points.dtype)


def _body(poses: Poses) -> Float[np.ndarray, "n joints 3"]:
    return poses.pose3d - poses.root_position[:, None]
