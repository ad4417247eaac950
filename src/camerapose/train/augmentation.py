"""Augment training batches: mirroring, detector noise and generated pairs."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from camerapose.core.camera import Camera
from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses
from camerapose.data.augment.detector_noise import detect
from camerapose.models import losses
from camerapose.models.crop import VirtualCamera
from camerapose.models.generator import Generator, in_view
from camerapose.train.config import NoiseConfig
from camerapose.train.steps import evaluation_mode

#: Largest relative difference between left and right bones of a lifted pose that is accepted as a
#: source of generated pairs.
MAX_ASYMMETRY = 0.15


def mirror_half(poses: Poses, *others: Poses | None) -> list[Poses | None]:
    """Mirror the first half of a batch left-right.

    Rows are shuffled, so every pose is mirrored with probability one half.

    Args:
        poses: the batch.
        *others: further poses with the same rows; None is returned as it is.
    """
    half = len(poses) // 2
    return [p and Poses.cat([p[:half].mirror(), p[half:]]) for p in (poses, *others)]


def observe(
    clean: Poses, detected: Poses | None, noise: NoiseConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Simulate a 2D detector: clean, really detected or noisy 2D in the configured shares.

    Args:
        clean: poses with ground-truth 2D and the confidence of the annotation.
        detected: real detections of the same rows.

    Returns:
        2D poses (n, joints, 2), normalised image coordinates, and confidences (n, joints).
    """
    view = VirtualCamera.fit(clean.pose2d, clean.confidence)
    noisy, confidence = detect(
        view.to_crop(clean.pose2d), clean.confidence, clean.skeleton, noise.level, noise.missing,
        noise.interpolated, noise.truncated, noise.redefined, generator,
    )  # fmt: skip
    pose2d = view.to_image(noisy)
    draw = torch.rand(len(clean), 1, generator=generator, device=pose2d.device)
    if detected is not None:
        real = draw < noise.clean + noise.detected
        pose2d = torch.where(real[..., None], detected.pose2d, pose2d)
        confidence = torch.where(real, detected.confidence, confidence)
    unchanged = draw < noise.clean
    pose2d = torch.where(unchanged[..., None], clean.pose2d, pose2d)
    return pose2d, torch.where(unchanged, clean.confidence, confidence)


def generated_pairs(generator: Generator, pairs: Poses, rng: torch.Generator) -> Poses:
    """Generate a pair from each pair, without gradient.

    Where the generated pose leaves the image, its source is returned instead.
    """
    generator.eval()
    with torch.no_grad():
        generated = generator(pairs.pose3d, pairs.camera.focal, rng)
    generator.train()
    visible = in_view(generated.pose2d) > 0

    def choose(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(visible.view(-1, *[1] * (new.ndim - 1)), new, old)

    camera = Camera(
        choose(generated.camera.focal, pairs.camera.focal),
        choose(generated.camera.center, pairs.camera.center),
        choose(generated.camera.translation, pairs.camera.translation),
    )
    return replace(
        pairs,
        pose2d=choose(generated.pose2d, pairs.pose2d),
        confidence=choose(torch.ones_like(pairs.confidence), pairs.confidence),
        pose3d=choose(generated.pose3d, pairs.pose3d),
        camera=camera,
    )


def with_lifted_sources(model: nn.Module, pairs: Poses, unlabelled: Poses, n: int) -> Poses:
    """Replace up to n pairs by 2D-only poses lifted by the model.

    Seen by another camera, a lifted pose is a valid 2D-3D pair whatever its depth error. Accepted
    are poses with all joints annotated and plausible bones. Each is placed at the root position of
    the pair it replaces, in front of the same camera, and scaled to the same body height, since
    the scale predicted for 2D-only poses is unreliable.
    """
    n = min(n, len(unlabelled), len(pairs))
    if n == 0:
        return pairs
    candidates = unlabelled[:n]
    with torch.no_grad(), evaluation_mode(model):
        lifted = model(candidates.pose2d, candidates.confidence).pose3d
    lifted = root_relative(lifted, pairs.skeleton)
    excess, difference = losses.bone_deviations(lifted, pairs.skeleton)
    accepted = (excess.amax(1) == 0) & (difference.abs().amax(1) < MAX_ASYMMETRY)
    accepted &= (candidates.confidence > 0).all(1)
    replaced = pairs[:n]
    target = losses.prior_height(replaced.pose3d, pairs.skeleton)
    scale = target / losses.prior_height(lifted, pairs.skeleton)
    moved = lifted * scale[:, None, None] + replaced.root_position[:, None]
    pose3d = torch.where(accepted[:, None, None], moved, replaced.pose3d)
    projected = replaced.camera.project(pose3d)
    pose2d = torch.where(accepted[:, None, None], projected, replaced.pose2d)
    return Poses.cat([replace(replaced, pose3d=pose3d, pose2d=pose2d), pairs[n:]])
