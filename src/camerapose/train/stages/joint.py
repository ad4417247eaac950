"""Stage 3: train all networks on pairs, generated pairs and 2D-only poses (section 4.3, step 3)."""

from typing import Any

import torch
from torch import Tensor, nn

from camerapose.core.poses import Poses
from camerapose.data.augment.bone_lengths import vary_bone_lengths
from camerapose.models.camerapose import CameraPose
from camerapose.train.adversarial_step import AdversarialTraining
from camerapose.train.augmentation import (
    generated_pairs,
    mirror_half,
    observe,
    with_lifted_sources,
)
from camerapose.train.config import AdversarialConfig, Config
from camerapose.train.data import TrainingData
from camerapose.train.distillation import teachers
from camerapose.train.loop import TrainingLoop
from camerapose.train.loss_terms import forms, pair_terms, unlabelled_terms
from camerapose.train.steps import evaluation_mode, update

#: Share of the stage from which 2D-only poses are lifted well enough to be sources of the
#: generator.
LIFTED_SOURCES_FROM = 0.25


def joint(
    config: Config,
    data: TrainingData,
    model: CameraPose,
    adversarial: AdversarialTraining,
    loop: TrainingLoop,
    rng: torch.Generator,
) -> None:
    """Minimise L_phi + L_phi' (Eqs. 2, 16, 17), after an adversarial step in each iteration.

    Pairs, generated pairs and 2D-only poses pass through the networks in one batch, so that batch
    norm is trained with the mixture whose statistics it keeps.
    """
    groups = parameter_groups(model, config.refiner_lr_scale)
    optimizer = loop.optimizer("joint", config.joint, groups)
    teach = teachers(config, rng.device)
    for batch in loop.batches(config.joint, optimizer):
        clean, detected = data.pairs[batch.rows], data.detected and data.detected[batch.rows]
        if config.flip_augmentation:
            clean, detected = mirror_half(clean, detected)

        complete2d = draw_complete(data, config.unlabelled_batch, rng)
        values, messages = adversarial.step(batch.iteration, clean, complete2d, batch.progress)
        loop.log.add_adversarial(values, messages)

        unlabelled = draw_unlabelled(data, config.unlabelled_batch, config.flip_augmentation, rng)
        if config.bone_length_std > 0:
            clean, detected = vary_bone_lengths(clean, detected, config.bone_length_std, rng)
        lifted_sources = unlabelled if batch.progress >= LIFTED_SOURCES_FROM else None
        clean, detected = with_generated(clean, detected, lifted_sources, adversarial, rng)
        pose2d, confidence = observe(clean, detected, config.noise, rng)
        n = len(clean)
        taught = teach and teach(pose2d, confidence)
        if unlabelled is not None:
            noisy2d, noisy_confidence = observe(unlabelled, None, config.noise, rng)
            pose2d = torch.cat([pose2d, noisy2d])
            confidence = torch.cat([confidence, noisy_confidence])

        frozen = nn.BatchNorm1d if batch.progress >= 1 - config.frozen_norm_share else ()
        with evaluation_mode(model, frozen):
            lifted = model(pose2d, confidence)
            terms = pair_terms(
                lifted.rows(slice(n)), confidence[:n], clean, config.weights, forms(config), taught
            )
            if unlabelled is not None:
                terms |= unlabelled_terms(
                    lifted.rows(slice(n, None)), confidence[n:], unlabelled,
                    adversarial.discriminators, config.weights, forms(config),
                )  # fmt: skip
            update(optimizer, sum(terms.values()))
        loop.log.add(terms)


def parameter_groups(model: CameraPose, refiner_lr_scale: float) -> list[dict[str, Any]]:
    """Return the parameters to train, those of the refinement network with their own `lr_scale`."""
    refiner = list(model.refiner.parameters()) if model.refiner is not None else []
    others = [p for part in (model.lifter, model.camera_branch) for p in part.parameters()]
    groups = [
        {"params": others, "lr_scale": 1.0},
        {"params": refiner, "lr_scale": refiner_lr_scale},
    ]
    return [group for group in groups if group["params"] and group["lr_scale"] > 0]


def draw_complete(data: TrainingData, n: int, rng: torch.Generator) -> Tensor | None:
    """Draw the 2D of n 2D-only poses with all joints annotated; None if there are none."""
    if data.complete is None or len(data.complete) == 0:
        return None
    rows = torch.randint(len(data.complete), (n,), generator=rng, device=data.complete.device)
    return data.unlabelled.pose2d[data.complete[rows]]


def draw_unlabelled(data: TrainingData, n: int, flip: bool, rng: torch.Generator) -> Poses | None:
    """Draw n 2D-only poses, half of them mirrored if `flip`; None if there are none."""
    if data.unlabelled is None or n == 0:
        return None
    device = data.unlabelled.pose2d.device
    rows = torch.randint(len(data.unlabelled), (n,), generator=rng, device=device)
    unlabelled = data.unlabelled[rows]
    return mirror_half(unlabelled)[0] if flip else unlabelled


def draw_sources(
    pairs: Poses, unlabelled: Poses | None, model: CameraPose, settings: AdversarialConfig
) -> Poses:
    """Return evenly spaced pairs as sources of the generator, a share replaced by lifted poses."""
    n = round(settings.generated_share * len(pairs))
    rows = torch.linspace(0, len(pairs) - 1, n, device=pairs.pose2d.device).long()
    sources = pairs[rows]
    if unlabelled is None:
        return sources
    n_lifted = round(settings.unlabelled_sources * len(sources))
    return with_lifted_sources(model, sources, unlabelled, n_lifted)


def with_generated(
    clean: Poses,
    detected: Poses | None,
    lifted_sources: Poses | None,
    adversarial: AdversarialTraining,
    rng: torch.Generator,
) -> tuple[Poses, Poses | None]:
    """Append generated pairs in the configured share.

    Args:
        lifted_sources: 2D-only poses that may be lifted to be sources; None: pairs only.
    """
    settings, networks = adversarial.settings, adversarial.networks
    if settings.generated_share == 0:
        return clean, detected
    sources = draw_sources(clean, lifted_sources, networks["model"], settings)
    generated = generated_pairs(networks["generator"], sources, rng)
    return append_generated(clean, detected, generated)


def append_generated(
    clean: Poses, detected: Poses | None, generated: Poses
) -> tuple[Poses, Poses | None]:
    """Append generated pairs; their clean 2D substitutes for detections."""
    if detected is not None:
        substitute = Poses(generated.skeleton, generated.pose2d, generated.confidence)
        detected = Poses.cat([detected, substitute])
    return Poses.cat([clean, generated]), detected
