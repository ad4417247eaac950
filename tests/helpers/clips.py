"""Synthetic people: a walk with a noisy prediction, and poses with known cameras."""

from dataclasses import replace

import numpy as np

from camerapose.core.bones import bone_vectors, pose_from_bones
from camerapose.core.camera import Camera
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic

#: Frames per second, speed (metres per second), seconds per step and step width (metres) of
#: `steady_walk`.
WALK_FPS, SPEED, STEP_TIME, WIDTH = 30.0, 1.2, 0.55, 0.16
#: Parts of the body that move with the pelvis, relative to it: forward, up, to the right.
TRUNK = {
    "pelvis": (0, 0, 0), "spine": (0, 0.2, 0), "thorax": (0, 0.45, 0), "head": (0, 0.7, 0),
    "hip": (0, 0, 0.12), "shoulder": (0, 0.45, 0.18), "elbow": (0, 0.15, 0.2),
    "wrist": (0, -0.1, 0.2),
}  # fmt: skip


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


def with_definitions(poses, below_ankle=0.06):
    """Return poses of Human3.6M's joints in `body_46`; the other joints have no confidence.

    Other definitions are a few centimetres away, heels and toes `below_ankle` metres below.
    """
    names = [joint.removesuffix("_h36m").removesuffix("_centre") for joint in BODY_46.joints]
    side = [name.partition("_")[0] for name in names]
    soles = np.array([name.endswith(("toe", "heel")) for name in names])
    near = [f"{s}_ankle" if on else name for s, on, name in zip(side, soles, names, strict=True)]
    near = [name if name in H36M_16.joints else "head" for name in near]
    given = np.array([joint.removesuffix("_h36m") in H36M_16.joints and joint.endswith("_h36m")
                      for joint in BODY_46.joints])  # fmt: skip
    offsets = np.random.default_rng(0).normal(0, 0.02, (len(names), 3))
    offsets[soles, 1] += below_ankle
    pose3d = poses.pose3d[:, [H36M_16.index(name) for name in near]]
    pose3d = np.float32(pose3d + np.where(given[:, None], 0, offsets))
    confidence = np.float32(np.tile(given, (len(poses), 1)))
    pose2d = poses.camera.project(pose3d)
    return replace(poses, skeleton=BODY_46, pose2d=pose2d, confidence=confidence, pose3d=pose3d)


def acceleration(poses):
    """Return the mean second difference of the joint positions, metres."""
    return np.linalg.norm(np.diff(poses.pose3d.astype(float), n=2, axis=0), axis=-1).mean()


def steady_walk(heading=0.0, treadmill=False, seconds=6.0, speed=SPEED):
    """Return a walk at constant speed: feet stand, or swing for 0.4 of the stride.

    The right foot strikes at the odd multiples of `STEP_TIME`, the left one at the even ones.
    """
    t = np.arange(round(seconds * WALK_FPS)) / WALK_FPS
    points = np.zeros((len(t), 16, 3))
    forward = np.array([np.cos(heading), 0, -np.sin(heading)])
    right = np.array([np.sin(heading), 0, np.cos(heading)])

    def place(along, up, aside):
        parts = np.broadcast_arrays(along, up, aside)
        way = parts[0][:, None] * forward + parts[2][:, None] * right
        return way + parts[1][:, None] * np.array([0.0, 1.0, 0.0])

    pelvis, stride = speed * t, 2 * STEP_TIME
    for i, joint in enumerate(H36M_16.joints):
        side, _, part = joint.rpartition("_")
        sign = {"right": 1, "left": -1}.get(side, 0)
        if part in TRUNK:
            x, y, z = TRUNK[part]
            points[:, i] = place(pelvis + x, 0.9 + y, sign * z)
    for side, sign, first in (("right", 1, STEP_TIME), ("left", -1, 0.0)):
        phase = ((t - first) / stride) % 1  # 0: heel strike
        strikes = t - phase * stride
        stand = speed * (strikes + 0.5 * STEP_TIME)
        swing = np.clip((phase - 0.6) / 0.4, 0, 1)
        foot = stand + swing * speed * stride
        ankle = place(foot, 0.08 + 0.1 * np.sin(np.pi * swing), sign * WIDTH / 2)
        points[:, H36M_16.index(f"{side}_ankle")] = ankle
        hip = points[:, H36M_16.index(f"{side}_hip")]
        points[:, H36M_16.index(f"{side}_knee")] = (hip + ankle) / 2 + 0.05 * forward
    if treadmill:
        points -= (pelvis[:, None] * forward)[:, None]
    return points
