"""Evaluate on real video: four calibrated cameras give the ground truth, one the input.

    python benchmarks/real_detections.py                 # default weights
    python benchmarks/real_detections.py runs/mine       # other weights
    python benchmarks/real_detections.py --limbs         # only the twelve limb joints given
    python benchmarks/real_detections.py --json benchmarks/results/real-bundled.json

The video is `Demo_SinglePerson` of the package pose2sim 0.10.49 (BSD-3-Clause): one person, four
synchronised portrait cameras. BlazePose heavy detects 33 landmarks in each view. The limb joints
are triangulated over the four views, weighted by confidence: the ground truth. Then the detections
of each camera are lifted separately. Reported are PA-MPJPE over the twelve limb joints and the
error of the focal length.

The ground truth has BlazePose's joints. Weights of `body_46` are compared in COCO's definition,
the nearest that they predict; the error of weights that only predict Human3.6M's joints includes
the different placement of hips and shoulders, 20 to 50 mm.

This is test data: do not select models by it. The ground truth has errors itself: the mean
reprojection error of the triangulated joints is printed as well.
"""

import argparse
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from camerapose.core.camera import Camera, normalize
from camerapose.core.joint_formats import BLAZEPOSE_33
from camerapose.detect.blazepose import Detector
from camerapose.evaluate import metrics
from camerapose.infer.predictor import Predictor
from camerapose.io.assets import cache_dir
from camerapose.io.source import Source

PACKAGE = "pose2sim==0.10.49"
INSIDE = "Pose2Sim/Demo_SinglePerson/"
CAMERAS = ("cam01", "cam02", "cam03", "cam04")
LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
#: Minimum confidence of a landmark to be used in the triangulation.
MIN_CONFIDENCE = 0.3
#: Units of the calibration per pixel.
SUBPIXEL = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="open", help="name, folder or .onnx file")
    parser.add_argument("--rotated-views", action="store_true", help="average over rotated views")
    parser.add_argument("--limbs", action="store_true", help="give only the twelve limb joints")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    arguments = parser.parse_args()
    views = detections()
    given = limbs_only(views) if arguments.limbs else views
    truth, error = triangulate(views)
    print(f"ground truth: {truth.shape[0]} frames, mean reprojection error {error:.1f} px")
    rows = measure(
        Predictor(arguments.weights, rotated_views=arguments.rotated_views), given, truth
    )
    print(f"{'':8}{'PA-MPJPE mm':>12}{'focal error %':>15}")
    for name, row in rows.items():
        print(f"{name:8}{row['pa_mpjpe']:12.1f}{row['focal_error']:15.1f}")
    if arguments.json:
        about = {"row": arguments.json.stem, "seed": 0, "tests": {}}
        about |= {"given": "limb joints" if arguments.limbs else "all landmarks"}
        about |= {"truth_reprojection": error, "cameras": rows}
        arguments.json.write_text(json.dumps(about, indent=1) + "\n")


def detections() -> dict[str, dict[str, np.ndarray]]:
    """Return landmarks (frames, 33, 3) and calibration of each camera; they are cached."""
    folder = cache_dir() / "pose2sim-0.10.49"
    kept = folder / "blazepose_heavy.npz"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(folder)
        found = {name: _detect(folder / INSIDE / f"videos/{name}.mp4") for name in CAMERAS}
        np.savez_compressed(kept, **found)
    calibration = _calibration(folder / INSIDE / "calibration/Calib.qca.txt")
    with np.load(kept) as file:
        frames = min(len(file[name]) for name in CAMERAS)
        return {name: calibration[name] | {"points": file[name][:frames]} for name in CAMERAS}


def _fetch(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", PACKAGE, "-d", str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wanted = [
            n for n in wheel.namelist() if n.startswith(INSIDE) and n.endswith((".mp4", "qca.txt"))
        ]
        wheel.extractall(folder, wanted)


def _detect(video: Path) -> np.ndarray:
    """Return 33 landmarks in pixels with confidence; zeros in frames without a person."""
    detector = Detector("heavy")
    rows = []
    for frame in tqdm(Source.open(video).frames(), desc=video.name):
        people = detector(frame.image, track=True)
        rows.append(np.zeros((33, 3)))
        if people:
            rows[-1] = np.column_stack([people[0].keypoints, people[0].confidence])
    return np.array(rows, np.float32)


def _calibration(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Read intrinsics in pixels and world-to-camera transforms (Qualisys format).

    Its rotation turns the camera's axes, x right, y up, z backwards, into the world's.
    """
    found = {}
    for camera in ElementTree.parse(path).getroot().iter("camera"):
        inside, outside = camera.find("intrinsic").attrib, camera.find("transform").attrib
        fov = camera.find("fov_video").attrib
        axes = np.array([[float(outside[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
        position = np.array([float(outside[axis]) for axis in "xyz"]) / 1000
        rotation = np.diag([1.0, -1.0, -1.0]) @ axes
        found[camera.get("serial")] = {
            "focal": np.array([float(inside[f"focalLength{a}"]) for a in "UV"]) / SUBPIXEL,
            "center": np.array([float(inside[f"centerPoint{a}"]) for a in "UV"]) / SUBPIXEL,
            "distortion": np.array(
                [float(inside[f"radialDistortion{i}"]) for i in (1, 2, 3)]
                + [float(inside[f"tangentalDistortion{i}"]) for i in (1, 2)]
            ),
            "rotation": rotation,
            "translation": -rotation @ position,
            "size": np.array([float(fov["right"]) + 1, float(fov["bottom"]) + 1]),
        }
    return found


def camera_of(view: dict[str, np.ndarray]) -> Camera:
    """Return a camera in normalised units."""
    return Camera(
        view["focal"][None] * 2 / view["size"][0],
        normalize(view["center"][None, None], view["size"])[:, 0],
        view["translation"][None],
        view["rotation"][None],
        view["distortion"][None],
    )


def triangulate(views: dict[str, dict[str, np.ndarray]]) -> tuple[np.ndarray, float]:
    """Return triangulated limb joints (frames, 12, 3), metres, and their mean error, pixels.

    Linear triangulation with each view's equations weighted by its confidence; joints seen by
    fewer than two cameras are NaN.
    """
    chosen = [BLAZEPOSE_33.index(j) for j in LIMBS]
    rows, weights = [], []
    for view in views.values():
        points = _undistorted(view, view["points"][:, chosen, :2].astype(float))
        matrix = np.concatenate([view["rotation"], view["translation"][:, None]], axis=1)
        rows += [points[..., i, None] * matrix[2] - matrix[i] for i in (0, 1)]
        score = view["points"][:, chosen, 2]
        weights += [np.where(score > MIN_CONFIDENCE, score, 0.0)] * 2
    system = np.stack(rows, axis=-2) * np.stack(weights, axis=-1)[..., None]
    solution = np.linalg.svd(system)[2][..., -1, :]
    world = solution[..., :3] / solution[..., 3:]
    world[(np.stack(weights, -1) > 0).sum(-1) < 4] = np.nan
    errors = []
    for view in views.values():
        camera = camera_of(view)
        again = camera.project(camera.to_camera(world))
        seen = view["points"][:, chosen, 2] > MIN_CONFIDENCE
        given = normalize(view["points"][:, chosen, :2].astype(float), view["size"])
        errors.append((np.linalg.norm(again - given, axis=-1) * view["size"][0] / 2)[seen])
    return world, float(np.nanmean(np.concatenate(errors)))


def _undistorted(view: dict[str, np.ndarray], points: np.ndarray) -> np.ndarray:
    """Convert pixels to the plane at depth one by fixed-point iteration."""
    k1, k2, k3, p1, p2 = view["distortion"]
    target = (points - view["center"]) / view["focal"]
    xy = target.copy()
    for _ in range(10):
        x, y = xy[..., 0], xy[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        shift = np.stack(
            [2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1
        )
        xy = (target - shift) / radial[..., None]
    return xy


def limbs_only(views: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    """Return the views with confidence 0 for all other joints."""
    others = [i for i, joint in enumerate(BLAZEPOSE_33.joints) if joint not in LIMBS]
    result = {}
    for name, view in views.items():
        points = view["points"].copy()
        points[:, others] = 0
        result[name] = view | {"points": points}
    return result


def measure(predictor: Predictor, views: dict, truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return PA-MPJPE (mm) and focal length error (%) of each camera, and their means."""
    good = np.isfinite(truth).all((1, 2))
    rows = {}
    for name, view in views.items():
        points = view["points"]
        usable = good & predictor.usable(points[..., :2], points[..., 2], "blazepose_33")
        found = predictor(
            points[usable][..., :2], points[usable][..., 2],
            image_size=view["size"], skeleton="blazepose_33",
        )  # fmt: skip
        limbs = found.to(BLAZEPOSE_33).pose3d[:, [BLAZEPOSE_33.index(j) for j in LIMBS]]
        error = metrics.pa_mpjpe(
            torch.tensor(limbs, dtype=torch.float64), torch.tensor(truth[usable])
        )
        focal = found.camera.focal / camera_of(view).focal - 1
        rows[name] = {
            "frames": int(usable.sum()),
            "pa_mpjpe": 1000 * float(error.mean()),
            "focal_error": 100 * float(np.abs(focal).mean()),
        }
    rows["mean"] = {
        k: float(np.mean([r[k] for r in rows.values()])) for k in ("pa_mpjpe", "focal_error")
    }
    return rows


if __name__ == "__main__":
    main()
