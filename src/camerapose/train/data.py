"""What the stages learn from: 2D-3D pairs and 2D-only poses, as big `Poses` on the device."""

import inspect
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from camerapose.core import formats, plugins
from camerapose.core.camera import Camera
from camerapose.core.geometry import constant
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.augment.detector_noise import detect
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m, mpii
from camerapose.models.crop import VirtualCamera
from camerapose.train.config import Config, Noise

#: A 2D-only person with fewer annotated joints than this is not learned from. Without a
#: refinement network, which guesses missing joints, it takes them all.
FEWEST_JOINTS = 8
#: Interpolated joints that no straight line between others goes through: they have no 2D truth.
GUESSED = ("spine",)
#: Validation looks at no more than so many poses, evenly spread.
VALIDATION_POSES = 2000


class TrainingData(NamedTuple):
    """Everything on the device. `detected` has the rows of `pairs`; `wild` is 2D only, its
    confidences are those of the annotation."""

    pairs: Poses
    detected: Poses | None
    wild: Poses | None
    complete: Tensor | None  # rows of `wild` with every joint annotated
    validation: Poses | None
    wild_validation: Poses | None


def load(config: Config, device: torch.device) -> TrainingData:
    """Read what the configuration names. FileNotFoundError says what is missing and where."""
    target = formats.get(config.data.skeleton)
    learned = tuple(s for s in config.data.subjects if s not in config.data.held_out)
    parts, detected, validation = [], None, None
    if config.data.human36m:
        options = dict(skeleton=target.name, frame_step=config.data.frame_step)
        read = _human36m(config.data.human36m)
        found = read(subjects=learned, detections=config.data.detections, **options)
        parts.append(exact(found))
        if config.data.detections:
            if config.data.synthetic or config.data.pairs:
                raise ValueError(
                    "data.detections can't be used together with data.synthetic or data.pairs yet"
                )
            detected = _on(replace(found, pose3d=None, camera=None), device)
        if config.data.held_out:
            validation = _few(read(subjects=config.data.held_out, **options))
    if config.data.synthetic:
        from camerapose.data.datasets import synthetic

        made = synthetic.load(n=config.data.synthetic, seed=config.seed, skeleton=target.name)
        parts.append(made)
        if validation is None:
            validation = synthetic.load(n=256, seed=config.seed + 1, skeleton=target.name)
    for name, where in config.data.pairs.items():
        found = _of_plugin(name, where)
        if found.pose3d is None or found.camera is None:
            raise ValueError(f"data.pairs: {name} has no 3D with cameras; name it in data.wild")
        parts.append(exact(found.to(target)))
    if not parts:
        raise ValueError(
            "nothing to learn 3D from: set data.human36m to the folder with data_3d_h36m.npz, "
            "data.pairs to other data sets, or data.synthetic to a number of made poses"
        )
    wild, wild_validation = _wild(config, target)
    complete = None
    if wild is not None:
        wild = _on(wild, device)
        complete = (wild.confidence > 0).all(1).nonzero()[:, 0]
    return TrainingData(
        pairs=_on(Poses.cat(parts) if len(parts) > 1 else parts[0], device),
        detected=detected,
        wild=wild,
        complete=complete,
        validation=validation and _on(validation, device),
        wild_validation=wild_validation and _on(wild_validation, device),
    )


def exact(poses: Poses) -> Poses:
    """The same rows with the exact projection as 2D, whatever 2D was read."""
    return replace(poses, pose2d=poses.reprojection, confidence=np.ones_like(poses.confidence))


def _human36m(root: str):
    return lambda **options: cached(human36m.load, Path(root), **options)


def _of_plugin(name: str, where: Any) -> Poses:
    """A data set by the name of its file; `where` is its folder, or a table with `root`."""
    options = dict(where) if isinstance(where, dict) else {"root": where}
    root = options.pop("root", None)
    adapter = plugins.load("datasets", name)
    known = inspect.signature(adapter.load).parameters
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"data set {name} has no option {unknown[0]!r}; it has {', '.join(known)}")
    return cached(adapter.load, None if root is None else Path(root), **options)


def _wild(config: Config, target: Skeleton) -> tuple[Poses | None, Poses | None]:
    """People with 2D alone to learn from, and MPII's valid people; None where there are none."""
    learned, valid = _mpii(config) if config.data.mpii else (None, None)
    sets = [] if learned is None else [learned]
    sets += [_of_plugin(name, where) for name, where in config.data.wild.items()]

    def usable(poses: Poses) -> Poses:
        seen = poses.confidence > 0
        if config.model.refiner_hidden:
            return poses[np.flatnonzero(seen.sum(1) >= FEWEST_JOINTS)].to(target)
        return poses[np.flatnonzero(seen.all(1))].to(target)

    if not sets:
        return None, None
    few = [replace(usable(p), pose3d=None, camera=None) for p in sets]
    together = Poses.cat(few) if len(few) > 1 else few[0]
    return together, None if valid is None else _few(usable(valid))


def _mpii(config: Config) -> tuple[Poses | None, Poses | None]:
    """Train and valid people; None, said in words, where they are not to be had."""
    root = Path(config.data.mpii)
    try:
        learned = cached(mpii.load, root, split="train")
    except FileNotFoundError as error:
        print(f"training without 2D-only data of MPII: {error}", file=sys.stderr)
        return None, None
    try:
        return learned, cached(mpii.load, root, split="valid")
    except (FileNotFoundError, ValueError):  # the official .mat has no such split
        print("MPII without valid.json: nothing to validate 2D-only data on", file=sys.stderr)
        return learned, None


def _few(poses: Poses) -> Poses:
    return poses[:: max(1, len(poses) // VALIDATION_POSES)]


def _on(poses: Poses, device: torch.device) -> Poses:
    """On the device, without labels, and with the camera as a network can say it: no distortion
    (seven numbers have none), no world."""
    camera = poses.camera
    if camera is not None:
        root = poses.root_position
        camera = Camera(camera.focal, camera.center, root)
    return replace(poses, camera=camera, labels={}, image_size=None).to_torch(device)


def mirror_half(poses: Poses, *others: Poses | None) -> list[Poses | None]:
    """The first half of each batch mirrored. Rows are shuffled, so every pose is, half the time."""
    half = len(poses) // 2
    return [p and Poses.cat([p[:half].mirror(), p[half:]]) for p in (poses, *others)]


def observe(
    exact: Poses, detected: Poses | None, noise: Noise, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What a detector would have given: exact, really detected or noisy 2D, with confidence."""
    view = VirtualCamera.on(exact.pose2d, exact.confidence)
    noisy, confidence = detect(
        view.enter(exact.pose2d),
        exact.confidence,
        exact.skeleton,
        noise.level,
        noise.missing,
        noise.made,
        noise.cut,
        noise.definitions,
        generator,
    )
    pose2d = view.leave(noisy)
    lot = torch.rand(len(exact), 1, generator=generator, device=pose2d.device)
    if detected is not None:
        real = lot < noise.exact + noise.detected
        pose2d = torch.where(real[..., None], detected.pose2d, pose2d)
        confidence = torch.where(real, detected.confidence, confidence)
    as_is = lot < noise.exact
    pose2d = torch.where(as_is[..., None], exact.pose2d, pose2d)
    return pose2d, torch.where(as_is, exact.confidence, confidence)


def _known(skeleton: Skeleton) -> list[float]:
    return [float(joint not in GUESSED) for joint in skeleton.joints]


def truth_weight(poses: Poses) -> Tensor:
    """Weight of each joint's 2D as truth: its confidence, but 0 for joints that are guessed."""
    weight = constant(_known, poses.skeleton, poses.confidence.device, torch.float32)
    # a set in whose format the joint exists gives it in full
    return torch.where(poses.confidence < 1, poses.confidence * weight, poses.confidence)
