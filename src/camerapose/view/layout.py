"""Page layout: a grid of equal panels with titles, captions and a legend; writing a figure."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from camerapose.core.poses import Poses
from camerapose.io.files import write_bytes
from camerapose.view.style import CAPTION, LEFT, RIGHT, TEXT, TRUNK, Color, lighter

#: Width of a page, inches.
WIDTH = 12.0
#: Distances between panels and heights of the page's text lines, inches.
PANEL_GAP, MARGIN, TITLE_HEIGHT, CAPTION_HEIGHT, LEGEND_HEIGHT = 0.10, 0.08, 0.34, 0.26, 0.28


def panel_grid(
    n_rows: int, titles: Sequence[str], width: float, aspect: float
) -> tuple[Figure, list[list[Axes]]]:
    """Make a figure of equal panels: titles above, a caption line below each row, legend below.

    Drawn with matplotlib's object interface, which leaves the state of pyplot unchanged.

    Args:
        titles: one per column.
        width: of the figure, inches.
        aspect: height of a panel divided by its width.
    """
    columns = len(titles)
    panel = (width - 2 * MARGIN - (columns - 1) * PANEL_GAP) / columns
    row = panel * aspect + CAPTION_HEIGHT
    height = TITLE_HEIGHT + LEGEND_HEIGHT + n_rows * row
    figure = Figure(figsize=(width, height))
    grid: list[list[Axes]] = []
    for r in range(n_rows):
        bottom = LEGEND_HEIGHT + (n_rows - 1 - r) * row + CAPTION_HEIGHT
        grid.append([])
        for c in range(columns):
            left = MARGIN + c * (panel + PANEL_GAP)
            box = (left / width, bottom / height, panel / width, panel * aspect / height)
            ax = figure.add_axes(box)
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_visible(False)
            grid[-1].append(ax)
    for c, title in enumerate(titles):
        x = (MARGIN + c * (panel + PANEL_GAP) + panel / 2) / width
        figure.text(x, 1 - TITLE_HEIGHT / 2 / height, title, ha="center", va="center",
                    fontsize=12, color=TEXT)  # fmt: skip
    return figure, grid


def panel_groups(grid: Sequence[Sequence[Axes]], size: int, count: int) -> list[Sequence[Axes]]:
    """Group `size` neighbouring panels, row by row; hide those after the first `count` groups."""
    groups = [line[i : i + size] for line in grid for i in range(0, len(line), size)]
    for ax in (ax for group in groups[count:] for ax in group):
        ax.set_visible(False)
    return groups[:count]


def caption(ax: Axes, text: str) -> None:
    """Write a short text below a panel."""
    ax.annotate(text, (0.5, 0), xycoords="axes fraction", xytext=(0, -4),
                textcoords="offset points", ha="center", va="top", fontsize=9.5, color=CAPTION,
                annotation_clip=False)  # fmt: skip


def side_legend(figure: Figure, several: bool, extra: Sequence[tuple[str, Color]] = ()) -> None:
    """Explain the colours of left and right limbs.

    Args:
        several: whether each person has a colour.
        extra: further names and colours.
    """
    if several:
        entries = [("left side", TEXT), ("right side (lighter)", lighter(TEXT, 0.5))]
    else:
        entries = [("left", LEFT), ("right", RIGHT), ("trunk", TRUNK)]
    color_legend(figure, [*entries, *extra])


def color_legend(figure: Figure, entries: Sequence[tuple[str, Color]]) -> None:
    """Explain colours (name and colour each) in the legend."""
    handles = [Line2D([], [], color=c, lw=4, solid_capstyle="round") for _, c in entries]
    legend(figure, handles, [name for name, _ in entries])


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Place a legend in one line at the bottom of the page."""
    height = figure.get_size_inches()[1]
    figure.legend(handles, labels, loc="center", bbox_to_anchor=(0.5, LEGEND_HEIGHT / 2 / height),
                  ncols=len(labels), frameon=False, fontsize=9.5, labelcolor=TEXT,
                  handlelength=1.2, columnspacing=1.8, borderpad=0)  # fmt: skip


def distance_text(poses: Poses) -> str:
    """Describe the distances of people from the camera."""
    depth = sorted(poses.root_position[:, 2].tolist())
    if len(depth) == 1:
        return f"{depth[0]:.1f} m from the camera"
    return f"{depth[0]:.1f} to {depth[-1]:.1f} m from the camera" if depth else "no person"


def error_text(poses: Poses) -> str:
    """Describe the reprojection error and the focal length; empty without a camera."""
    if not len(poses) or poses.camera is None:
        return ""
    error = poses.reprojection_error.mean()
    if poses.image_size is None:
        return f"reprojection error {error:.3f}"
    focal = poses.camera.in_pixels(poses.image_size).focal.mean()
    return f"error {error:.1f} px, focal length {focal:.0f} px"


def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 110) -> Path:
    """Write a figure atomically, in the format of the file name suffix (default .png).

    Raises:
        ValueError: matplotlib does not know the format.
        OSError: the file cannot be written.
    """
    path = Path(path)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format=path.suffix.lstrip(".") or "png", dpi=dpi, facecolor="white")
    write_bytes(path, buffer.getvalue())
    return path
