"""Detections of a real 2D detector on rendered bodies, with true 2D, 3D and cameras.

Postures are read from `ROOT/anny_pairs.npz` (recorded frames on `anny` bodies, see
docs/datasets.md); each image shows one or two of them on random bodies with random clothes, lights,
backgrounds and cameras (`camerapose.data.render`). Images, labels and detections are kept in
`ROOT/rendered` (or `out`) in files of `SHARD` images, so that an interrupted run resumes, a larger
`n` adds images, and another detector uses the same images. Rendering needs
`pip install camerapose[rendered]`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from tqdm import tqdm

from camerapose.core import joint_formats, plugins
from camerapose.core.camera import Camera, normalize
from camerapose.core.poses import Poses
from camerapose.data.datasets.rendered.content import (
    COCO_23,
    Rendered,
    concatenate,
    read_shard,
)
from camerapose.data.datasets.rendered.joints import superset
from camerapose.data.datasets.rendered.production import (
    SHARD,
    SPLITS,
    DetectorName,
    Settings,
    run,
    source_file,
)

#: Options that do not change the result, and are not part of the cache key.
UNCACHED_OPTIONS = ("workers",)


def load(
    root: str | Path,
    *,
    detector: str = "blazepose",
    model: str = "",
    n: int = 2000,
    split: str = "train",
    seed: int = 0,
    out: str = "",
    backgrounds: str = "",
    workers: int = 1,
    excluded: Sequence[str] = (),
) -> Poses:
    """Render images, run a detector, and return its detections with true 3D and cameras.

    Args:
        root: folder of `anny_pairs.npz`.
        detector: name of a detector plug-in.
        model: model of the detector; empty: its default.
        n: number of images, rounded up to a multiple of `SHARD`.
        split: "train" or "test" (the recordings `HELD_OUT`).
        seed: of everything random; the first images of a larger `n` are the same.
        out: folder of images and detections; empty: `root/rendered`.
        backgrounds: folder of photos to use as backgrounds; empty: procedural backgrounds.
        workers: number of processes.
        excluded: "source/subject" to leave out of the result, such as "cmu/05".

    Returns:
        Poses of the people who were detected, in `body_46`. `pose2d` and `confidence` are the
        detections (confidence 0 for joints that the detector lacks), `pose3d` and `camera` the
        ground truth, whose 2D is `camera.project(pose3d)`. Labels: subject and action of the
        recording, image, visible (two bits for each of `COCO_23`, `unpack_visible`).

    Raises:
        FileNotFoundError: no `anny_pairs.npz`.
        ImportError: images must be rendered and `anny` is not installed.
        ValueError: an option is invalid.
    """
    raw = read(
        root, detector=detector, model=model, n=n, split=split, seed=seed, out=out,
        backgrounds=backgrounds, workers=workers,
    )  # fmt: skip
    poses = to_poses(raw)
    return poses[~np.isin(poses.labels["subject"], list(excluded))] if excluded else poses


def to_poses(raw: Rendered) -> Poses:
    """Return the matched people as poses in `body_46`."""
    rows = np.flatnonzero(raw.matched)
    size = raw.size[rows]
    focal = raw.focal[rows] * 2 / size[:, 0]
    pose3d = superset(raw.coco[rows], raw.bones[rows])
    camera = Camera(
        np.repeat(focal[:, None], 2, 1).astype(np.float32),
        np.zeros((len(rows), 2), np.float32),
        pose3d[:, joint_formats.BODY_46.root_index].copy(),
    )
    detected = Poses(
        joint_formats.get(raw.skeleton),
        normalize(raw.detected[rows, :, :2], size).astype(np.float32),
        raw.detected[rows, :, 2],
    ).to(joint_formats.BODY_46)
    return Poses(
        skeleton=joint_formats.BODY_46,
        pose2d=detected.pose2d,
        confidence=detected.confidence,
        pose3d=pose3d,
        camera=camera,
        image_size=size,
        labels={
            "subject": np.array([clip.rpartition("/")[0] for clip in raw.clip[rows].tolist()], str),
            "action": np.array([clip.rpartition("/")[2] for clip in raw.clip[rows].tolist()], str),
            "image": rows.astype(np.int64),
            "visible": _pack_visible(raw.visible[rows]),
        },
    )


def read(
    root: str | Path,
    *,
    detector: str = "blazepose",
    model: str = "",
    n: int = 2000,
    split: str = "train",
    seed: int = 0,
    out: str = "",
    backgrounds: str = "",
    workers: int = 1,
) -> Rendered:
    """Return the raw content, rendering and detecting what is missing. Arguments as for `load`."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of rendered; give {' or '.join(SPLITS)}")
    if n < 1 or workers < 1:
        raise ValueError(f"n is {n} and workers is {workers}; give 1 or more")
    if detector not in (known := plugins.available("detectors")):
        raise ValueError(f"unknown detector {detector!r}; available: {', '.join(known)}")
    settings = Settings(str(root), out, split, seed, backgrounds)
    name = DetectorName(detector, model)
    shards = range(-(-n // SHARD))
    missing = [s for s in shards if not name.file(settings, s).exists()]
    if missing:
        files(root)
    jobs = [(settings, name, shard) for shard in missing]
    total = len(shards) * SHARD
    done = total - len(jobs) * SHARD
    with tqdm(total=total, initial=done, unit="image", disable=None if jobs else True) as bar:
        for _ in run(jobs, workers):
            bar.update(SHARD)
    return concatenate(
        [read_shard(settings.images(shard), name.file(settings, shard)) for shard in shards]
    )


def files(root: str | Path, **_: Any) -> list[Path]:
    """Return the file of the postures."""
    return [source_file(root)]


def unpack_visible(packed: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 23"]:
    """Return 0 (outside of the image), 1 (hidden) or 2 (visible) for each joint of `COCO_23`."""
    return (packed[:, None] >> (2 * np.arange(COCO_23.n_joints))) & 3


def _pack_visible(visible: np.ndarray) -> np.ndarray:
    return (visible.astype(np.int64) << (2 * np.arange(COCO_23.n_joints))).sum(1)
