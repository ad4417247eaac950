"""Settings, surroundings and result files of small trainings."""

import json
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file

from helpers.paths import ROOT

SMOKE = ROOT / "configs" / "smoke.toml"


STAGES = ("refine", "warmup", "joint")


#: Settings that make configs/smoke.toml small. `lifter_arguments` replaces that of the file.
SMALL = {
    "figures": 1,
    "unlabelled_batch": 16,
    "data": {"synthetic": 512},
    "model": {
        "lifter_arguments": {"width": 32, "dropout": 0.1},
        "refiner_hidden": 32,
        "camera_hidden": 32,
    },
    **{stage: {"epochs": 1, "batch": 128} for stage in STAGES},
    "adversarial": {"batch": 16, "interval": 1},
}


def metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights(out):
    return load_file(out / "checkpoint" / "model.safetensors")


def saved(out):
    return torch.load(out / "training.pt", weights_only=True)


@contextmanager
def one_thread(cache):
    """Use one thread, so that sums have a fixed order, and a separate cache folder."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMERAPOSE_CACHE", str(cache))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


def same(a, b):
    """Return whether nested tensors are identical."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
