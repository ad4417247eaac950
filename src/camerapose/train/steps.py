"""One iteration's parts: the losses on pairs and on 2D alone, and the adversarial update.

Each returns its named terms; the stages weigh and sum them in plain sight.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from camerapose.core.camera import Camera
from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses
from camerapose.models import losses
from camerapose.models.camerapose import CameraPose, Lifted
from camerapose.models.crop import VirtualCamera
from camerapose.models.generator import Generated, Generator, in_view
from camerapose.train.config import Adversary, Weights
from camerapose.train.data import truth_weight
from camerapose.train.distributed import sum_gradients
from camerapose.train.monitor import variety

#: Least weight of a joint in the refinement loss: a joint that was not seen is to be found too.
LEAST_WEIGHT = 0.1
#: Range (middle, half width) of PoseAug's feedback: how much harder than its source a made pose
#: is to be for the lifter; for bent poses at the start and at the end, and for new views.
FEEDBACK_ANGLE = ((3.0, 5.0), 2.0)
FEEDBACK_VIEW = (17.0, 15.0)

#: Left and right bones of a lifted body may differ by this share for it to pass as human.
SIDES_DIFFER = 0.15


def refinement_term(refined2d: Tensor, seen: Tensor, exact: Poses, weight: Tensor) -> Tensor:
    """L_ref in the person's own coordinates, so that near and far people count alike."""
    view = VirtualCamera.on(exact.pose2d, exact.confidence)
    weight = seen.clamp(min=LEAST_WEIGHT) * weight
    return losses.refinement_loss(view.enter(refined2d), view.enter(exact.pose2d), weight)


def pair_terms(
    lifted: Lifted, confidence: Tensor, pairs: Poses, weights: Weights
) -> dict[str, Tensor]:
    """L_phi (Eq. 16), weighted: refinement, camera, reprojection and 3D on full labels.

    Args:
        lifted: what the model made of the observed 2D.
        confidence: of the observed 2D.
        pairs: the truth.
    """
    camera, skeleton = pairs.camera, pairs.skeleton
    distance = losses.joint_distance_loss if weights.distance else losses.pose_loss
    predicted = root_relative(lifted.pose3d, skeleton)
    target2d = camera.project(pairs.pose3d)  # as a camera without distortion sees the truth
    return {
        "refine": weights.refine
        * refinement_term(lifted.refined2d, confidence, pairs, pairs.confidence),
        "camera": weights.camera
        * losses.camera_loss(
            lifted.focal, lifted.center, lifted.translation,
            camera.focal, camera.center, camera.translation,
        ),
        "reprojection": weights.reprojection
        * losses.reprojection_loss(lifted.reprojection, target2d, pairs.confidence),
        "pose": weights.pose * distance(predicted, root_relative(pairs.pose3d, skeleton)),
    }  # fmt: skip


def wild_terms(
    lifted: Lifted,
    confidence: Tensor,
    wild: Poses,
    discriminators: dict[str, nn.Module],
    weights: Weights,
) -> dict[str, Tensor]:
    """L_phi' (Eq. 17), weighted: what 2D annotations alone can teach. Reads no 3D label.

    Args:
        lifted: what the model made of the observed 2D.
        confidence: of the observed 2D.
        wild: the annotations.
        discriminators: `d2d` and `d3d`, which judge where their weight is not 0.
    """
    weight = truth_weight(wild)
    reprojection = lifted.reprojection
    body = root_relative(lifted.pose3d, wild.skeleton)
    terms = {
        "refine_wild": weights.refine_wild
        * refinement_term(lifted.refined2d, confidence, wild, weight),
        "reprojection_wild": weights.reprojection_wild
        * losses.reprojection_loss(reprojection, wild.pose2d, weight),
        "prior_wild": weights.prior_wild * losses.bone_prior_loss(body, wild.skeleton),
    }
    if weights.height_wild:
        terms["height_wild"] = weights.height_wild * losses.height_loss(body, wild.skeleton)
    if weights.d2d_wild:
        scores = discriminators["d2d"](reprojection)
        terms["d2d_wild"] = weights.d2d_wild * losses.adversarial_loss(scores)
    if weights.d3d_wild:
        terms["d3d_wild"] = weights.d3d_wild * losses.adversarial_loss(discriminators["d3d"](body))
    return terms


def made_pairs(generator: Generator, pairs: Poses, rng: torch.Generator) -> Poses:
    """New pairs from the generator, no gradient. Where one leaves the picture, its source stays."""
    generator.eval()
    with torch.no_grad():
        made = generator(pairs.pose3d, pairs.camera.focal, rng)
    generator.train()
    good = in_view(made.pose2d) > 0

    def choose(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(good.view(-1, *[1] * (new.ndim - 1)), new, old)

    camera = Camera(
        choose(made.camera.focal, pairs.camera.focal),
        choose(made.camera.center, pairs.camera.center),
        choose(made.camera.translation, pairs.camera.translation),
    )
    return replace(
        pairs,
        pose2d=choose(made.pose2d, pairs.pose2d),
        confidence=choose(torch.ones_like(pairs.confidence), pairs.confidence),
        pose3d=choose(made.pose3d, pairs.pose3d),
        camera=camera,
    )


@contextmanager
def at_rest(network: nn.Module, kinds: type | tuple[type, ...] = nn.Module) -> Iterator[None]:
    """Modules of these kinds compute as in prediction: batch norm with the statistics that it has
    kept, and it keeps none of what passes now."""
    modules = [m for m in network.modules() if isinstance(m, kinds) and m.training]
    for module in modules:
        module.training = False
    yield
    for module in modules:
        module.training = True


def with_lifted(model: nn.Module, pairs: Poses, wild: Poses, n: int) -> Poses:
    """Pairs of which up to n have been replaced by 2D-only poses as the model lifts them now.

    Seen by another camera such a body is a pair of its own, whose 2D nobody annotated. Only those
    are taken whose joints are all annotated and whose bones are a human's; each stands where the
    pair stood that it replaces, before the same camera, and is as tall: a size that the model made
    up is not to teach it sizes.
    """
    n = min(n, len(wild), len(pairs))
    if n == 0:
        return pairs
    some = wild[:n]
    with torch.no_grad(), at_rest(model):
        lifted = root_relative(model(some.pose2d, some.confidence).pose3d, pairs.skeleton)
    excess, difference = losses.bone_deviations(lifted, pairs.skeleton)
    human = (excess.amax(1) == 0) & (difference.abs().amax(1) < SIDES_DIFFER)
    human &= (some.confidence > 0).all(1)
    few = pairs[:n]
    scale = losses.prior_height(few.pose3d, pairs.skeleton)
    scale = scale / losses.prior_height(lifted, pairs.skeleton)
    moved = lifted * scale[:, None, None] + few.root_position[:, None]
    pose3d = torch.where(human[:, None, None], moved, few.pose3d)
    pose2d = torch.where(human[:, None, None], few.camera.project(pose3d), few.pose2d)
    return Poses.cat([replace(few, pose3d=pose3d, pose2d=pose2d), pairs[n:]])


def adversarial_update(
    networks: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    paused: dict[str, bool],
    pairs: Poses,
    wild_real2d: Tensor | None,
    settings: Adversary,
    feedback: float | None,
    rng: torch.Generator,
) -> dict[str, Tensor]:
    """First the generator, then both discriminators (CameraPose, section 4.3).

    Args:
        networks: model, generator, d2d, d3d.
        paused: discriminators that do not learn now.
        wild_real2d: fully annotated 2D-only poses; their reprojections are fakes for D_2D.
        feedback: None while the lifter is not to be asked; else progress of training, 0 to 1.

    Returns:
        Scalars to watch.
    """
    model, generator = networks["model"], networks["generator"]
    made = generator(pairs.pose3d, pairs.camera.focal, rng)
    loss = (
        settings.d2d * losses.adversarial_loss(networks["d2d"](made.pose2d))
        + settings.d3d * losses.adversarial_loss(networks["d3d"](made.bent3d))
        + settings.range * losses.bone_angle_range_loss(made.cosine_change)
        + settings.range * losses.bone_length_range_loss(made.length_change)
    )
    if feedback is not None:
        loss = loss + feedback_terms(model, pairs, made, settings, feedback)
    update(optimizers["generator"], loss)

    real2d, fake2d = pairs.pose2d, made.pose2d.detach()
    if wild_real2d is not None and settings.wild:
        real2d = torch.cat([real2d, wild_real2d])
    if wild_real2d is not None and settings.reprojected:
        fake2d = torch.cat([fake2d, reprojected(model, wild_real2d)])
    watched = {"generator": loss.detach(), "variety": variety(made.bent3d.detach())}
    for name, real, fake in (
        ("d2d", real2d, fake2d),
        ("d3d", pairs.pose3d, made.bent3d.detach()),
    ):
        network = networks[name]
        both = network(torch.cat([real, fake]))  # no score depends on other rows
        real_scores, fake_scores = both.split([len(real), len(fake)])
        watched[f"{name}_real"] = real_scores.detach().mean()
        watched[f"{name}_fake"] = fake_scores.detach().mean()
        if not paused[name]:
            loss = losses.discriminator_loss(real_scores, fake_scores)
            update(optimizers[name], loss)
    return watched


def reprojected(model: CameraPose, pose2d: Tensor) -> Tensor:
    """x'_2D of Eq. 13: 2D-only poses lifted and projected back, without gradient."""
    training = model.training
    model.eval()
    with torch.no_grad():
        again = model(pose2d, torch.ones_like(pose2d[..., 0])).reprojection
    model.train(training)
    return again


def feedback_terms(
    model: CameraPose, pairs: Poses, made: Generated, settings: Adversary, progress: float
) -> Tensor:
    """Made poses are to be harder for the lifter than their source, but within reason (PoseAug).

    The lifter only judges here: it stands in eval mode and learns nothing.
    """
    training, skeleton = model.training, model.skeleton
    model.eval()

    def errors(pose2d: Tensor, pose3d: Tensor) -> Tensor:
        lifted = model(pose2d, torch.ones_like(pose2d[..., 0])).pose3d
        difference = root_relative(lifted, skeleton) - root_relative(pose3d, skeleton)
        return torch.linalg.vector_norm(difference, dim=-1)

    with torch.no_grad():
        original = errors(pairs.camera.project(pairs.pose3d), pairs.pose3d)
    harder2d = torch.cat([pairs.camera.project(made.bent3d), made.pose2d])
    bent, viewed = errors(harder2d, torch.cat([made.bent3d, made.pose3d])).chunk(2)
    model.train(training)
    (first, last), width = FEEDBACK_ANGLE
    target = first + (last - first) * progress
    view_target, view_width = FEEDBACK_VIEW
    return settings.feedback_angle * losses.feedback_loss(
        original, bent, skeleton, target, width
    ) + settings.feedback_view * losses.feedback_loss(
        original, viewed, skeleton, view_target, view_width
    )


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the gradient, its norm clipped at 1; a step that is not finite is left out.

    Gradients are computed for what the optimiser has and for nothing else that the loss flows
    through. Whether they are finite is decided on the device: nothing waits for the answer.

    Args:
        optimizer: a fused one, which divides gradients by `grad_scale` on the way and leaves
            everything as it is where `found_inf` is 1.
    """
    optimizer.zero_grad(set_to_none=True)
    learning = [p for group in optimizer.param_groups for p in group["params"]]
    loss.backward(inputs=learning)
    sum_gradients(learning)
    norm = nn.utils.get_total_norm([p.grad for p in learning if p.grad is not None], foreach=True)
    optimizer.grad_scale = norm.clamp(min=1.0)
    optimizer.found_inf = (~norm.isfinite()).to(norm.dtype)
    optimizer.step()
