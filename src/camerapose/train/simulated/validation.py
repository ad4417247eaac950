"""Validation and calibration on simulated detections of held-out subjects."""

import torch
from torch import Tensor

from camerapose.core.geometry import procrustes_align, root_relative
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.engine import EngineOptions, Sample, simulate
from camerapose.data.augment.joint_definitions import LIMBS
from camerapose.models.body_model import BodyModel
from camerapose.train.simulated.data import World
from camerapose.train.simulated.losses import facing_target

#: Number of poses, and seed of their cameras and detectors.
POSES, SEED = 4096, 7
#: Share of normally distributed errors within one and two standard deviations.
COVERAGE = {1: 0.6827, 2: 0.9545}
_LIMBS = [BODY_46.index(joint) for joint in LIMBS]


def fixed_sample(world: World, options: EngineOptions, n: int = POSES) -> Sample:
    """Return the same simulated detections in every call."""
    generator = torch.Generator(world.joints.device).manual_seed(SEED)
    return simulate(world.draw(n, generator), options, generator)


@torch.no_grad()
def validate(model: BodyModel, sample: Sample) -> dict[str, float]:
    """Return errors and the coverage of the standard deviations.

    `mpjpe` over all joints and `pa_mpjpe` over the limb joints in mm, for noisy and for clean
    samples; `within_1` and `within_2`: percentage of coordinate errors within one and two
    calibrated standard deviations; `focal`: median relative error in percent where unknown.
    """
    training = model.training
    model.eval()
    predicted = model(sample.pose2d, sample.confidence, sample.known)
    model.train(training)
    target = facing_target(predicted, sample)
    distance = 1000 * torch.linalg.vector_norm(predicted.facing - target, dim=-1).mean(1)
    aligned = procrustes_align(predicted.facing[:, _LIMBS], target[:, _LIMBS])
    limbs = 1000 * torch.linalg.vector_norm(aligned - target[:, _LIMBS], dim=-1).mean(1)
    is_clean = torch.where(sample.confidence > 0, sample.confidence, 1.0).amin(1) == 1
    unknown = sample.known[:, 0].isnan()
    focal = (predicted.focal[:, 0] / sample.focal[:, 0] - 1).abs()[unknown]
    ratio = _ratio(predicted.facing, target, predicted.log_std) / model.calibration
    return {
        "mpjpe": float(distance.mean()),
        "pa_mpjpe": float(limbs.mean()),
        "pa_mpjpe_clean": float(limbs[is_clean].mean()),
        "pa_mpjpe_noisy": float(limbs[~is_clean].mean()),
        "within_1": 100 * float((ratio < 1).float().mean()),
        "within_2": 100 * float((ratio < 2).float().mean()),
        "focal": 100 * float(focal.median()),
    }


@torch.no_grad()
def calibrate(model: BodyModel, sample: Sample) -> None:
    """Set the factor of the standard deviations.

    The errors have longer tails than a normal distribution, so that no factor gives both of its
    coverages within one and two standard deviations: the larger difference is minimised.
    """
    model.eval()
    predicted = model(sample.pose2d, sample.confidence, sample.known)
    target = facing_target(predicted, sample)
    ratio = _ratio(predicted.facing, target, predicted.log_std).flatten().sort().values
    low, high = float(ratio[len(ratio) // 4]), float(ratio[99 * len(ratio) // 100])
    factors = torch.linspace(low, high, 2000, device=ratio.device)
    shares = [torch.searchsorted(ratio, n * factors) / len(ratio) for n in COVERAGE]
    difference = [
        (share - wanted).abs() for share, wanted in zip(shares, COVERAGE.values(), strict=True)
    ]
    model.calibration.copy_(factors[torch.maximum(*difference).argmin()])


def _ratio(facing: Tensor, target: Tensor, log_std: Tensor) -> Tensor:
    """Return absolute coordinate errors relative to the uncalibrated standard deviations."""
    others = [i for i in range(BODY_46.n_joints) if i != BODY_46.root_index]
    error = root_relative(facing - target, BODY_46).abs()
    return (error / log_std.exp()[..., None])[:, others]
