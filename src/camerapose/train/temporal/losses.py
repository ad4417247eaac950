"""Losses and errors of temporal models."""

import torch
from torch import Tensor, nn

from camerapose.core import temporal
from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.train.temporal.config import TemporalWeights
from camerapose.train.temporal.data import Batch, LiftedClips, whole


def estimate(network: nn.Module, batch: Batch, skeleton: Skeleton) -> Tensor:
    """Return poses in the axes of the mean view."""
    change = network(batch.window, batch.estimated).float().unflatten(-1, (-1, 3))
    return batch.pose + root_relative(change, skeleton)


def terms(pose: Tensor, batch: Batch, weights: TemporalWeights) -> dict[str, Tensor]:
    """Return the weighted losses."""
    distance, velocity = errors(pose, batch)
    return {
        "pose": weights.pose * _mean(distance, batch.labelled),
        "velocity": weights.velocity * _mean(velocity, _pairs(batch.labelled)),
    }


def errors(pose: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the distance of each joint, and that of its displacements between frames, metres."""
    error = pose - batch.target
    distance = torch.linalg.vector_norm(error + 1e-9, dim=-1)
    return distance, torch.linalg.vector_norm(error.diff(dim=1) + 1e-9, dim=-1)


def _pairs(labelled: Tensor) -> Tensor:
    return labelled[:, 1:] & labelled[:, :-1]


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


@torch.no_grad()
def validate(
    network: nn.Module, clips: LiftedClips, skeleton: Skeleton, device: torch.device
) -> dict[str, float]:
    """Return MPJPE (mm) and MPJVE (mm per frame) for each mode and kind of clip.

    "lifter" is the input. Viewing directions are those of the true camera. `mpjpe` is the mean over
    kinds and modes.
    """
    training = network.training
    network.eval()
    values: dict[str, float] = {}
    for mode, lookahead in temporal.LOOKAHEAD.items():
        batch = whole(clips, lookahead).to(device)
        pose = estimate(network, batch, skeleton)
        for name, result in ((mode, pose), ("lifter", batch.pose)):
            if name == "lifter" and mode != "centred":
                continue
            distance, velocity = (1000 * e for e in errors(result, batch))
            for kind in sorted(set(clips.kind)):
                rows = torch.as_tensor(clips.kind == kind, device=device)
                labelled = batch.labelled[rows]
                values[f"{name}, {kind}"] = float(_mean(distance[rows], labelled))
                values[f"{name}, {kind}, velocity"] = float(_mean(velocity[rows], _pairs(labelled)))
    network.train(training)
    chosen = [v for k, v in values.items() if not k.endswith("velocity") and "lifter" not in k]
    return {"mpjpe": sum(chosen) / len(chosen)} | values
