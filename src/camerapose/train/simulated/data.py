"""Training data on the device: poses in world axes, and 2D-only poses."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.anatomy import body_height
from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import rotvec_to_rotmat
from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.core.poses import Poses
from camerapose.data.augment import detector_errors, joint_definitions
from camerapose.data.augment.detector_errors import DetectorOptions
from camerapose.data.augment.engine import (
    EngineOptions,
    Sample,
    hide,
    known_quantities,
    simulate,
)
from camerapose.data.cache import cached
from camerapose.data.datasets import anny, cmu_dance, coco, mpii, rendered
from camerapose.data.level_view import to_world
from camerapose.data.retarget import retarget
from camerapose.train.simulated import own_views
from camerapose.train.simulated.config import SimulatedData
from camerapose.train.simulated.own_views import OwnViews

#: Fewest annotated joints of 2D-only people.
MIN_ANNOTATED = 8
#: Human3.6M in generated cameras: every n-th frame (5 Hz).
HUMAN36M_STEP = 10
#: Rendered people: standard deviations of the roll, radians, and of the logarithm of the zoom, and
#: share of people of whom only the limb joints are given.
RENDERED_ROLL, RENDERED_ZOOM, RENDERED_LIMBS = 0.2, 0.2, 0.25
#: Errors added to their detections, which a network recognises otherwise: about half of their own.
RENDERED_ERRORS = DetectorOptions(level=0.02, outliers=0.0, swaps=0.0, missing=0.05, hidden=1.0)


class World(NamedTuple):
    """Poses in world axes, and their probabilities."""

    joints: Float[Tensor, "n 46 3"]
    probability: Float[Tensor, " n"]

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "batch 46 3"]:
        """Return random poses."""
        rows = torch.multinomial(self.probability, n, replacement=True, generator=generator)
        return self.joints[rows]


class SimulatedTrainingData(NamedTuple):
    """Data of a run."""

    train: World
    held_out: World | None
    human36m: World | None
    human36m_own: OwnViews | None
    rendered: Poses | None  # `BODY_46`, torch columns
    unlabelled: Poses | None  # `BODY_46`, torch columns


def load(config: SimulatedData, device: torch.device) -> SimulatedTrainingData:
    """Load all data sets of the configuration.

    Raises:
        FileNotFoundError: files are missing.
    """
    parts, held_out = [], None
    excluded = (*anny.BENCHMARK, *config.held_out)
    if config.anny is not None:
        parts.append(cached(anny.load, config.anny, excluded=excluded))
        if config.held_out:
            held_out = cached(anny.load, config.anny, subjects=config.held_out)
    if config.cmu_dance is not None:
        parts.append(cached(cmu_dance.load, config.cmu_dance, excluded=excluded))
    if not parts:
        raise ValueError("no data to train on; set data.anny or data.cmu_dance to a folder")
    poses = Poses.cat(parts)
    if config.frames:
        poses = some_clips(poses, config.frames)
    return SimulatedTrainingData(
        _world(poses, config.balance, device),
        None if held_out is None else _world(held_out, config.balance, device),
        None if config.human36m is None else _human36m(config, device),
        own_views.load(config, device),
        None if config.rendered is None else _rendered(config, device),
        _unlabelled(config, device),
    )


def some_clips(poses: Poses, frames: int) -> Poses:
    """Return random whole clips with a number of frames in total, of which the last is cut.

    Raises:
        ValueError: there are fewer frames.
    """
    if frames > len(poses):
        raise ValueError(f"data.frames is {frames:,}, but there are {len(poses):,} frames")
    _, which = np.unique(_clips(poses), return_inverse=True)
    order = np.random.default_rng(0).permutation(which.max() + 1)
    rows = np.argsort(order[which], kind="stable")[:frames]
    return poses[np.sort(rows)]


def _clips(poses: Poses) -> np.ndarray:
    return np.char.add(np.char.add(poses.labels["subject"], "/"), poses.labels["action"])


def _world(poses: Poses, balance: float, device: torch.device) -> World:
    joints = torch.as_tensor(to_world(poses), dtype=torch.float32, device=device)
    _, which, counts = np.unique(_clips(poses), return_inverse=True, return_counts=True)
    weight = counts[which] ** -float(balance)
    return World(joints, torch.as_tensor(weight / weight.sum(), dtype=torch.float32).to(device))


def _human36m(config: SimulatedData, device: torch.device) -> World:
    """Return Human3.6M's poses in `BODY_46`.

    The joints that it lacks are those of random `anny` bodies in the same posture and of the same
    height (`data.retarget`); they are not ground truth.
    """
    from camerapose.data.datasets import human36m
    from camerapose.data.datasets.human36m.calibration import cameras

    poses = cached(
        human36m.load, config.human36m, subjects=config.human36m_subjects,
        frame_step=HUMAN36M_STEP, skeleton="h36m_17",
    )  # fmt: skip
    poses = poses[poses.labels["camera"] == 0]
    relative = poses.pose3d - poses.root_position[:, None]
    world = np.empty(relative.shape, np.float32)
    for subject in np.unique(poses.labels["subject"]):
        rows = poses.labels["subject"] == subject
        world[rows] = relative[rows] @ cameras(str(subject))[0].rotation[0]
    excluded = (*anny.BENCHMARK, *config.held_out)
    bodies = to_world(cached(anny.load, config.anny, excluded=excluded))
    bodies = bodies[np.random.default_rng(0).integers(0, len(bodies), len(world))]
    size = body_height(world, H36M_17) / body_height(bodies[:, own_views.JOINTS], H36M_17)
    joints = retarget(world, bodies * size[:, None, None], ATTACHED.parents)
    joints[:, own_views.JOINTS] = world
    weight = torch.full((len(world),), 1 / len(world), device=device)
    return World(torch.as_tensor(joints, dtype=torch.float32, device=device), weight)


def _rendered(config: SimulatedData, device: torch.device) -> Poses:
    assert config.rendered is not None
    parts = [
        cached(
            rendered.load, config.rendered, model=model, n=config.rendered_n,
            out=config.rendered_images, excluded=config.held_out,
        )
        for model in config.rendered_models
    ]  # fmt: skip
    return Poses.cat([replace(part, labels={}) for part in parts]).to_torch(device)


def _unlabelled(config: SimulatedData, device: torch.device) -> Poses | None:
    parts = []
    if config.mpii is not None:
        parts.append(cached(mpii.load, config.mpii).to(BODY_46))
    if config.coco is not None:
        parts.append(cached(coco.load, config.coco).to(BODY_46))
    if not parts:
        return None
    poses = Poses.cat([Poses(BODY_46, p.pose2d, p.confidence) for p in parts])
    enough = (poses.confidence > 0).sum(axis=1) >= MIN_ANNOTATED
    return poses[enough].to_torch(device)


def draw(
    sources: SimulatedTrainingData,
    config: SimulatedData,
    n: int,
    options: EngineOptions,
    generator: torch.Generator,
    vary: Callable[[Tensor], Tensor] | None = None,
) -> Sample:
    """Return a batch of detections with ground truth from all sources.

    Joints without ground truth are NaN. `vary` changes poses in world axes before they are seen.
    """
    parts = []
    if sources.human36m is not None:
        total = round(config.human36m_share * n)
        own = 0 if sources.human36m_own is None else round(config.human36m_own * total)
        if sources.human36m_own is not None:
            parts.append(
                own_views.draw(
                    sources.human36m_own, own, options.known, options.detector, generator
                )
            )
        count = total - own
        formats = replace(options, formats=own_views.FORMATS, shortening=(1.0, 1.0))
        part = simulate(sources.human36m.draw(count, generator), formats, generator)
        pose3d = torch.full_like(part.pose3d, torch.nan)
        pose3d[:, own_views.JOINTS] = part.pose3d[:, own_views.JOINTS]
        parts.append(part._replace(pose3d=pose3d))
    if sources.rendered is not None:
        count = round(config.rendered_share * n)
        parts.append(draw_rendered(sources.rendered, count, options.known, generator))
    if count := n - sum(len(part.pose2d) for part in parts):
        world = sources.train.draw(count, generator)
        parts.append(simulate(world if vary is None else vary(world), options, generator))
    return Sample(*map(torch.cat, zip(*parts, strict=True)))


def draw_unlabelled(
    poses: Poses, n: int, options: DetectorOptions, generator: torch.Generator
) -> tuple[Poses, Float[Tensor, "n joints 2"], Float[Tensor, "n joints"]]:
    """Return random 2D-only poses, half of them mirrored, and simulated detections of them."""
    device = poses.pose2d.device
    rows = torch.randint(len(poses), (n,), generator=generator, device=device)
    drawn = poses[rows]
    half = n // 2
    drawn = Poses.cat([drawn[:half], drawn[half:].mirror()])
    given = drawn.confidence > 0
    pose2d, confidence = detector_errors.detect(
        drawn.pose2d, given, torch.ones_like(given), options, generator
    )
    return drawn, pose2d, confidence


def draw_rendered(poses: Poses, n: int, known: float, generator: torch.Generator) -> Sample:
    """Return random rendered people, each with another roll and zoom of the camera.

    Args:
        poses: detections with true 3D (`datasets.rendered`).
        n: number of people; a half is mirrored.
        known: share of people with known quantities (`EngineOptions.known`).
        generator: random generator.
    """
    device = poses.pose2d.device
    rows = torch.randint(len(poses), (n,), generator=generator, device=device)
    drawn = poses[rows]
    drawn = Poses.cat([drawn[: n // 2], drawn[n // 2 :].mirror()])

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    roll = RENDERED_ROLL * normal(n, 1) * torch.tensor([0.0, 0.0, 1.0], device=device)
    turn, zoom = rotvec_to_rotmat(roll), (RENDERED_ZOOM * normal(n, 1)).exp()
    pose2d = drawn.pose2d @ turn[:, :2, :2].mT * zoom[:, None]
    pose3d = drawn.pose3d @ turn.mT
    focal = drawn.camera.focal * zoom
    is_limbs = torch.rand(n, 1, generator=generator, device=device) < RENDERED_LIMBS
    given = ~is_limbs | torch.tensor(joint_definitions.provided("limbs"), device=device)
    given = given & (drawn.confidence > 0)
    pose2d, score = detector_errors.detect(
        pose2d, given, torch.ones_like(given), RENDERED_ERRORS, generator
    )
    confidence = torch.where(score > 0, drawn.confidence, 0.0)
    center = torch.zeros_like(focal)
    values = hide(known_quantities(pose3d, focal, center), known, generator)
    return Sample(pose2d, confidence, pose3d, focal, center, values)
