"""Average predictions over views of rotated cameras (test-time augmentation).

The image of a camera rotated about its own centre follows from the original image and camera. The
network's errors differ slightly between the views.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.infer.clip.camera import reposition

#: Angle of the rotations up, down, left and right.
DEGREES = 5.0


def lift(predict: Callable[[Poses], Poses], poses: Poses) -> Poses:
    """Average the predictions of `predict` for the original view and four rotated views.

    Root-relative poses are rotated back and averaged; focal lengths are averaged geometrically.
    The translation is solved for with both. Principal point and refined 2D are those of the
    original view.

    Args:
        predict: adds pose3d, camera and refined2d to poses, as `Predictor` does.
        poses: numpy columns, normalised image coordinates.
    """
    first = predict(poses)
    camera = _camera(first)
    relative, focals = [_root_relative(first)], [np.log(camera.focal)]
    for rotation in _rotations():
        view = predict(replace(poses, pose2d=_rotate(poses.pose2d, camera, rotation)))
        relative.append(_root_relative(view) @ rotation)
        focals.append(np.log(_camera(view).focal))
    focal = np.exp(np.mean(focals, axis=0))
    return reposition(first, np.mean(relative, axis=0), focal, camera.center)


def _camera(poses: Poses) -> Camera:
    assert poses.camera is not None  # a prediction has one
    return poses.camera


def _rotations() -> Float[np.ndarray, "views 3 3"]:
    """Return the rotations from the camera frame to the frame of each rotated camera."""
    cos, sin = np.cos(np.deg2rad(DEGREES)), np.sin(np.deg2rad(DEGREES))
    up = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    left = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return np.stack([up, up.T, left, left.T])


def _rotate(
    points: Float[np.ndarray, "n joints 2"], camera: Camera, rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n joints 2"]:
    """Return image points as the rotated camera projects them."""
    rays = (points - camera.center[:, None]) / camera.focal[:, None]
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) @ rotation.T
    return camera.project(rays).astype(points.dtype)


def _root_relative(poses: Poses) -> Float[np.ndarray, "n joints 3"]:
    return poses.pose3d - poses.root_position[:, None]
