"""Speed and memory of data: batches, first batch of a run, memory of training."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import peer
import torch
from clock import Row, race

from camerapose.core.camera import Camera
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses

#: Peak memory of a process in megabytes; getrusage would include that of its parent.
PEAK = """
def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
"""
#: Run in its own process, so that time and memory start from zero.
FIRST_BATCH = f"""{PEAK}
import json, sys, time
import torch
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m, synthetic
from camerapose.train.data import to_device
root, many = sys.argv[1] or None, int(sys.argv[2])
before = peak()
started = time.process_time()
poses = cached(human36m.load, root) if root else cached(synthetic.load, None, n=many, seed=0)
pairs = to_device(poses, torch.device("cpu"))
pairs[torch.randperm(len(pairs))[:1024]]
print(json.dumps({{"seconds": time.process_time() - started, "poses": len(pairs),
                  "megabytes": peak(), "before": before}}))
"""
#: Two iterations of the joint stage on synthetic poses.
STEPS = f"""{PEAK}
import json, sys, tempfile
from pathlib import Path
import torch
from camerapose.train import config_io, trainer
from camerapose.train.config import Config
lifter, batch = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
differences = {{
    "device": "cpu", "figures": 0, "model": {{"lifter": lifter}},
    "data": {{"human36m": False, "mpii": False, "synthetic": 2 * batch}},
    "joint": {{"epochs": 1, "batch": batch}}, "adversarial": {{"batch": batch}},
}}
config = config_io.update(Config(), differences, "speed.py")
with tempfile.TemporaryDirectory() as folder:
    run = trainer.start(config, Path(folder))
    before = peak()
    trainer.stages(config, run)["joint"]()
print(json.dumps({{"megabytes": peak(), "before": before}}))
"""


def batches(rounds: int, n: int = 100_000, batch: int = 1024) -> Row:
    """Measure batches of pairs from memory."""
    rng = np.random.default_rng(0)
    shapes = ((16, 2), (16, 3), (2,), (2,), (3,))
    pose2d, pose3d, focal, center, translation = (
        rng.standard_normal((n, *shape), np.float32) for shape in shapes
    )
    confidence = np.ones((n, 16), np.float32)
    camera = Camera(focal, center, translation)
    pairs = Poses(H36M_16, pose2d, confidence, pose3d, camera).to_torch()
    order = torch.randperm(n)
    theirs = peer.batches(pose3d, pose2d, np.zeros((n, 9), np.float32), batch=batch)
    state = {"at": 0}

    def ours() -> None:
        for _ in range(20):
            state["at"] = (state["at"] + batch) % (n - batch)
            pairs[order[state["at"] : state["at"] + batch]]

    times = race(rounds, ours=ours, theirs=lambda: next(theirs))
    faster = median(20 * t / o for o, t in zip(times["ours"], times["theirs"], strict=True))
    microseconds = 1e6 * median(times["ours"]) / 20 / batch
    return Row(
        "batches: 2D, confidence, 3D, camera", microseconds, "us per sample", None, faster, "50x"
    )


def first_batch(data: Path | None, rounds: int, folder: Path) -> list[Row]:
    """Measure the first batch from the raw files (once) and from the cache."""
    root, many = (str(data / "h36m"), 0) if data else ("", 20_000)
    environment = os.environ | {"CAMERAPOSE_CACHE": str(folder / "cache")}
    measured = []
    for _ in range(1 + max(rounds, 2)):
        command = [sys.executable, "-c", FIRST_BATCH, root, str(many)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        measured.append(json.loads(done.stdout.splitlines()[-1]))
    last = measured[-1]
    seconds = median(m["seconds"] for m in measured[1:])
    note = f"peak {last['megabytes']:.0f} MB, of which torch {last['before']:.0f}"
    what = f"first batch from the cache ({last['poses']:,} poses)"
    rows = [Row(what, seconds, "s", goal="0.1 s", note=note)]
    if data:
        note = f"peak {measured[0]['megabytes']:.0f} MB"
        seconds = measured[0]["seconds"]
        rows.append(Row("first batch from the raw npz", seconds, "s", goal="4 s", note=note))
    return rows


def memory(lifter: str, batch: int) -> Row:
    """Measure the peak memory of two complete iterations of the joint stage."""
    command = [sys.executable, "-c", STEPS, lifter, str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    name = f"{lifter}: joint iteration, batches of {batch}, peak memory"
    note = f"{measured['before']:.0f} MB before it"
    return Row(name, measured["megabytes"], "MB", note=note)
