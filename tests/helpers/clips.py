"""Synthetic people: a walk with a noisy prediction, and poses with known cameras."""

from dataclasses import replace

import numpy as np

from camerapose.core.bones import bone_vectors, pose_from_bones
from camerapose.core.camera import Camera
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic


def three_people():
    """Return 30 poses of three people with known cameras."""
    poses = synthetic.load(n=30, seed=2)
    camera = Camera(poses.camera.focal, poses.camera.center, poses.root_position)
    poses = replace(poses, camera=camera, pose2d=camera.project(poses.pose3d))
    return replace(poses, labels={"person": np.arange(30) % 3, "frame": np.arange(30)})


def walk(frames=90, fps=30.0, noise=0.0, seed=0):
    """Return a person who swings the limbs and walks away, and a noisy prediction of it."""
    random = np.random.default_rng(seed)
    body = synthetic.load(n=1, seed=3)
    relative = (body.pose3d - body.root_position[:, None])[0].astype(float)
    bones = bone_vectors(relative[None], H36M_16)[0]
    t = np.arange(frames) / fps
    angle = 0.5 * np.sin(2 * np.pi * 0.9 * t[:, None] + np.arange(len(bones)))
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    swing = np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1).reshape(
        frames, len(bones), 3, 3
    )
    rotated = np.einsum("tbij,bj->tbi", swing, bones)
    root = np.stack([0.3 * np.sin(t), 0.1 * t, 4 + 0.8 * t], 1)
    ground_truth = pose_from_bones(rotated, H36M_16) + root[:, None]
    noisy = ground_truth + noise * random.normal(size=ground_truth.shape)
    noisy += root[:, None] * (0.02 * noise / 0.02 * random.normal(size=(frames, 1, 1)))
    focal = np.full((frames, 2), 2.0, np.float32)

    def poses(pose3d):
        camera = Camera(focal, np.zeros_like(focal), np.float32(pose3d[:, 0]))
        pose3d = np.float32(pose3d)
        return Poses(
            H36M_16, camera.project(pose3d), np.ones((frames, 16), np.float32), pose3d, camera,
            labels={"person": np.zeros(frames, int), "frame": np.arange(frames), "time": t},
        )  # fmt: skip

    return poses(ground_truth), poses(noisy)


def acceleration(poses):
    """Return the mean second difference of the joint positions, metres."""
    return np.linalg.norm(np.diff(poses.pose3d.astype(float), n=2, axis=0), axis=-1).mean()
