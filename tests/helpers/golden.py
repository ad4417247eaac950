"""A few training iterations with a fixed seed."""

from camerapose.core.poses import Poses
from camerapose.train import config_io, trainer
from camerapose.train.config import Config
from helpers.paths import ROOT

#: Small lifters, without and with dropout.
LIFTERS = {
    "mlp": {"width": 64, "dropout": 0.0},
    "mlp, dropout": {"width": 64, "dropout": 0.25},
    "videopose": {"width": 64, "dropout": 0.0},
    "parts": {"width": 32, "blocks": 2},
    "semgcn": {"width": 32, "blocks": 1},
    "stgcn": {"width": 32, "dropout": 0.0},
}
#: Runs with known losses: the lifters with the default settings, and the literal paper.
RUNS = (*LIFTERS, "paper")


def settings(name, compiled=False, changes=None):
    stage = {"epochs": 1, "batch": 64, "lr": 1e-6}
    paper = name == "paper"
    lifter = "videopose" if paper else name
    small = config_io.update(
        config_io.read(ROOT / "configs" / "paper.toml") if paper else Config(),
        {
            "device": "cpu", "figures": 0, "unlabelled_batch": 32,
            "bone_length_std": 0.0 if paper else 0.05,
            "compile": compiled,
            "data": {"human36m": False, "mpii": False, "synthetic": 192},
            "model": {
                "lifter": lifter.partition(",")[0], "lifter_arguments": LIFTERS[lifter],
                "refiner_hidden": 64, "camera_hidden": 64,
            },
            "adversarial": {"batch": 48, "generated_share": 0.5, "lr": 1e-6},
            "refine": stage, "warmup": stage, "joint": stage,
        },
        "the test",
    )  # fmt: skip
    return config_io.update(small, changes or {}, "the test")


def with_others(loaded):
    """Add detections and 2D-only poses to synthetic pairs."""
    pairs = loaded.pairs
    mirrored = pairs[:96].mirror()
    confidence = mirrored.confidence.clone()
    confidence[::3, 4] = 0
    return loaded._replace(
        detected=Poses(pairs.skeleton, pairs.pose2d + 0.005, 0.9 * pairs.confidence),
        unlabelled=Poses(pairs.skeleton, mirrored.pose2d, confidence),
        complete=(confidence > 0).all(1).nonzero()[:, 0],
    )


def start(config, folder):
    run = trainer.start(config, folder)
    return run._replace(data=with_others(run.data))


def losses(name, folder, compiled=False, changes=None):
    """Return the values that every iteration logs."""
    config = settings(name, compiled, changes)
    run, rows = start(config, folder), []
    log = run.loop.log
    add = log.add

    def record(values):
        if values:
            rows.append({key: float(value.detach()) for key, value in values.items()})
        add(values)

    log.add = record
    for stage, train in trainer.stages(config, run).items():
        train()
        run.loop.end_stage(stage)
    return rows
