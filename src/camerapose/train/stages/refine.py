"""Stage 1: train the refinement network alone (section 4.3, step 1)."""

import torch

from camerapose.models.camerapose import CameraPose
from camerapose.train.augmentation import mirror_half, observe
from camerapose.train.config import Config
from camerapose.train.data import TrainingData
from camerapose.train.loop import TrainingLoop
from camerapose.train.loss_terms import refinement_term
from camerapose.train.steps import update


def refine(
    config: Config,
    data: TrainingData,
    model: CameraPose,
    loop: TrainingLoop,
    rng: torch.Generator,
) -> None:
    """Minimise L_ref (Eq. 4) from detected and noisy 2D to clean 2D.

    Without a refinement network there is nothing to do.
    """
    if model.refiner is None:
        return
    optimizer = loop.optimizer("refine", config.refine, model.refiner.parameters())
    for batch in loop.batches(config.refine, optimizer):
        clean, detected = data.pairs[batch.rows], data.detected and data.detected[batch.rows]
        if config.flip_augmentation:
            clean, detected = mirror_half(clean, detected)
        pose2d, confidence = observe(clean, detected, config.noise, rng)
        view = model.view(pose2d, confidence)
        refined = view.to_image(model.refiner(view.to_crop(pose2d), confidence))
        loss = refinement_term(refined, confidence, clean, clean.confidence, config.refinement_loss)
        update(optimizer, loss)
        loop.log.add({"refine": loss})
