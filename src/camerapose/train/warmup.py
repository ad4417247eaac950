"""Stage 2: lifter and camera branch beside generator and discriminators, on pairs alone, so that
the adversarial game stands on firm ground (section 4.3, step 2)."""

from typing import TYPE_CHECKING

import torch

from camerapose.core.poses import Poses
from camerapose.data.augment.bone_lengths import vary_bone_lengths
from camerapose.train.data import mirror_half, observe
from camerapose.train.steps import (
    adversarial_update,
    made_pairs,
    pair_terms,
    update,
    wild_terms,
    with_lifted,
)

if TYPE_CHECKING:
    from camerapose.train.trainer import Run

#: From this share of the stage on 2D-only poses are lifted well enough to learn from.
WILD_FROM = 0.25


def warmup(run: "Run") -> None:
    """Minimise L_phi (Eq. 16) on annotated pairs, and play the game on the side.

    The refinement network rests: a lifter that knows nothing yet would only unteach it.
    """
    pairs, detected = run.data.pairs, run.data.detected
    model = run.model
    learning = [*model.lifter.parameters(), *model.camera_branch.parameters()]
    for rows in run.batches("warmup", run.config.warmup, learning):
        exact, found = pairs[rows], detected and detected[rows]
        if run.config.mirror:
            exact, found = mirror_half(exact, found)
        play(run, exact, wild_rows=None, feedback=None)
        learn(run, exact, found, made=0.0, wild=None)


def play(run: "Run", exact: Poses, wild_rows: torch.Tensor | None, feedback: float | None) -> None:
    """Generator and discriminators take their turn, every so often."""
    settings = run.config.adversary
    if settings.share == 0 or run.iteration % settings.every:
        return
    some = exact[torch.randperm(len(exact), generator=run.rng, device=run.device)[: settings.batch]]
    wild2d = None if wild_rows is None else run.data.wild.pose2d[wild_rows]
    watched = adversarial_update(
        run.networks, run.optimizers, run.health.paused, some, wild2d, settings, feedback, run.rng
    )
    for sentence in run.health.watch(**{k: v for k, v in watched.items() if k != "generator"}):
        run.say(sentence)
    run.log({f"game_{name}": value for name, value in watched.items()})


def learn(run: "Run", exact: Poses, found: Poses | None, made: float, wild: Poses | None) -> None:
    """One step down L_phi + L_phi' (Eqs. 2, 16, 17).

    Pairs, made pairs and 2D-only poses pass through the networks in one batch: batch norm then
    sees in training the very mixture whose statistics it keeps.

    Args:
        found: real detections for the rows of `exact`.
        made: so many made pairs beside each annotated one.
        wild: 2D only.
    """
    config, noise = run.config, run.config.noise
    if config.bodies > 0:
        exact, found = vary_bone_lengths(exact, found, config.bodies, run.rng)
    if made > 0:
        sources = torch.linspace(0, len(exact) - 1, round(made * len(exact)), device=run.device)
        few = exact[sources.long()]
        if wild is not None and run.progress >= WILD_FROM:
            few = with_lifted(run.model, few, wild, round(config.adversary.wild_sources * len(few)))
        new = made_pairs(run.networks["generator"], few, run.rng)
        # A made pose has no real detection: what is exact stands in for it.
        found = found and Poses.cat([found, Poses(new.skeleton, new.pose2d, new.confidence)])
        exact = Poses.cat([exact, new])
    pose2d, confidence = observe(exact, found, noise, run.rng)
    n = len(exact)
    if wild is not None:
        seen, sure = observe(wild, None, noise, run.rng)
        pose2d, confidence = torch.cat([pose2d, seen]), torch.cat([confidence, sure])
    lifted = run.model(pose2d, confidence)
    terms = pair_terms(lifted.rows(slice(n)), confidence[:n], exact, config.weights)
    if wild is not None:
        terms |= wild_terms(
            lifted.rows(slice(n, None)), confidence[n:], wild, run.networks, config.weights
        )
    update(run.optimizers["model"], sum(terms.values()))
    run.log(terms)
