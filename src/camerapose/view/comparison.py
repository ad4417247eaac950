"""Figures that compare poses: with the ground truth, or of two models (Fig. 6)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from camerapose.core.conversion import has_definitions
from camerapose.core.poses import Poses
from camerapose.view.displayed import displayed
from camerapose.view.image_panel import draw_image, panel_aspect
from camerapose.view.layout import (
    WIDTH,
    caption,
    color_legend,
    error_text,
    panel_grid,
    side_legend,
)
from camerapose.view.rows import Row
from camerapose.view.skeleton2d import draw_detected, draw_ground_truth
from camerapose.view.skeleton3d import FRONT, MIN_DIFFERENCE, SIDE, ColoredPose, draw_poses
from camerapose.view.style import ARROW, GROUND_TRUTH, LEFT, RIGHT, TRUNK


def draw_against_ground_truth(ground_truth: Poses, predicted: Poses) -> Figure:
    """Draw predictions over the ground truth (grey): 2D, and root-relative 3D from two views.

    Args:
        ground_truth: one row per pose: `pose2d`, and `pose3d` where it is known.
        predicted: the same poses in the same order, with absolute `pose3d` and `camera`.
    """
    predicted = displayed(predicted.to_numpy())
    ground_truth = ground_truth.to_numpy()
    if has_definitions(ground_truth.skeleton):
        ground_truth = ground_truth.to(predicted.skeleton)
    assert len(ground_truth) == len(predicted) and len(ground_truth) > 0, "one prediction per pose"
    skeleton = predicted.skeleton
    titles = ("2D and reprojection", "3D, camera view", "3D, side view")
    figure, grid = panel_grid(len(ground_truth), titles, 9.0, 1.0)
    root = skeleton.root_index
    for i, axes in enumerate(grid):
        true, pose = ground_truth[i : i + 1], predicted[i : i + 1]
        draw_image(axes[:1], Row(true))
        draw_ground_truth(axes[0], true, pose)
        points = pose.pose3d[0] - pose.pose3d[0, root]
        bodies = [ColoredPose(points)]
        if true.pose3d is not None:
            expected = true.pose3d[0] - true.pose3d[0, root]
            bodies.insert(0, ColoredPose(expected, GROUND_TRUTH))
            error = 1000 * np.linalg.norm(points - expected, axis=-1).mean()
            caption(axes[1], f"MPJPE {error:.0f} mm")
            offset = 1000 * np.linalg.norm(pose.pose3d[0, root] - true.pose3d[0, root])
            caption(axes[2], f"root error {offset:.0f} mm")
        for ax, view in zip(axes[1:], (FRONT, SIDE), strict=True):
            draw_poses(ax, view, bodies, skeleton)
        caption(axes[0], error_text(replace(
            pose, pose2d=true.pose2d, confidence=true.confidence)))  # fmt: skip
    side_legend(figure, several=False, extra=[("ground truth", GROUND_TRUTH)])
    return figure


def draw_two_models(rows: Sequence[tuple[Row, Poses]], names: tuple[str, str]) -> Figure:
    """Draw two models' poses of the same people: 2D, and root-relative 3D from two views.

    Source: CameraPose, Fig. 6. The second model's panels also show the first one's pose in grey,
    and arrows to joints that differ by more than `skeleton3d.MIN_DIFFERENCE`.

    Args:
        rows: of one person each: image and the first model's pose, and the second model's pose in
            the same skeleton.
        names: of the models.
    """
    assert rows, "no rows"
    titles = ("detected 2D", *(f"{name}, {view}" for view in ("front", "side") for name in names))
    aspect = panel_aspect([row for row, _ in rows])
    figure, grid = panel_grid(len(rows), titles, WIDTH, aspect)
    for axes, (row, other) in zip(grid, rows, strict=True):
        first = displayed(row.poses.to_numpy())
        second = other.to_numpy()
        if second.skeleton != first.skeleton:
            second = second.to(first.skeleton)
        skeleton = first.skeleton
        a, b = ((p.pose3d - p.root_position[:, None])[0] for p in (first, second))
        draw_image(axes[:1], row)
        draw_detected(axes[0], first, [None])
        for (left, right), view in zip((axes[1:3], axes[3:5]), (FRONT, SIDE), strict=True):
            draw_poses(left, view, [ColoredPose(a)], skeleton, include=b)
            both = [ColoredPose(a, GROUND_TRUTH), ColoredPose(b)]
            stage = draw_poses(right, view, both, skeleton)
            assert stage is not None
            stage.draw_arrows(a, b)
        distance = 1000 * np.linalg.norm(a - b, axis=-1)
        farthest = skeleton.joints[int(distance.argmax())].replace("_", " ")
        roots = 100 * np.linalg.norm(first.root_position - second.root_position)
        caption(axes[0], row.title)
        caption(axes[2], f"mean difference {distance.mean():.0f} mm")
        caption(axes[3], f"maximum: {farthest}, {distance.max():.0f} mm")
        caption(axes[4], f"root distance {roots:.0f} cm")
    color_legend(figure, [
        ("left", LEFT), ("right", RIGHT), ("trunk", TRUNK), (names[0], GROUND_TRUTH),
        (f"more than {100 * MIN_DIFFERENCE:.0f} cm apart", ARROW),
    ])  # fmt: skip
    return figure
