"""Errors of optimised clips: trajectories, camera, vertical, sliding feet, speed.

    python benchmarks/clip.py                          # the real video
    python benchmarks/clip.py --data DIR --clips 24    # also Human3.6M in DIR/h36m
    python benchmarks/clip.py --data DIR --constants   # errors of the lifter on training subjects

Human3.6M: clips of S9 and S11, seen by random static cameras, with the simulated detector errors
of `data.augment`; the body height is given. The real video is that of `real_detections.py`, with
height and focal length given. "Per frame" is the lifter without `clip.optimize`. `--subjects`
selects other subjects: constants were chosen on S1, S5, S6, S7 and S8.
"""

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from real_detections import CAMERAS, detections, triangulate
from walked_distance import height, hips, line, way

from camerapose import Predictor
from camerapose.core.anatomy import ANKLE_HEIGHT, body_height
from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.core.poses import Poses
from camerapose.data.augment import detector_errors
from camerapose.data.augment.clips import ClipCamera, ClipCameraOptions, draw_camera
from camerapose.data.datasets.human36m.layouts import Layout
from camerapose.data.datasets.human36m.sequences import read_sequences
from camerapose.infer import clip

JOINTS = [BODY_46.index(f"{joint}_h36m") for joint in H36M_16.joints]
ANKLES = [H36M_16.index("left_ankle"), H36M_16.index("right_ankle")]
#: Frames of a clip; time constant of the detector's errors, seconds.
FRAMES, CORRELATION = 250, 0.1
#: Largest speed (m/s) and height (metres) of an ankle in contact with the floor.
CONTACT_SPEED, CONTACT_HEIGHT = 0.15, 0.06
FPS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="default", help="name, folder or .onnx file")
    parser.add_argument("--data", type=Path, help="folder that contains h36m")
    parser.add_argument("--clips", type=int, default=24, help="number of clips")
    parser.add_argument("--subjects", nargs="+", default=["S9", "S11"])
    parser.add_argument("--constants", action="store_true", help="print `LIFTER_DEVIATION` instead")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    predictor = Predictor(arguments.weights)
    if arguments.constants:
        lifter_deviation(predictor, arguments.data / "h36m", arguments.clips)
        return
    if arguments.data:
        human36m(predictor, arguments.data / "h36m", arguments.subjects, arguments.clips)
    real_video(predictor)


def lifter_deviation(predictor: Predictor, root: Path, n: int) -> None:
    """Print the root mean square error per coordinate of lifted bone vectors, metres."""
    layout, rng = Layout(root), np.random.default_rng(1)
    subjects = ["S1", "S5", "S6", "S7", "S8"]
    sequences = read_sequences(layout, subjects, layout.actions(None), H36M_16)
    errors: dict[str, list[np.ndarray]] = {}
    for i, row in enumerate(rng.permutation(len(sequences))[:n]):
        world = sequences[row].pose3d[:FRAMES].astype(float)
        times = np.arange(len(world)) / 50
        camera = draw_camera(world, times, ClipCameraOptions(), rng)
        truth = camera.to_camera(world)
        poses = _lifted(predictor, truth, times, camera, i)
        poses = clip.set_height(poses, float(np.median(body_height(truth, H36M_16))))
        for child, parent in H36M_16.bones:
            bones = [p[:, child] - p[:, parent] for p in (poses.pose3d, truth)]
            name = H36M_16.joints[child].removeprefix("left_").removeprefix("right_")
            errors.setdefault(name, []).append(bones[0] - bones[1])
    for name, parts in errors.items():
        print(f"{name:10}{np.sqrt(np.square(np.concatenate(parts)).mean()):8.3f}")


def human36m(predictor: Predictor, root: Path, subjects: list[str], n: int) -> None:
    """Print means over clips, without and with a known focal length."""
    layout, rng = Layout(root), np.random.default_rng(0)
    sequences = read_sequences(layout, subjects, layout.actions(None), H36M_16)
    rows: dict[str, list[dict[str, float]]] = {"per frame": [], "clip": [], "focal given": []}
    seconds = frames = 0.0
    for i, row in enumerate(rng.permutation(len(sequences))[:n]):
        world = sequences[row].pose3d[:FRAMES].astype(float)
        times = np.arange(len(world)) / 50
        camera = draw_camera(world, times, ClipCameraOptions(), rng)
        truth = camera.to_camera(world)
        poses = _lifted(predictor, truth, times, camera, i)
        tall = float(np.median(body_height(truth, H36M_16)))
        began = time.process_time()
        optimised, cameras = clip.optimize(poses, height=tall, static=True)
        seconds, frames = seconds + time.process_time() - began, frames + len(poses)
        pixels = camera.focal * float(poses.image_size[0, 0]) / 2
        given, known = clip.optimize(
            clip.set_focal_length(poses, pixels), height=tall, static=True, focal_known=True
        )
        plain = clip.set_height(clip.static_camera(poses), tall)
        rows["per frame"].append(_errors(plain, truth, world, times, camera, None))
        rows["clip"].append(_errors(optimised, truth, world, times, camera, cameras[0]))
        rows["focal given"].append(_errors(given, truth, world, times, camera, known[0]))
    names = list(dict.fromkeys(name for row in rows["clip"] for name in row))
    print("| Human3.6M | " + " | ".join(names) + " |")
    print("| --- " * (len(names) + 1) + "|")
    for label, values in rows.items():
        means = [np.nanmean([row.get(name, np.nan) for row in values]) for name in names]
        print(f"| {label} | " + " | ".join(f"{value:.3g}" for value in means) + " |")
    print(f"{frames / seconds:.0f} frames per second of processor time")


def _lifted(
    predictor: Predictor, truth: np.ndarray, times: np.ndarray, camera: ClipCamera, seed: int
) -> Poses:
    n = len(truth)
    points = truth[..., :2] / truth[..., 2:] * camera.focal
    given, provided = torch.zeros(n, 46, 2), torch.zeros(n, 46, dtype=torch.bool)
    given[:, JOINTS], provided[:, JOINTS] = torch.tensor(points, dtype=torch.float32), True
    inside = provided & (given[..., 0].abs() <= 1) & (given[..., 1].abs() <= camera.aspect)
    noisy, score = detector_errors.detect(
        given, provided, inside, detector_errors.DetectorOptions(swaps=0.0),
        torch.Generator().manual_seed(seed),
        correlation=float(np.exp(-(times[1] - times[0]) / CORRELATION)),
    )  # fmt: skip
    size = (1000, round(1000 * camera.aspect))
    pixels = (noisy[:, JOINTS].numpy() * size[0] + np.array(size)) / 2
    poses = predictor(pixels, score[:, JOINTS].numpy(), image_size=size, skeleton=H36M_16)
    labels = {"frame": np.arange(n), "time": times, "person": np.zeros(n, int)}
    return replace(poses, labels=labels)


def _errors(
    poses: Poses, truth: np.ndarray, world: np.ndarray, times: np.ndarray, camera: ClipCamera,
    estimate: clip.ClipCamera | None,
) -> dict[str, float]:  # fmt: skip
    """Return errors: focal length and distances in per cent, positions in mm, vertical in degrees.

    Speeds and accelerations are per frame.
    """
    points = poses.pose3d.astype(float)
    relative, expected = (p - p[:, :1] for p in (points, truth))
    ground = clip.estimate_ground(poses) if estimate is None else estimate.ground
    angle = np.degrees(np.arccos(np.clip(ground.axes[1] @ camera.up[0], -1, 1)))
    floor = np.quantile(world[..., 2].min(1), 0.05)
    tall = np.median(body_height(truth, H36M_16))
    above = camera.height[0] - floor + ANKLE_HEIGHT * tall
    result = {
        "focal %": 100 * abs(float(poses.camera.focal.mean()) / camera.focal - 1),
        "its std %": np.nan if estimate is None else 100 * estimate.focal_deviation,
        "up": angle,
        "camera height": 1000 * abs(ground.camera_height - above),
        "root": 1000 * np.linalg.norm(points[:, 0] - truth[:, 0], axis=-1).mean(),
        "MPJPE": 1000 * np.linalg.norm(relative - expected, axis=-1).mean(),
        "MPJVE": 1000 * np.linalg.norm(np.diff(relative - expected, axis=0), axis=-1).mean(),
        "acceleration": _acceleration(points) / _acceleration(truth),
    }
    for name, measure in (("path %", way), ("line %", line)):
        true = measure(truth[:, 0], times)
        result[name] = 100 * abs(measure(points[:, 0], times) / true - 1) if true > 1 else np.nan
    contact = _contacts(world, times)
    sliding, moving = (np.linalg.norm(np.diff(p[:, ANKLES], axis=0), axis=-1) for p in
                       (points, truth))  # fmt: skip
    result["sliding"] = 1000 * sliding[contact].mean() if contact.any() else np.nan
    result["swing"] = sliding[~contact].sum() / moving[~contact].sum()
    return result


def _acceleration(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).mean())


def _contacts(world: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return whether each foot is in contact in both frames of a pair, from the ground truth."""
    feet = world[:, ANKLES]
    speed = np.linalg.norm(np.gradient(feet, times, axis=0), axis=-1)
    low = feet[..., 2] < np.quantile(feet[..., 2], 0.02) + CONTACT_HEIGHT
    contact = (speed < CONTACT_SPEED) & low
    return contact[1:] & contact[:-1]


def real_video(predictor: Predictor) -> None:
    """Print the errors of the walked path, the displacement and the vertical of each camera."""
    views = detections()
    world, _ = triangulate(views)
    tall = height(world)
    print("| real video | path % | line % | up, degrees | focal % (not given) | its std % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in CAMERAS:
        view = views[name]
        points = view["points"].astype(float)
        true = view["rotation"] @ hips(world)[..., None]
        true = true[..., 0] + view["translation"]
        rows = np.flatnonzero(
            predictor.usable(points[..., :2], points[..., 2], "blazepose_33")
            & np.isfinite(true).all(1)
        )
        lifted = predictor(
            points[rows][..., :2], points[rows][..., 2], image_size=tuple(view["size"]),
            skeleton="blazepose_33",
        )  # fmt: skip
        lifted = replace(lifted, labels={"frame": rows, "time": rows / FPS})
        focal = float(view["focal"].mean())
        given, cameras = clip.optimize(
            clip.set_focal_length(lifted, focal), height=tall, static=True, focal_known=True
        )
        free = clip.optimize(lifted, height=tall, static=True)[1][0]
        up = view["rotation"] @ np.array([0.0, 0.0, 1.0])
        angle = np.degrees(np.arccos(np.clip(cameras[0].ground.axes[1] @ up, -1, 1)))
        root, times = given.root_position.astype(float), rows / FPS
        off = [100 * (f(root, times) / f(true[rows], times) - 1) for f in (way, line)]
        wrong = 100 * (free.focal / (focal * 2 / view["size"][0]) - 1)
        print(
            f"| {name} | {off[0]:+.1f} | {off[1]:+.1f} | {angle:.1f} | {wrong:+.1f} | "
            f"{100 * free.focal_deviation:.0f} |"
        )


if __name__ == "__main__":
    main()
