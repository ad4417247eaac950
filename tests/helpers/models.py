"""Small networks, and input for them."""

import torch

from camerapose.core.camera import Camera
from camerapose.core.geometry import root_relative
from camerapose.core.joint_formats import H36M_16
from camerapose.models.config import ModelConfig

SIZES = ModelConfig("mlp", {"width": 32, "dropout": 0.5}, 16, 16, 1)


def bodies(n=32, seed=0):
    """Return random bodies of about 1.7 m, a few metres in front of random cameras."""
    rng = torch.Generator().manual_seed(seed)
    body = root_relative(0.4 * torch.randn(n, 16, 3, generator=rng), H36M_16)
    translation = torch.cat(
        [torch.randn(n, 2, generator=rng) * 0.5, 3 + 3 * torch.rand(n, 1, generator=rng)], dim=1
    )
    camera = Camera(
        focal=(1 + 3 * torch.rand(n, 1, generator=rng)).expand(-1, 2),
        center=0.05 * torch.randn(n, 2, generator=rng),
        translation=translation,
    )
    return body, camera
