"""Benchmarks of weights trained on open data: ablation, comparison with peers, model card."""

import json
import sys

import numpy as np
import pytest
from helpers.anny import write_files
from helpers.mpii import person, write_json
from helpers.paths import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import ablation_2d
import model_card
import peers
import real_detections

from camerapose.core.joint_formats import BLAZEPOSE_33, COCO_17
from camerapose.infer.predictor import Predictor

TINY = {
    "iterations": 2, "batch": 16, "validate_every": 1, "device": "cpu", "network.width": 16,
    "network.blocks": 1, "adversarial.batch": 8, "unlabelled_batch": 8, "data.held_out": ["cmu/05"],
}  # fmt: skip


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The smallest data folder: eight frames of 3D, eight people of MPII."""
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "open").mkdir()
    write_files(tmp_path / "open")
    (tmp_path / "mpii").mkdir()
    for split in ("train", "valid"):
        write_json(tmp_path / "mpii", [person(f"{i}.jpg", i) for i in range(8)], split)
    return tmp_path


def test_rows_of_the_ablation():
    rows = ablation_2d.rows()
    assert len(rows) == len(set(rows)) == 5 * 3 * 2
    assert {(row.frames, row.seed) for row in rows[:5]} == {(3000, 0)}  # the scarcest 3D first


def test_methods_differ_in_generator_and_2d_only_poses(tmp_path):
    def settings(method):
        row = ablation_2d.Row(method, 3000, 1)
        config = ablation_2d.configuration(row, tmp_path, {})
        assert config.data.frames == 3000 and config.seed == 1
        adversarial = config.adversarial
        return (
            config.data.mpii is not None, config.unlabelled_batch > 0,
            adversarial.generated_share > 0, adversarial.unlabelled_sources > 0,
        )  # fmt: skip

    assert {method: settings(method) for method in ablation_2d.METHODS} == {
        "3d": (False, False, False, False),
        "generator": (False, False, True, False),
        "camera": (True, True, False, False),
        "both": (True, True, True, False),
        "sources": (True, False, True, True),
    }


def test_a_tiny_ablation_writes_results_and_a_table(data, tmp_path, monkeypatch):
    """The methods with everything and with nothing; other tests are without data."""
    monkeypatch.setattr(ablation_2d, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(ablation_2d, "FRAMES", (8,))
    monkeypatch.setattr(ablation_2d, "DOCUMENT", tmp_path / "table.md")
    (tmp_path / "table.md").write_text("<!-- begin open-2d -->\n<!-- end open-2d -->\n")
    real = {"mean": {"pa_mpjpe": 61.5, "focal_error": 1.0}}
    monkeypatch.setattr(real_detections, "detections", dict)
    monkeypatch.setattr(real_detections, "triangulate", lambda views: (None, 0.0))
    monkeypatch.setattr(real_detections, "measure", lambda *_: real)
    settings = [f"{key}={json.dumps(value)}" for key, value in TINY.items()]
    command = ["ablation_2d.py", "--data", str(data), "--rows", "both-*-0", "3d-*-0"]
    monkeypatch.setattr(
        sys, "argv", [*command, "--out", str(tmp_path / "runs"), "--set", *settings]
    )
    ablation_2d.main()
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == ["open-2d-3d-0k-0.json", "open-2d-both-0k-0.json"]
    content = json.loads((tmp_path / "results" / names[1]).read_text())
    assert content["tests"]["mpii"]["poses"] == 8 and content["frames"] == 8
    lines = (tmp_path / "table.md").read_text().splitlines()
    both = next(line for line in lines if "+ both" in line)
    assert both.startswith("| 8 |") and both.endswith("| 1 |") and " 61.5 |" in both
    assert not any("+ generator" in line for line in lines)  # no result
    monkeypatch.setattr(ablation_2d, "run", None)  # nothing is trained again
    ablation_2d.main()


def test_peers_are_measured_on_the_same_frames(body_graph):
    """MediaPipe's world landmarks are the truth, turned and scaled; one frame has no person."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4, 12, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    points = np.concatenate([rng.uniform(100, 900, (4, 33, 2)), np.ones((4, 33, 1))], axis=2)
    theirs = np.zeros((4, 33, 7))
    theirs[..., :3], theirs[..., 6] = points, 1
    theirs[:, peers.ROWS, 3:6] = 0.3 * truth @ turn.T
    theirs[2, :, 6] = 0
    views = {"cam01": {"points": points, "size": np.array([1000.0, 1000.0])}}
    rows = peers.compare({"mine": Predictor(body_graph)}, views, {"cam01": theirs}, truth)
    assert rows["frames"] == {"cam01": 3.0, "mean": 3.0}
    assert rows["MediaPipe world landmarks, own 2D"]["mean"] == pytest.approx(0, abs=1e-6)
    assert rows["mine, own 2D"] == rows["mine, MediaPipe's 2D"]
    assert rows["mine, own 2D"]["mean"] > 10


def test_only_the_limb_joints_are_given():
    points = np.ones((2, 33, 3))
    given = real_detections.limbs_only({"a": {"points": points}})["a"]["points"]
    names = {BLAZEPOSE_33.joints[i] for i in np.flatnonzero(given[0, :, 2])}
    assert names == set(real_detections.LIMBS) and (points == 1).all()
    assert names < set(COCO_17.joints)


CONFIG = {
    "iterations": 4000, "batch": 1024, "seed": 0, "unlabelled_batch": 256,
    "network": {"width": 512, "blocks": 3},
    "data": {"anny": True, "cmu_dance": True, "mpii": True, "coco": False, "human36m": False,
             "held_out": ["cmu/05"]},
}  # fmt: skip


def write_card(tmp_path, config, results=()):
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(1_500_000))
    content = {"config": config, "validation": {"within_1": 68.2, "within_2": 90.6}}
    return model_card.card("open", path, content, "CC-BY-4.0", list(results))


def test_card_of_weights_from_open_data(tmp_path):
    results = [
        {"given": "limb joints", "cameras": {"mean": {"pa_mpjpe": 61.04}}},
        {"tests": {"humaneva": {"pa_mpjpe": 55.5}}},
    ]
    text = write_card(tmp_path, CONFIG, results)
    assert text.count("NSF EIA-0196217") == 1 and "may be used in products" in text
    assert "Human3.6M, HumanEva and other non-commercial data were not used for training" in text
    assert "plausible bone lengths" in text
    assert "five constants" in text and "COCO: 2D" not in text and "MPII Human Pose" in text
    assert "| real video, limb joints only, PA-MPJPE (mm) | 61.0 |" in text
    assert "| real video, all landmarks, PA-MPJPE (mm) | not measured |" in text
    assert "| HumanEva, PA-MPJPE (mm) | 55.5 |" in text
    assert "| held-out subjects, errors within one standard deviation (%) | 68.2 |" in text
    assert "1.5 MB" in text and "| licence | CC-BY-4.0; may be used in products" in text


def test_card_of_a_final_training_and_its_limitations(tmp_path):
    """Without held-out subjects, the calibration is on training postures; handwriting is kept."""
    text = write_card(tmp_path, CONFIG | {"data": CONFIG["data"] | {"held_out": []}})
    assert "| simulated detections of training postures, errors within one" in text
    path = tmp_path / "card.md"
    assert "[Regressions" in model_card.limitations(path)
    path.write_text(text + "## Limitations\n\n- Small children.\n")
    assert model_card.limitations(path) == "## Limitations\n\n- Small children.\n"


def test_card_of_weights_with_human36m(tmp_path):
    config = CONFIG | {"data": CONFIG["data"] | {"human36m": True}, "unlabelled_batch": 0}
    text = write_card(tmp_path, config)
    assert "non-commercial research only" in text and "products" not in text.partition("## Data")[0]
    assert "MPII Human Pose" not in text  # no 2D-only poses in the batches
    generated = write_card(tmp_path, config | {"adversarial": {"generated_share": 1.0}})
    assert "MPII Human Pose" in generated  # seen by the discriminator


def test_contradicting_results_are_refused(tmp_path):
    result = {"tests": {"humaneva": {"pa_mpjpe": 1.0}}}
    with pytest.raises(SystemExit, match="2 result files have HumanEva"):
        write_card(tmp_path, CONFIG, [result, result])


def test_card_of_other_graphs(graph):
    with pytest.raises(SystemExit, match="no settings"):
        model_card.metadata_of(graph)
