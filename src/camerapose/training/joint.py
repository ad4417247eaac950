"""Stage 3: everything together, on pairs, made pairs and 2D-only data (section 4.3, step 3)."""

from typing import TYPE_CHECKING

import torch

from camerapose.training.data import mirror_half
from camerapose.training.steps import update, wild_terms
from camerapose.training.warmup import learn_pairs, play

if TYPE_CHECKING:
    from camerapose.training.run import Run


def joint(run: "Run") -> None:
    """In each iteration: the game, then L_phi (Eq. 16) on pairs, then L_phi' (Eq. 17) on 2D."""
    config, pairs, detected, wild = run.config, run.data.pairs, run.data.detected, run.data.wild
    for rows in run.batches("joint", config.joint, run.model.parameters()):
        exact, found = pairs[rows], detected and detected[rows]
        if config.mirror:
            exact, found = mirror_half(exact, found)
        play(run, exact, complete_wild(run), feedback=run.progress)
        learn_pairs(run, exact, found, config.adversary.share)
        if wild is not None:
            learn_wild(run)


def complete_wild(run: "Run") -> torch.Tensor | None:
    """Rows of some 2D-only poses with every joint annotated."""
    complete = run.data.complete
    if complete is None or len(complete) == 0:
        return None
    return complete[_draw(run, len(complete), run.config.wild_batch)]


def learn_wild(run: "Run") -> None:
    """One step on L_phi' (Eq. 17): 2D annotations move the lifter and the camera branch."""
    wild = run.data.wild[_draw(run, len(run.data.wild), run.config.wild_batch)]
    if run.config.mirror:
        (wild,) = mirror_half(wild)
    discriminators = {name: run.networks[name] for name in ("d2d", "d3d")}
    terms, _ = wild_terms(
        run.model, wild, discriminators, run.config.noise, run.config.weights, run.rng
    )
    update(run.optimizers["model"], sum(terms.values()), run.model)
    run.log(terms)


def _draw(run: "Run", n: int, count: int) -> torch.Tensor:
    return torch.randint(n, (count,), generator=run.rng, device=run.device)
