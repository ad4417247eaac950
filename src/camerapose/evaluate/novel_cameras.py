"""Human3.6M's poses seen by random cameras, as a test of generalisation to novel cameras."""

import math
from dataclasses import replace

import numpy as np

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.data.datasets.human36m.calibration import cameras

#: Ranges of the random cameras: focal length (normalised units, log-uniform), distance (metres),
#: pitch (degrees, positive is down), and offset of the root from the image centre, as a share of
#: the image's width and height.
FOCAL = (1.2, 3.5)
DISTANCE = (2.5, 8.0)
PITCH = (-10.0, 45.0)
OFF_CENTER = 0.25


def novel_cameras(poses: Poses, image_size: tuple[int, int], seed: int = 0) -> Poses:
    """Return Human3.6M's poses as seen by random cameras: exact projections, no distortion.

    The heading is uniform, the other parameters are drawn from the ranges above; cameras have no
    roll. Joints outside the image are kept.

    Args:
        poses: from `datasets.human36m`, with labels subject and camera.
        image_size: width and height.
        seed: random seed.

    Returns:
        The same rows and labels, each with another camera.
    """
    rng, n = np.random.default_rng(seed), len(poses)

    def draw(between: tuple[float, float]) -> np.ndarray:
        return rng.uniform(*between, n)

    heading, pitch = draw((0.0, 2 * math.pi)), np.radians(draw(PITCH))
    distance = draw(DISTANCE)
    focal = np.exp(draw((math.log(FOCAL[0]), math.log(FOCAL[1]))))
    offset = OFF_CENTER * 2
    point = np.stack(
        [draw((-offset, offset)), draw((-offset, offset)) * image_size[1] / image_size[0]], 1
    )
    ray = np.concatenate([point / focal[:, None], np.ones((n, 1))], axis=1)
    root = ray / np.linalg.norm(ray, axis=1, keepdims=True) * distance[:, None]
    body = _to_world(poses) @ np.swapaxes(_rotations(heading, pitch), 1, 2)
    pose3d = np.float32(body + root[:, None])
    camera = Camera(
        focal=np.float32(np.stack([focal, focal], 1)),
        center=np.zeros((n, 2), np.float32),
        translation=pose3d[:, poses.skeleton.root_index].copy(),
    )
    return replace(
        poses,
        pose2d=camera.project(pose3d),
        confidence=np.ones_like(poses.confidence),
        pose3d=pose3d,
        camera=camera,
        image_size=np.tile(np.float32(image_size), (n, 1)),
    )


def _to_world(poses: Poses) -> np.ndarray:
    """Return root-relative poses in the world's axes: z up, metres."""
    relative = poses.pose3d - poses.root_position[:, None]
    world = np.empty(relative.shape)
    for subject in np.unique(poses.labels["subject"]):
        rotation = cameras(str(subject))[0].rotation
        rows = np.flatnonzero(poses.labels["subject"] == subject)
        world[rows] = relative[rows] @ rotation[poses.labels["camera"][rows]]
    return world


def _rotations(heading: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Return rotations (n, 3, 3) from the world (z up) to cameras (y down, z forward)."""
    zero = np.zeros_like(heading)
    forward = np.stack(
        [np.cos(heading) * np.cos(pitch), np.sin(heading) * np.cos(pitch), -np.sin(pitch)], 1
    )
    right = np.stack([np.sin(heading), -np.cos(heading), zero], 1)
    return np.stack([right, np.cross(forward, right), forward], 1)
