"""Poses of `body_46`: random ones, and people on bent knees."""

import torch

from camerapose.core.joint_formats import BODY_46


def people(n=400):
    """Joints at random positions, about as large as people."""
    generator = torch.Generator().manual_seed(0)
    return 0.4 * torch.randn(n, BODY_46.n_joints, 3, generator=generator)


def standing(degrees, n=400):
    """People on bent knees, hips above the ankles."""
    pose = people(n)
    half = torch.deg2rad(torch.tensor(degrees / 2))
    knee = 0.45 * torch.stack([torch.tensor(0.0), half.sin(), -half.cos()])
    ankle = torch.tensor([0.0, 0.0, 2 * knee[2]])
    for side in ("left", "right"):
        hip = pose[:, BODY_46.index(f"{side}_hip_centre")]
        for joint, offset in (("knee_h36m", knee), ("ankle_h36m", ankle)):
            pose[:, BODY_46.index(f"{side}_{joint}")] = hip + offset
    return pose
