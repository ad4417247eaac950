"""The paper's pose generator in front of the data engine.

Generator and discriminators are trained next to the network as in the joint stage
(`train.adversarial_step`). Of the generator's operations, only the change of bone directions is
applied: bodies, cameras and detectors are those of the data engine, which vary more.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.anatomy import body_height
from camerapose.core.camera import Camera
from camerapose.core.geometry import bone_vectors, pose_from_bones, root_relative
from camerapose.core.joint_formats import BODY_46, COCO_17, H36M_16, MPII_16
from camerapose.core.poses import Poses
from camerapose.data.augment.bone_directions import H36M_JOINTS, turn_bones
from camerapose.data.augment.engine import Sample
from camerapose.data.level_view import LEVEL
from camerapose.models.body_model import AbsoluteBodyModel, BodyModel
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generator
from camerapose.models.losses import bone_deviations
from camerapose.train.adversarial_step import AdversarialTraining
from camerapose.train.augmentation import MAX_ASYMMETRY
from camerapose.train.config import AdversarialConfig
from camerapose.train.monitor import AdversarialMonitor
from camerapose.train.networks import build_optimizers
from camerapose.train.steps import evaluation_mode

#: Share of the training from which lifted 2D-only poses are sources of the generator.
LIFTED_SOURCES_FROM = 0.25
#: Joints that a 2D-only pose needs as a source.
_NEEDED = [
    BODY_46.index(joint)
    for joint in COCO_17.joints
    if joint.partition("_")[2] in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


class Lifted(NamedTuple):
    """Output of `H36mModel`."""

    pose3d: Float[Tensor, "n 16 3"]  # camera frame, absolute
    reprojection: Float[Tensor, "n 16 2"]


class H36mModel(nn.Module):
    """A `BodyModel` as a lifter of Human3.6M's joints."""

    skeleton = H36M_16

    def __init__(self, model: BodyModel):
        super().__init__()
        self.absolute = AbsoluteBodyModel(model)

    def forward(self, pose2d: Float[Tensor, "n 16 2"], confidence: Float[Tensor, "n 16"]) -> Lifted:
        points = pose2d.new_zeros(len(pose2d), BODY_46.n_joints, 2)
        scores = pose2d.new_zeros(len(pose2d), BODY_46.n_joints)
        rows = torch.tensor(H36M_JOINTS, device=pose2d.device)
        lifted = self.absolute(
            points.index_copy(1, rows, pose2d), scores.index_copy(1, rows, confidence)
        )
        return Lifted(lifted.pose3d[:, rows], lifted.refined2d[:, rows])


class GeneratedPoses:
    """Generator and discriminators of a run.

    Args:
        model: the network that is trained; it evaluates generated poses.
        settings: table `[adversarial]`.
        unlabelled: 2D-only poses in `BODY_46`, torch columns; None: there are none.
        rng: random generator.
    """

    def __init__(
        self,
        model: BodyModel,
        settings: AdversarialConfig,
        unlabelled: Poses | None,
        rng: torch.Generator,
    ):
        self.model, self.settings, self.rng = model, settings, rng
        self.networks: dict[str, nn.Module] = {
            "generator": Generator(H36M_16, roll_std=settings.roll_std),
            "d2d": Discriminator2D(H36M_16, layout=settings.layout),
            "d3d": Discriminator3D(H36M_16),
        }
        for network in self.networks.values():
            network.to(rng.device).train()
        self.optimizers = build_optimizers(self.networks, settings.lr)
        self.monitor = AdversarialMonitor(self.networks, self.optimizers)
        self.training = AdversarialTraining(
            self.networks | {"model": H36mModel(model)}, self.optimizers, self.monitor, settings,
            rng,
        )  # fmt: skip
        complete = None
        if unlabelled is not None:
            complete = unlabelled[(unlabelled.confidence[:, _NEEDED] > 0).all(1)]
        self.complete = complete if complete is not None and len(complete) else None

    def step(self, iteration: int, sample: Sample, progress: float) -> list[str]:
        """Update generator and discriminators with a batch; return messages of the monitor."""
        _, messages = self.training.step(iteration, h36m_pairs(sample), self._real2d(), progress)
        return messages

    def vary(self, world: Float[Tensor, "n 46 3"], progress: float) -> Float[Tensor, "n 46 3"]:
        """Return poses (z up), of which a random share has other bone directions.

        Args:
            world: poses in random order.
            progress: progress of the training, 0 to 1.
        """
        share = self.settings.generated_share / (1 + self.settings.generated_share)
        n = round(share * len(world))
        if n == 0:
            return world
        sources = world[:n]
        if progress >= LIFTED_SOURCES_FROM:
            sources = self._with_lifted(sources)
        level = torch.as_tensor(LEVEL, dtype=world.dtype, device=world.device)
        bodies = root_relative(sources @ level.mT, BODY_46)
        target = self._bent(bodies[:, H36M_JOINTS])
        return torch.cat([turn_bones(bodies, target) @ level, world[n:]])

    @torch.no_grad()
    def _bent(self, relative: Float[Tensor, "n 16 3"]) -> Float[Tensor, "n 16 3"]:
        generator = self.networks["generator"]
        assert isinstance(generator, Generator)
        with evaluation_mode(generator):
            random = generator.draw(len(relative), self.rng, relative.device)
            bones, _ = generator.bend(bone_vectors(relative, H36M_16), relative, random)
        return pose_from_bones(bones, H36M_16)

    @torch.no_grad()
    def _with_lifted(self, world: Float[Tensor, "n 46 3"]) -> Float[Tensor, "n 46 3"]:
        """Replace a share of the poses by lifted 2D-only poses of the same body height.

        The camera is taken to be level. Accepted are poses with plausible, symmetric bones.
        """
        n = round(self.settings.unlabelled_sources * len(world))
        if n == 0 or self.complete is None:
            return world
        annotated = self._draw(n)
        with evaluation_mode(self.model):
            lifted = AbsoluteBodyModel(self.model)(annotated.pose2d, annotated.confidence).pose3d
        level = torch.as_tensor(LEVEL, dtype=world.dtype, device=world.device)
        poses = root_relative(lifted, BODY_46) @ level
        excess, difference = bone_deviations(poses[:, H36M_JOINTS], H36M_16)
        accepted = (excess.amax(1) == 0) & (difference.abs().amax(1) < MAX_ASYMMETRY)
        replaced = root_relative(world[:n], BODY_46)
        scale = body_height(replaced, BODY_46) / body_height(poses, BODY_46)
        poses = torch.where(accepted[:, None, None], poses * scale[:, None, None], replaced)
        return torch.cat([poses, world[n:]])

    def _draw(self, n: int) -> Poses:
        assert self.complete is not None
        rows = torch.randint(len(self.complete), (n,), generator=self.rng, device=self.rng.device)
        return self.complete[rows]

    def _real2d(self) -> Float[Tensor, "n 16 2"] | None:
        """Return random 2D-only poses in Human3.6M's joints, interpolated as in the paper."""
        if self.complete is None:
            return None
        return self._draw(self.settings.batch).to(MPII_16).to(H36M_16).pose2d

    def state_dict(self) -> dict[str, Any]:
        """Return everything that is needed to resume."""
        return {
            "networks": {name: part.state_dict() for name, part in self.networks.items()},
            "optimizers": {name: part.state_dict() for name, part in self.optimizers.items()},
            "monitor": self.monitor.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
            self.optimizers[name].load_state_dict(state["optimizers"][name])
        self.monitor.load_state_dict(state["monitor"])


def h36m_pairs(sample: Sample) -> Poses:
    """Return simulated poses in Human3.6M's joints with their exact projection."""
    pose3d = sample.pose3d[:, H36M_JOINTS]
    camera = Camera(sample.focal, sample.center, pose3d[:, H36M_16.root_index])
    pose2d = camera.project(pose3d)
    return Poses(H36M_16, pose2d, torch.ones_like(pose2d[..., 0]), pose3d, camera)
