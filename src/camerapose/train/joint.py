"""Stage 3: everything together, on pairs, made pairs and 2D-only data (section 4.3, step 3)."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from camerapose.core.poses import Poses
from camerapose.models.camerapose import CameraPose
from camerapose.train.data import mirror_half
from camerapose.train.steps import at_rest
from camerapose.train.warmup import learn, play

if TYPE_CHECKING:
    from camerapose.train.trainer import Run


def joint(run: "Run") -> None:
    """In each iteration the game, then a step on pairs, made pairs and 2D-only poses together."""
    config, pairs, detected = run.config, run.data.pairs, run.data.detected
    for rows in run.batches("joint", config.joint, learning_groups(run.model, config.refiner_rate)):
        exact, found = pairs[rows], detected and detected[rows]
        if config.mirror:
            exact, found = mirror_half(exact, found)
        play(run, exact, complete_wild(run), feedback=run.progress)
        resting = nn.BatchNorm1d if run.progress >= 1 - config.norms_rest else ()
        with at_rest(run.model, resting):
            learn(run, exact, found, config.adversary.share, some_wild(run))


def learning_groups(model: CameraPose, refiner_rate: float) -> list[dict]:
    """Everything; the refiner, which comes trained from its own stage, at a rate of its own."""
    refiner = list(model.refiner.parameters()) if model.refiner is not None else []
    rest = [p for part in (model.lifter, model.camera_branch) for p in part.parameters()]
    groups = [{"params": rest, "share": 1.0}, {"params": refiner, "share": refiner_rate}]
    return [group for group in groups if group["params"] and group["share"] > 0]


def complete_wild(run: "Run") -> torch.Tensor | None:
    """Rows of some 2D-only poses with every joint annotated."""
    complete = run.data.complete
    if complete is None or len(complete) == 0:
        return None
    return complete[_draw(run, len(complete))]


def some_wild(run: "Run") -> Poses | None:
    """Some 2D-only poses; none where there are none."""
    if run.data.wild is None or run.config.wild_batch == 0:
        return None
    wild = run.data.wild[_draw(run, len(run.data.wild))]
    return mirror_half(wild)[0] if run.config.mirror else wild


def _draw(run: "Run", n: int) -> torch.Tensor:
    return torch.randint(n, (run.config.wild_batch,), generator=run.rng, device=run.device)
