"""Build the networks of a training run and their optimizers."""

import dataclasses

import torch
from torch import nn

from camerapose.core import joint_formats
from camerapose.core.skeleton import Skeleton
from camerapose.models.camerapose import build
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generator
from camerapose.models.paper_generator import PaperGenerator
from camerapose.train.config import AdversarialConfig, Config
from camerapose.train.parallel import parallelize


def build_networks(config: Config, device: torch.device) -> dict[str, nn.Module]:
    """Build model, generator, d2d and d3d in training mode.

    With several processes, each sends its share of a batch through them.
    """
    skeleton = joint_formats.get(config.data.skeleton)
    settings = config.adversarial
    networks: dict[str, nn.Module] = {
        "model": build(skeleton, **dataclasses.asdict(config.model)),
        "generator": _generator(skeleton, settings),
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


def _generator(skeleton: Skeleton, settings: AdversarialConfig) -> Generator:
    if settings.generator == "paper":
        return PaperGenerator(skeleton)
    return Generator(skeleton, vary_focal=settings.vary_focal, roll_std=settings.roll_std)


def build_optimizers(networks: dict[str, nn.Module], lr: float) -> dict[str, torch.optim.Optimizer]:
    """Build the optimizers of generator and discriminators; each stage builds that of the model."""
    return {
        name: torch.optim.Adam(network.parameters(), lr=lr, fused=True)
        for name, network in networks.items()
        if name != "model"
    }
