"""Comparison with MediaPipe's world landmarks on real video.

    mp/bin/python benchmarks/mediapipe_landmarks.py -o mediapipe.npz cam01.mp4 ...  # see that file
    python benchmarks/peers.py mediapipe.npz                        # default weights
    python benchmarks/peers.py mediapipe.npz default clean runs/mine --json FILE

The frames and the ground truth of `real_detections.py`: four calibrated cameras, one at a time;
PA-MPJPE over the twelve limb joints. MediaPipe (BlazePose heavy, tracking) predicts 3D itself. Our
weights are measured with their own 2D (BlazePose heavy in camerapose) and with MediaPipe's 2D and
visibility. Only frames count in which all systems have a person.

The ground truth is triangulated from the landmarks that camerapose detects, in BlazePose's joints:
MediaPipe predicts exactly these, ours are compared in the nearest definition (COCO's, or
Human3.6M's for weights that only predict them). This is test data: do not select models by it.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import real_detections
from real_detections import LIMBS

from camerapose.core.joint_formats import BLAZEPOSE_33
from camerapose.evaluate import metrics
from camerapose.infer.predictor import Predictor

ROWS = [BLAZEPOSE_33.index(joint) for joint in LIMBS]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("landmarks", type=Path, help="file of mediapipe_landmarks.py")
    parser.add_argument("weights", nargs="*", default=["open"], help="names, folders or files")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    arguments = parser.parse_args()
    views = real_detections.detections()
    truth, error = real_detections.triangulate(views)
    with np.load(arguments.landmarks) as file:
        version = str(file["mediapipe"])
        theirs = {name: file[name][: len(truth)] for name in views}
    predictors = {weights: Predictor(weights) for weights in arguments.weights}
    rows = compare(predictors, views, theirs, truth)
    print(f"ground truth: mean reprojection error {error:.1f} px; MediaPipe {version}")
    columns = list(next(iter(rows.values())))
    print(f"{'':34}" + "".join(f"{name:>9}" for name in columns))
    for name, row in rows.items():
        print(f"{name[-33:]:34}" + "".join(f"{value:9.1f}" for value in row.values()))
    if arguments.json:
        about = {"row": arguments.json.stem, "seed": 0, "tests": {}, "mediapipe": version}
        about |= {"truth_reprojection": error, "pa_mpjpe": rows}
        arguments.json.write_text(json.dumps(about, indent=1) + "\n")


def compare(
    predictors: dict[str, Predictor],
    views: dict[str, dict[str, np.ndarray]],
    theirs: dict[str, np.ndarray],
    truth: np.ndarray,
) -> dict[str, dict[str, float]]:
    """Return the PA-MPJPE (mm) of each system by camera, their mean, and the number of frames.

    Args:
        predictors: our weights by name.
        views: our detections and the calibration by camera.
        theirs: MediaPipe's landmarks by camera (frames, 33, 7).
        truth: limb joints (frames, 12, 3), metres; NaN where unknown.
    """
    known = np.isfinite(truth).all((1, 2))
    rows: dict[str, dict[str, float]] = {}
    counts: dict[str, float] = {}
    for camera, view in views.items():
        inputs = {"own 2D": view["points"], "MediaPipe's 2D": theirs[camera][..., :3]}
        usable = known & (theirs[camera][:, 0, 6] > 0)
        for predictor in predictors.values():
            for points in inputs.values():
                usable &= predictor.usable(points[..., :2], points[..., 2], BLAZEPOSE_33)
        counts[camera] = float(usable.sum())
        bodies = {"MediaPipe world landmarks, own 2D": theirs[camera][usable][:, ROWS, 3:6]}
        for name, predictor in predictors.items():
            for kind, points in inputs.items():
                poses = predictor(
                    points[usable][..., :2], points[usable][..., 2],
                    image_size=view["size"], skeleton=BLAZEPOSE_33,
                )  # fmt: skip
                bodies[f"{name}, {kind}"] = poses.to(BLAZEPOSE_33).pose3d[:, ROWS]
        for name, body in bodies.items():
            a, b = (torch.as_tensor(np.asarray(p, np.float64)) for p in (body, truth[usable]))
            rows.setdefault(name, {})[camera] = 1000 * float(metrics.pa_mpjpe(a, b).mean())
    for row in rows.values():
        row["mean"] = float(np.mean(list(row.values())))
    return rows | {"frames": counts | {"mean": float(np.mean(list(counts.values())))}}


if __name__ == "__main__":
    main()
