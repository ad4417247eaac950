"""Build the networks of a training run and their optimizers."""

import dataclasses

import torch
from torch import nn

from camerapose.core import joint_formats
from camerapose.models.camerapose import build
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generator
from camerapose.train.config import Config
from camerapose.train.parallel import parallelize


def build_networks(config: Config, device: torch.device) -> dict[str, nn.Module]:
    """Build model, generator, d2d and d3d in training mode.

    With several processes, each sends its share of a batch through them.
    """
    skeleton = joint_formats.get(config.data.skeleton)
    settings = config.adversarial
    networks: dict[str, nn.Module] = {
        "model": build(skeleton, **dataclasses.asdict(config.model)),
        "generator": Generator(
            skeleton, vary_focal=settings.vary_focal, roll_std=settings.roll_std
        ),
        "d2d": Discriminator2D(skeleton, layout=settings.layout),
        "d3d": Discriminator3D(skeleton),
    }
    for network in networks.values():
        network.to(device).train()
        parallelize(network)
        if config.compile:
            network.compile(dynamic=False)
    if networks["model"].refiner is not None:
        parallelize(networks["model"].refiner)  # the first stage calls it directly
    return networks


def build_optimizers(networks: dict[str, nn.Module], lr: float) -> dict[str, torch.optim.Optimizer]:
    """Build the optimizers of generator and discriminators; each stage builds that of the model."""
    return {
        name: torch.optim.Adam(network.parameters(), lr=lr, fused=True)
        for name, network in networks.items()
        if name != "model"
    }
