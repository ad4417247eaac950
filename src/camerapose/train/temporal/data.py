"""Clips lifted by the frozen lifter, and batches of windows of them."""

import hashlib
import io
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import trange

from camerapose.core import temporal
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.evaluate.measure import lift
from camerapose.evaluate.models import OnnxModel
from camerapose.io.files import write_bytes
from camerapose.train.temporal.clips import Clip, Clips
from camerapose.train.temporal.config import TemporalConfig

#: Clips that are lifted together.
GROUP = 100
#: Frames of a gap.
GAP_FRAMES = (1, 12)


@dataclass(frozen=True)
class LiftedClips:
    """Clips of equal numbers of frames; at the end of shorter ones, the person is not present.

    Attributes:
        frames: output of the lifter.
        target: true root-relative pose in the camera frame, metres; NaN where unknown.
        focal, center: true camera, normalised units.
        kind: origin of each clip.
    """

    frames: temporal.Frames
    target: Float[np.ndarray, "n t joints 3"]
    focal: Float[np.ndarray, "n t 2"]
    center: Float[np.ndarray, "n t 2"]
    kind: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Inputs of the network, and what it should estimate.

    Attributes:
        window, estimated: inputs of the network.
        pose: lifted poses in the axes of the mean view, to which the output is added.
        target: true poses in these axes, zero where unknown.
        labelled: joints with ground truth, in frames in which the person is present.
        present: the person is detected.
        to_camera: rotation from these axes to the camera.
    """

    window: Float[Tensor, "n padded features"]
    estimated: Float[Tensor, "n t features"]
    pose: Float[Tensor, "n t joints 3"]
    target: Float[Tensor, "n t joints 3"]
    labelled: Tensor
    present: Tensor
    to_camera: Float[Tensor, "n t 3 3"]

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def prepare(
    config: TemporalConfig, model: OnnxModel, path: Path, *, held_out: bool
) -> LiftedClips | None:
    """Return lifted clips; they are kept in a file, and read from it the next time.

    Args:
        config: settings.
        model: the lifter.
        path: .npz file.
        held_out: for validation instead of training.

    Returns:
        None if no subjects are held out.
    """
    if path.exists():
        return _read(path)
    if held_out and not config.data.held_out:
        return None
    source = Clips(config, model.skeleton, held_out)
    rng = np.random.default_rng(config.seed + held_out)
    n = config.data.validation_clips if held_out else config.data.clips
    parts = []
    for first in trange(0, n, GROUP, desc="lifting clips"):
        clips = [source.draw(rng) for _ in range(min(GROUP, n - first))]
        parts.append(_lifted(model, clips, config.data.frames))
    result = _joined(parts)
    _write(result, path)
    return result


def _lifted(model: OnnxModel, clips: list[Clip], length: int) -> LiftedClips:
    """Lift clips, with flip averaging as `Predictor` does."""
    poses = Poses.cat([clip.poses for clip in clips])
    given = Poses(poses.skeleton, poses.pose2d, poses.confidence)
    lifted = lift(model, given.to_torch(), flip_averaging=True).to_numpy()
    assert lifted.camera is not None and poses.camera is not None
    place, _ = temporal.crop(lifted.pose2d, lifted.confidence)
    relative = lifted.pose3d - lifted.root_position[:, None]
    columns = {
        "facing": temporal.facing(relative, place, lifted.camera.focal, lifted.camera.center),
        "pose2d": lifted.pose2d,
        "confidence": lifted.confidence,
        "focal": lifted.camera.focal,
        "center": lifted.camera.center,
        "time": np.concatenate([clip.time for clip in clips]),
        "present": np.ones(len(poses), bool),
        "std": lifted.pose3d_std,
        "target": poses.pose3d - poses.root_position[:, None],
        "true_focal": poses.camera.focal,
        "true_center": poses.camera.center,
    }
    ends = np.cumsum([len(clip.time) for clip in clips])[:-1]
    padded = {
        name: None if column is None else np.stack(
            [_extended(part, length, name == "present") for part in np.split(column, ends)]
        )
        for name, column in columns.items()
    }  # fmt: skip
    kind = np.array([clip.kind for clip in clips])
    return _from_columns(padded | {"kind": kind})


def _extended(column: np.ndarray, length: int, zero: bool) -> np.ndarray:
    """Return a column with its last row (or zero) repeated, in single precision except times."""
    rest = np.repeat(column[-1:], length - len(column), axis=0)
    result = np.concatenate([column, np.zeros_like(rest) if zero else rest])
    return result.astype(np.float32) if result.dtype == np.float64 else result


def _from_columns(columns: dict[str, np.ndarray]) -> LiftedClips:
    names = [field.name for field in fields(temporal.Frames)]
    return LiftedClips(
        temporal.Frames(**{name: columns.get(name) for name in names}),
        columns["target"], columns["true_focal"], columns["true_center"],
        columns["kind"],
    )  # fmt: skip


def _columns(clips: LiftedClips) -> dict[str, np.ndarray]:
    others = {"true_focal": clips.focal, "true_center": clips.center, "target": clips.target}
    others |= {"kind": clips.kind}
    return {name: v for name, v in (vars(clips.frames) | others).items() if v is not None}


def _joined(parts: list[LiftedClips]) -> LiftedClips:
    columns = [_columns(part) for part in parts]
    return _from_columns({name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


def _write(clips: LiftedClips, path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **_columns(clips))
    write_bytes(path, buffer.getvalue())


def _read(path: Path) -> LiftedClips:
    try:
        with np.load(path, allow_pickle=False) as file:
            return _from_columns(dict(file))
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); delete it to lift the clips again"
        ) from error


def draw(
    clips: LiftedClips, config: TemporalConfig, skeleton: Skeleton, rng: np.random.Generator
) -> Batch:
    """Return random windows of random clips: mirrored, with gaps, and of short appearances."""
    lookahead = temporal.LOOKAHEAD["causal" if rng.random() < config.causal else "centred"]
    before, length = temporal.LENGTH - 1 - lookahead, config.frames + temporal.LENGTH - 1
    chosen = rng.integers(len(clips.kind), size=config.batch)
    index = np.empty((config.batch, length), int)
    for row, clip in enumerate(chosen):
        kept = _visible(int(clips.frames.present[clip].sum()), config, rng)
        space = len(kept) - config.frames
        first = rng.integers(min(space, 0), max(space, 0) + 1) - before
        position = first + np.arange(length)
        index[row] = np.where(
            (position >= 0) & (position < len(kept)),
            kept[np.clip(position, 0, len(kept) - 1)],
            np.where(position < 0, kept[0] - 1_000_000, kept[-1] + 1_000_000),
        )
    # frames outside the kept ones repeat the first or last of these, not those of the whole clip
    inside = np.abs(index) < 500_000
    index = np.where(inside, index, np.where(index < 0, index + 1_000_000, index - 1_000_000))
    part = _rows(clips, chosen, index, inside)
    flip = rng.random(config.batch) < 0.5
    return assemble(_mirrored(part, skeleton, flip), lookahead)


def _visible(n: int, config: TemporalConfig, rng: np.random.Generator) -> np.ndarray:
    """Return the frames in which the person is detected."""
    if n > 1 and rng.random() < config.short:
        length = int(rng.integers(1, min(n, temporal.LENGTH)))
        return int(rng.integers(n - length + 1)) + np.arange(length)
    kept = np.ones(n, bool)
    if rng.random() < config.gaps:
        for _ in range(rng.integers(1, 4)):
            first = int(rng.integers(n))
            kept[first : first + int(rng.integers(*GAP_FRAMES))] = False
        kept &= rng.random(n) >= rng.choice([0.0, 0.1])
    return np.flatnonzero(kept) if kept.any() else np.arange(n)


def _rows(
    clips: LiftedClips, chosen: np.ndarray, index: np.ndarray, inside: np.ndarray
) -> LiftedClips:
    columns = {name: value[chosen] for name, value in _columns(clips).items()}
    rows = np.arange(len(chosen))[:, None]
    columns = {n: v if n == "kind" else v[rows, index] for n, v in columns.items()}
    columns["present"] = columns["present"] & inside
    return _from_columns(columns)


def _mirrored(clips: LiftedClips, skeleton: Skeleton, flip: np.ndarray) -> LiftedClips:
    """Return the clips, some of them mirrored."""
    order = list(skeleton.mirror)

    def either(original: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        return np.where(flip.reshape(-1, *[1] * (original.ndim - 1)), mirrored, original)

    def points(values: np.ndarray) -> np.ndarray:
        sign = np.array([-1, 1, 1][: values.shape[-1]], np.float32)
        return either(values, values[:, :, order] * sign)

    def centers(values: np.ndarray) -> np.ndarray:
        return either(values, values * np.array([-1, 1], np.float32))

    old = clips.frames
    frames = replace(
        old, facing=points(old.facing), pose2d=points(old.pose2d), center=centers(old.center),
        confidence=either(old.confidence, old.confidence[:, :, order]),
        std=None if old.std is None else either(old.std, old.std[:, :, order]),
    )  # fmt: skip
    return replace(
        clips, frames=frames, target=points(clips.target), center=centers(clips.center),
    )  # fmt: skip


def whole(clips: LiftedClips, lookahead: int) -> Batch:
    """Return all frames of clips."""
    n, t = clips.frames.time.shape
    index = np.arange(lookahead - temporal.LENGTH + 1, t + lookahead)
    inside = np.broadcast_to((index >= 0) & (index < t), (n, len(index)))
    index = np.broadcast_to(np.clip(index, 0, t - 1), inside.shape)
    return assemble(_rows(clips, np.arange(n), index, inside), lookahead)


def assemble(clips: LiftedClips, lookahead: int) -> Batch:
    """Return the batch of padded clips."""
    features, pose, view = temporal.inputs(clips.frames, lookahead)

    def middle(values: np.ndarray) -> np.ndarray:
        return temporal.outputs(values, lookahead)

    rotation = temporal.rotations(
        *(middle(v).astype(np.float64) for v in (view.place, clips.focal, clips.center))
    )
    target = middle(clips.target) @ rotation
    present = middle(clips.frames.present)
    labelled = np.isfinite(target).all(-1) & present[..., None]

    def tensor(values: np.ndarray) -> Tensor:
        kind = values.dtype if values.dtype == bool else np.float32
        return torch.from_numpy(np.ascontiguousarray(values, kind))

    return Batch(
        tensor(features), tensor(middle(features)), tensor(middle(pose)),
        tensor(np.where(labelled[..., None], target, 0.0)), tensor(labelled),
        tensor(present), tensor(rotation),
    )  # fmt: skip


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
