"""A few iterations of every stage from a fixed seed: the losses they give are known numbers.

They say whether a change that was only to make training faster changed what it computes. A change
that alters them on purpose (another draw of random numbers, another loss) renews them:
`python tests/test_golden.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.golden import LIFTERS, losses, start
from torch.utils._python_dispatch import TorchDispatchMode

from camerapose.train import data
from camerapose.train.joint import complete_wild, some_wild
from camerapose.train.warmup import learn, play

GOLDEN = Path(__file__).parent / "golden_losses.json"


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", LIFTERS)
def test_losses_are_the_known_ones(name, one_thread, tmp_path):
    assert_known(losses(name, tmp_path), name)


#: Traced and differentiated by the compiler, but its code made by torch: C++ takes minutes.
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
found = losses("parts", Path(sys.argv[1]), compiled=True)
print(json.dumps([names, found]))
"""


def test_compiled_networks_give_the_known_losses(tmp_path):
    """In a process of its own: the compiler can't trace the type checks of these tests."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILED, str(tmp_path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names, found = json.loads(done.stdout.splitlines()[-1])
    assert names == ["CameraPose", "Generator", "Discriminator2D", "Discriminator3D"]
    assert_known(found, "parts")


def assert_known(found, name):
    expected = json.loads(GOLDEN.read_text())[name]
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for row, known in zip(found, expected, strict=True):
        for key, value in row.items():  # mean scores may be near zero, losses are not
            near = 5e-6 if key.startswith("game_") else 1e-7
            assert value == pytest.approx(known[key], rel=1e-5, abs=near), key


class Waits(TorchDispatchMode):
    """Counts what would make the host wait for a GPU, or a copy wait for the host."""

    NAMES = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "lift_fresh", "equal")

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in self.NAMES:
            self.found.append(str(function))
        return function(*args, **(kwargs or {}))


def test_nothing_waits_inside_an_iteration(tmp_path):
    """Nothing is asked of the device, and no number is made on the host and carried there."""
    run = start("mlp, dropout", tmp_path)
    from camerapose.train.joint import learning_groups

    run.optimizers["model"] = torch.optim.AdamW(
        learning_groups(run.model, 0.25), lr=1e-5, fused=True
    )

    def iteration():
        rows = torch.arange(64)
        exact, found = data.mirror_half(run.data.pairs[rows], run.data.detected[rows])
        play(run, exact, complete_wild(run), feedback=0.5)
        learn(run, exact, found, 0.5, some_wild(run))
        run.iteration += 1

    iteration()  # constants are made once
    with Waits() as waits:
        iteration()
    assert waits.found == []


def test_a_wait_is_seen():
    with Waits() as waits:
        bool(torch.ones(1) > 0)
        torch.tensor([1.0])
    assert len(waits.found) == 2


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    made = {}
    for name in LIFTERS:
        with tempfile.TemporaryDirectory() as folder:
            made[name] = losses(name, Path(folder))
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    target.write_text(json.dumps(made, indent=1) + "\n")
