"""2D skeletons drawn on an image panel."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.core.visibility import hidden_joints
from camerapose.view.displayed import std_pixels
from camerapose.view.image_panel import to_pixels
from camerapose.view.style import (
    CAPTION,
    CONFIDENCE,
    FLOOR,
    GROUND_TRUTH,
    STD,
    TEXT,
    bone_colors,
    joint_colors,
)

#: Diameter, points, of a keypoint that is coloured by confidence.
DOT = 8.5


def draw_detected(ax: Axes, poses: Poses, colors: Sequence[str | None]) -> None:
    """Draw the 2D input; opacity and size show confidence, joints of confidence 0 are left out."""
    for points, confidence, color in zip(
        to_pixels(poses, poses.pose2d), poses.confidence, colors, strict=True
    ):
        draw_skeleton(ax, points, confidence, poses.skeleton, color)


def draw_reprojected(ax: Axes, poses: Poses, colors: Sequence[str | None]) -> None:
    """Draw the projection of the 3D pose by its camera, and rings at the detected joints.

    Discs show the predicted standard deviations.
    """
    stds = std_pixels(poses)
    for points, radius in (
        [] if stds is None else zip(to_pixels(poses, poses.reprojection), stds, strict=True)
    ):
        ax.add_collection(EllipseCollection(
            2 * radius, 2 * radius, np.zeros(len(radius)), units="xy", offsets=points,
            transOffset=ax.transData, facecolors=STD, edgecolors="none", alpha=0.45, zorder=4,
        ))  # fmt: skip
    for points, detected, confidence, hidden, color in zip(
        to_pixels(poses, poses.reprojection),
        to_pixels(poses, poses.pose2d),
        poses.confidence,
        hidden_joints(poses),
        colors,
        strict=True,
    ):
        draw_skeleton(ax, points, np.where(hidden, 0.1, 1.0), poses.skeleton, color)
        visible = detected[confidence > 0]
        for rim, width, z in (("white", 2.6, 9), (TEXT, 1.0, 10)):
            ax.scatter(
                *visible.T, s=26, facecolors="none", edgecolors=rim, linewidths=width, zorder=z
            )


def draw_ground_truth(ax: Axes, ground_truth: Poses, predicted: Poses) -> None:
    """Draw the ground-truth 2D in grey below the reprojection of the prediction, of one pose."""
    given = to_pixels(ground_truth, ground_truth.pose2d)[0]
    reprojected = to_pixels(ground_truth, predicted.reprojection)[0]
    draw_skeleton(ax, given, ground_truth.confidence[0], ground_truth.skeleton, GROUND_TRUTH)
    draw_skeleton(ax, reprojected, np.ones(len(reprojected)), predicted.skeleton, None)


def draw_skeleton(
    ax: Axes,
    points: Float[np.ndarray, "joints 2"],
    confidence: Float[np.ndarray, " joints"],
    skeleton: Skeleton,
    color: str | None,
) -> None:
    """Draw bones with a white rim, visible on any image, and a dot at each joint.

    Args:
        points: pixels.
        color: see `style.bone_colors`.
    """
    confidence = np.clip(confidence, 0, 1)
    lines, rims, bodies = [], [], []
    for (child, parent), bone in zip(skeleton.bones, bone_colors(skeleton, color), strict=True):
        visible = min(confidence[child], confidence[parent])
        if visible > 0:
            opacity = _opacity(visible)
            lines.append(points[[child, parent]])
            rims.append((1, 1, 1, 0.85 * opacity))
            bodies.append((*to_rgb(bone), opacity))
    for colors, width, z in ((rims, 5.0, 5), (bodies, 2.8, 6)):
        ax.add_collection(
            LineCollection(lines, colors=colors, linewidths=width, capstyle="round", zorder=z)
        )
    visible = confidence > 0
    dots = [
        (*to_rgb(joint), _opacity(value))
        for joint, value in zip(joint_colors(skeleton, color), confidence, strict=True)
        if value > 0
    ]
    ax.scatter(*points[visible].T, s=6 + 22 * confidence[visible], c=dots, edgecolors="white",
               linewidths=0.8, zorder=7)  # fmt: skip


def draw_confidence(ax: Axes, poses: Poses) -> None:
    """Draw the keypoints of one person, coloured by confidence, on plain bones.

    A cross marks where the refinement network moved a joint by more than half a dot.
    """
    points, confidence = to_pixels(poses, poses.pose2d)[0], np.clip(poses.confidence[0], 0, 1)
    visible = confidence > 0
    lines = [points[[a, b]] for a, b in poses.skeleton.bones if visible[a] and visible[b]]
    for color, width in (((1, 1, 1, 0.75), 3.4), (to_rgb(TEXT), 1.2)):
        ax.add_collection(
            LineCollection(lines, colors=[color], linewidths=width, capstyle="round", zorder=5)
        )
    ax.scatter(*points[visible].T, s=DOT**2, c=CONFIDENCE(confidence[visible]),
               edgecolors="white", linewidths=1.2, zorder=7)  # fmt: skip
    if poses.refined2d is None:
        return
    refined = to_pixels(poses, poses.refined2d)[0]
    x0, x1 = ax.get_xlim()
    dot = DOT / 72 * ax.figure.dpi * (x1 - x0) / ax.get_window_extent().width
    moved = np.linalg.norm(refined - points, axis=-1) > dot / 2
    for start, end in zip(points[moved & visible], refined[moved & visible], strict=True):
        ax.plot(*np.stack([start, end]).T, color="white", lw=1.2, zorder=8)
    for color, width, size in (("white", 3.2, 36), (TEXT, 1.6, 30)) if moved.any() else ():
        ax.scatter(*refined[moved].T, marker="x", s=size, c=[color], linewidths=width, zorder=9)


def draw_confidence_bars(ax: Axes, poses: Poses) -> None:
    """Draw one bar per joint of one person: its name on the left, its confidence on the right."""
    joints = [joint.replace("_", " ") for joint in poses.skeleton.joints]
    confidence = np.clip(poses.confidence[0], 0, 1)
    low, high = 0.36, 0.88  # positions of 0 and 1 as shares of the panel's width
    size = min(9.5, 0.62 * ax.get_window_extent().height / ax.figure.dpi * 72 / len(joints))
    for index, (name, value) in enumerate(zip(joints, confidence, strict=True)):
        y = 1 - (index + 0.5) / len(joints)
        height = 0.56 / len(joints)
        bar = dict(height=height, transform=ax.transAxes, ec="none")
        bottom = y - height / 2
        ax.add_patch(Rectangle((low, bottom), high - low, fc=FLOOR, **bar))
        ax.add_patch(Rectangle((low, bottom), (high - low) * value, fc=CONFIDENCE(value), **bar))
        text = dict(transform=ax.transAxes, va="center", fontsize=size)
        ax.text(low - 0.02, y, name, ha="right", color=TEXT, **text)
        if value:
            ax.text(high + 0.02, y, f"{value:.2f}", ha="left", color=TEXT, **text)
        else:
            ax.text(low + 0.02, y, "not visible", ha="left", color=CAPTION, **text)


def _opacity(confidence: float | np.floating) -> float | np.floating:
    """Return the opacity for a confidence: a weak joint stays clearly visible."""
    return 0.25 + 0.75 * confidence
