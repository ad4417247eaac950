"""Work for one process, and for two processes started by torchrun.

    torchrun --nproc-per-node 2 shared_work.py OUT SETTINGS.toml

writes the results of each process to OUT/RANK.pt, and trains in OUT/run until it is interrupted.
"""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch

from camerapose.core.joint_formats import H36M_16
from camerapose.core.plugins import available
from camerapose.models.camerapose import build
from camerapose.models.discriminators import Discriminator2D, Discriminator3D
from camerapose.models.generator import Generator
from camerapose.train import config_io, distributed, loop, trainer
from camerapose.train.logging import TrainingLog
from camerapose.train.parallel import parallelize, sum_gradients

LIFTERS = sorted(available("lifters"))
#: Odd, so that the numbers of rows differ between processes.
N = 9


def work():
    """Return outputs, gradients and buffers of every network after a batch, in double precision."""
    torch.set_default_dtype(torch.float64)
    try:
        return {lifter: lift(lifter) for lifter in LIFTERS} | {"adversarial": adversarial()}
    finally:
        torch.set_default_dtype(torch.float32)


def lift(lifter):
    torch.manual_seed(0)
    small = {"width": 16, "dropout": 0.25}
    model = build(H36M_16, lifter, small, refiner_hidden=16, camera_hidden=16)
    for parameter in model.parameters():  # initial zeros would hide differences
        parameter.data += 0.05 * torch.randn_like(parameter)
    parallelize(model)
    pose2d = torch.randn(N, 16, 2)
    first, second = (model(pose2d * size, torch.rand(N, 16)) for size in (0.3, 0.4))
    loss = sum(column.square().mean() for column in (*first, *second, second.reprojection))
    return results({"model": model}, loss, (*first, *second))


def adversarial():
    """Score generated poses with the discriminators: gradients flow through three networks."""
    torch.manual_seed(0)
    networks = {
        "generator": Generator(H36M_16, hidden=16),
        "d2d": Discriminator2D(H36M_16, layout=True),
        "d3d": Discriminator3D(H36M_16),
    }
    for network in networks.values():
        parallelize(network)
    pose3d = torch.randn(N, 16, 3) + torch.tensor([0.0, 0.0, 5.0])
    generated = networks["generator"](
        pose3d, torch.full((N, 2), 2.0), torch.Generator().manual_seed(1)
    )
    part = generated.pose2d[3:]  # not all rows of the generator's batch
    scores = networks["d2d"](part), networks["d3d"](generated.bent3d)
    loss = sum((s - 1).square().mean() for s in scores) + generated.length_change.square().mean()
    return results(networks, loss, (generated.pose3d, generated.camera.focal, *scores))


def results(networks, loss, outputs):
    loss.backward()
    parameters = [p for network in networks.values() for p in network.parameters()]
    sum_gradients(parameters)
    return {
        "loss": loss.detach(),
        "outputs": [o.detach() for o in outputs],
        "gradients": [p.grad for p in parameters if p.grad is not None],
        "states": {k: dict(network.state_dict()) for k, network in networks.items()},
    }


def check_communication():
    """Check the functions that exchange values between two processes."""
    rank = torch.distributed.get_rank()
    assert distributed.any_process(rank == 1) and not distributed.any_process(False)
    assert distributed.from_main(lambda: rank) == 0
    with pytest.raises(ValueError if rank == 0 else SystemExit):
        distributed.from_main(lambda: [].index(0))
    distributed.check_identical({"seed": 1})
    with pytest.raises(ValueError, match="has rows of unlabelled = .*every machine needs"):
        distributed.check_identical({"seed": 1} | ({"rows of unlabelled": 3} if rank else {}))
    with distributed.local_main_first():
        assert rank == 0 or Path(sys.argv[1], "ahead").exists()
        Path(sys.argv[1], "ahead").touch()


def train_and_stop(settings, out):
    """Log every iteration; after the sixth, send a signal to the second process."""
    add = TrainingLog.add

    def add_and_stop(self, values):
        add(self, values)
        if self.progress.iteration == 6 and not distributed.is_main():
            os.kill(os.getpid(), signal.SIGTERM)

    TrainingLog.add, loop.LOG_INTERVAL = add_and_stop, 1
    with pytest.raises(KeyboardInterrupt):
        trainer.train(settings, out)


if __name__ == "__main__":
    torch.set_num_threads(1)
    out, settings = Path(sys.argv[1]), config_io.read(sys.argv[2])
    with distributed.process_group(None, 1, "cpu"):
        assert distributed.process_count() == 2
        torch.save(work(), out / f"{torch.distributed.get_rank()}.pt")
        check_communication()
        train_and_stop(settings, out / "run")
        print("stopped")
