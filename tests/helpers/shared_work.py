"""What test_processes.py lets one process do, and two, which torchrun starts:

    torchrun --nproc-per-node 2 shared_work.py OUT SETTINGS.toml

writes what each found into OUT/RANK.pt, and trains in OUT/run until it is interrupted.
"""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch

from camerapose.core.formats import H36M_16
from camerapose.core.plugins import available
from camerapose.models.camerapose import build
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generator
from camerapose.train import config
from camerapose.train import distributed as processes
from camerapose.train import trainer as run

LIFTERS = sorted(available("lifters"))
#: Odd, so that the processes have different numbers of rows.
N = 9


def work():
    """Outputs, gradients and buffers of every network after a batch, in double precision."""
    torch.set_default_dtype(torch.float64)
    try:
        found = {lifter: lifted(lifter) for lifter in LIFTERS}
        return found | {"game": game()}
    finally:
        torch.set_default_dtype(torch.float32)


def lifted(lifter):
    torch.manual_seed(0)
    small = {"width": 16, "dropout": 0.25}
    model = build(H36M_16, lifter, small, refiner_hidden=16, camera_hidden=16)
    for parameter in model.parameters():  # the zeros at the start would hide much
        parameter.data += 0.05 * torch.randn_like(parameter)
    processes.share(model)
    seen = torch.randn(N, 16, 2)
    first, again = (model(seen * size, torch.rand(N, 16)) for size in (0.3, 0.4))
    loss = sum(column.square().mean() for column in (*first, *again, again.reprojection))
    return outcome({"model": model}, loss, (*first, *again))


def game():
    """Poses of a generator before discriminators: gradients flow through three networks."""
    torch.manual_seed(0)
    networks = {
        "generator": Generator(H36M_16, hidden=16),
        "d2d": Discriminator2D(H36M_16, layout=True),
        "d3d": Discriminator3D(H36M_16),
    }
    for network in networks.values():
        processes.share(network)
    pose3d = torch.randn(N, 16, 3) + torch.tensor([0.0, 0.0, 5.0])
    made = networks["generator"](pose3d, torch.full((N, 2), 2.0), torch.Generator().manual_seed(1))
    part = made.pose2d[3:]  # other rows than those that made it
    scores = networks["d2d"](part), networks["d3d"](made.bent3d)
    loss = sum((s - 1).square().mean() for s in scores) + made.length_change.square().mean()
    return outcome(networks, loss, (made.pose3d, made.camera.focal, *scores))


def outcome(networks, loss, outputs):
    loss.backward()
    parameters = [p for network in networks.values() for p in network.parameters()]
    processes.sum_gradients(parameters)
    return {
        "loss": loss.detach(),
        "outputs": [o.detach() for o in outputs],
        "gradients": [p.grad for p in parameters if p.grad is not None],
        "states": {k: dict(network.state_dict()) for k, network in networks.items()},
    }


def agreements():
    """What processes tell each other; only where there are two."""
    rank = torch.distributed.get_rank()
    assert processes.any_of(rank == 1) and not processes.any_of(False)
    assert processes.from_first(lambda: rank) == 0
    with pytest.raises(ValueError if rank == 0 else SystemExit):
        processes.from_first(lambda: [].index(0))
    processes.check_same({"seed": 1})
    with pytest.raises(ValueError, match=r"has rows of wild = .*every machine needs the same"):
        processes.check_same({"seed": 1} | ({"rows of wild": 3} if rank else {}))
    with processes.one_goes_ahead():
        assert rank == 0 or Path(sys.argv[1], "ahead").exists()
        Path(sys.argv[1], "ahead").touch()


def train_and_stop(settings, out):
    """Every iteration is logged; after the sixth the second process gets a signal."""
    log = run.Run.log

    def log_and_stop(self, terms):
        log(self, terms)
        if self.iteration == 6 and not processes.first():
            os.kill(os.getpid(), signal.SIGTERM)

    run.Run.log, run.LOG_EVERY = log_and_stop, 1
    with pytest.raises(KeyboardInterrupt):
        run.train(settings, out)


if __name__ == "__main__":
    torch.set_num_threads(1)
    out, settings = Path(sys.argv[1]), config.read(sys.argv[2])
    with processes.together(None, 1, "cpu"):
        assert processes.count() == 2
        torch.save(work(), out / f"{torch.distributed.get_rank()}.pt")
        agreements()
        train_and_stop(settings, out / "run")
        print("stopped")
