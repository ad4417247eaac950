"""Training in two processes gives the results of one process."""

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
from helpers.training import SMALL, SMOKE, STAGES, metrics, one_thread, saved, weights

from camerapose.train import config_io, distributed, loop, parallel, trainer

pytest.importorskip("lightning_fabric", exc_type=ImportError)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

#: `camerapose` that logs every iteration, without the ONNX export, which takes longer than the
#: rest.
COMMAND = """
import sys
from camerapose.cli.main import main
from camerapose.train import loop, trainer
trainer.export_model = lambda *_, **__: None
loop.LOG_INTERVAL = 1
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    with one_thread(tmp_path_factory.mktemp("cache")):
        yield


def call(command):
    """Return exit status and output; no process is left running."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=300)
        return process.returncode, out + err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    root = tmp_path_factory.mktemp("mpii")
    people = [person(f"{i}.jpg", i, missing=(9,) if i % 3 == 0 else ()) for i in range(40)]
    write_json(root, people, "train")
    write_json(root, people[:8], "valid")
    uneven = {"device": "cpu", "unlabelled_batch": 15, "figures": 0, "data": {"mpii": str(root)}}
    chosen = config_io.update(config_io.read(SMOKE), SMALL, "the test")
    batches = {stage: {"batch": 127} for stage in STAGES}
    return config_io.update(chosen, uneven | batches, "the test")


@pytest.fixture(scope="module")
def folder(settings, tmp_path_factory):
    """Folder with the results of two processes and an interrupted run."""
    out = tmp_path_factory.mktemp("together")
    (out / "small.toml").write_text(config_io.to_toml(settings))
    script = Path(shared_work.__file__)
    status, output = call([*TORCHRUN, str(script), str(out), str(out / "small.toml")])
    assert status == 0 and output.count("stopped") == 1, output  # the second prints nothing
    return out


@pytest.fixture(scope="module")
def together(folder):
    """Results of each of two processes."""
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone():
    return shared_work.work()


@pytest.mark.parametrize("name", [*shared_work.LIFTERS, "adversarial"])
def test_two_processes_give_the_results_of_one(together, alone, name):
    """Outputs of all rows, summed gradients and batch norm statistics, with dropout and noise."""
    assert any(g.abs().max() > 1e-6 for g in alone[name]["gradients"])
    for results in together:
        close(results[name], alone[name], 1e-9)


def test_rows_are_a_partition_of_the_batch():
    for n in (0, 1, 5, 16):
        parts = [parallel.RowRange.of(n, rank, 3) for rank in range(3)]
        rows = [i for part in parts for i in range(n)[part.own]]
        assert rows == list(range(n)) and all(part.total == n for part in parts)


class TestOneProcess:
    """A single process is not changed."""

    def test_networks_are_not_changed(self):
        network = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout())
        parallel.parallelize(network)
        assert all("forward" not in vars(module) for module in network.modules())

    def test_communication(self):
        assert distributed.any_process(True) and not distributed.any_process(False)
        assert distributed.from_main(lambda: 3) == 3 and distributed.is_main()
        distributed.check_identical({"a": 1})
        distributed.barrier()

    def test_fabric_is_not_imported(self, monkeypatch):
        monkeypatch.setattr(distributed, "_fabric", lambda **_: pytest.fail("imported"))
        for devices in (None, 1):
            with distributed.process_group(devices, 1, "cpu"):
                assert distributed.process_count() == 1

    @pytest.mark.parametrize(("devices", "nodes"), [(0, 1), (2, 0), (-1, 1)])
    def test_no_devices(self, devices, nodes):
        with (
            pytest.raises(ValueError, match="1 or more of each"),
            distributed.process_group(devices, nodes, "cpu"),
        ):
            pass

    def test_too_many_gpus(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        with (
            pytest.raises(ValueError, match="found 1 GPUs; pass a smaller"),
            distributed.process_group(2, 1, "cuda"),
        ):
            pass

    def test_missing_fabric_is_reported_with_its_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "lightning_fabric", None)
        with (
            pytest.raises(ValueError, match=r"camerapose\[scale\]"),
            distributed.process_group(2, 1, "cpu"),
        ):
            pass


# --- a run of twelve iterations: ten in two processes, the rest in two or in one


def train(settings, out):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "export_model", lambda *_, **__: None)
        patch.setattr(loop, "LOG_INTERVAL", 1)
        trainer.train(settings, out)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    train(settings, out)
    return out


def test_both_stop_after_the_same_iteration(folder):
    """Independent of the process that received the signal."""
    assert saved(folder / "run")["progress"]["iteration"] == loop.STOP_INTERVAL


def test_losses_equal_those_of_one_process(whole, folder):
    one, two = metrics(whole), metrics(folder / "run")
    assert len([m for m in two if "loss" in m]) == loop.STOP_INTERVAL
    for mine, theirs in zip(two, one[: len(two)], strict=True):
        position = [{k: m[k] for k in ("stage", "epoch", "iteration")} for m in (mine, theirs)]
        assert position[0] == position[1]
        # rounding errors of sums in another order grow with every step
        tolerance = 1e-5 if mine["iteration"] <= 6 else 1e-3
        for kind in ("loss", "validation"):
            close(mine.get(kind, {}), theirs.get(kind, {}), tolerance)


def test_one_process_resumes_a_run_of_two(settings, whole, folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    train(settings, tmp_path / "run")
    compare(tmp_path / "run", whole)


def test_two_processes_resume_with_the_command(whole, folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    script = tmp_path / "start.py"
    script.write_text(COMMAND)
    settings = str(folder / "small.toml")
    arguments = ["train", settings, "--out", str(tmp_path / "run"), "--devices", "2"]
    status, output = call([sys.executable, str(script), *arguments])
    assert status == 0, output
    assert output.count("finished: ") == 1
    compare(tmp_path / "run", whole)


def compare(actual, expected):
    iterations = [[m["iteration"] for m in metrics(out)] for out in (actual, expected)]
    assert iterations[0] == iterations[1]
    last = [[m for m in metrics(out) if "validation" in m][-1] for out in (actual, expected)]
    assert last[0]["iteration"] == last[1]["iteration"] == 12
    close(last[0]["validation"], last[1]["validation"], 1e-3)
    assert weights(actual).keys() == weights(expected).keys()
