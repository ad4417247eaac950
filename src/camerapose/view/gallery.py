"""Gallery of many images: 2D and, next to it, 3D (Fig. 7)."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from camerapose.view.displayed import displayed
from camerapose.view.image_panel import draw_image, panel_aspect
from camerapose.view.layout import (
    WIDTH,
    caption,
    distance_text,
    panel_grid,
    panel_groups,
    side_legend,
)
from camerapose.view.rows import Row
from camerapose.view.skeleton2d import draw_detected
from camerapose.view.skeleton3d import OBLIQUE, colored_poses, draw_poses
from camerapose.view.style import STD, person_colors

#: Images next to each other.
COLUMNS = 3


def draw_gallery(rows: Sequence[Row]) -> Figure:
    """Draw many images with the 2D, each next to its 3D in an oblique view.

    Source: CameraPose, Fig. 7.
    """
    assert rows, "no rows"
    columns = min(COLUMNS, len(rows))
    titles = ("2D", "3D") * columns
    figure, grid = panel_grid(-(-len(rows) // columns), titles, WIDTH, panel_aspect(rows))
    several = max(len(row.poses) for row in rows) > 1
    has_std = any(row.poses.pose3d_std is not None for row in rows)
    for (left, right), row in zip(panel_groups(grid, 2, len(rows)), rows, strict=True):
        poses = displayed(row.poses.to_numpy())
        colors = person_colors(poses, several)
        draw_image([left], row)
        draw_detected(left, poses, colors)
        people = colored_poses(poses, colors)
        draw_poses(right, OBLIQUE, people, poses.skeleton)
        caption(left, row.title)
        caption(right, distance_text(poses).replace("from the camera", "away"))
    side_legend(figure, several, [("standard deviation", STD)] if has_std else [])
    return figure
