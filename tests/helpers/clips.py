"""Synthetic clips."""

import numpy as np

from camerapose.core.camera import Camera
from camerapose.core.formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.infer.clip import motion


def walk(frames=90, fps=30.0, noise=0.0, seed=0):
    """Somebody who swings limbs and walks away from the camera; with their noisy prediction."""
    random = np.random.default_rng(seed)
    body = synthetic.load(n=1, seed=3)
    relative = (body.pose3d - body.root_position[:, None])[0].astype(float)
    bones = motion._bones(relative[None], H36M_16)[0]
    t = np.arange(frames) / fps
    angle = 0.5 * np.sin(2 * np.pi * 0.9 * t[:, None] + np.arange(len(bones)))
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    swing = np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1).reshape(
        frames, len(bones), 3, 3
    )
    turned = np.einsum("tbij,bj->tbi", swing, bones)
    root = np.stack([0.3 * np.sin(t), 0.1 * t, 4 + 0.8 * t], 1)
    truth = motion.from_bones(turned, H36M_16) + root[:, None]
    seen = truth + noise * random.normal(size=truth.shape)
    seen += root[:, None] * (0.02 * noise / 0.02 * random.normal(size=(frames, 1, 1)))
    focal = np.full((frames, 2), 2.0, np.float32)

    def poses(pose3d):
        camera = Camera(focal, np.zeros_like(focal), np.float32(pose3d[:, 0]))
        pose3d = np.float32(pose3d)
        return Poses(
            H36M_16, camera.project(pose3d), np.ones((frames, 16), np.float32), pose3d, camera,
            labels={"person": np.zeros(frames, int), "frame": np.arange(frames), "time": t},
        )  # fmt: skip

    return poses(truth), poses(seen)
