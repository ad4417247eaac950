"""Rendering and detection for `rendered`, file by file, in several processes."""

import io
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from camerapose.core import joint_formats, plugins
from camerapose.data.datasets.rendered.joints import BONES
from camerapose.io.files import atomic_write

SOURCE = "anny_pairs.npz"
#: Images in one file.
SHARD = 200
#: Change it whenever the same seed gives other images.
VERSION = 1
#: Recordings that are only rendered for the split "test".
HELD_OUT = ("cmu/09/", "cmu/11/", "cmu/90/", "cmu/131/", "fair/fair1/")
SPLITS = ("train", "test")
#: Probability of a second person.
SECOND = 0.3
JPEG_QUALITY = (60, 95)
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")


class Settings(NamedTuple):
    """Arguments of the images."""

    root: str
    out: str
    split: str
    seed: int
    backgrounds: str

    def folder(self) -> Path:
        """Return the folder of the images."""
        name = f"{self.split}-{self.seed}-v{VERSION}"
        if self.backgrounds:
            name += f"-{Path(self.backgrounds).name}"
        return Path(self.out or Path(self.root) / "rendered").expanduser() / name

    def images(self, shard: int) -> Path:
        """Return the file of a shard's images and labels."""
        return self.folder() / "images" / f"{shard:05d}.npz"


class DetectorName(NamedTuple):
    """Plug-in and model (empty: its default)."""

    name: str
    model: str

    def file(self, settings: Settings, shard: int) -> Path:
        """Return the file of a shard's detections."""
        folder = self.name + (f"-{Path(self.model).stem}" if self.model else "")
        return settings.folder() / folder / f"{shard:05d}.npz"


def source_file(root: str | Path) -> Path:
    """Return the file of the postures."""
    path = Path(root).expanduser() / SOURCE
    if not path.is_file():
        raise FileNotFoundError(
            f"no {SOURCE} in {Path(root).absolute()}; it holds the postures to render, see "
            "docs/datasets.md"
        )
    return path


def run(jobs: list, workers: int) -> Iterator[None]:
    """Run `_make` on all jobs; yield after each."""
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            _make(job)
            yield
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        futures = [pool.submit(_make, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


def _make(job: tuple[Settings, DetectorName, int]) -> None:
    """Write the images of a shard unless they exist, and their detections."""
    settings, name, shard = job
    path = settings.images(shard)
    if not path.exists():
        _save(path, _render(settings, shard))
    with np.load(path) as content:
        detections = _detect(name, content)
    _save(name.file(settings, shard), detections)


def _save(path: Path, columns: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez(file, **columns)


class _Postures(NamedTuple):
    bones: np.ndarray
    coco: np.ndarray
    shape: np.ndarray
    clip: np.ndarray
    usable: np.ndarray


@lru_cache(maxsize=1)
def _postures(root: str, split: str) -> _Postures:
    """Return all postures, and the rows of the split."""
    with np.load(source_file(root)) as source:
        clip = source["clips"][source["clip"]]
        held_out = np.char.startswith(clip[:, None], HELD_OUT).any(1)
        usable = np.flatnonzero(held_out == (split == "test"))
        if tuple(source["bone_names"].tolist()) != BONES:
            raise ValueError(f"{source_file(root)} has other bones than {', '.join(BONES)}")
        columns = [source[k].astype(np.float32) for k in ("bones", "coco23", "shape")]
        return _Postures(columns[0], columns[1], columns[2], clip, usable)


@lru_cache(maxsize=1)
def _renderer(backgrounds: str) -> Any:
    import torch

    from camerapose.data.render.bodies import Bodies
    from camerapose.data.render.scene import Renderer

    torch.set_num_threads(1)
    folder = Path(backgrounds).expanduser()
    photos = [p for p in folder.rglob("*") if p.suffix.lower() in PHOTOS] if backgrounds else []
    if backgrounds and not photos:
        raise ValueError(f"no images in {folder.absolute()}; give a folder of photos")
    return Renderer(Bodies(BONES), sorted(photos))


def _render(settings: Settings, shard: int) -> dict[str, np.ndarray]:
    """Return images and labels of a shard; row i of the people belongs to image `image[i]`."""
    postures = _postures(settings.root, settings.split)
    renderer = _renderer(settings.backgrounds)
    random = np.random.default_rng([settings.seed, SPLITS.index(settings.split), shard])
    rows = random.choice(postures.usable, 2 * SHARD)
    shape = postures.shape[random.integers(len(postures.shape), size=2 * SHARD)]
    has_second = random.random(SHARD) < SECOND
    jpegs, people, columns = [], [], []
    for i in range(SHARD):
        pair = rows[[i, SHARD + i]]
        bodies = renderer.bodies.posed(
            shape[[i, SHARD + i]], postures.bones[pair], postures.coco[pair]
        )
        scene = renderer.draw(random, bodies[0], bodies[1] if has_second[i] else None)
        file = io.BytesIO()
        Image.fromarray(scene.image).save(file, "jpeg", quality=int(random.integers(*JPEG_QUALITY)))
        jpegs.append(np.frombuffer(file.getvalue(), np.uint8))
        columns.append((scene.view.focal, scene.view.size))
        for which, person in enumerate(scene.people):
            people.append((i, pair[which], shape[[i, SHARD + i]][which], person))
    return {
        "jpeg": np.concatenate(jpegs),
        "jpeg_end": np.cumsum([len(j) for j in jpegs]),
        "focal": np.array([c[0] for c in columns], np.float32),
        "size": np.array([c[1] for c in columns], np.float32),
        "image": np.array([p[0] for p in people]),
        "source": np.array([p[1] for p in people]),
        "shape": np.array([p[2] for p in people], np.float32),
        "clip": postures.clip[[p[1] for p in people]],
        "coco": np.array([p[3].coco for p in people], np.float32),
        "bones": np.array([p[3].bones for p in people], np.float32),
        "visible": np.array([p[3].visible for p in people], np.uint8),
    }


@lru_cache(maxsize=1)
def _detector(name: DetectorName) -> Any:
    plugin = plugins.load("detectors", name.name)
    arguments = (name.model,) if name.model else ()
    return plugin.Detector(*arguments, max_people=1, threads=1)


def images(content: Any) -> Iterator[np.ndarray]:
    """Yield the images (h, w, 3) of a shard, uint8 RGB."""
    data, ends = content["jpeg"], content["jpeg_end"]
    for start, end in zip(np.append(0, ends[:-1]), ends, strict=True):
        with Image.open(io.BytesIO(data[start:end].tobytes())) as image:
            yield np.asarray(image.convert("RGB"))


def _detect(name: DetectorName, content: Any) -> dict[str, np.ndarray]:
    """Return keypoints and confidence (n, joints, 3) of the most prominent person per image."""
    detector = _detector(name)
    rows = np.zeros(
        (len(content["focal"]), joint_formats.get(detector.skeleton).n_joints, 3), np.float32
    )
    for row, image in zip(rows, images(content), strict=True):
        detector.reset()
        people = detector(image)
        if people:
            row[:] = np.column_stack([people[0].keypoints, people[0].confidence])
    return {"detected": rows, "skeleton": np.array(detector.skeleton)}
