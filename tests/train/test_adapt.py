"""Fine-tuning on 2D annotations: it reduces their error, does not forget, and reports both."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.models import SIZES
from PIL import Image
from safetensors.torch import load_file

from camerapose import Predictor
from camerapose.cli.main import main
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import COCO_17, H36M_16
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.models.camerapose import build
from camerapose.models.checkpoint import read_header, save_model
from camerapose.train import finetune as module
from camerapose.train.finetune import adapt, measure, tune
from camerapose.train.loss_terms import pair_terms
from camerapose.train.replay import split, synthetic_replay


def _in_camera(poses):
    return replace(poses, camera=replace(poses.camera, translation=poses.root_position))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small model after a short training on synthetic poses."""
    torch.manual_seed(0)
    model = build(H36M_16, *(getattr(SIZES, name) for name in vars(SIZES)))
    bodies = _in_camera(synthetic.load(n=600, seed=5)).to_torch()
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(400):
        lifted = model(bodies.pose2d, bodies.confidence)
        terms = pair_terms(lifted, bodies.confidence, bodies, module.WEIGHTS, module.FORMS)
        loss = sum(terms.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(model.eval(), path, SIZES, {"made": "by the test"}, license="for tests")
    return path


@pytest.fixture
def annotations(tmp_path):
    """COCO keypoints of sixty people, two per image."""
    people = synthetic.load(n=60, seed=9).to(COCO_17)
    pixels = denormalize(people.pose2d, people.image_size)
    shown = np.where(people.confidence > 0, 2, 0)
    entries, images = [], []
    for i in range(60):
        width, height = (int(v) for v in people.image_size[i - i % 2])
        if i % 2 == 0:
            images.append({"id": i, "file_name": f"a{i}.jpg", "width": width, "height": height})
        keypoints = np.column_stack([pixels[i], shown[i]]).ravel().tolist()
        entries.append({"id": i, "image_id": i - i % 2, "category_id": 1, "keypoints": keypoints})
    path = tmp_path / "people.json"
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints)}]
    path.write_text(
        json.dumps({"images": images, "annotations": entries, "categories": categories})
    )
    return path


@pytest.fixture
def no_graph(monkeypatch):
    """Skip the ONNX export, which takes longer than the rest."""
    monkeypatch.setattr(module, "export_model", lambda *_, **__: None)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "SYNTHETIC_POSES", 400)
    monkeypatch.setattr(module, "BATCH", 32)


def test_reduces_the_error_without_forgetting(weights, annotations, tmp_path):
    out = tmp_path / "mine"
    result = adapt(weights, annotations, out, steps=300)
    assert result["trained_on"] == 48 and result["tested_on"] == 12
    before, after = result["before"], result["after"]
    assert after["reprojection_error"] < 0.9 * before["reprojection_error"]
    assert after["replay_mpjpe"] < 60, result  # mm, relative to the initial predictions
    assert before["replay_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert json.loads((out / "adapt.json").read_text()) == result
    with Image.open(out / "adapt.png") as figure:
        assert figure.width > 500 and figure.height > 500
    settings, card, license = read_header(out)
    assert settings == SIZES and license == "for tests"
    assert card["made"] == "by the test" and card["adapted"]["trained_on"] == 48
    assert len(Predictor(out)(np.random.rand(1, 17, 2) * 500, image_size=(640, 480))) == 1


def test_a_missing_image_is_reported_before_training(weights, annotations, tmp_path, monkeypatch):
    monkeypatch.setattr("camerapose.train.finetune.tune", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(FileNotFoundError, match="no image .*; give the folder"):
        adapt(weights, annotations, tmp_path / "out", images=tmp_path)


def test_same_seed_same_weights(weights, annotations, tmp_path, no_graph):
    states = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        adapt(weights, annotations, tmp_path / name, steps=3, seed=seed)
        states.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert any(not torch.equal(states[0][k], states[2][k]) for k in states[0])


def test_order_of_the_joints_in_the_file_does_not_matter(weights, annotations, tmp_path, no_graph):
    content = json.loads(annotations.read_text())
    order = np.random.default_rng(0).permutation(17)
    names = content["categories"][0]["keypoints"]
    content["categories"][0]["keypoints"] = [names[i] for i in order]
    for entry in content["annotations"]:
        entry["keypoints"] = np.reshape(entry["keypoints"], (17, 3))[order].ravel().tolist()
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / annotations.name
    other.write_text(json.dumps(content))
    results = [
        adapt(weights, file, tmp_path / out, steps=3)
        for out, file in zip("ab", (annotations, other), strict=True)
    ]
    states = [load_file(tmp_path / out / "model.safetensors") for out in "ab"]
    assert results[0] == results[1]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_unit_of_the_annotations(weights, annotations, tmp_path, no_graph, capsys):
    content = json.loads(annotations.read_text())
    sizes = {image["id"]: (image["width"], image["height"], 1) for image in content["images"]}
    for entry in content["annotations"]:
        points = np.reshape(entry["keypoints"], (17, 3)) / sizes[entry["image_id"]]
        entry["keypoints"] = points.ravel().tolist()
    fractions = tmp_path / "fractions.json"
    fractions.write_text(json.dumps(content))
    command = ["adapt", str(fractions), "-o", str(tmp_path / "o"), "--weights", str(weights)]
    assert main([*command, "--steps", "1", "--unit", "unit"]) == 0
    known = adapt(weights, annotations, tmp_path / "p", steps=1)["before"]
    measured = json.loads((tmp_path / "o" / "adapt.json").read_text())["before"]
    assert measured == pytest.approx(known, rel=1e-3)
    assert main([*command, "--unit", "inches"]) == 2
    assert "unit is 'inches'; accepted: pixel, unit" in capsys.readouterr().err


def test_batch_norm_statistics_do_not_change(weights, annotations, tmp_path, no_graph):
    adapt(weights, annotations, tmp_path / "a", steps=3)
    old, new = load_file(weights), load_file(tmp_path / "a" / "model.safetensors")
    names = [name for name in old if "running" in name]
    assert names and all(torch.equal(old[name], new[name]) for name in names)


def test_people_of_one_image_stay_together():
    people = synthetic.load(n=40, seed=1)
    images = np.repeat([f"{i}.jpg" for i in range(10)], 4)
    people = Poses(H36M_16, people.pose2d, people.confidence, labels={"image": images})
    people.confidence[0, 4:] = 0  # too few joints
    train, test = split(people, 0.3, seed=0)
    assert not set(train.labels["image"]) & set(test.labels["image"])
    assert len(train) + len(test) == 39 and len(set(test.labels["image"])) == 3
    with pytest.raises(ValueError, match="too few for training"):
        split(people[4:6], 0.3, seed=0)


def test_invalid_shares_and_files(weights, tmp_path):
    with pytest.raises(ValueError, match="held_out = 1"):
        adapt(weights, tmp_path / "a.json", tmp_path / "out", held_out=1.0)
    with pytest.raises(FileNotFoundError):
        adapt(weights, tmp_path / "a.json", tmp_path / "out")


def test_command(weights, annotations, tmp_path, capsys, no_graph):
    status = main(
        ["adapt", str(annotations), "--out", str(tmp_path / "o"), "--weights", str(weights),
         "--steps", "2"]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert status == 0 and "trained on 48 people" in printed and "before" in printed


def test_more_annotations_more_steps(weights, monkeypatch):
    from camerapose.models.checkpoint import load_model

    model, bodies = load_model(weights), synthetic.load(n=64, seed=3).to_torch()
    counted = []
    monkeypatch.setattr(module, "update", lambda *_: counted.append(1))
    monkeypatch.setattr(module, "MIN_STEPS", 4)
    tune(model, bodies, bodies)
    assert len(counted) == module.PASSES * 64 // 32
    replay = synthetic_replay(model, n=20, seed=0).to_torch()
    assert measure(model, bodies, replay)["replay_mpjpe"] < 1e-3
