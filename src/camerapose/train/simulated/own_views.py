"""Human3.6M's poses as its own cameras see them: exact, detected, or with simulated errors."""

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.core.poses import Poses
from camerapose.data.augment import detector_errors, joint_definitions
from camerapose.data.augment.detector_errors import DetectorOptions
from camerapose.data.augment.engine import KNOWN, Sample, hide
from camerapose.data.cache import cached
from camerapose.train.simulated.config import SimulatedData

#: Every n-th frame (10 Hz).
STEP = 5
#: Human3.6M's joints in `BODY_46`, and the formats in which they are given, with probabilities.
JOINTS = [BODY_46.index(f"{joint}_h36m") for joint in H36M_17.joints]
FORMATS = {"h36m_16": 0.7, "h36m_17": 0.3}
#: Share of exact 2D and, if there are detections, of detected 2D; the others have simulated errors.
EXACT, DETECTED = 0.45, 0.4


class OwnViews(NamedTuple):
    """Poses in the joints `h36m_17`, torch columns."""

    exact: Poses
    detected: Poses | None


def load(config: SimulatedData, device: torch.device) -> OwnViews | None:
    """Return the poses of the training subjects from all four cameras, None if unused."""
    from camerapose.data.datasets import human36m

    if config.human36m is None or config.human36m_own == 0:
        return None

    def read(detections: str | None) -> Poses:
        poses = cached(
            human36m.load, config.human36m, subjects=config.human36m_subjects,
            frame_step=STEP, skeleton="h36m_17", detections=detections,
        )  # fmt: skip
        return replace(poses, labels={}).to_torch(device)

    name = config.human36m_detections
    return OwnViews(read(None), read(name) if name else None)


def draw(
    views: OwnViews, n: int, known: float, errors: DetectorOptions, generator: torch.Generator
) -> Sample:
    """Return random people in the joints of `BODY_46`, half of them mirrored.

    Joints that Human3.6M does not have are missing in 2D and NaN in 3D.

    Args:
        views: poses.
        n: number of people.
        known: share of people with known focal length and principal point.
        errors: simulated errors.
        generator: random generator.
    """
    n_detected = 0 if views.detected is None else round(DETECTED * n)
    n_exact = round(EXACT * n)
    parts = [
        _draw(views.exact, n_exact, known, None, generator),
        _draw(views.exact, n - n_exact - n_detected, known, errors, generator),
    ]
    if views.detected is not None:
        parts.append(_draw(views.detected, n_detected, known, None, generator))
    return Sample(*map(torch.cat, zip(*parts, strict=True)))


def _draw(
    poses: Poses, n: int, known: float, errors: DetectorOptions | None, generator: torch.Generator
) -> Sample:
    device = poses.pose2d.device
    drawn = poses[torch.randint(len(poses), (n,), generator=generator, device=device)]
    drawn = Poses.cat([drawn[: n // 2], drawn[n // 2 :].mirror()])
    provided, _ = joint_definitions.draw_formats(n, FORMATS, device, generator)
    confidence = _placed(drawn.confidence[..., None], 0.0)[..., 0] * provided
    pose2d = _placed(drawn.pose2d, 0.0) * (confidence > 0)[..., None]
    if errors is not None:
        given = confidence > 0
        pose2d, confidence = detector_errors.detect(
            pose2d, given, torch.ones_like(given), errors, generator
        )
    focal, center = drawn.camera.focal, drawn.camera.center
    missing = focal.new_full((n, sum(KNOWN.values()) - 3), torch.nan)
    values = hide(torch.cat([focal[:, :1], center, missing], dim=1), known, generator)
    return Sample(pose2d, confidence, _placed(drawn.pose3d, torch.nan), focal, center, values)


def _placed(values: Float[Tensor, "n 17 dims"], fill: float) -> Float[Tensor, "n 46 dims"]:
    """Return Human3.6M's joints at their places in `BODY_46`, and `fill` elsewhere."""
    placed = values.new_full((len(values), BODY_46.n_joints, values.shape[-1]), fill)
    placed[:, JOINTS] = values
    return placed
