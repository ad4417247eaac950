"""Training in two processes is training in one."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import shared_work
from helpers.mpii import person, write_json
from helpers.training import SMALL, SMOKE, STAGES, metrics, saved, weights

import camerapose.models.onnx_export
from camerapose.train import config
from camerapose.train import distributed as processes
from camerapose.train import trainer as run

pytest.importorskip("lightning_fabric", exc_type=ImportError)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

#: `camerapose` that logs every iteration and exports nothing: that takes longer than the rest.
COMMAND = """
import sys
import camerapose.models.onnx_export
from camerapose.cli.main import main
from camerapose.train import trainer as run
camerapose.models.onnx_export.export_model = lambda *_, **__: None
run.LOG_EVERY = 1
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """One thread, so that sums have one order; and a cache of our own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMERAPOSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


def call(command):
    """The exit status and what was said; in the end nobody is left running."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=300)
        return process.returncode, out + err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def close(found, expected, tolerance):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    root = tmp_path_factory.mktemp("mpii")
    people = [person(f"{i}.jpg", i, missing=(9,) if i % 3 == 0 else ()) for i in range(40)]
    write_json(root, people, "train")
    write_json(root, people[:8], "valid")
    odd = {"device": "cpu", "wild_batch": 15, "pictures": 0, "data": {"mpii": str(root)}}
    chosen = config.update(config.read(SMOKE), SMALL, "the test")
    batches = {stage: {"batch": 127} for stage in STAGES}
    return config.update(chosen, odd | batches, "the test")


@pytest.fixture(scope="module")
def folder(settings, tmp_path_factory):
    """Where two processes have left what they found, and a run that was interrupted."""
    out = tmp_path_factory.mktemp("together")
    (out / "small.toml").write_text(config.to_toml(settings))
    script = Path(shared_work.__file__)
    status, said = call([*TORCHRUN, str(script), str(out), str(out / "small.toml")])
    assert status == 0 and said.count("stopped") == 1, said  # the second is silent
    return out


@pytest.fixture(scope="module")
def together(folder):
    """What each of two processes found."""
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone():
    return shared_work.work()


@pytest.mark.parametrize("name", [*shared_work.LIFTERS, "game"])
def test_two_processes_compute_what_one_does(together, alone, name):
    """Outputs of all rows, summed gradients, statistics of batch norm, with dropout and draws."""
    assert any(g.abs().max() > 1e-6 for g in alone[name]["gradients"])
    for found in together:
        close(found[name], alone[name], 1e-9)


def test_rows_cover_a_batch_once():
    for n in (0, 1, 5, 16):
        parts = [processes.Rows.of(n, rank, 3) for rank in range(3)]
        rows = [i for part in parts for i in range(n)[part.own]]
        assert rows == list(range(n)) and all(part.total == n for part in parts)


class TestAlone:
    """In one process nothing changes."""

    def test_networks_stay_what_they_are(self):
        network = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout())
        processes.share(network)
        assert all("forward" not in vars(module) for module in network.modules())

    def test_it_agrees_with_itself(self):
        assert processes.any_of(True) and not processes.any_of(False)
        assert processes.from_first(lambda: 3) == 3 and processes.first()
        processes.check_same({"a": 1})
        processes.wait()

    def test_fabric_is_not_imported(self, monkeypatch):
        monkeypatch.setattr(processes, "_fabric", lambda **_: pytest.fail("it was"))
        for devices in (None, 1):
            with processes.together(devices, 1, "cpu"):
                assert processes.count() == 1

    @pytest.mark.parametrize(("devices", "nodes"), [(0, 1), (2, 0), (-1, 1)])
    def test_no_devices(self, devices, nodes):
        with (
            pytest.raises(ValueError, match="give 1 or more of each"),
            processes.together(devices, nodes, "cpu"),
        ):
            pass

    def test_more_gpus_than_there_are(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        with (
            pytest.raises(ValueError, match="torch sees 1 here; give fewer"),
            processes.together(2, 1, "cuda"),
        ):
            pass

    def test_without_fabric_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "lightning_fabric", None)
        with (
            pytest.raises(ValueError, match=r"camerapose\[scale\]"),
            processes.together(2, 1, "cpu"),
        ):
            pass


# --- a run of twelve iterations: ten in two processes, the rest in two or in one


def train(settings, out):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camerapose.models.onnx_export, "export_model", lambda *_, **__: None)
        patch.setattr(run, "LOG_EVERY", 1)
        run.train(settings, out)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    train(settings, out)
    return out


def test_both_stop_after_the_same_iteration(folder):
    """Wherever the signal arrived."""
    assert saved(folder / "run")["place"][-1] == run.ASK_EVERY


def test_losses_are_those_of_one(whole, folder):
    one, two = metrics(whole), metrics(folder / "run")
    assert len([m for m in two if "loss" in m]) == run.ASK_EVERY
    for mine, theirs in zip(two, one[: len(two)], strict=True):
        place = [{k: m[k] for k in ("stage", "epoch", "iteration")} for m in (mine, theirs)]
        assert place[0] == place[1]
        # the rounding of sums in another order grows from step to step
        tolerance = 1e-5 if mine["iteration"] <= 6 else 1e-3
        for kind in ("loss", "validation"):
            close(mine.get(kind, {}), theirs.get(kind, {}), tolerance)


def test_one_goes_on_from_two(settings, whole, folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    train(settings, tmp_path / "run")
    compare(tmp_path / "run", whole)


def test_two_go_on_by_the_command(whole, folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    script = tmp_path / "start.py"
    script.write_text(COMMAND)
    settings = str(folder / "small.toml")
    arguments = ["train", settings, "--out", str(tmp_path / "run"), "--devices", "2"]
    status, said = call([sys.executable, str(script), *arguments])
    assert status == 0, said
    assert said.count("finished: ") == 1
    compare(tmp_path / "run", whole)


def compare(found, expected):
    places = [[m["iteration"] for m in metrics(out)] for out in (found, expected)]
    assert places[0] == places[1]
    last = [[m for m in metrics(out) if "validation" in m][-1] for out in (found, expected)]
    assert last[0]["iteration"] == last[1]["iteration"] == 12
    close(last[0]["validation"], last[1]["validation"], 1e-3)
    assert weights(found).keys() == weights(expected).keys()
