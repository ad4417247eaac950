"""Errors of knee and hip angles on Human3.6M (S9, S11), per action.

    python benchmarks/angles.py --data DIR             # Human3.6M in DIR/h36m; every 5th frame
    python benchmarks/angles.py human36m --data DIR --write     # also writes dev/results.md
    python benchmarks/angles.py open human36m --data DIR --recording-step 7 --frames 150

Predicted poses of one camera at a time are compared with the angles of the ground-truth joints,
with the definitions of exported files (`camerapose.core.angles`). Mean absolute error in degrees
over left and right, frames, recordings and cameras. Predictions are smoothed as
`camerapose predict` does for video. The 2D is the ground truth or that of Stacked Hourglass.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import put_table

from camerapose import Predictor
from camerapose.core.angles import joint_angles
from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.evaluate import protocols
from camerapose.infer import clip

DOCUMENT = Path(__file__).parents[1] / "dev/results.md"
#: Angles (without side), and their names in the table.
ANGLES = {
    "knee_angle": "knee", "hip_flexion": "hip flexion", "hip_adduction": "hip adduction",
    "hip_rotation": "hip rotation",
}  # fmt: skip
#: Detections, by the name in the table; None: ground-truth 2D.
INPUTS = {"ground-truth 2D": None, "Stacked Hourglass": "sh_pt_mpii"}
#: Frames per second of Human3.6M.
FPS = 50.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="*", default=["open"], help="name, folder or .onnx file")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains h36m")
    parser.add_argument("--frame-step", type=int, default=5, help="use every n-th frame")
    parser.add_argument("--recording-step", type=int, default=1, help="use every n-th recording")
    parser.add_argument("--frames", type=int, help="use the first n of these frames of each")
    parser.add_argument("--smooth", type=float, default=1.0, help="strength of smoothing")
    parser.add_argument("--write", action="store_true", help="write the table to dev/results.md")
    arguments = parser.parse_args()
    columns = {
        f"{weights}, {name}": measure(Predictor(weights), detections, arguments)
        for weights in arguments.weights
        for name, detections in INPUTS.items()
    }
    text = " / ".join(columns) + "\n\n" + table(columns)
    print(text)
    if arguments.write:
        put_table(text, DOCUMENT, "angles")


def measure(
    predictor: Predictor, detections: str | None, arguments: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Return the mean error of each angle (degrees), by action and for "all"."""
    root, step = arguments.data / "h36m", arguments.frame_step
    given = protocols.load("human36m", root, detections=detections, frame_step=step).poses
    names = [given.labels[name] for name in ("subject", "action", "camera")]
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    keys = sorted(set(zip(*(n.tolist() for n in names), strict=True)))
    for key in keys[:: arguments.recording_step]:
        rows = np.flatnonzero(np.all([n == k for n, k in zip(names, key, strict=True)], axis=0))
        one = given[rows[: arguments.frames]]
        pixels = denormalize(one.pose2d, one.image_size)
        poses = predictor(pixels, one.confidence, image_size=one.image_size, skeleton=one.skeleton)
        poses = replace(poses, labels={"frame": np.asarray(one.labels["frame"])})
        if predictor.temporal is not None and arguments.smooth:
            poses = predictor.temporal(poses, fps=FPS)
        smoothed = clip.optimize(poses, fps=FPS, strength=arguments.smooth)[0]
        found[key[1].split()[0]].append(errors(smoothed.to(one.skeleton), one))
    result = {action: np.concatenate(parts).mean(0) for action, parts in sorted(found.items())}
    every = np.concatenate([part for parts in found.values() for part in parts])
    return result | {"all": every.mean(0)}


def errors(poses: Poses, truth: Poses) -> np.ndarray:
    """Return absolute errors (frames, angles) in degrees, means of left and right."""
    flip = np.array([1.0, -1.0, -1.0])  # y up
    own, true = (joint_angles(p.pose3d * flip, p.skeleton) for p in (poses, truth))
    columns = []
    for name in ANGLES:
        sides = [own[f"{name}_{side}"] - true[f"{name}_{side}"] for side in "lr"]
        columns.append(np.mean([np.abs((d + 180) % 360 - 180) for d in sides], axis=0))
    return np.stack(columns, axis=1)


def table(columns: dict[str, dict[str, np.ndarray]]) -> str:
    """Return a Markdown table; each cell has the errors for all inputs."""
    lines = ["| action | " + " | ".join(ANGLES.values()) + " |", "| --- " * 5 + "|"]
    for action in next(iter(columns.values())):
        values = np.stack([errors[action] for errors in columns.values()], axis=1)
        cells = [" / ".join(f"{value:.1f}" for value in row) for row in values]
        lines.append(f"| {action} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
