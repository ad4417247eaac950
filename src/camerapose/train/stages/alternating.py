"""Stage 3 as the paper describes it: three updates in each iteration (section 4.3, step 3)."""

import torch

from camerapose.data.augment.bone_lengths import vary_bone_lengths
from camerapose.models.camerapose import CameraPose
from camerapose.train.adversarial_step import AdversarialTraining
from camerapose.train.augmentation import mirror_half, observe
from camerapose.train.config import Config
from camerapose.train.data import TrainingData
from camerapose.train.distillation import teachers
from camerapose.train.loop import TrainingLoop
from camerapose.train.loss_terms import forms, pair_terms, unlabelled_terms
from camerapose.train.stages.joint import (
    LIFTED_SOURCES_FROM,
    draw_complete,
    draw_unlabelled,
    parameter_groups,
    with_generated,
)
from camerapose.train.steps import update


def alternating(
    config: Config,
    data: TrainingData,
    model: CameraPose,
    adversarial: AdversarialTraining,
    loop: TrainingLoop,
    rng: torch.Generator,
) -> None:
    """Update generator and discriminators, then the model on pairs, then on 2D-only poses.

    The second update minimises L_phi on annotated and generated pairs (Eqs. 2 and 16), the third
    L_phi' (Eq. 17); with `unlabelled_updates = "camera"` it changes the camera branch alone. Batch
    norm sees the poses of each update by themselves.
    """
    groups = parameter_groups(model, config.refiner_lr_scale)
    optimizer = loop.optimizer("joint", config.joint, groups)
    teach = teachers(config, rng.device)
    camera_only = config.unlabelled_updates == "camera"
    tuned = list(model.camera_branch.parameters()) if camera_only else None
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
        lifted = model(pose2d, confidence)
        taught = teach and teach(pose2d, confidence)
        terms = pair_terms(lifted, confidence, clean, config.weights, forms(config), taught)
        update(optimizer, sum(terms.values()))

        if unlabelled is not None:
            pose2d, confidence = observe(unlabelled, None, config.noise, rng)
            others = unlabelled_terms(
                model(pose2d, confidence), confidence, unlabelled,
                adversarial.discriminators, config.weights, forms(config),
            )  # fmt: skip
            update(optimizer, sum(others.values()), tuned)
            terms |= others
        loop.log.add(terms)
