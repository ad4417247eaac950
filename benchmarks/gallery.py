"""Figures of the same people lifted with two sets of weights, side by side, to be looked at.

    python benchmarks/gallery.py OLD NEW -o gallery --mpii data/mpii --coco data/coco.json
    python benchmarks/gallery.py OLD NEW -o gallery --video      # the sample video

OLD and NEW are names, run folders or .onnx files. Drawn are thirty random people of MPII's
validation set and, of COCO's annotations (val2017), ten with children's proportions and ten in
unusual postures: annotations do not name children and athletes, so those with the largest head
relative to the trunk, and with the most raised or spread limbs, are drawn at random from the top
hundred. Annotated images are not needed: skeletons are drawn on a blank image. Nothing may be
chosen by these figures but whether weights are good enough to be shipped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import camerapose
from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.data.datasets import coco, mpii
from camerapose.infer.predictor import Predictor
from camerapose.io.assets import asset
from camerapose.io.files import make_folder
from camerapose.io.source import Source
from camerapose.view.displayed import displayed
from camerapose.view.image_panel import draw_image, panel_aspect
from camerapose.view.layout import WIDTH, caption, panel_grid, save_figure, side_legend
from camerapose.view.rows import Row
from camerapose.view.skeleton2d import draw_detected
from camerapose.view.skeleton3d import FRONT, SIDE, colored_poses, draw_poses
from camerapose.view.style import person_colors

SEED = 0
#: People of MPII, of each group of COCO, and of a page; frames of the video.
N_MPII, N_COCO, PAGE, N_FRAMES = 30, 10, 10, 8
#: Number of people at the top of a ranking, from which some are drawn.
TOP = 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", nargs=2, help="names, folders or .onnx files: old and new")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--mpii", type=Path, help="folder of MPII's annotations")
    parser.add_argument("--coco", type=Path, help="file of COCO's annotations")
    parser.add_argument("--video", action="store_true", help="the sample video")
    arguments = parser.parse_args()
    make_folder(arguments.out)
    rng = np.random.default_rng(SEED)
    groups: dict[str, Poses] = {}
    if arguments.mpii:
        people = mpii.load(arguments.mpii, split="valid")
        groups["mpii"] = people[np.sort(rng.permutation(len(people))[:N_MPII])]
    if arguments.coco:
        people = complete(coco.load(arguments.coco, split="val", min_joints=15))
        for name, score in (("children", head_size(people)), ("athletes", spread(people))):
            top = np.argsort(-score)[:TOP]
            groups[name] = people[np.sort(rng.permutation(top)[:N_COCO])]
    for name, people in groups.items():
        lifted = [lift(Predictor(weights), people) for weights in arguments.weights]
        for first in range(0, len(people), PAGE):
            rows = [
                tuple(Row(poses[[i]], None, title(people, i)) for poses in lifted)
                for i in range(first, min(first + PAGE, len(people)))
            ]
            write(rows, arguments.weights, arguments.out / f"{name}-{first // PAGE + 1}.png")
    if arguments.video:
        write(video(arguments.weights), arguments.weights, arguments.out / "video.png")


def complete(people: Poses) -> Poses:
    """Return the people (COCO) whose shoulders, hips, knees, ankles and a wrist are labelled."""
    index = people.skeleton.index
    needed = [
        index(f"{s}_{j}") for s in ("left", "right") for j in ("shoulder", "hip", "knee", "ankle")
    ]
    given = people.confidence > 0
    return people[given[:, needed].all(1) & given[:, [index("left_wrist")]].all(1)]


def head_size(people: Poses) -> np.ndarray:
    """Return the distance of the ears, or nose and ear, relative to the length of the trunk."""
    points, given = _pixels(people), people.confidence > 0
    index = people.skeleton.index
    width = np.linalg.norm(points[:, index("left_ear")] - points[:, index("right_ear")], axis=-1)
    known = given[:, index("left_ear")] & given[:, index("right_ear")]
    return np.where(known, width / _trunk(people), 0.0)


def spread(people: Poses) -> np.ndarray:
    """Return how far wrists and ankles are from the hips, relative to the length of the trunk."""
    points = _pixels(people)
    hips = _middle(people, "hip")
    ends = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
    rows = [people.skeleton.index(joint) for joint in ends]
    raised = (hips[:, None, 1] - points[:, rows, 1]) / _trunk(people)[:, None]
    wide = np.ptp(points[:, rows, 0], axis=1) / _trunk(people)
    return np.where(people.confidence[:, rows] > 0, raised, 0.0).max(1) + wide


def _pixels(people: Poses) -> np.ndarray:
    return denormalize(people.pose2d, people.image_size)


def _middle(people: Poses, joint: str) -> np.ndarray:
    points, index = _pixels(people), people.skeleton.index
    return (points[:, index(f"left_{joint}")] + points[:, index(f"right_{joint}")]) / 2


def _trunk(people: Poses) -> np.ndarray:
    """Return the length of the trunk, at least a third of the largest extent of the person."""
    points = np.where(people.confidence[..., None] > 0, _pixels(people), np.nan)
    extent = (np.nanmax(points, 1) - np.nanmin(points, 1)).max(1)
    length = np.linalg.norm(_middle(people, "shoulder") - _middle(people, "hip"), axis=-1)
    return np.maximum(length, extent / 6)


def lift(predictor: Predictor, people: Poses) -> Poses:
    """Return annotated people with 3D poses."""
    return predictor(
        _pixels(people), people.confidence, image_size=people.image_size, skeleton=people.skeleton
    )


def title(people: Poses, i: int) -> str:
    """Return image and person."""
    return f"{people.labels['image'][i]}, {people.labels['person'][i]}"[-34:]


def video(weights: Sequence[str]) -> list[tuple[Row, ...]]:
    """Return frames of the sample video."""
    path = asset("demo.mp4")
    both = [camerapose.predict(path, weights=w, max_people=2, progress=False) for w in weights]
    seen = np.unique(both[0].labels["frame"])
    shown = seen[np.linspace(0, len(seen) - 1, N_FRAMES).astype(int)]
    images = {f.index: f.image for f in Source.open(path).frames() if f.index in shown}
    return [
        tuple(Row(p[p.labels["frame"] == i], images[i], f"frame {i}") for p in both) for i in shown
    ]


def write(rows: Sequence[tuple[Row, ...]], weights: Sequence[str], path: Path) -> None:
    """Write a page: 2D, and for both weights 3D in the camera's view and from the side."""
    views = [f"{short(name)}, {view}" for name in weights for view in ("camera view", "side view")]
    aspect = panel_aspect([row[0] for row in rows])
    figure, grid = panel_grid(len(rows), ("2D", *views), WIDTH, aspect)
    for panels, pair in zip(grid, rows, strict=True):
        draw_row(panels, pair)
    side_legend(figure, len(rows[0][0].poses) > 1)
    print(f"wrote {save_figure(figure, path)}", flush=True)


def draw_row(panels: Sequence, pair: tuple[Row, ...]) -> None:
    """Draw one frame in five panels."""
    several = len(pair[0].poses) > 1
    for k, row in enumerate(pair):
        poses = displayed(row.poses.to_numpy())
        colors = person_colors(poses, several)
        if k == 0:
            draw_image(panels[:1], row)
            draw_detected(panels[0], poses, colors)
            caption(panels[0], row.title)
        people = colored_poses(poses, colors)
        for ax, view in zip(panels[1 + 2 * k : 3 + 2 * k], (FRONT, SIDE), strict=True):
            draw_poses(ax, view, people, poses.skeleton, camera=False)
        caption(panels[1 + 2 * k], f"reprojection {poses.reprojection_error.mean():.1f} px")


def short(weights: str) -> str:
    """Return a short name of weights."""
    return Path(weights).stem[-16:]


if __name__ == "__main__":
    main()
