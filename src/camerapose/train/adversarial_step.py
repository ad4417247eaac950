"""Adversarial updates of the pose generator and the discriminators (section 4.3)."""

from typing import Any

import torch
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses
from camerapose.models import losses
from camerapose.models.generator import Generated
from camerapose.train.config import AdversarialConfig
from camerapose.train.monitor import AdversarialMonitor, diversity
from camerapose.train.steps import evaluation_mode, update

#: Target and tolerance of PoseAug's feedback: ratio of the lifter's errors on a generated pose and
#: on its source. For changed bone angles the target grows from the first to the last iteration.
FEEDBACK_ANGLE = ((3.0, 5.0), 2.0)
FEEDBACK_VIEW = (17.0, 15.0)


class AdversarialTraining:
    """Train generator and discriminators next to the lifter.

    Args:
        networks: model, generator, d2d and d3d. The model only evaluates generated poses.
        optimizers: fused optimizers of generator, d2d and d3d.
        monitor: pauses discriminators and restores a collapsed generator.
        settings: table `[adversarial]`.
        rng: random numbers of the generator.
    """

    def __init__(
        self,
        networks: dict[str, nn.Module],
        optimizers: dict[str, torch.optim.Optimizer],
        monitor: AdversarialMonitor,
        settings: AdversarialConfig,
        rng: torch.Generator,
    ):
        self.networks, self.optimizers, self.monitor = networks, optimizers, monitor
        self.settings, self.rng = settings, rng

    @property
    def discriminators(self) -> dict[str, nn.Module]:
        return {name: self.networks[name] for name in ("d2d", "d3d")}

    def step(
        self, iteration: int, pairs: Poses, unlabelled2d: Tensor | None, feedback: float | None
    ) -> tuple[dict[str, Tensor], list[str]]:
        """Update all three networks, if an update is due in this iteration.

        Args:
            iteration: number of the iteration within the run.
            pairs: 2D-3D pairs, of which a random subset is used.
            unlabelled2d: 2D-only poses with all joints annotated (n, joints, 2).
            feedback: progress of the stage, 0 to 1; None: no feedback from the lifter.

        Returns:
            Scalars to log and messages of the monitor; both empty if no update is due.
        """
        settings = self.settings
        if settings.generated_share == 0 or iteration % settings.interval:
            return {}, []
        order = torch.randperm(len(pairs), generator=self.rng, device=pairs.pose2d.device)
        pairs = pairs[order[: settings.batch]]
        generated, loss = self._update_generator(pairs, feedback)
        scores = self._update_discriminators(pairs, generated, unlabelled2d)
        watched = scores | {"diversity": diversity(generated.bent3d.detach())}
        messages = self.monitor.record(**watched) if settings.monitored else []
        values = {"generator": loss, **watched}
        return {f"adversarial_{name}": value for name, value in values.items()}, messages

    def _update_generator(self, pairs: Poses, feedback: float | None) -> tuple[Generated, Tensor]:
        """Return the generated poses and the loss."""
        networks, settings = self.networks, self.settings
        generated = networks["generator"](pairs.pose3d, pairs.camera.focal, self.rng)
        loss = (
            settings.d2d_weight * losses.adversarial_loss(networks["d2d"](generated.pose2d))
            + settings.d3d_weight * losses.adversarial_loss(networks["d3d"](generated.bent3d))
            + settings.range_weight * losses.bone_angle_range_loss(generated.cosine_change)
            + settings.range_weight * losses.bone_length_range_loss(generated.length_change)
        )
        if feedback is not None:
            loss = loss + feedback_term(networks["model"], pairs, generated, settings, feedback)
        update(self.optimizers["generator"], loss)
        return generated, loss.detach()

    def _update_discriminators(
        self, pairs: Poses, generated: Generated, unlabelled2d: Tensor | None
    ) -> dict[str, Tensor]:
        """Return the mean scores of real and fake samples."""
        real2d, fake2d = pairs.pose2d, generated.pose2d.detach()
        if unlabelled2d is not None and self.settings.unlabelled_real:
            real2d = torch.cat([real2d, unlabelled2d])
        if unlabelled2d is not None and self.settings.reprojected_fakes:
            fake2d = torch.cat([fake2d, reprojected(self.networks["model"], unlabelled2d)])
        scores = {}
        for name, real, fake in (
            ("d2d", real2d, fake2d),
            ("d3d", pairs.pose3d, generated.bent3d.detach()),
        ):
            both = self.networks[name](torch.cat([real, fake]))  # scores are independent per row
            real_scores, fake_scores = both.split([len(real), len(fake)])
            scores[f"{name}_real"] = real_scores.detach().mean()
            scores[f"{name}_fake"] = fake_scores.detach().mean()
            if not self.monitor.paused[name]:
                loss = losses.discriminator_loss(real_scores, fake_scores)
                update(self.optimizers[name], loss)
        return scores


def reprojected(model: Any, pose2d: Tensor) -> Tensor:
    """Return x'_2D of Eq. 13: 2D-only poses lifted and projected again, without gradient."""
    with torch.no_grad(), evaluation_mode(model):
        return model(pose2d, torch.ones_like(pose2d[..., 0])).reprojection


def feedback_term(
    model: Any,
    pairs: Poses,
    generated: Generated,
    settings: AdversarialConfig,
    progress: float,
) -> Tensor:
    """Return the feedback loss: generated poses shall be harder to lift, within limits (PoseAug).

    The model is in evaluation mode and is not updated.

    Args:
        pairs: the sources of the generated poses.
        progress: progress of the stage, 0 to 1.
    """
    skeleton = model.skeleton

    def errors(pose2d: Tensor, pose3d: Tensor) -> Tensor:
        lifted = model(pose2d, torch.ones_like(pose2d[..., 0])).pose3d
        difference = root_relative(lifted, skeleton) - root_relative(pose3d, skeleton)
        return torch.linalg.vector_norm(difference, dim=-1)

    with evaluation_mode(model):
        with torch.no_grad():
            original = errors(pairs.camera.project(pairs.pose3d), pairs.pose3d)
        pose2d = torch.cat([pairs.camera.project(generated.bent3d), generated.pose2d])
        pose3d = torch.cat([generated.bent3d, generated.pose3d])
        bent, viewed = errors(pose2d, pose3d).chunk(2)
    (first, last), width = FEEDBACK_ANGLE
    target = first + (last - first) * progress
    view_target, view_width = FEEDBACK_VIEW
    return settings.feedback_angle_weight * losses.feedback_loss(
        original, bent, skeleton, target, width
    ) + settings.feedback_view_weight * losses.feedback_loss(
        original, viewed, skeleton, view_target, view_width
    )
