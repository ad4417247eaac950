"""Errors of optimised clips: trajectories, camera, vertical, sliding feet, speed.

    python benchmarks/clip.py                          # the real video
    python benchmarks/clip.py --data DIR --clips 24    # also Human3.6M in DIR/h36m
    python benchmarks/clip.py --data DIR --constants   # errors of the lifter on training subjects
    python benchmarks/clip.py --data DIR --subjects S8 --walking --clips 8 --ablation
    python benchmarks/clip.py --data DIR --memory 12000    # peak memory of so many frames

Human3.6M: clips of S9 and S11, seen by random static cameras, with the simulated detector errors
of `data.augment`; the body height is given. The real video is that of `real_detections.py`, with
height and focal length given. "Per frame" is the lifter without `clip.optimize` and without the
temporal model of the weights, if they have one. `--subjects` selects other subjects: constants were
chosen on S1, S5, S6, S7 and S8. `--walking` selects clips in which the person walks more than 1 m;
`--ablation` switches off one component at a time, with the focal length given.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from real_detections import CAMERAS, LIMBS, detections, triangulate
from walked_distance import height, hips, line, way

from camerapose import Predictor
from camerapose.core.anatomy import ANKLE_HEIGHT, body_height
from camerapose.core.bones import bone_lengths
from camerapose.core.joint_formats import BLAZEPOSE_33, BODY_46, H36M_16
from camerapose.core.poses import Poses
from camerapose.data.augment import detector_errors
from camerapose.data.augment.clips import ClipCamera, ClipCameraOptions, draw_camera
from camerapose.data.datasets.human36m.layouts import Layout
from camerapose.data.datasets.human36m.sequences import read_sequences
from camerapose.evaluate import metrics
from camerapose.infer import clip
from camerapose.infer.clip import measurements, shot
from camerapose.infer.clip.term_weights import Weights

JOINTS = [BODY_46.index(f"{joint}_h36m") for joint in H36M_16.joints]
ANKLES = [H36M_16.index("left_ankle"), H36M_16.index("right_ankle")]
#: Frames of a clip; time constant of the detector's errors, seconds.
FRAMES, CORRELATION = 250, 0.1
#: Largest speed (m/s) and height (metres) of an ankle in contact with the floor.
CONTACT_SPEED, CONTACT_HEIGHT = 0.15, 0.06
#: Speed above which a foot swings, m/s.
SWING_SPEED = 0.5
FPS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="open", help="name, folder or .onnx file")
    parser.add_argument("--data", type=Path, help="folder that contains h36m")
    parser.add_argument("--clips", type=int, default=24, help="number of clips")
    parser.add_argument("--subjects", nargs="+", default=["S9", "S11"])
    parser.add_argument("--walking", action="store_true", help="people who walk more than 1 m")
    parser.add_argument("--ablation", action="store_true", help="print the ablation instead")
    parser.add_argument("--memory", type=int, help="print the memory of a clip of this length")
    parser.add_argument("--constants", action="store_true", help="print errors of bones instead")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    predictor = Predictor(arguments.weights)
    if arguments.constants:
        lifter_deviation(predictor, arguments.data / "h36m", arguments.clips)
        return
    if arguments.data:
        layout = Layout(arguments.data / "h36m")
        motions = moves(layout, arguments.subjects, arguments.clips, arguments.walking)
        if arguments.memory:
            memory(predictor, motions[:1], arguments.memory)
            return
        if arguments.ablation:
            ablation(predictor, motions)
            return
        human36m(predictor, motions)
    real_video(predictor)


def lifter_deviation(predictor: Predictor, root: Path, n: int) -> None:
    """Print the root mean square error per coordinate of lifted bone vectors, metres.

    Next to it the standard deviation that the optimiser uses: predicted by the weights, or
    `LIFTER_DEVIATION`.
    """
    layout, rng = Layout(root), np.random.default_rng(1)
    subjects = ["S1", "S5", "S6", "S7", "S8"]
    sequences = read_sequences(layout, subjects, layout.actions(None), H36M_16)
    errors: dict[str, list[np.ndarray]] = {}
    predicted: dict[str, list[np.ndarray]] = {}
    for i, row in enumerate(rng.permutation(len(sequences))[:n]):
        world = sequences[row].pose3d[:FRAMES].astype(float)
        times = np.arange(len(world)) / 50
        camera = draw_camera(world, times, ClipCameraOptions(), rng)
        truth = camera.to_camera(world)
        poses = _lifted(predictor, truth, times, camera, i)
        poses = clip.set_height(poses, float(np.median(body_height(truth, H36M_16)))).to(H36M_16)
        lengths = np.median(bone_lengths(poses.pose3d, H36M_16), axis=0)
        assumed = measurements.lifter_deviation(poses, lengths, lengths) * lengths
        for bone, (child, parent) in enumerate(H36M_16.bones):
            bones = [p[:, child] - p[:, parent] for p in (poses.pose3d, truth)]
            name = H36M_16.joints[child].removeprefix("left_").removeprefix("right_")
            errors.setdefault(name, []).append(bones[0] - bones[1])
            predicted.setdefault(name, []).append(assumed[:, bone])
    print("| bone | error | assumed or predicted |\n| --- | --- | --- |")
    for name in errors:
        rms = [np.sqrt(np.square(np.concatenate(e[name])).mean()) for e in (errors, predicted)]
        print(f"| {name} | {rms[0]:.3f} | {rms[1]:.3f} |")


def moves(layout: Layout, subjects: list[str], n: int, walking: bool) -> list[np.ndarray]:
    """Return clips of random recordings in the world frame: their begin, or parts of walks."""
    rng = np.random.default_rng(0)
    sequences = read_sequences(layout, subjects, layout.actions(None), H36M_16)
    if not walking:
        rows = rng.permutation(len(sequences))[:n]
        return [sequences[row].pose3d[:FRAMES].astype(float) for row in rows]
    parts = [s.pose3d[i : i + FRAMES] for s in sequences
             for i in range(0, len(s.pose3d) - FRAMES, 50)]  # fmt: skip
    parts = [p for p in parts if np.linalg.norm(p[-1, 0] - p[0, 0]) > 1]
    return [parts[row].astype(float) for row in rng.permutation(len(parts))[:n]]


def seen(
    predictor: Predictor, motions: list[np.ndarray]
) -> Iterator[tuple[Poses, np.ndarray, np.ndarray, np.ndarray, ClipCamera, float]]:
    """Yield lifted poses, their ground truth, world, times, camera and body height of clips."""
    rng = np.random.default_rng(0)
    for i, world in enumerate(motions):
        times = np.arange(len(world)) / 50
        camera = draw_camera(world, times, ClipCameraOptions(), rng)
        truth = camera.to_camera(world)
        poses = _lifted(predictor, truth, times, camera, i)
        yield poses, truth, world, times, camera, float(np.median(body_height(truth, H36M_16)))


def corrected(predictor: Predictor, poses: Poses) -> Poses:
    """Return poses after the temporal model of the weights, if they have one, as in `predict`."""
    return poses if predictor.temporal is None else predictor.temporal(poses, "centred")


def ablation(predictor: Predictor, motions: list[np.ndarray]) -> None:
    """Print means over clips with one component switched off, with the focal length given."""
    off, module = np.inf, shot
    shared = module.SHARED_WEIGHTS
    variants: dict[str, dict[str, object]] = {
        "all": {},
        "no contacts": {"weights": Weights(contact_speed=off, floor=1e6)},
        "no floor": {"weights": Weights(floor=1e6), "shared_weights": replace(shared, floor=1e6)},
        "no vertical from balance": {
            "weights": Weights(vertical=1e6), "shared_weights": replace(shared, vertical=1e6),
        },
        "no smoothness": {"weights": Weights(
            root_acceleration=1e3, depth_acceleration=1e3, bone_acceleration=1e4)},
        "bone lengths not estimated": {},
        "no standard deviations": {},
        "no temporal model": {},
        "focal length estimated": {},
    }  # fmt: skip
    rows: dict[str, list[dict[str, float]]] = {label: [] for label in variants}
    for poses, truth, world, times, camera, tall in seen(predictor, motions):
        pixels = camera.focal * float(poses.image_size[0, 0]) / 2
        given = clip.set_focal_length(poses, pixels)
        for label, options in variants.items():
            known, length = label != "focal length estimated", module.LENGTH_DEVIATION
            part = given if known else poses
            if label != "no temporal model":
                part = corrected(predictor, part)
            if label == "bone lengths not estimated":
                module.LENGTH_DEVIATION = 0.0
            if label == "no standard deviations":
                part = replace(part, confidence=np.full_like(part.confidence, 0.9), pose3d_std=None)
            result, cameras = clip.optimize(
                part, height=tall, static=True, focal_known=known, **options
            )
            module.LENGTH_DEVIATION = length
            rows[label].append(_errors(result, truth, world, times, camera, cameras[0]))
    _print("ablation", rows)


def memory(predictor: Predictor, motions: list[np.ndarray], frames: int) -> None:
    """Print by how much the peak memory exceeds that before, for a clip repeated over and over."""
    poses = next(seen(predictor, motions))[0]
    parts = []
    for i in range(-(-frames // len(poses))):
        labels = poses.labels | {"frame": poses.labels["frame"] + i * len(poses)}
        labels["time"] = labels["time"] + i * len(poses) / 50
        parts.append(replace(poses, labels=labels))
    repeated = Poses.cat(parts)[:frames]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clip.optimize(repeated, static=True)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(repeated)} frames: {before / 1000:.0f} MB before, {after / 1000:.0f} MB at the peak"
    )


def human36m(predictor: Predictor, motions: list[np.ndarray]) -> None:
    """Print means over clips, without and with a known focal length."""
    rows: dict[str, list[dict[str, float]]] = {"per frame": [], "clip": [], "focal given": []}
    seconds = frames = 0.0
    for poses, truth, world, times, camera, tall in seen(predictor, motions):
        began = time.process_time()
        optimised, cameras = clip.optimize(corrected(predictor, poses), height=tall, static=True)
        seconds, frames = seconds + time.process_time() - began, frames + len(poses)
        pixels = camera.focal * float(poses.image_size[0, 0]) / 2
        given, known = clip.optimize(
            corrected(predictor, clip.set_focal_length(poses, pixels)),
            height=tall, static=True, focal_known=True,
        )  # fmt: skip
        plain = clip.set_height(clip.static_camera(poses), tall)
        rows["per frame"].append(_errors(plain, truth, world, times, camera, None))
        rows["clip"].append(_errors(optimised, truth, world, times, camera, cameras[0]))
        rows["focal given"].append(_errors(given, truth, world, times, camera, known[0]))
    _print("Human3.6M", rows)
    print(f"{frames / seconds:.0f} frames per second of processor time")


def _print(title: str, rows: dict[str, list[dict[str, float]]]) -> None:
    """Print means as a Markdown table."""
    names = list(dict.fromkeys(name for values in rows.values() for row in values for name in row))
    print(f"| {title} | " + " | ".join(names) + " |")
    print("| --- " * (len(names) + 1) + "|")
    for label, values in rows.items():
        means = [np.nanmean([row.get(name, np.nan) for row in values]) for name in names]
        print(f"| {label} | " + " | ".join(f"{value:.3g}" for value in means) + " |")


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
    points = poses.to(H36M_16).pose3d.astype(float)
    relative, expected = (p - p[:, :1] for p in (points, truth))
    ground = clip.estimate_ground(poses) if estimate is None else estimate.ground
    angle = np.degrees(np.arccos(np.clip(ground.axes[1] @ camera.up[0], -1, 1)))
    floor = np.quantile(world[..., 2].min(1), 0.05)
    tall = np.median(body_height(truth, H36M_16))
    above = camera.height[0] - floor + ANKLE_HEIGHT * tall
    result = {
        "focal %": 100 * abs(float(poses.camera.focal.mean()) / camera.focal - 1),
        "its std %": np.nan if estimate is None else 100 * estimate.focal_deviation,
        "focal within 2 std": np.nan
        if estimate is None or not estimate.focal_deviation
        else float(abs(np.log(estimate.focal / camera.focal)) < 2 * estimate.focal_deviation),
        "up within 2 std": np.nan
        if estimate is None
        else float(angle < 2 * np.hypot(estimate.pitch_deviation, estimate.roll_deviation)),
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
    swinging = moving > SWING_SPEED * np.diff(times)[:, None]
    result["swing"] = sliding[swinging].sum() / moving[swinging].sum() if swinging.any() else np.nan
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
    """Print the errors of the walked path, the displacement and the vertical of each camera.

    With focal length and height given; errors of the focal length and PA-MPJPE (per frame, and of
    the optimised clip) without the focal length.
    """
    views = detections()
    world, _ = triangulate(views)
    good, tall = np.isfinite(world).all((1, 2)), height(world)
    columns = ("path %", "line %", "up, degrees", "focal % (not given)", "its std %",
               "PA-MPJPE per frame", "PA-MPJPE clip")  # fmt: skip
    print("| real video | " + " | ".join(columns) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    table = []
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
            corrected(predictor, clip.set_focal_length(lifted, focal)),
            height=tall, static=True, focal_known=True,
        )  # fmt: skip
        optimised, free = clip.optimize(corrected(predictor, lifted), height=tall, static=True)
        up = view["rotation"] @ np.array([0.0, 0.0, 1.0])
        angle = np.degrees(np.arccos(np.clip(cameras[0].ground.axes[1] @ up, -1, 1)))
        root, times = given.root_position.astype(float), rows / FPS
        off = [100 * (f(root, times) / f(true[rows], times) - 1) for f in (way, line)]
        wrong = 100 * (free[0].focal / (focal * 2 / view["size"][0]) - 1)
        table.append([*off, angle, wrong, 100 * free[0].focal_deviation])
        kept = good[rows]
        table[-1] += [_pa_mpjpe(p[kept], world[rows][kept]) for p in (lifted, optimised)]
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in table[-1]) + " |")
    means = np.abs(table).mean(0)
    print("| mean, absolute | " + " | ".join(f"{value:.1f}" for value in means) + " |")


def _pa_mpjpe(poses: Poses, truth: np.ndarray) -> float:
    """Return PA-MPJPE over the twelve limb joints, mm."""
    limbs = poses.to(BLAZEPOSE_33).pose3d[:, [BLAZEPOSE_33.index(joint) for joint in LIMBS]]
    limbs = torch.tensor(limbs, dtype=torch.float64)
    return 1000 * float(metrics.pa_mpjpe(limbs, torch.tensor(truth)).mean())


if __name__ == "__main__":
    main()
