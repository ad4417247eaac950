"""Errors of a temporal model, per frame and with 27 frames, and its speed.

    python benchmarks/temporal.py runs/temporal --data DIR                  # S9 and S11 of DIR/h36m
    python benchmarks/temporal.py runs/temporal --data DIR --every-camera   # all four cameras
    python benchmarks/temporal.py runs/temporal                             # real video and speed

Human3.6M: recordings of S9 and S11 at 50 frames per second with ground-truth 2D and with Stacked
Hourglass detections; of each recording one camera, in turn, or all. MPJPE (mm) and MPJVE (mean
error of the displacement between frames, mm) are root-relative. The real video is that of
`real_detections.py`. "optimised": `clip.optimize` after it; "live": the filters of a live stream
after it (with `--live`). Weights without a temporal model have rows "per frame" only. All with flip
averaging.
"""

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from real_detections import CAMERAS, LIMBS, detections, triangulate

from camerapose import Predictor
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import BLAZEPOSE_33
from camerapose.core.poses import Poses
from camerapose.core.temporal import LOOKAHEAD
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m
from camerapose.evaluate import metrics
from camerapose.infer import clip
from camerapose.infer.live_smoothing import LiveSmoother
from camerapose.infer.temporal import LiveTemporal

DETECTIONS, FPS = "sh_pt_mpii", 50.0
#: Frames per second of the real video.
VIDEO_FPS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="human36m", help="name, folder or .onnx file")
    parser.add_argument("--data", type=Path, help="folder that contains h36m")
    parser.add_argument("--subjects", nargs="+", default=["S9", "S11"])
    parser.add_argument("--every-camera", action="store_true")
    parser.add_argument("--frames", type=int, help="first frames of each recording; default: all")
    parser.add_argument("--optimised", action="store_true", help="also after clip.optimize")
    parser.add_argument(
        "--live", action="store_true", help="also after the filters of live streams"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    predictor = Predictor(arguments.weights, threads=1)
    if predictor.temporal is None and not arguments.data:
        raise SystemExit(f"{predictor.path} has no temporal model; give --data for single frames")
    if arguments.data:
        detected = recordings(arguments.data / "h36m", arguments)
        for name, poses in (("ground truth", exact(detected)), (DETECTIONS, detected)):
            report(predictor, poses, name, arguments)
    if predictor.temporal is not None:
        real_video(predictor)
        speed(predictor)


def recordings(root: Path, arguments: argparse.Namespace) -> Poses:
    """Return the recordings; the label person is the number of recording and camera."""
    subjects = tuple(arguments.subjects)
    poses = cached(human36m.load, root, subjects=subjects, detections=DETECTIONS)
    starts = np.diff(poses.labels["frame"], prepend=np.inf) <= 0
    clips = np.cumsum(starts) - 1
    camera = poses.labels["camera"]
    chosen = np.ones(len(poses), bool)
    if not arguments.every_camera:
        chosen = camera == (clips // 4) % 4
    if arguments.frames:
        chosen &= poses.labels["frame"] < arguments.frames
    labels = {**poses.labels, "person": clips, "time": poses.labels["frame"] / FPS}
    labels["frame"] = poses.labels["frame"] + 1_000_000 * clips
    return replace(poses, labels=labels)[chosen]


def exact(poses: Poses) -> Poses:
    """Return the poses with ground-truth 2D."""
    return replace(poses, pose2d=poses.reprojection, confidence=np.ones_like(poses.confidence))


def variants(
    predictor: Predictor, lifted: Poses, *, optimised: bool = False, live: bool = False
) -> dict[str, Poses]:
    """Return the poses of each method."""
    result = {"per frame": lifted}
    if predictor.temporal is not None:
        result |= {mode: predictor.temporal(lifted, mode) for mode in LOOKAHEAD}
    for name, method, wanted in (
        ("per frame", optimise, optimised), ("centred", optimise, optimised),
        ("per frame", filtered, live), ("causal", filtered, live),
    ):  # fmt: skip
        if wanted and name in result:
            person = lifted.labels["person"]
            parts = [method(result[name][person == own]) for own in np.unique(person)]
            ending = "optimised" if method is optimise else "live"
            result[f"{name}, {ending}"] = Poses.cat(parts)
    return result


def optimise(poses: Poses) -> Poses:
    """Return an optimised recording."""
    return clip.optimize(poses, static=True, height=0)[0]


def filtered(poses: Poses) -> Poses:
    """Return a recording after the filters of a live stream."""
    smoother = LiveSmoother()
    seconds = poses.labels["time"].tolist()
    return Poses.cat([smoother(poses[[row]], time) for row, time in enumerate(seconds)])


def report(predictor: Predictor, poses: Poses, name: str, arguments: argparse.Namespace) -> None:
    """Print the errors of Human3.6M."""
    given = replace(poses, pose3d=None, camera=None)
    lifted = replace(Poses.cat(_lifted(predictor, given)), labels=poses.labels)
    order = np.argsort(poses.labels["person"], kind="stable")
    lifted, poses = lifted[order], poses[order]
    truth = relative(poses)
    same = np.diff(poses.labels["person"]) == 0
    print(f"| Human3.6M, {name}, {len(poses):,} poses | MPJPE | PA-MPJPE | MPJVE |")
    print("| --- | --- | --- | --- |")
    results = variants(predictor, lifted, optimised=arguments.optimised, live=arguments.live)
    for method, result in results.items():
        pose = relative(result.to(poses.skeleton))
        error = pose - truth
        distance = 1000 * np.linalg.norm(error, axis=-1).mean()
        velocity = 1000 * np.linalg.norm(np.diff(error, axis=0)[same], axis=-1).mean()
        aligned = 1000 * metrics.pa_mpjpe(*map(torch.from_numpy, (pose, truth))).mean()
        print(f"| {method} | {distance:.1f} | {aligned:.1f} | {velocity:.2f} |", flush=True)


def _lifted(predictor: Predictor, poses: Poses) -> list[Poses]:
    parts = []
    for i in range(0, len(poses), 8192):
        part = poses[i : i + 8192]
        size = np.asarray(part.image_size)
        points = denormalize(np.asarray(part.pose2d), size)
        parts.append(predictor(points, part.confidence, image_size=size, skeleton=part.skeleton))
    return parts


def relative(poses: Poses) -> np.ndarray:
    return np.asarray(poses.pose3d - poses.pose3d[:, poses.skeleton.root_index, None], float)


def real_video(predictor: Predictor) -> None:
    """Print PA-MPJPE and MPJVE over the limb joints of each camera."""
    views = detections()
    world, _ = triangulate(views)
    good = np.isfinite(world).all((1, 2))
    columns = [BLAZEPOSE_33.index(joint) for joint in LIMBS]
    rows: dict[str, list[list[float]]] = {}
    for name in CAMERAS:
        view = views[name]
        points = view["points"]
        usable = predictor.usable(points[..., :2], points[..., 2], "blazepose_33")
        frames = np.flatnonzero(usable)
        lifted = predictor(
            points[usable][..., :2], points[usable][..., 2], image_size=view["size"],
            skeleton="blazepose_33",
        )  # fmt: skip
        labels = {"frame": frames, "time": frames / VIDEO_FPS, "person": np.zeros(len(frames), int)}
        truth = world[frames] @ view["rotation"].T
        for method, result in variants(predictor, replace(lifted, labels=labels)).items():
            limbs = np.asarray(result.to(BLAZEPOSE_33).pose3d, float)[:, columns]
            kept = good[frames]
            aligned = metrics.pa_mpjpe(*map(torch.from_numpy, (limbs[kept], truth[kept]))).mean()
            centred = [p - p.mean(1, keepdims=True) for p in (limbs, truth)]
            pairs = kept[1:] & kept[:-1] & (np.diff(frames) == 1)
            error = np.diff(centred[0] - centred[1], axis=0)[pairs]
            velocity = np.linalg.norm(error, axis=-1).mean()
            rows.setdefault(method, []).append([1000 * float(aligned), 1000 * float(velocity)])
    print("| real video, PA-MPJPE (MPJVE) | " + " | ".join(CAMERAS) + " | mean |")
    print("| --- " * (len(CAMERAS) + 2) + "|")
    for method, values in rows.items():
        cells = [*values, list(np.mean(values, axis=0))]
        print(f"| {method} | " + " | ".join(f"{a:.1f} ({v:.1f})" for a, v in cells) + " |")


def speed(predictor: Predictor) -> None:
    """Print milliseconds of processor time: a live frame, and 1,000 frames of a clip."""
    assert predictor.temporal is not None
    n = 1000
    rng = np.random.default_rng(0)
    points = rng.uniform(200, 500, (1, 17, 2)) + rng.normal(0, 2, (n, 17, 2))
    poses = predictor(points, image_size=(1280, 720))
    poses = replace(poses, labels={"frame": np.arange(n), "time": np.arange(n) / 30})
    live = LiveTemporal(predictor.temporal)
    began = time.process_time()
    for i in range(200):
        live(poses[[i]], i / 30)
    each = (time.process_time() - began) / 200
    began = time.process_time()
    predictor.temporal(poses)
    whole = time.process_time() - began
    began = time.process_time()
    for i in range(100):
        predictor(points[i], image_size=(1280, 720))
    lifter = (time.process_time() - began) / 100
    print(
        f"processor time: {1000 * each:.1f} ms per live frame, and {1000 * lifter:.1f} ms for the "
        f"lifter; "
        f"{n / whole:.0f} frames per second of a clip"
    )


if __name__ == "__main__":
    main()
