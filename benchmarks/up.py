"""Error of the vertical direction and camera height estimated from posture (`predict --ground`).

    python benchmarks/up.py --data DIR       # Human3.6M in DIR/h36m, and the real video
    python benchmarks/up.py                  # the real video alone
    python benchmarks/up.py --data DIR --write     # also writes dev/results.md

Human3.6M: ground-truth 2D of S9 and S11, every 20th frame, one estimate for each recording and
camera; the ground truth is the published calibration. The real video is that of
`real_detections.py`: each camera by itself, with its focal length and the person's height given.
"Image's up" is the error of the image's vertical axis.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from real_detections import CAMERAS, detections, triangulate
from report import put_table
from walked_distance import DOCUMENT, height

from camerapose import Predictor
from camerapose.core.anatomy import ANKLE_HEIGHT
from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.data.datasets.human36m.calibration import cameras
from camerapose.evaluate import protocols
from camerapose.infer import clip

#: Vertical direction in the world frames of both calibrations.
UP = np.array([0.0, 0.0, 1.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="open", help="name, folder or .onnx file")
    parser.add_argument("--data", type=Path, help="folder that contains h36m")
    parser.add_argument("--write", action="store_true", help="write the table to dev/results.md")
    arguments = parser.parse_args()
    predictor = Predictor(arguments.weights)
    rows = human36m(predictor, arguments.data / "h36m") if arguments.data else []
    text = table(rows + real_video(predictor))
    print(text)
    if arguments.write:
        put_table(text, DOCUMENT, "up")


def human36m(predictor: Predictor, root: Path) -> list[tuple[str, np.ndarray]]:
    """Return one row per action, with means over recordings and cameras, and one of all."""
    given = protocols.load("human36m", root, frame_step=20).poses
    pixels = denormalize(given.pose2d, given.image_size)
    poses = predictor(pixels, image_size=given.image_size, skeleton=given.skeleton)
    found = defaultdict(list)
    names = [given.labels[name] for name in ("subject", "action", "camera")]
    for subject, action, camera in sorted(set(zip(*(n.tolist() for n in names), strict=True))):
        rows = (names[0] == subject) & (names[1] == action) & (names[2] == camera)
        truth = cameras(subject)[0]
        rotation = truth.rotation[camera]
        off = errors(poses[np.flatnonzero(rows)], rotation,
                     -(rotation.T @ truth.translation[camera])[2])  # fmt: skip
        found[action.split()[0]].append(off)
    table = [(action, np.mean(values, 0)) for action, values in sorted(found.items())]
    every = np.concatenate([np.array(values) for values in found.values()])
    return [*table, ("Human3.6M, all", every.mean(0))]


def real_video(predictor: Predictor) -> list[tuple[str, np.ndarray]]:
    """Return one row per camera."""
    views = detections()
    world, _ = triangulate(views)
    tall, soles = height(world), np.nanquantile(world[..., 2].min(1), 0.05)
    found = []
    for name in CAMERAS:
        view = views[name]
        points = view["points"].astype(float)
        poses = predictor(
            points[..., :2], points[..., 2], image_size=tuple(view["size"]),
            skeleton="blazepose_33", focal=float(view["focal"].mean()),
        )  # fmt: skip
        poses = clip.set_height(poses, tall)
        high = -(view["rotation"].T @ view["translation"])[2] - soles + ANKLE_HEIGHT * tall
        found.append((name, errors(poses, view["rotation"], high)))
    return found


def errors(poses: Poses, rotation: np.ndarray, camera_height: float) -> np.ndarray:
    """Return errors: estimated vertical and image's vertical in degrees, camera height in cm."""
    up, floor = rotation @ UP, clip.estimate_ground(poses)
    off = [np.degrees(np.arccos(np.clip(way @ up, -1, 1))) for way in (floor.axes[1], [0, -1, 0])]
    return np.array([*off, 100 * abs(floor.camera_height - camera_height)])


def table(rows: list[tuple[str, np.ndarray]]) -> str:
    """Return a Markdown table."""
    lines = ["| recordings | vertical, degrees | image's vertical, degrees | camera height, cm |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    lines += [f"| {name} | {off[0]:.1f} | {off[1]:.1f} | {off[2]:.0f} |" for name, off in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
