"""Stage 2: train lifter and camera branch on pairs, next to generator and discriminators.

It gives the adversarial training of stage 3 a good start (section 4.3, step 2).
"""

import torch

from camerapose.data.augment.bone_lengths import vary_bone_lengths
from camerapose.models.camerapose import CameraPose
from camerapose.train.adversarial_step import AdversarialTraining
from camerapose.train.augmentation import mirror_half, observe
from camerapose.train.config import Config
from camerapose.train.data import TrainingData
from camerapose.train.loop import TrainingLoop
from camerapose.train.loss_terms import forms, pair_terms
from camerapose.train.stages.joint import with_generated
from camerapose.train.steps import update


def warmup(
    config: Config,
    data: TrainingData,
    model: CameraPose,
    adversarial: AdversarialTraining,
    loop: TrainingLoop,
    rng: torch.Generator,
) -> None:
    """Minimise L_phi (Eq. 16) on annotated pairs, and on generated ones with `in_warmup`.

    The refinement network is frozen: gradients of an untrained lifter would impair it.
    """
    trained = [*model.lifter.parameters(), *model.camera_branch.parameters()]
    optimizer = loop.optimizer("warmup", config.warmup, trained)
    for batch in loop.batches(config.warmup, optimizer):
        clean, detected = data.pairs[batch.rows], data.detected and data.detected[batch.rows]
        if config.flip_augmentation:
            clean, detected = mirror_half(clean, detected)

        values, messages = adversarial.step(batch.iteration, clean, None, feedback=None)
        loop.log.add_adversarial(values, messages)

        if config.bone_length_std > 0:
            clean, detected = vary_bone_lengths(clean, detected, config.bone_length_std, rng)
        if config.adversarial.in_warmup:
            clean, detected = with_generated(clean, detected, None, adversarial, rng)
        pose2d, confidence = observe(clean, detected, config.noise, rng)
        lifted = model(pose2d, confidence)
        terms = pair_terms(lifted, confidence, clean, config.weights, forms(config))
        update(optimizer, sum(terms.values()))
        loop.log.add(terms)
