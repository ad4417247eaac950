"""Errors of gait events and parameters of single-camera predictions on Human3.6M's walking clips.

    python benchmarks/gait.py --data DIR             # Human3.6M in DIR/h36m
    python benchmarks/gait.py --data DIR --write     # also writes dev/results.md

Recordings "Walking" at 25 frames per second, one camera at a time: 2D, lifter, body height, static
camera, smoothing, estimated ground, gait (`camerapose.core.gait`). The reference is the gait of the
ground-truth joints in the calibrated vertical. Events match within 0.2 s. The default weights were
trained on S1 to S8, so that their errors are optimistic; S9 and S11 are test subjects.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from angles import DOCUMENT, INPUTS
from report import put_table

from camerapose import Predictor
from camerapose.core import gait
from camerapose.core.anatomy import body_height
from camerapose.core.camera import denormalize
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.data.datasets import human36m
from camerapose.data.datasets.human36m.calibration import cameras
from camerapose.infer import clip

SUBJECTS = {"training": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
#: Use every n-th frame of the 50 per second.
FRAME_STEP = 2
FPS = 50.0 / FRAME_STEP
#: Largest distance in time of events that match, seconds.
MATCH = 0.2
#: Parameters of steps: factors and decimals of the table.
PARAMETERS = {
    "length": ("cm", 100, 1), "width": ("cm", 100, 1), "cadence": ("1/min", 1, 1),
    "speed": ("m/s", 1, 2),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="open", help="name, folder or .onnx file")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains h36m")
    parser.add_argument("--write", action="store_true", help="write the table to dev/results.md")
    arguments = parser.parse_args()
    predictor = Predictor(arguments.weights)
    rows = {}
    for group, subjects in SUBJECTS.items():
        for name, detections in INPUTS.items():
            poses = human36m.load(
                arguments.data / "h36m", subjects=subjects, actions=["Walking"],
                frame_step=FRAME_STEP, detections=detections,
            )  # fmt: skip
            rows[f"{group}, {name}"] = measure(predictor, poses)
    text = table(rows)
    print(text)
    if arguments.write:
        put_table(text, DOCUMENT, "gait")


def measure(predictor: Predictor, given: Poses) -> dict[str, np.ndarray]:
    """Return differences (prediction minus reference) by quantity, and counts of events."""
    names = [given.labels[name] for name in ("subject", "action", "camera")]
    found: dict[str, list[float]] = defaultdict(list)
    for key in sorted(set(zip(*(n.tolist() for n in names), strict=True))):
        rows = np.flatnonzero(np.all([n == k for n, k in zip(names, key, strict=True)], axis=0))
        truth = given[rows]
        truth = replace(truth, labels={"frame": np.arange(len(rows))})
        compare(predicted_gait(predictor, truth), true_gait(truth, key[0], key[2]), found)
    return {name: np.array(values) for name, values in found.items()}


def predicted_gait(predictor: Predictor, truth: Poses) -> gait.Gait:
    """Return the gait of the prediction from the 2D of a clip, with the true body height."""
    pixels = denormalize(truth.pose2d, truth.image_size)
    poses = predictor(
        pixels, truth.confidence, image_size=truth.image_size, skeleton=truth.skeleton
    )
    poses = replace(poses, labels=truth.labels)
    height = float(np.median(body_height(truth.pose3d, truth.skeleton)))
    if predictor.temporal is not None:
        poses = predictor.temporal(poses, fps=FPS)
    poses = clip.static_camera(clip.set_height(poses, height))
    poses = clip.optimize(poses, fps=FPS)[0]
    points = clip.estimate_ground(poses).points(np.asarray(poses.pose3d, float))
    return gait.analyse(points, FPS, poses.skeleton)


def true_gait(truth: Poses, subject: str, camera: int) -> gait.Gait:
    """Return the gait of the ground-truth joints; up is that of the calibration."""
    up = cameras(subject)[0].rotation[camera] @ np.array([0.0, 0.0, 1.0])
    back = np.array([0.0, 0.0, -1.0])
    z = back - (back @ up) * up
    z /= np.linalg.norm(z)
    level = Ground(np.stack([np.cross(up, z), up, z]), 0.0)
    return gait.analyse(level.points(np.asarray(truth.pose3d, float)), FPS, truth.skeleton)


def compare(own: gait.Gait, true: gait.Gait, found: dict[str, list[float]]) -> None:
    """Append the differences of matching events and steps."""
    for kind in ("heel_strike", "toe_off"):
        ours = [event for event in own.events if event.kind == kind]
        reference = [event for event in true.events if event.kind == kind]
        pairs = match(ours, reference)
        found[f"{kind}_ms"] += [1000 * (a.row - b.row) / FPS for a, b in pairs]
        found[f"{kind}_true"].append(len(reference))
        found[f"{kind}_own"].append(len(ours))
    for a, b in match(own.steps, true.steps):
        for name in PARAMETERS:
            found[name].append(getattr(a, name) - getattr(b, name))
            found[f"{name}_true"].append(getattr(b, name))


def match(ours: list, reference: list) -> list[tuple]:
    """Return pairs of events or steps of the same side, the nearest within `MATCH`."""
    pairs = []
    for b in reference:
        near = [a for a in ours if a.side == b.side and abs(a.row - b.row) <= MATCH * FPS]
        if near:
            pairs.append((min(near, key=lambda a: abs(a.row - b.row)), b))
    return pairs


def table(rows: dict[str, dict[str, np.ndarray]]) -> str:
    """Return a Markdown table of mean absolute differences, with mean differences in brackets."""
    heads = ["subjects, 2D", "heel strikes", "found %", "false %", "ms", "toe-offs", "found %"]
    heads += ["false %", "ms", *(f"{name}, {unit}" for name, (unit, *_) in PARAMETERS.items())]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for name, row in rows.items():
        cells = [name]
        for kind in ("heel_strike", "toe_off"):
            true, own = row[f"{kind}_true"].sum(), row[f"{kind}_own"].sum()
            pairs = len(row[f"{kind}_ms"])
            cells += [
                f"{true:.0f}",
                f"{100 * pairs / true:.0f}",
                f"{100 * (own - pairs) / own:.0f}",
            ]
            cells.append(difference(row[f"{kind}_ms"], 1, 0))
        for quantity, (_, factor, digits) in PARAMETERS.items():
            mean = f"{factor * np.nanmean(row[quantity + '_true']):.{digits}f}"
            cells.append(f"{difference(row[quantity], factor, digits)} of {mean}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference(values: np.ndarray, factor: float, digits: int) -> str:
    absolute, mean = factor * np.nanmean(np.abs(values)), factor * np.nanmean(values)
    return f"{absolute:.{digits}f} ({mean:+.{digits}f})"


if __name__ == "__main__":
    main()
