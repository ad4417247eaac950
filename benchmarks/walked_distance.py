"""Error of the walked distance with a single camera, height and focal length given.

    python benchmarks/walked_distance.py                 # default weights
    python benchmarks/walked_distance.py runs/mine       # other weights
    python benchmarks/walked_distance.py --write         # also writes dev/results.md
    python benchmarks/walked_distance.py --model full --out DIR

Video and ground truth (triangulation over four cameras) are those of `real_detections.py`. Each
camera's video is processed by `camerapose predict` with typical options: BlazePose heavy,
smoothing, `--focal` from the calibration, `--static-camera`, and `--height`, the body height
estimated from the triangulated arms and legs. Path length and displacement of the pelvis (the
centre of the hips) are compared, low-pass filtered at 2 Hz.

"True body": the triangulated body with the translation solved from the 2D of the same camera. It
shows the error caused by a single camera and its detections, independent of the lifter.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from real_detections import (
    CAMERAS,
    INSIDE,
    LIMBS,
    cache_dir,
    camera_of,
    detections,
    triangulate,
)
from report import put_table
from rts_smoother import rts_smooth

from camerapose import predict
from camerapose.core.anatomy import LIMB_LENGTHS
from camerapose.core.camera import normalize
from camerapose.core.joint_formats import BLAZEPOSE_33
from camerapose.core.translation import solve_translation
from camerapose.infer.clip.camera import MIN_CONFIDENCE
from camerapose.io.source import Source

DOCUMENT = Path(__file__).parents[1] / "dev/results.md"
#: Cut-off frequency of the pelvis movement, hertz.
WALKING = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="open", help="name, folder or .onnx file")
    parser.add_argument("--model", default="heavy", help="BlazePose model: heavy or full")
    parser.add_argument("--out", type=Path, help="folder for the output of predict, with overlays")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    parser.add_argument("--write", action="store_true", help="write the table to dev/results.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.weights, arguments.model, arguments.out, Path(folder))
    text = table(rows)
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    if arguments.write:
        put_table(text, DOCUMENT, "walked")


def measure(
    weights: str, model: str, kept: Path | None, folder: Path
) -> dict[str, dict[str, float]]:
    """Return distances in metres for each camera; output files go into `kept`, or `folder`."""
    keep, out = kept is not None, kept or folder
    views = detections()
    world, _ = triangulate(views)
    tall = height(world)
    rows = {}
    for name in CAMERAS:
        video = cache_dir() / "pose2sim-0.10.49" / INSIDE / f"videos/{name}.mp4"
        view, fps = views[name], Source.open(video).info().fps
        truth = view["rotation"] @ hips(world)[..., None]
        truth = truth[..., 0] + view["translation"]
        poses = predict(
            video, out / name, weights=weights, model=model, height=tall,
            focal=float(view["focal"].mean()), static_camera=True, smooth=1.0,
            figure=keep, overlay=keep, report=keep,
            export=("trc", "bvh") if keep else (),
        )  # fmt: skip
        frames = poses.labels["frame"]
        known = frames < len(truth)
        found, frames = poses.root_position[known].astype(float), frames[known]
        times = frames / fps
        ideal = placed(world, view)[frames]
        rows[name] = {
            "frames": len(frames), "height": tall,
            "true_way": way(truth[frames], times), "way": way(found, times),
            "true_line": line(truth[frames], times), "line": line(found, times),
            "way_of_true_body": way(ideal, times), "line_of_true_body": line(ideal, times),
            "off": float(np.linalg.norm(found - truth[frames], axis=1).mean()),
        }  # fmt: skip
    return rows


def table(rows: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table of distances in metres and errors in per cent."""
    head = ("camera", "way", "true", "off %", "line", "true", "off %", "true body: way %", "line %",
            "place off, m")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for name, row in rows.items():
        cells = [name]
        for what in ("way", "line"):
            cells += [f"{row[what]:.3f}", f"{row['true_' + what]:.3f}"]
            cells.append(f"{100 * (row[what] / row['true_' + what] - 1):+.1f}")
        for what in ("way", "line"):
            cells.append(f"{100 * (row[what + '_of_true_body'] / row['true_' + what] - 1):+.1f}")
        cells.append(f"{row['off']:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    off = {w: np.mean([abs(r[w] / r["true_" + w] - 1) for r in rows.values()]) for w in
           ("way", "line")}  # fmt: skip
    mean = [
        "mean",
        "",
        "",
        f"{100 * off['way']:.1f}",
        "",
        "",
        f"{100 * off['line']:.1f}",
        "",
        "",
        "",
    ]
    return "\n".join([*lines, "| " + " | ".join(mean) + " |"])


def height(world: np.ndarray) -> float:
    """Body height that the triangulated limbs tell, as `body_height` reckons it, metres."""
    total = 0.0
    for joint in LIMB_LENGTHS:
        above = {"knee": "hip", "ankle": "knee", "elbow": "shoulder", "wrist": "elbow"}[joint]
        for side in ("left", "right"):
            ends = [world[:, LIMBS.index(f"{side}_{end}")] for end in (above, joint)]
            total += float(np.nanmedian(np.linalg.norm(ends[0] - ends[1], axis=-1)))
    return total / 2 / sum(LIMB_LENGTHS.values())


def hips(points: np.ndarray) -> np.ndarray:
    """Return the centre of the hips for limb joints (frames, 12, 3)."""
    return (points[:, LIMBS.index("left_hip")] + points[:, LIMBS.index("right_hip")]) / 2


def placed(world: np.ndarray, view: dict[str, np.ndarray]) -> np.ndarray:
    """Return the pelvis of the triangulated body in the camera frame, solved from one view."""
    body = world @ view["rotation"].T
    pelvis = hips(body)
    chosen = [BLAZEPOSE_33.index(joint) for joint in LIMBS]
    points = normalize(view["points"][:, chosen, :2].astype(float), view["size"])
    camera = camera_of(view)
    focal, center = (np.broadcast_to(c, (len(body), 2)) for c in (camera.focal, camera.center))
    weight = np.maximum(view["points"][:, chosen, 2], MIN_CONFIDENCE)
    return solve_translation(body - pelvis[:, None], points, weight, focal, center)


def way(places: np.ndarray, times: np.ndarray) -> float:
    """Return the length of a low-pass filtered path, metres."""
    calm = rts_smooth(places, times, WALKING)
    return float(np.linalg.norm(np.diff(calm, axis=0), axis=1).sum())


def line(places: np.ndarray, times: np.ndarray) -> float:
    """Return the distance from the first to the last position, metres."""
    calm = rts_smooth(places, times, WALKING)
    return float(np.linalg.norm(calm[-1] - calm[0]))


if __name__ == "__main__":
    main()
