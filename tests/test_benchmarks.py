"""The benchmark scripts: rows that can be trained, tables that say what was found, a truth that
is one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from camerapose.core import plugins
from camerapose.core.joint_formats import BLAZEPOSE_33, H36M_16
from camerapose.evaluate import metrics
from camerapose.models.lifters.parts import RowPartLinear
from camerapose.train import config_io

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import accuracy  # noqa: E402
import bfloat16  # noqa: E402
import clock  # noqa: E402
import peer  # noqa: E402
import real_detections  # noqa: E402
import report  # noqa: E402
import speed_inference  # noqa: E402
import walked_distance  # noqa: E402
from rows import TRANSPLANTS, Row, nested, rows  # noqa: E402


def test_names_are_unique_and_transplants_are_of_rows():
    names = [row.name for row in rows()]
    assert len(set(names)) == len(names)
    assert {name for pair in TRANSPLANTS.values() for name in pair} <= set(names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_row_is_a_training_of_its_own(row):
    base = config_io.read(accuracy.CONFIG)
    changed = base
    for key, value in row.changes.items():
        changed = config_io.update(changed, nested(key, value), row.name)
    assert config_io.check(changed) != base


def result(name, seed, **tests):
    return {"row": name, "seed": seed, "seconds": 120, "tests": tests}


def test_a_table_has_means_and_spreads_and_only_rows_that_were_run(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    for seed, error in enumerate((40.0, 42.0)):
        found = result("gt-mlp-alone", seed, gt={"mpjpe": error}, humaneva={"pa_mpjpe": 50.0})
        (folder / f"{seed}.json").write_text(json.dumps(found))
    document = tmp_path / "results.md"
    document.write_text("before\n<!-- begin gt -->\nold\n<!-- end gt -->\nafter\n")
    known = [Row("gt-mlp-alone", "gt", "mlp alone", {}), Row("gt-mlp-else", "gt", "else", {})]
    for _ in range(2):  # writing again changes nothing
        report.write(document, folder, known)
        text = document.read_text()
        assert text.startswith("before\n<!-- begin gt -->\n| row |") and text.endswith("after\n")
        assert "old" not in text and "else" not in text
        line = next(line for line in text.splitlines() if "mlp alone" in line)
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[:2] == ["mlp alone", "41.0 ± 1.0"] and cells[-2:] == ["2", "2"]
        assert cells.count("-") == 8 and "50.0 ± 0.0" in cells


def test_rows_trained_with_other_settings_are_marked():
    row = next(row for row in rows() if row.name == "gt-mlp-poseaug")
    now = config_io.read_differences(accuracy.CONFIG)
    run = {"config": now, "changes": row.changes}
    redundant = run | {"changes": row.changes | {"seed": 0}}  # a default, stated explicitly
    assert not report.outdated(run, row) and not report.outdated(redundant, row)
    assert report.outdated(run | {"config": now | {"bone_length_std": 0.0}}, row)
    assert report.outdated(run | {"changes": {}}, row)
    line = report.table([row], {row.name: [run | {"tests": {}, "config": {}}]}, [])
    assert f"| {row.label} † |" in line


def test_the_real_video_has_a_table_of_its_own(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    names = [*real_detections.CAMERAS, "mean"]
    cameras = {name: {"pa_mpjpe": 50.0 + i, "focal_error": 7.0} for i, name in enumerate(names)}
    found = {"row": "real-mine", "seed": 0, "tests": {}, "cameras": cameras}
    (folder / "real-mine.json").write_text(json.dumps(found))
    document = tmp_path / "results.md"
    document.write_text("<!-- begin real -->\n<!-- end real -->\n")
    report.write(document, folder, [])
    assert "| mine | 50.0 | 51.0 | 52.0 | 53.0 | 54.0 | 7.0 |" in document.read_text()


def test_a_row_that_was_interrupted_has_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    accuracy._write("a", 3, {"tests": {}})
    assert accuracy._file("a", 3).exists() and not accuracy._file("a", 4).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a-3.json"]


def a_view(heading):
    """A camera four metres away, with distortion, and what it sees of the points."""
    cos, sin = np.cos(heading), np.sin(heading)
    return {
        "focal": np.array([1600.0, 1610.0]), "center": np.array([530.0, 950.0]),
        "distortion": np.array([-0.05, 0.1, 0.0, 1e-3, -5e-4]),
        "rotation": np.array([[cos, sin, 0], [0, 0, -1.0], [-sin, cos, 0]]),
        "translation": np.array([0.1, 0.2, 4.0]), "size": np.array([1088.0, 1920.0]),
    }  # fmt: skip


def test_triangulation_finds_the_points_again():
    truth = np.random.default_rng(0).normal(0, 0.3, (5, 12, 3))
    chosen = [BLAZEPOSE_33.index(joint) for joint in real_detections.LIMBS]
    views = {}
    for name, heading in zip(real_detections.CAMERAS, (0.0, 1.5, 3.0, 4.6), strict=True):
        view = a_view(heading)
        camera = real_detections.camera_of(view)
        seen = camera.project(camera.to_camera(truth))
        points = np.zeros((5, 33, 3))
        points[:, chosen, :2] = (seen * 1088 + [1088, 1920]) / 2
        points[:, chosen, 2] = 0.9
        views[name] = view | {"points": points}
    views["cam03"]["points"][1, :, 2] = 0.1  # one view is left out, and need not be right
    views["cam03"]["points"][1, :, 0] += 300
    for name in ("cam01", "cam02", "cam04"):
        views[name]["points"][2, chosen[0], 2] = 0.1  # seen by one camera: not known
    found, error = real_detections.triangulate(views)
    unknown = np.zeros((5, 12), bool)
    unknown[2, 0] = True
    assert (np.isnan(found).all(-1) == unknown).all()
    np.testing.assert_allclose(found[~unknown], truth[~unknown], atol=1e-4)
    assert error < 0.1


class TestWalkedDistance:
    def test_the_true_body_stands_where_it_is(self):
        """Somebody who walks 2 m past a camera whose 2D is exact; shaking counts for nothing."""
        random, view = np.random.default_rng(0), a_view(0.0) | {"distortion": np.zeros(5)}
        times = np.arange(120) / 60
        shift = np.stack([times - 1, 0 * times, 0 * times], axis=1)
        world = random.normal(0, 0.3, (1, 12, 3)) + shift[:, None]
        camera = real_detections.camera_of(view)
        points = np.zeros((120, 33, 3))
        chosen = [BLAZEPOSE_33.index(joint) for joint in real_detections.LIMBS]
        seen = camera.project(camera.to_camera(world))
        points[:, chosen, :2] = (seen * 1088 + [1088, 1920]) / 2
        points[:, chosen, 2] = 0.9
        found = walked_distance.placed(world, view | {"points": points})
        hips = walked_distance.hips(world) @ view["rotation"].T + view["translation"]
        np.testing.assert_allclose(found, hips, atol=0.01)
        length = 119 / 60
        assert walked_distance.line(found, times) == pytest.approx(length, rel=0.01)
        shaken = found + 0.01 * random.normal(size=found.shape)
        assert walked_distance.way(shaken, times) == pytest.approx(length, rel=0.05)

    def test_height_is_that_of_the_limbs(self):
        """Every limb 0.4 m long; unseen joints (NaN) are left aside."""
        world = np.zeros((4, 12, 3))
        for i, joint in enumerate(real_detections.LIMBS):
            world[:, i, 2] = 0.4 * {"shoulder": 0, "elbow": 1, "wrist": 2, "hip": 0, "knee": 1,
                                    "ankle": 2}[joint.partition("_")[2]]  # fmt: skip
        world[0] = np.nan
        assert walked_distance.height(world) == pytest.approx(1.6 / 0.82)

    def test_the_table_goes_between_its_marks(self, tmp_path):
        row = {"way": 1.1, "true_way": 1.0, "line": 0.9, "true_line": 1.0, "off": 0.05,
               "way_of_true_body": 1.0, "line_of_true_body": 1.02}  # fmt: skip
        text = walked_distance.table({"cam01": row})
        assert "| +10.0 |" in text and "| -10.0 |" in text and "| +2.0 |" in text
        page = tmp_path / "a.md"
        page.write_text("before\n<!-- begin walked -->\nold\n<!-- end walked -->\nafter\n")
        report.put_table(text, page, "walked")
        found = page.read_text()
        assert text in found and "old" not in found and found.endswith("after\n")
        with pytest.raises(ValueError, match="no markers"):
            report.put_table(text, page, "other")


def test_qualisys_calibration(tmp_path):
    """Two metres along the world's x, looking back at the origin: z backwards, y up."""
    path = tmp_path / "Calib.qca.txt"
    path.write_text(
        '<calibration><cameras><camera serial="cam01">'
        '<fov_video left="0" right="1087" top="0" bottom="1919"/>'
        '<transform r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0" '
        'x="2000" y="0" z="0"/>'
        '<intrinsic focalLengthU="64000" focalLengthV="64000" centerPointU="32000" '
        'centerPointV="64000" radialDistortion1="0" radialDistortion2="0" radialDistortion3="0" '
        'tangentalDistortion1="0" tangentalDistortion2="0"/>'
        "</camera></cameras></calibration>"
    )
    view = real_detections._calibration(path)["cam01"]
    assert view["size"].tolist() == [1088, 1920]
    assert view["focal"].tolist() == [1000, 1000] and view["center"].tolist() == [500, 1000]
    up = view["rotation"] @ [0, 0, 0.5] + view["translation"]
    np.testing.assert_allclose(up, [0, -0.5, 2.0], atol=1e-12)


# The usual way beside ours: both compute the same, or the race says nothing


def test_the_peers_lifters_are_of_the_size_of_ours():
    for name, kind in peer.LIFTERS.items():
        ours = plugins.load("lifters", name).Lifter(H36M_16)
        assert count(kind()) == count(ours)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_the_peers_errors_are_ours():
    target = torch.randn(50, 16, 3)
    predicted = target + 0.1 * torch.randn(50, 16, 3)
    x, y = predicted.numpy(), target.numpy()
    for name in ("mpjpe", "pa_mpjpe"):
        found = getattr(metrics, name)(predicted, target).numpy()
        np.testing.assert_allclose(getattr(peer, name)(x, y), found, atol=1e-6)
    ours = metrics.auc(predicted, target).mean()
    assert peer.auc(x, y) == pytest.approx(float(ours), abs=1e-5)


def test_the_peer_learns():
    """Every network moves in two iterations, and losses are read in each."""
    torch.manual_seed(0)
    pose3d = torch.randn(16, 16, 3).numpy() * 0.3 + np.array([0, 0, 5], np.float32)
    pose3d = pose3d.astype(np.float32)
    camera = np.array([[2.3, 2.3, 0, 0, 0, 0, 0, 0, 0]] * 16, np.float32)
    one = peer.Peer("mlp", pose3d, pose3d[..., :2] / pose3d[..., 2:], camera, batch=8)
    networks = (one.lifter, one.generator, one.critic3d, one.critic2d)
    before = [next(n.parameters()).clone() for n in networks]
    for _ in range(2):
        one.adversarial()
    for network, old in zip(networks, before, strict=True):
        new = next(network.parameters())
        assert new.isfinite().all() and not torch.equal(new, old)
    assert len(one.written) >= 16 and np.isfinite(one.written).all()


def test_a_race_runs_in_turn_and_its_first_round_does_not_count():
    order = []
    times = clock.race(2, a=lambda: order.append("a"), b=lambda: order.append("b"))
    assert order == list("ababab") and {len(t) for t in times.values()} == {2}
    assert clock.ratio([2.0, 6.0, 9.0], [1.0, 2.0, 3.0]) == 3


def test_the_start_of_the_default_weights_is_measured():
    rows = speed_inference.start(1)
    assert [row.unit for row in rows] == ["s", "s", "ms", "ms"]
    assert all(row.time > 0 for row in rows[:2]) and rows[3].time > 0


def test_calls_are_counted_and_products_are_run_again():
    a, b = torch.randn(4, 6), torch.randn(4, 5)

    def step():
        (a.t() @ b).sum().item()

    calls = clock.calls_of(step)
    assert calls.synchronisations() == 1 and calls.products.total() == 1
    assert calls.flops() == 2 * 6 * 4 * 5 and calls.kernels() < calls.names.total()
    again = clock.calls_of(clock.bare_products(calls))
    assert again.products == calls.products and again.flops() == calls.flops()


def test_tables_are_written_between_their_markers(tmp_path):
    document = tmp_path / "results.md"
    document.write_text("before\n<!-- begin speed -->\nold\n<!-- end speed -->\nafter\n")
    row = clock.Row("a step", 0.5, "ms per sample", 0.75, 2.0, "1.5x")
    heads = ("step", "time", "of bare products", "the usual way", "goal")
    report.put_table(clock.table([row], heads), document, "speed")
    text = document.read_text()
    assert "| a step | 0.5 ms per sample | 75% | 2.00x | 1.5x |" in text
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text


def test_every_product_is_rounded_forward_and_backward():
    torch.manual_seed(0)
    linear = torch.nn.Linear(8, 4)
    with torch.no_grad():
        linear.bias.zero_()
    parts = RowPartLinear(2, 8, 4).train()
    x = torch.randn(5, 8, requires_grad=True)
    both = torch.cat([x, x], dim=1)
    with bfloat16.Rounded() as products:
        found = linear(x), parts(both)
        (found[0].square().sum() + found[1].sum()).backward()
        double = x.double() @ x.double().T
    assert products.count == 2 + 1 + 2 + 4 + 1
    assert torch.equal(double, x.double() @ x.double().T)

    def rounded(values):
        return values.detach().bfloat16().float()

    expected = rounded(x) @ rounded(linear.weight).T
    assert torch.equal(found[0], expected) and not torch.equal(found[0], x @ linear.weight.T)
    assert torch.equal(found[1][:, :4], rounded(x) @ rounded(parts.weight[0]))
    assert torch.allclose(linear.weight.grad, rounded(2 * expected).T @ rounded(x), atol=1e-6)


def test_a_stop_ends_the_rows_that_run_and_begins_no_other(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import signal, time\n"
        "from pathlib import Path\n"
        "def run_row(row, seed, data, out):\n"
        "    def saved(*_): raise RuntimeError('interrupted')\n"
        "    signal.signal(signal.SIGTERM, saved)\n"
        "    Path(out, row.name).touch()\n"
        "    time.sleep(60)\n"
    )
    program = (
        "import sys, accuracy, slow; accuracy.run_row = slow.run_row\n"
        f"sys.argv += ['--rows', 'gt-mlp-*', '--seeds', '77', '--out', {str(tmp_path)!r}]\n"
        "accuracy.main()"
    )
    paths = os.pathsep.join(
        (str(ROOT / "benchmarks"), str(tmp_path), os.environ.get("PYTHONPATH", ""))
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": paths}
    )
    while not list(tmp_path.glob("gt-*")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) != 0
    assert [path.name for path in tmp_path.glob("gt-*")] == ["gt-mlp-alone"]
