"""Stage 1: the refinement network alone, from detected to exact 2D (section 4.3, step 1)."""

from typing import TYPE_CHECKING

from camerapose.models.crop import VirtualCamera
from camerapose.train.data import mirror_half, observe
from camerapose.train.steps import refinement_term, update

if TYPE_CHECKING:
    from camerapose.train.trainer import Run


def refine(run: "Run") -> None:
    """Minimise L_ref (Eq. 4) over what detectors see of Human3.6M's poses."""
    refiner = run.model.refiner
    if refiner is None:
        return
    pairs, detected = run.data.pairs, run.data.detected
    for rows in run.batches("refine", run.config.refine, refiner.parameters()):
        exact, found = pairs[rows], detected and detected[rows]
        if run.config.mirror:
            exact, found = mirror_half(exact, found)
        pose2d, confidence = observe(exact, found, run.config.noise, run.rng)
        view = VirtualCamera.on(pose2d, confidence)
        refined = view.leave(refiner(view.enter(pose2d), confidence))
        loss = refinement_term(refined, confidence, exact, exact.confidence)
        update(run.optimizers["model"], loss)
        run.log({"refine": loss})
