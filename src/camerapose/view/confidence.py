"""Figure of keypoints coloured by confidence (Fig. 4)."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from camerapose.view.displayed import displayed
from camerapose.view.image_panel import draw_image, panel_aspect
from camerapose.view.layout import WIDTH, caption, legend, panel_grid, panel_groups
from camerapose.view.rows import Row
from camerapose.view.skeleton2d import draw_confidence, draw_confidence_bars
from camerapose.view.style import CONFIDENCE, TEXT

#: People next to each other.
COLUMNS = 2
#: Minimum height of a panel divided by its width: space for the joint names.
MIN_ASPECT = 0.85


def draw_keypoints(rows: Sequence[Row]) -> Figure:
    """Draw keypoints on the image, coloured by confidence, and the confidence of each joint.

    Source: CameraPose, Fig. 4, which shows the heatmaps whose maxima are the confidences; most
    detectors return only the maxima. A cross marks where the refinement network, which uses the
    confidences, moved a joint by more than half a dot.

    Args:
        rows: of one person each.
    """
    assert rows and all(len(row.poses) == 1 for row in rows), "one row per person"
    columns = min(COLUMNS, len(rows))
    titles = ("keypoints", "confidence") * columns
    aspect = max(panel_aspect(rows), MIN_ASPECT)
    figure, grid = panel_grid(-(-len(rows) // columns), titles, WIDTH, aspect)
    for (left, bars), row in zip(panel_groups(grid, 2, len(rows)), rows, strict=True):
        poses = displayed(row.poses.to_numpy())
        draw_image([left], row)
        draw_confidence(left, poses)
        draw_confidence_bars(bars, poses)
        caption(left, row.title)
        visible = poses.confidence[0] > 0
        if visible.any():
            mean, count = poses.confidence[0][visible].mean(), visible.sum()
            caption(bars, f"mean {mean:.2f}, {count} of {len(visible)} joints visible")
    handles = [Line2D([], [], ls="", marker="o", ms=8, mew=1.2, mec="white",
                      color=CONFIDENCE(value)) for value in (0.1, 0.5, 0.9)]  # fmt: skip
    labels = ["confidence 0.1", "0.5", "0.9"]
    if any(displayed(row.poses).refined2d is not None for row in rows):
        handles.append(Line2D([], [], ls="", marker="x", ms=6, mew=1.6, color=TEXT))
        labels.append("position after refinement")
    legend(figure, handles, labels)
    return figure
