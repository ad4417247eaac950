"""Load the poses of a training run onto the device."""

import inspect
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from camerapose.core import joint_formats, plugins
from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m, mpii
from camerapose.train.config import Config, DataConfig
from camerapose.train.split import split

#: Upper limit of validation poses, evenly spaced.
MAX_VALIDATION_POSES = 2000
#: Number of synthetic poses for validation.
SYNTHETIC_VALIDATION_POSES = 256


class TrainingData(NamedTuple):
    """Poses on the device; 2D in normalised image coordinates, 3D in metres in the camera frame."""

    pairs: Poses
    """2D-3D pairs with clean 2D."""
    detected: Poses | None
    """Real detections for the rows of `pairs`."""
    unlabelled: Poses | None
    """2D-only poses with the confidence of the annotation."""
    complete: Tensor | None
    """Rows of `unlabelled` in which every joint is annotated."""
    validation: Poses | None
    unlabelled_validation: Poses | None


def load(config: Config, device: torch.device) -> TrainingData:
    """Load the data sets of a configuration.

    Raises:
        FileNotFoundError: a data set is missing.
        ValueError: no 2D-3D pairs, or options that exclude each other.
    """
    target = joint_formats.get(config.data.skeleton)
    pairs, detected, validation = _load_pairs(config.data, target, config.seed)
    unlabelled, unlabelled_validation = _load_unlabelled(config, target)
    complete = None
    if unlabelled is not None:
        unlabelled = to_device(unlabelled, device)
        complete = (unlabelled.confidence > 0).all(1).nonzero()[:, 0]
    return TrainingData(
        pairs=to_device(pairs, device),
        detected=detected and to_device(detected, device),
        unlabelled=unlabelled,
        complete=complete,
        validation=validation and to_device(validation, device),
        unlabelled_validation=unlabelled_validation and to_device(unlabelled_validation, device),
    )


def to_device(poses: Poses, device: torch.device) -> Poses:
    """Return poses on the device without labels and with the camera model of the network.

    The network predicts neither lens distortion nor a world frame; the translation of the camera
    becomes the root position.
    """
    camera = poses.camera
    if camera is not None:
        camera = Camera(camera.focal, camera.center, poses.root_position)
    return replace(poses, camera=camera, labels={}, image_size=None).to_torch(device)


def with_clean_2d(poses: Poses) -> Poses:
    """Replace the 2D of pairs by the projection of their 3D, with confidence 1."""
    return replace(poses, pose2d=poses.reprojection, confidence=np.ones_like(poses.confidence))


def _load_pairs(
    data: DataConfig, target: Skeleton, seed: int
) -> tuple[Poses, Poses | None, Poses | None]:
    """Return training pairs, their detections and validation pairs."""
    parts, detected, held_out = [], None, []
    if data.human36m:
        part, detected, valid = _load_human36m(data, target)
        parts.append(part)
        held_out.append(valid)
    if data.synthetic:
        from camerapose.data.datasets import synthetic

        parts.append(synthetic.load(n=data.synthetic, seed=seed, skeleton=target.name))
        if not data.human36m:
            held_out.append(
                synthetic.load(n=SYNTHETIC_VALIDATION_POSES, seed=seed + 1, skeleton=target.name)
            )
    for name, options in data.pairs.items():
        part, subjects = _load_dataset(name, options)
        if part.pose3d is None or part.camera is None:
            raise ValueError(
                f"data.pairs: {name} has no 3D poses with cameras; use data.unlabelled for it"
            )
        train, valid = split(part, subjects, data.validation_share, name)
        clean = with_clean_2d(part.to(target))
        parts.append(clean[train])
        held_out.append(clean[valid])
    if not parts:
        raise ValueError(
            "no 2D-3D pairs to train on: set data.human36m to the folder with data_3d_h36m.npz, "
            "data.pairs to other data sets, or data.synthetic to a number of poses"
        )
    valid = [replace(_thinned(poses), labels={}) for poses in held_out if len(poses)]
    return _joined(parts), detected, _joined(valid) if valid else None


def _load_human36m(data: DataConfig, target: Skeleton) -> tuple[Poses, Poses | None, Poses]:
    """Return training pairs, their detections and validation pairs."""
    root, options = Path(data.human36m), dict(skeleton=target.name, frame_step=data.frame_step)
    subjects = tuple(s for s in data.subjects if s not in data.held_out)
    read = cached(human36m.load, root, subjects=subjects, detections=data.detections, **options)
    detected = None
    if data.detections:
        if data.synthetic or data.pairs:
            raise ValueError(
                "data.detections cannot be combined with data.synthetic or data.pairs; disable one"
            )
        detected = replace(read, pose3d=None, camera=None)
    clean = with_clean_2d(read)
    if data.held_out:
        valid = cached(human36m.load, root, subjects=data.held_out, **options)
        return clean, detected, with_clean_2d(valid)
    train, rows = split(read, (), data.validation_share, "human36m")
    if len(rows) == 0:
        return clean, detected, clean[:0]
    return clean[train], detected and detected[train], clean[rows]


def _load_dataset(name: str, options: Any) -> tuple[Poses, tuple[str, ...]]:
    """Load a data set by name; also return its subjects for validation.

    Args:
        options: its folder, or a table with `root`, `held_out` and options of the data set.
    """
    options = dict(options) if isinstance(options, dict) else {"root": options}
    root, held_out = options.pop("root", None), options.pop("held_out", ())
    if not isinstance(held_out, list | tuple):
        raise ValueError(f"{name}: held_out = {held_out!r}; accepted: a list of subjects")
    dataset = plugins.load("datasets", name)
    known = inspect.signature(dataset.load).parameters
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"data set {name} has no option {unknown[0]!r}; accepted: {', '.join(known)}, held_out"
        )
    poses = cached(dataset.load, None if root is None else Path(root), **options)
    return poses, tuple(map(str, held_out))


def _load_unlabelled(config: Config, target: Skeleton) -> tuple[Poses | None, Poses | None]:
    """Return 2D-only poses for training and for validation; None where there are none."""
    train, valid = _load_mpii(Path(config.data.mpii)) if config.data.mpii else (None, None)
    sets, held_out = [], [] if valid is None else [valid]
    for name, (poses, subjects) in _unlabelled_sets(config.data, train):
        share = config.data.validation_share if name != "mpii" or valid is None else 0.0
        rows, validation = split(poses, subjects, share, name)
        sets.append(poses[rows] if len(validation) else poses)
        held_out += [poses[validation]] if len(validation) else []
    if not sets:
        return None, None

    def usable(poses: Poses) -> Poses:
        annotated = (poses.confidence > 0).sum(1)
        required = config.data.min_joints if config.model.refiner_hidden else math.inf
        required = min(required, poses.skeleton.n_joints)
        return poses[np.flatnonzero(annotated >= required)].to(target)

    parts = [replace(usable(p), pose3d=None, camera=None) for p in sets]
    valid_parts = [replace(_thinned(usable(p)), pose3d=None, camera=None) for p in held_out]
    valid_parts = [replace(p, labels={}, image_size=None) for p in valid_parts if len(p)]
    return _joined(parts), _joined(valid_parts) if valid_parts else None


def _unlabelled_sets(
    data: DataConfig, mpii_train: Poses | None
) -> Iterator[tuple[str, tuple[Poses, tuple[str, ...]]]]:
    """Yield each 2D-only data set with its name and its subjects for validation."""
    if mpii_train is not None:
        yield "mpii", (mpii_train, ())
    for name, options in data.unlabelled.items():
        yield name, _load_dataset(name, options)


def _joined(parts: list[Poses]) -> Poses:
    return Poses.cat(parts) if len(parts) > 1 else parts[0]


def _load_mpii(root: Path) -> tuple[Poses | None, Poses | None]:
    """Return the training and validation split of MPII; None, with a message, if absent."""
    try:
        train = cached(mpii.load, root, split="train")
    except FileNotFoundError as error:
        print(f"training without the 2D-only data of MPII: {error}", file=sys.stderr)
        return None, None
    try:
        return train, cached(mpii.load, root, split="valid")
    except (FileNotFoundError, ValueError):  # the official .mat file has no such split
        print("no valid.json of MPII: no validation on 2D-only poses", file=sys.stderr)
        return train, None


def _thinned(poses: Poses) -> Poses:
    return poses[:: max(1, len(poses) // MAX_VALIDATION_POSES)]
