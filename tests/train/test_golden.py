"""A few iterations of every stage with a fixed seed give known losses.

They show whether a change of the implementation changed the results. After an intended change of
the losses or the random numbers, run this file to update them:
`PYTHONPATH=tests python tests/train/test_golden.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.golden import RUNS, losses, settings, start
from torch.utils._python_dispatch import TorchDispatchMode

from camerapose.train.loop import Batch
from camerapose.train.stages.joint import joint

GOLDEN = Path(__file__).parent / "golden_losses.json"


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", RUNS)
def test_losses_are_the_known_ones(name, one_thread, tmp_path):
    assert_known(losses(name, tmp_path), name)


#: Traced by the compiler, but executed by torch: compiling C++ takes minutes.
COMPILED = """
import json, sys, torch
from pathlib import Path
from helpers.paths import ROOT
from helpers.golden import losses

torch.set_num_threads(1)
compile_, names = torch.nn.Module.compile, []

def traced(network, **options):
    names.append(type(network).__name__)
    compile_(network, backend="aot_eager", **options)

torch.nn.Module.compile = traced
values = losses("parts", Path(sys.argv[1]), compiled=True)
print(json.dumps([names, values]))
"""


def test_compiled_networks_give_the_known_losses(tmp_path):
    """Runs in its own process: the compiler cannot trace the type checks of the tests."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILED, str(tmp_path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names, values = json.loads(done.stdout.splitlines()[-1])
    assert names == ["CameraPose", "Generator", "Discriminator2D", "Discriminator3D"]
    assert_known(values, "parts")


def assert_known(rows, name):
    expected = json.loads(GOLDEN.read_text())[name]
    assert [row.keys() for row in rows] == [row.keys() for row in expected]
    for row, known in zip(rows, expected, strict=True):
        for key, value in row.items():  # unlike losses, mean scores may be close to zero
            tolerance = 5e-6 if key.startswith("adversarial_") else 1e-7
            assert value == pytest.approx(known[key], rel=1e-5, abs=tolerance), key


class Synchronisations(TorchDispatchMode):
    """Record operations that make the host wait for a GPU, or a copy wait for the host."""

    NAMES = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "lift_fresh", "equal")

    def __init__(self):
        super().__init__()
        self.recorded = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in self.NAMES:
            self.recorded.append(str(function))
        return function(*args, **(kwargs or {}))


def test_no_synchronisation_within_an_iteration(tmp_path):
    """No value is read from the device, and none is copied to it."""
    config = settings("mlp, dropout")
    run = start(config, tmp_path)
    synchronisations, iterations = Synchronisations(), []

    def batches(schedule, optimizer):
        yield Batch(torch.arange(64), 0, 0.5)  # creates constants
        with synchronisations:
            yield Batch(torch.arange(64), 1, 0.5)
        iterations.append(2)

    run.loop.batches = batches
    joint(config, run.data, run.model, run.adversarial, run.loop, run.rng)
    assert synchronisations.recorded == [] and iterations == [2]


def test_synchronisations_are_recorded():
    with Synchronisations() as synchronisations:
        bool(torch.ones(1) > 0)
        torch.tensor([1.0])
    assert len(synchronisations.recorded) == 2


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    updated = {}
    for name in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            updated[name] = losses(name, Path(folder))
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    target.write_text(json.dumps(updated, indent=1) + "\n")
