"""Figures of frames: 2D input, 3D from two views and reprojection (Fig. 8), or 2D alone."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from camerapose.view.displayed import displayed
from camerapose.view.image_panel import draw_image, panel_aspect
from camerapose.view.layout import (
    WIDTH,
    caption,
    distance_text,
    error_text,
    panel_grid,
    side_legend,
)
from camerapose.view.rows import Row
from camerapose.view.skeleton2d import draw_detected, draw_reprojected
from camerapose.view.skeleton3d import FRONT, SIDE, colored_poses, draw_poses
from camerapose.view.style import STD, person_colors


def draw_frames(
    rows: Sequence[Row],
    *,
    titles: tuple[str, str] = ("detected 2D", "reprojected 2D"),
    floor: float | None = None,
) -> Figure:
    """Draw one frame per row: detected 2D, 3D from two views, reprojected 2D.

    Source: CameraPose, Fig. 8. People keep their colour in all rows if the label `person`
    identifies them.

    Args:
        rows: poses with 3D and camera.
        titles: of the first and the last column.
        floor: its y coordinate, metres; None: below the lowest joint of each row.
    """
    assert rows, "no rows"
    columns = (titles[0], "3D, camera view", "3D, side view", titles[1])
    figure, grid = panel_grid(len(rows), columns, WIDTH, panel_aspect(rows))
    several = max(len(row.poses) for row in rows) > 1
    has_std = any(row.poses.pose3d_std is not None for row in rows)
    for axes, row in zip(grid, rows, strict=True):
        poses = displayed(row.poses.to_numpy())
        colors = person_colors(poses, several)
        draw_image((axes[0], axes[3]), row)
        draw_detected(axes[0], poses, colors)
        draw_reprojected(axes[3], poses, colors)
        people = colored_poses(poses, colors)
        for ax, view in zip(axes[1:3], (FRONT, SIDE), strict=True):
            draw_poses(ax, view, people, poses.skeleton, camera=view is SIDE, floor=floor)
        caption(axes[0], row.title)
        caption(axes[2], distance_text(poses))
        caption(axes[3], error_text(poses))
    side_legend(figure, several, [("standard deviation", STD)] if has_std else [])
    return figure


def draw_samples(rows: Sequence[Row]) -> Figure:
    """Draw samples of a data set: as `draw_frames` or, without 3D, the 2D of four per row."""
    assert rows, "no rows"
    if all(row.poses.pose3d is not None and row.poses.camera is not None for row in rows):
        return draw_frames(rows, titles=("2D", "2D and projected 3D"))
    columns = min(4, len(rows))
    figure, grid = panel_grid(-(-len(rows) // columns), [""] * columns, WIDTH, panel_aspect(rows))
    panels = [ax for line in grid for ax in line]
    several = any(len(row.poses) > 1 for row in rows)
    for ax, row in zip(panels, rows, strict=False):
        poses = displayed(row.poses.to_numpy())
        draw_image((ax,), row)
        draw_detected(ax, poses, person_colors(poses, len(poses) > 1))
        caption(ax, row.title)
    for ax in panels[len(rows) :]:
        ax.set_visible(False)
    side_legend(figure, several)
    return figure
