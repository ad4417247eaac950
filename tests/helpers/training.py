"""Settings and result files of small trainings."""

import json

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
