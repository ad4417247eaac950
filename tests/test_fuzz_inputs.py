"""Mutated inputs of prediction and training: read, or refused in one line, quickly.

Seeds are fixed; the message of a failure names the one that causes it. See `mutations.seeds` for
other numbers of mutations.
"""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from helpers import keypoint_writers, miniatures
from helpers.fakes import PERSON, write_video
from helpers.mutations import limits, mutate_bytes, mutate_tree, seeds
from helpers.paths import ROOT
from PIL import Image

from camerapose.core import joint_formats
from camerapose.core.poses import Poses
from camerapose.data.readers import matlab
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.infer.predictor import Predictor
from camerapose.io import keypoints
from camerapose.io.source import Source
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import load_model, save_model
from camerapose.models.config import ModelConfig
from camerapose.train import config_io
from camerapose.train.checkpoint import Checkpoint, write_state
from camerapose.train.config import Config
from camerapose.train.monitor import AdversarialMonitor
from camerapose.train.progress import Progress

MUTATIONS, KEYPOINT_MUTATIONS = 40, 8
SKELETON = """name = "x"
joints = ["pelvis", "right_hip:pelvis", "left_hip:pelvis"]
derived.c = {right_hip = 0.5, left_hip = 0.5}
"""


def read_keypoints(path):
    return keypoints.read(path, image_size=(640, 480))


def read_matlab(path):
    return matlab.read_mat(path, ["matrix", "cells"])


def read_frames(path):
    return list(Source.open(path).frames())


def read_checkpoint(path):
    monitor = AdversarialMonitor({}, {})
    return Checkpoint(path.parent, Progress(), {}, {}, monitor, torch.Generator()).load()


READERS = {
    "coco.json": read_keypoints,
    "poses.json": read_keypoints,
    "poses.npz": read_keypoints,
    "archive.npz": Poses.load,
    "config.toml": config_io.read,
    "skeleton.toml": lambda path: joint_formats.get(str(path)),
    "model.onnx": lambda path: Predictor(path, threads=1),
    "model.safetensors": load_model,
    "training.pt": read_checkpoint,
    "v5.mat": read_matlab,
    "v7.mat": read_matlab,
    **{f"a.{suffix}": read_frames for suffix in ("png", "jpg", "tiff", "gif", "mp4")},
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory, graph):
    """Contents of undamaged files by name."""
    folder = tmp_path_factory.mktemp("intact")
    people = [
        {"id": i, "image_id": 1, "category_id": 1,
         "keypoints": np.c_[PERSON + i, np.full(17, 2)].ravel().tolist()}
        for i in range(3)
    ]  # fmt: skip
    (folder / "coco.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],
        "categories": [
            {"id": 1, "name": "person", "keypoints": list(joint_formats.get("coco_17").joints)}
        ],
        "annotations": people,
    }))  # fmt: skip
    options = PredictOptions(figure=False, weights=graph)
    predict(ROOT / "src/camerapose/samples/demo_keypoints.npz", folder, options, progress=False)
    (folder / "archive.npz").write_bytes((folder / "poses.npz").read_bytes())
    (folder / "config.toml").write_text(config_io.to_toml(Config()))
    (folder / "skeleton.toml").write_text(SKELETON)
    (folder / "model.onnx").write_bytes(graph.read_bytes())
    sizes = ModelConfig("mlp", {"width": 16}, 16, 16, 1)
    save_model(
        build(joint_formats.get("h36m_16"), **dataclasses.asdict(sizes)),
        folder / "model.safetensors",
        sizes,
    )
    state = {
        "progress": {"epoch": 1}, "networks": {}, "optimizers": {}, "log_sizes": {},
        "monitor": AdversarialMonitor({}, {}).state_dict(),
        "random": {
            "rng": torch.Generator().get_state(), "torch": torch.get_rng_state(), "cuda": [],
        },
    }  # fmt: skip
    write_state(state, folder / "training.pt")
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    image = Image.fromarray(noise)
    for suffix in ("png", "jpg", "tiff"):
        image.save(folder / f"a.{suffix}")
    image.save(folder / "a.gif", save_all=True, append_images=[image.rotate(90)] * 3)
    write_video(folder / "a.mp4", 8)
    for v73 in (False, True):
        values = {"matrix": np.eye(3), "cells": [np.eye(2), np.ones((1, 3))]}
        miniatures.save_mat(folder / f"v{7 if v73 else 5}.mat", v73, **values)
    return {name: (folder / name).read_bytes() for name in READERS}


def refusal(read, path, seed):
    """Return the message with which a file is refused; None if it is read."""
    with limits(f"seed {seed}"):
        try:
            read(path)
        except (ValueError, OSError) as error:
            assert str(error) and "\n" not in str(error), f"seed {seed}: {error}"
            return str(error)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_mutations(name, intact, tmp_path):
    refused = 0
    random_state = torch.get_rng_state()
    for seed in seeds(MUTATIONS):
        rng = np.random.default_rng([seed, sum(map(ord, name))])
        content, path = intact[name], tmp_path / name
        if name.endswith(".json") and rng.random() < 0.6:
            try:
                content = json.dumps(mutate_tree(rng, json.loads(content))).encode()
            except ValueError:  # a lone surrogate
                content = mutate_bytes(rng, content)
        else:
            content = mutate_bytes(rng, content)
        path.write_bytes(content)
        refused += refusal(READERS[name], path, seed) is not None
    torch.set_rng_state(random_state)
    assert refused


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poses.npz", "archive.npz"])
def test_mutated_archives_have_all_poses_or_are_refused(name, intact, tmp_path):
    """Members of archives have checksums."""
    path = tmp_path / name
    path.write_bytes(intact[name])
    n = len(READERS[name](path))
    for seed in seeds(KEYPOINT_MUTATIONS):
        path.write_bytes(mutate_bytes(np.random.default_rng([seed, 1]), intact[name]))
        counts = []
        if refusal(lambda path: counts.append(len(READERS[name](path))), path, seed) is None:  # noqa: B023
            assert counts == [n], f"seed {seed}"


WRITERS = [*keypoint_writers.NAMED, *keypoint_writers.ORDERED]


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_mutated_keypoints(writer, tmp_path):
    """Files of all keypoint formats."""
    intact = tmp_path / "intact"
    intact.mkdir()
    people = 1 if writer in keypoint_writers.ONE_PERSON else 2
    skeleton = keypoint_writers.ORDERED.get(writer, ("coco_17",))[0]
    written = writer(keypoint_writers.clip(skeleton, frames=4, people=people), intact)
    files = sorted(path for path in intact.rglob("*") if path.is_file())
    for seed in seeds(KEYPOINT_MUTATIONS):
        rng = np.random.default_rng([seed, sum(map(ord, writer.__name__))])
        folder = tmp_path / "mutated"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(intact, folder)
        path = folder / files[rng.integers(len(files))].relative_to(intact)
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
        refusal(read_keypoints, folder / written.relative_to(intact), seed)
