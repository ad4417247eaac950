"""A few training iterations with a fixed seed."""

from camerapose.core.poses import Poses
from camerapose.train import config
from camerapose.train.joint import joint
from camerapose.train.refine import refine
from camerapose.train.trainer import Run
from camerapose.train.warmup import warmup

#: Each lifter small, without dropout and with.
LIFTERS = {
    "mlp": {"width": 64, "dropout": 0.0},
    "mlp, dropout": {"width": 64, "dropout": 0.25},
    "videopose": {"width": 64, "dropout": 0.0},
    "parts": {"width": 32, "blocks": 2},
    "semgcn": {"width": 32, "blocks": 1},
    "stgcn": {"width": 32, "dropout": 0.0},
}


def settings(name):
    stage = {"epochs": 1, "batch": 64, "lr": 1e-6}
    return config.update(
        config.Config(),
        {
            "device": "cpu", "pictures": 0, "wild_batch": 32, "bodies": 0.05,
            "data": {"human36m": False, "mpii": False, "synthetic": 192},
            "model": {
                "lifter": name.partition(",")[0], "lifter_arguments": LIFTERS[name],
                "refiner_hidden": 64, "camera_hidden": 64,
            },
            "adversary": {"batch": 48, "share": 0.5, "lr": 1e-6},
            "refine": stage, "warmup": stage, "joint": stage,
        },
        "the test",
    )  # fmt: skip


def with_others(loaded):
    """Detections and 2D-only poses beside the made bodies."""
    pairs = loaded.pairs
    turned = pairs[:96].mirror()
    confidence = turned.confidence.clone()
    confidence[::3, 4] = 0
    return loaded._replace(
        detected=Poses(pairs.skeleton, pairs.pose2d + 0.005, 0.9 * pairs.confidence),
        wild=Poses(pairs.skeleton, turned.pose2d, confidence),
        complete=(confidence > 0).all(1).nonzero()[:, 0],
    )


def start(name, folder, compiled=False):
    run = Run(config.update(settings(name), {"compile": compiled}, "the test"), folder)
    run.data = with_others(run.data)
    return run


def losses(name, folder, compiled=False):
    """What every iteration reports."""
    run, rows, log = start(name, folder, compiled), [], Run.log

    def note(terms):
        rows.append({key: float(value.detach()) for key, value in terms.items()})
        log(run, terms)

    run.log = note
    for stage in (refine, warmup, joint):
        stage(run)
        run.end_stage(stage.__name__)
    return rows
