"""Fine-tune a model on a user's 2D annotations, without 3D labels.

As in CameraPose, annotated people are trained by reprojection (Eqs. 11 and 17). Replayed pairs
prevent forgetting: pairs of Human3.6M, or synthetic poses with the predictions of the initial
model.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from camerapose.core.camera import denormalize
from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses
from camerapose.evaluate import metrics
from camerapose.evaluate.measure import lift
from camerapose.io import keypoints
from camerapose.io.files import make_folder, write_text
from camerapose.io.locks import lock_folder
from camerapose.io.weights import find_weights
from camerapose.models.camerapose import CameraPose
from camerapose.models.checkpoint import load_model, read_header, save_model
from camerapose.models.device import torch_device
from camerapose.models.onnx_export import export_model
from camerapose.train.augmentation import mirror_half, observe
from camerapose.train.config import LossWeights, NoiseConfig, Schedule
from camerapose.train.loss_terms import (
    LossForms,
    ground_truth_weight,
    pair_terms,
    unlabelled_terms,
)
from camerapose.train.replay import human36m_replay, split, synthetic_replay
from camerapose.train.schedule import learning_rate
from camerapose.train.steps import update
from camerapose.view.frames import draw_samples
from camerapose.view.layout import save_figure
from camerapose.view.rows import Row
from camerapose.view.samples import sample_row

#: Annotated people, and replayed pairs, per iteration.
BATCH = 128
#: Default number of iterations: passes over the annotations, within limits.
PASSES, MIN_STEPS, MAX_STEPS = 20, 300, 6000
#: Number of synthetic poses to replay.
SYNTHETIC_POSES = 20_000
#: Share of the replayed pairs that is only used to measure forgetting.
REPLAY_TEST_SHARE = 0.1
#: Number of test people in the figure.
FIGURE_PEOPLE = 4
SCHEDULE = Schedule(epochs=1, batch=BATCH, lr=2e-4, decay="one_cycle")
NOISE = NoiseConfig(clean=0.6, detected=0.0)
FORMS = LossForms(pose="mean_distance")
WEIGHTS = LossWeights(
    refine=1.0, refine_unlabelled=1.0, camera=1.0, reprojection=0.05,
    reprojection_unlabelled=0.5, bone_prior_unlabelled=0.1, d2d_unlabelled=0.0,
)  # fmt: skip


def adapt(
    weights: Path | str,
    annotations: Path | str,
    out: Path | str,
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    unit: str | None = None,
    human36m: Path | str | None = None,
    held_out: float = 0.2,
    steps: int | None = None,
    images: Path | str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Fine-tune a model on 2D annotations and measure it before and after.

    Writes `model.onnx` (prediction), `model.safetensors`, `adapt.json` and `adapt.png`, a figure of
    some test people before and after, into `out`.

    Args:
        weights: name or path, see `camerapose.io.weights.find_weights`.
        annotations: COCO keypoints, or any other file that `io.keypoints` reads.
        skeleton: joint format, if the file does not define it.
        image_size: image size in pixels, if the file does not contain it.
        unit: unit of the coordinates, see `io.keypoints.read`; None: recognised.
        human36m: folder of Human3.6M, to replay its pairs instead of synthetic poses.
        held_out: share of the images for the test data.
        steps: number of iterations; None: depends on the number of annotations.
        images: folder of the annotated images, as background of the figure.

    Returns:
        The content of `adapt.json`: metrics `before` and `after`, on test people and on replayed
        pairs.

    Raises:
        ValueError: `held_out` out of range, or too few people.
        FileNotFoundError: an image is missing in `images`.
        OSError: another process uses `out`, or it cannot be written.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out = {held_out}; accepted: a number between 0 and 1, such as 0.2")
    path = find_weights(weights, (".safetensors",))
    model = load_model(path)
    people = keypoints.read(annotations, skeleton=skeleton, image_size=image_size, unit=unit)
    train, test = split(people.to(model.skeleton), held_out, seed)
    if human36m is None:
        pairs = synthetic_replay(model, SYNTHETIC_POSES, seed)
    else:
        pairs = human36m_replay(human36m, model.skeleton.name)
    n_replay_test = int(len(pairs) * REPLAY_TEST_SHARE)
    device = torch_device("auto")
    model.to(device)
    train, test, replay, replay_test = (
        p.to_torch(device) for p in (train, test, pairs[n_replay_test:], pairs[:n_replay_test])
    )
    with lock_folder(make_folder(out)):
        before, rows_before = (
            measure(model, test, replay_test),
            _rows(model, test, images, "before"),
        )
        tune(model, train, replay, steps=steps, seed=seed)
        after = measure(model, test, replay_test)
        rows_after = _rows(model, test, images, "after")
        result = {
            "weights": path.name,
            "annotations": Path(annotations).name,
            "trained_on": len(train),
            "tested_on": len(test),
            "replay": "synthetic poses" if human36m is None else "Human3.6M",
            "before": before,
            "after": after,
        }
        _save(model, path, Path(out), result)
        rows = [row for pair in zip(rows_before, rows_after, strict=True) for row in pair]
        save_figure(draw_samples(rows), Path(out) / "adapt.png")
        return result


def tune(
    model: CameraPose, people: Poses, replay: Poses, *, steps: int | None = None, seed: int = 0
) -> None:
    """Train on annotated people and replayed pairs, with frozen batch norm.

    Args:
        people: 2D-only poses.
        replay: 2D-3D pairs.
        steps: number of iterations; None: `PASSES` over the annotations.
    """
    rng = torch.Generator(people.pose2d.device).manual_seed(seed)
    if steps is None:
        steps = int(np.clip(PASSES * len(people) / BATCH, MIN_STEPS, MAX_STEPS))
    optimizer = torch.optim.AdamW(model.parameters(), lr=SCHEDULE.lr, weight_decay=0.0, fused=True)
    model.eval()  # the statistics of batch norm must not follow a few people
    for step in tqdm(range(steps), desc="adapt", unit="it", disable=None):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(SCHEDULE, step / steps)
        unlabelled, pairs = (mirror_half(_draw(p, rng))[0] for p in (people, replay))
        unlabelled2d, unlabelled_confidence = observe(unlabelled, None, NOISE, rng)
        pairs2d, pairs_confidence = observe(pairs, None, NOISE, rng)
        lifted = model(
            torch.cat([pairs2d, unlabelled2d]),
            torch.cat([pairs_confidence, unlabelled_confidence]),
        )
        n = len(pairs)
        terms = pair_terms(lifted.rows(slice(n)), pairs_confidence, pairs, WEIGHTS, FORMS)
        terms |= unlabelled_terms(
            lifted.rows(slice(n, None)), unlabelled_confidence, unlabelled, {}, WEIGHTS
        )
        update(optimizer, sum(terms.values()))


def measure(model: CameraPose, people: Poses, replay: Poses) -> dict[str, float]:
    """Return mean errors of the model.

    Args:
        people: 2D-only poses; reprojection error in pixels (normalised without image size), shares
            of implausible bone lengths and of asymmetry.
        replay: 2D-3D pairs; MPJPE in millimetres.
    """
    predicted, skeleton = lift(model, people), model.skeleton
    reprojection, annotated = predicted.reprojection, people.pose2d
    if people.image_size is not None:
        reprojection, annotated = (
            denormalize(p, people.image_size) for p in (reprojection, annotated)
        )
    error = metrics.reprojection_error(reprojection, annotated, ground_truth_weight(people))
    body = root_relative(lift(model, replay).pose3d, skeleton)
    return {
        "reprojection_error": _mean(error),
        "implausible_bones": _mean(metrics.implausible_bones(predicted.pose3d, skeleton)),
        "asymmetry": _mean(metrics.asymmetry(predicted.pose3d, skeleton)),
        "replay_mpjpe": 1000 * _mean(metrics.mpjpe(body, root_relative(replay.pose3d, skeleton))),
    }


def _rows(model: CameraPose, people: Poses, images: Path | str | None, title: str) -> list[Row]:
    """Return rows of the figure for some evenly spaced people."""
    chosen = np.unique(np.linspace(0, len(people) - 1, FIGURE_PEOPLE).astype(int))
    lifted = lift(model, people[chosen]).to_numpy()
    folder = None if images is None else Path(images)
    rows = [sample_row(lifted[[i]], folder) for i in range(len(chosen))]
    return [row._replace(title=title) for row in rows]


def _save(model: CameraPose, source: Path, out: Path, result: dict[str, Any]) -> None:
    """Write graph, weights and metrics; the licence is that of the initial weights."""
    out.mkdir(parents=True, exist_ok=True)
    config, card, license = read_header(source)
    card = card | {"adapted": result}
    model.cpu()
    save_model(model, out / "model.safetensors", config, card, license=license)
    export_model(model, out / "model.onnx", card, license=license)
    write_text(out / "adapt.json", json.dumps(result, indent=1) + "\n")


def _mean(values: Tensor) -> float:
    return float(values.double().mean())


def _draw(poses: Poses, rng: torch.Generator) -> Poses:
    device = poses.pose2d.device
    return poses[torch.randint(len(poses), (BATCH,), generator=rng, device=device)]
