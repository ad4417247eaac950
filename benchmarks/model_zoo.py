"""Write the list of weights, src/camerapose/weights/zoo.json, from the measured result rows.

    python benchmarks/model_zoo.py

Sizes and speed are those of networks of the same configuration; errors are means over the seeds in
benchmarks/results (accuracy.py), and those of the weights in the package.
"""

import dataclasses
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from rows import Row, nested, rows

from camerapose.core import joint_formats
from camerapose.io import weights
from camerapose.io.files import write_text
from camerapose.io.weights import find_weights
from camerapose.models.body_model import AbsoluteBodyModel, BodyModel
from camerapose.models.camerapose import CameraPose, build
from camerapose.train import config_io
from camerapose.train.simulated import trainer as simulated

HERE = Path(__file__).parent
RESULTS, CONFIGS = HERE / "results", HERE.parent / "configs"
ZOO = HERE.parent / "src" / "camerapose" / "weights" / "zoo.json"
#: Weights of full trainings: name, network, configuration, file of their results.
SHIPPED = (
    ("open", "body_model on simulated detections", "open", "shipped-open-0"),
    ("research", "body_model, also on Human3.6M", "research", "shipped-research-0"),
    ("human36m", "parts, CameraPose", "quick", "shipped-human36m-0"),
    ("clean", "parts, CameraPose", "clean", "shipped-clean-0"),
)
#: Poses of a batch, and repetitions of the timing.
BATCH, REPETITIONS = 1024, 5


def main() -> None:
    torch.set_num_threads(1)
    entries = [shipped(*row) for row in SHIPPED]
    entries += [built(row) for row in rows() if row.table == "gt"]
    write_text(ZOO, json.dumps(entries, indent=1) + "\n")
    print(f"wrote {ZOO} ({len(entries)} entries)")


def shipped(name: str, lifter: str, config: str, results: str) -> dict[str, Any]:
    path = CONFIGS / f"{config}.toml"
    model = (
        AbsoluteBodyModel(BodyModel(**vars(simulated.read(path).network)))
        if name in ("open", "research")
        else network(config_io.read(path))
    )
    command = f"camerapose train configs/{config}.toml -o runs/{config}"
    content = entry(name, lifter, model, errors([results]), command)
    if name in weights.SHIPPED:
        content["megabytes"] = round(find_weights(name).stat().st_size / 1e6, 1)
    return content


def built(row: Row) -> dict[str, Any]:
    """Return the entry of a row of the short schedule."""
    settings = config_io.read(CONFIGS / "matrix.toml")
    for key, value in row.changes.items():
        settings = config_io.update(settings, nested(key, value), row.name)
    found = [path.stem for path in sorted(RESULTS.glob(f"{row.name}-[0-9].json"))]
    command = f"python benchmarks/accuracy.py --data DIR --rows {row.name}"
    return entry(row.name, row.label.replace("`", ""), network(settings), errors(found), command)


def network(settings: Any) -> CameraPose:
    skeleton = joint_formats.get(settings.data.skeleton)
    return build(skeleton, **dataclasses.asdict(settings.model))


def errors(names: list[str]) -> tuple[float | None, float | None]:
    """Return mean MPJPE and PA-MPJPE with ground-truth 2D and flip averaging; None: no result."""
    files = [RESULTS / f"{name}.json" for name in names if (RESULTS / f"{name}.json").exists()]
    tests = [json.loads(file.read_text())["tests"]["gt_mirror"] for file in files]
    if not tests:
        return None, None
    mpjpe, pa = (round(statistics.mean(t[k] for t in tests), 1) for k in ("mpjpe", "pa_mpjpe"))
    return mpjpe, pa


def entry(
    name: str,
    lifter: str,
    model: CameraPose | AbsoluteBodyModel,
    measured: tuple[float | None, float | None],
    command: str,
) -> dict[str, Any]:
    parameters = sum(p.numel() for p in model.parameters())
    return {
        "name": name, "lifter": lifter, "parameters": parameters,
        "megabytes": round(2 * parameters / 1e6, 1), "speed": round(milliseconds(model), 1),
        "mpjpe": measured[0], "pa_mpjpe": measured[1], "command": command,
    }  # fmt: skip


def milliseconds(model: CameraPose | AbsoluteBodyModel) -> float:
    """Return the processor time for a batch of poses, median; other processes do not count."""
    joints = model.skeleton.n_joints
    pose2d, confidence = torch.randn(BATCH, joints, 2), torch.ones(BATCH, joints)
    times = []
    with torch.inference_mode():
        for _ in range(REPETITIONS + 1):
            start = time.process_time()
            model.eval()(pose2d, confidence)
            times.append(1000 * (time.process_time() - start))
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
