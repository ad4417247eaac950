"""Tune a model with a user's own 2D annotations, without any 3D label.

CameraPose's idea handed on: annotated people teach by reprojection (Eqs. 11 and 17), while a
replay keeps the old skill. The replay is of given pairs, or of made bodies of which the model is
to go on saying what it said before.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from camerapose.core.camera import Camera, denormalize
from camerapose.core.geometry import root_relative
from camerapose.core.poses import Poses
from camerapose.evaluate import metrics
from camerapose.evaluate.measure import lift
from camerapose.io.files import write_text
from camerapose.io.weights import find_weights
from camerapose.models.camerapose import CameraPose
from camerapose.models.checkpoint import load_model, read_header, save_model
from camerapose.models.onnx_export import export_model
from camerapose.train.config import Noise, Schedule, Weights
from camerapose.train.data import FEWEST_JOINTS, mirror_half, observe, truth_weight
from camerapose.train.steps import pair_terms, update, wild_terms
from camerapose.train.trainer import learning_rate
from camerapose.view.frames import draw_samples
from camerapose.view.layout import save_figure
from camerapose.view.rows import Row
from camerapose.view.samples import sample_row

#: Of both kinds of poses in an iteration.
BATCH = 128
#: Iterations: so many passes over the annotations, within these bounds.
PASSES, FEWEST_STEPS, MOST_STEPS = 20, 300, 6000
#: Made bodies that are replayed where no pairs are given.
MADE_BODIES = 20_000
#: Held-out people that are drawn.
SHOWN = 4
SCHEDULE = Schedule(epochs=1, batch=BATCH, lr=2e-4, decay="one_cycle")
WEIGHTS = Weights(
    distance=True, refine=1.0, refine_wild=1.0, camera=1.0, reprojection=0.05,
    reprojection_wild=0.5, prior_wild=0.1, d2d_wild=0.0,
)  # fmt: skip


def adapt(
    weights: Path | str,
    annotations: Path | str,
    out: Path | str,
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    human36m: Path | str | None = None,
    held_out: float = 0.2,
    steps: int | None = None,
    images: Path | str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Tune a model on annotations, measure it before and after, and write the new one.

    Writes `model.onnx` (for `Predictor`), `model.safetensors`, `adapt.json` and a picture of some
    held-out people before and after, `adapt.png`, into `out`.

    Args:
        weights: name or path, see `camerapose.io.weights.find_weights`.
        annotations: COCO keypoints or whatever `datasets.keypoints` reads.
        skeleton, image_size: where the file does not say them.
        human36m: its folder, to replay true pairs instead of made bodies.
        held_out: share of the images on which it is measured and from which nothing is learned.
        steps: iterations; None: by the number of annotations.
        images: folder of the annotated images, to draw people on.

    Returns:
        What `adapt.json` holds: the measures `before` and `after`, on held-out people and on the
        replay.

    Raises:
        ValueError: too few people to learn from and to measure on.
        FileNotFoundError: an image to draw on is not in `images`.
    """
    from camerapose.io import keypoints

    if not 0 < held_out < 1:
        raise ValueError(f"held_out is {held_out}; give a share between 0 and 1, such as 0.2")
    path = find_weights(weights, (".safetensors",))
    model = load_model(path)
    people = keypoints.read(annotations, skeleton=skeleton, image_size=image_size)
    learned, tested = split(people.to(model.skeleton), held_out, seed)
    if human36m is None:
        pairs = made_bodies(model, seed)
    else:
        pairs = real_pairs(human36m, model.skeleton.name)
    replayed, watched = pairs[len(pairs) // 10 :], pairs[: len(pairs) // 10]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    learned, tested, replayed, watched = (
        p.to_torch(device) for p in (learned, tested, replayed, watched)
    )
    before, pictured = measures(model, tested, watched), [shown(model, tested, images, "before")]
    tune(model, learned, replayed, steps=steps, seed=seed)
    after = measures(model, tested, watched)
    pictured.append(shown(model, tested, images, "after"))
    found = {
        "weights": path.name,
        "annotations": Path(annotations).name,
        "learned_from": len(learned),
        "measured_on": len(tested),
        "replay": "made bodies" if human36m is None else "Human3.6M",
        "before": before,
        "after": after,
    }
    _save(model, path, Path(out), found)
    together = [row for pair in zip(*pictured, strict=True) for row in pair]
    save_figure(draw_samples(together), Path(out) / "adapt.png")
    return found


def shown(model: CameraPose, people: Poses, images: Path | str | None, when: str) -> list[Row]:
    """Rows of a picture: what the model makes of some people, evenly spread."""
    some = np.unique(np.linspace(0, len(people) - 1, SHOWN).astype(int))
    lifted = lift(model, people[some]).to_numpy()
    rows = [
        sample_row(lifted[[i]], None if images is None else Path(images)) for i in range(len(some))
    ]
    return [row._replace(title=when) for row in rows]


def split(people: Poses, held_out: float, seed: int) -> tuple[Poses, Poses]:
    """People to learn from and to measure on, apart by image; those hardly annotated left out."""
    enough = (people.confidence > 0).sum(1) >= FEWEST_JOINTS
    people = people[np.flatnonzero(enough)]
    images = people.labels.get("image", np.array([""] * len(people)))
    if len(set(images)) == 1:  # images without names: each frame is one
        images = people.labels.get("frame", np.arange(len(people)))
    names = np.unique(images)
    aside = np.random.default_rng(seed).permutation(names)[: max(1, round(held_out * len(names)))]
    tested = np.isin(images, aside)
    if tested.all() or len(people) - tested.sum() < 2:
        raise ValueError(
            f"{len(people)} people with at least {FEWEST_JOINTS} joints in {len(names)} images are "
            "too few to learn from some and measure on others; annotate more"
        )
    return people[np.flatnonzero(~tested)], people[np.flatnonzero(tested)]


def made_bodies(model: CameraPose, seed: int, n: int = MADE_BODIES) -> Poses:
    """Made bodies with what the model says of them now, which it is to go on saying."""
    from camerapose.data.datasets import synthetic

    made = synthetic.load(n=n, seed=seed, skeleton=model.skeleton.name).to_torch()
    said = lift(model, made)
    camera = Camera(said.camera.focal, said.camera.center, said.root_position)
    return replace(made, pose3d=said.pose3d, camera=camera).to_numpy()


def real_pairs(root: Path | str, skeleton: str) -> Poses:
    """Every 20th frame of Human3.6M's training subjects, shuffled."""
    from camerapose.data.cache import cached
    from camerapose.data.datasets import human36m

    pairs = cached(human36m.load, Path(root), frame_step=20, skeleton=skeleton)
    pairs = pairs[np.random.default_rng(0).permutation(len(pairs))]
    camera = replace(pairs.camera, distortion=None)
    return replace(pairs, camera=camera, pose2d=camera.project(pairs.pose3d))


def tune(
    model: CameraPose, people: Poses, replay: Poses, *, steps: int | None = None, seed: int = 0
) -> None:
    """Learn from people and replay, side by side, with the statistics of batch norm kept."""
    rng = torch.Generator(people.pose2d.device).manual_seed(seed)
    if steps is None:
        steps = int(np.clip(PASSES * len(people) / BATCH, FEWEST_STEPS, MOST_STEPS))
    noise = Noise(exact=0.6, detected=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=SCHEDULE.lr, weight_decay=0.0, fused=True)
    model.eval()  # people of one kind must not move what batch norm has seen of all
    for step in tqdm(range(steps), desc="adapt", unit="it", disable=None):
        rate = learning_rate(SCHEDULE, step / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        wild, pairs = (mirror_half(_draw(p, rng))[0] for p in (people, replay))
        seen, sure = observe(wild, None, noise, rng)
        exact, certain = observe(pairs, None, noise, rng)
        lifted = model(torch.cat([exact, seen]), torch.cat([certain, sure]))
        n = len(pairs)
        terms = pair_terms(lifted.rows(slice(n)), certain, pairs, WEIGHTS)
        terms |= wild_terms(lifted.rows(slice(n, None)), sure, wild, {}, WEIGHTS)
        update(optimizer, sum(terms.values()))


def measures(model: CameraPose, people: Poses, replay: Poses) -> dict[str, float]:
    """Of people reprojection (pixels), odd bones, asymmetry (shares); of the replay MPJPE (mm)."""
    found = lift(model, people)
    again, given = found.reprojection, people.pose2d
    if people.image_size is not None:
        again, given = (denormalize(p, people.image_size) for p in (again, given))
    error = metrics.reprojection_error(again, given, truth_weight(people))
    skeleton = model.skeleton
    body = root_relative(lift(model, replay).pose3d, skeleton)
    return {
        "reprojection_error": _mean(error),
        "implausible_bones": _mean(metrics.implausible_bones(found.pose3d, skeleton)),
        "asymmetry": _mean(metrics.asymmetry(found.pose3d, skeleton)),
        "replay_mpjpe": 1000 * _mean(metrics.mpjpe(body, root_relative(replay.pose3d, skeleton))),
    }


def _save(model: CameraPose, source: Path, out: Path, found: dict[str, Any]) -> None:
    """Graph, weights and numbers, with the licence of the weights that it began from."""
    out.mkdir(parents=True, exist_ok=True)
    settings, card, license = read_header(source)
    card = card | {"adapted": found}
    model.cpu()
    save_model(model, out / "model.safetensors", settings, card, license=license)
    export_model(model, out / "model.onnx", card, license=license)
    write_text(out / "adapt.json", json.dumps(found, indent=1) + "\n")


def _mean(values: Tensor) -> float:
    return float(values.double().mean())


def _draw(poses: Poses, rng: torch.Generator) -> Poses:
    device = poses.pose2d.device
    return poses[torch.randint(len(poses), (BATCH,), generator=rng, device=device)]
