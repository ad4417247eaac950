"""Plots of joint angles and trajectories for print: PNG and PDF."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.view.layout import save_figure
from camerapose.view.report.curves import Panel, angle_panels, time_axis
from camerapose.view.rows import split_people, thinned
from camerapose.view.style import CAPTION, GRID, PEOPLE, TEXT

#: Maximum number of people in a plot.
MAX_PEOPLE = 6
SUFFIXES = (".png", ".pdf")
#: Number of poses in a plot; of longer recordings, every n-th frame is drawn.
MAX_POSES = 20_000
#: Size of a panel, inches.
WIDTH, HEIGHT = 3.6, 1.9
#: A curve is interrupted where poses are missing for more than this multiple of the usual interval.
GAP = 1.5


def write_plots(poses: Poses, folder: Path, ground: Ground | None = None) -> list[Path]:
    """Write angles and trajectories of poses over time as PNG and PDF; nothing for single poses.

    Args:
        poses: numpy, with 3D and the label `frame`, camera frame.
        folder: existing.
        ground: frame of the trajectories, with the axes of exported files; None: the camera frame.

    Returns:
        The files `angles` and `trajectories`, each as .png and .pdf.
    """
    people = split_people(thinned(poses, MAX_POSES)[0])
    people = [(n, own) for n, own in people if len(own) > 1][:MAX_PEOPLE]
    people = sorted(people, key=lambda person: person[0])
    if not people:
        return []
    figures = {"angles": draw_angles(people), "trajectories": draw_trajectories(people, ground)}
    return [
        save_figure(figure, folder / (name + suffix))
        for name, figure in figures.items()
        if figure is not None
        for suffix in SUFFIXES
    ]


def draw_angles(people: list[tuple[int, Poses]]) -> Figure | None:
    """Draw one row per person, one panel per joint; bands are one standard deviation.

    Returns:
        None if the joints determine no angle.
    """
    rows = [(number, own, angle_panels(own)) for number, own in people]
    columns = len(rows[0][2])
    if not columns:
        return None
    width, height = WIDTH * columns, HEIGHT * len(rows) + 0.8
    figure = Figure(figsize=(width, height))
    place = {"left": 0.7 / width, "right": 1 - 0.15 / width, "bottom": 0.5 / height,
             "top": 1 - 0.45 / height, "wspace": 0.2, "hspace": 0.35}  # fmt: skip
    grid = figure.subplots(len(rows), columns, sharex=True, squeeze=False, gridspec_kw=place)
    for axes, (number, own, panels) in zip(grid, rows, strict=True):
        times, unit = time_axis(own)
        for ax, panel in zip(axes, panels, strict=True):
            _draw_panel(ax, times, panel)
        label = "degrees" if len(rows) == 1 else f"person {number}, degrees"
        axes[0].set_ylabel(label, color=TEXT)
    for ax in grid[-1]:
        ax.set_xlabel(f"time, {unit}" if unit == "seconds" else unit)
    for ax in grid[0]:
        ax.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.97))
    return figure


def draw_trajectories(people: list[tuple[int, Poses]], ground: Ground | None = None) -> Figure:
    """Draw the paths of the root joints from above, and their coordinates over time.

    Args:
        people: number and poses of each person, camera frame.
        ground: level frame with its origin on the floor; None: the frame of the camera.
    """
    figure = Figure(figsize=(10, 5.4))
    grid = figure.add_gridspec(3, 2, width_ratios=(1.1, 1), left=0.07, right=0.98, bottom=0.15,
                               top=0.94, wspace=0.18, hspace=0.2)  # fmt: skip
    above = figure.add_subplot(grid[:, 0])
    over_time = [figure.add_subplot(grid[row, 1]) for row in range(3)]
    for number, own in people:
        color = PEOPLE[number % len(PEOPLE)]
        times, unit = time_axis(own)
        places = np.asarray(own.root_position, float)
        places = places * [1.0, -1.0, -1.0] if ground is None else ground.points(places)
        places = places * [1.0, 1.0, -1.0]
        x, y, z = _with_gaps(times, places.T)
        above.plot(x, z, color=color, lw=1.6, label=f"person {number}")
        above.plot(*places[0, [0, 2]], "o", color=color, ms=5)
        moments = _with_gaps(times, times[None])[0]
        for ax, values in zip(over_time, (x, y, z), strict=True):
            ax.plot(moments, values, color=color, lw=1.4)
    above.plot(0, 0, marker=(3, 0, 0), color=CAPTION, ms=10, ls="", label="camera")
    above.set(title="from above; dots: start", xlabel="right (x), m", ylabel="forward (−z), m")
    above.set_aspect("equal", adjustable="datalim")
    above.legend(frameon=False, fontsize=8, ncols=4, loc="upper center",
                 bbox_to_anchor=(0.5, -0.09))  # fmt: skip
    level = "camera" if ground is None else "floor"
    for ax, name in zip(
        over_time, ("right (x)", f"above {level} (y)", "forward (−z)"), strict=True
    ):
        ax.set_ylabel(f"{name}, m")
    over_time[-1].set_xlabel(f"time, {unit}" if unit == "seconds" else unit)
    for ax in (above, *over_time):
        _style(ax)
    return figure


def _draw_panel(ax: Axes, times: np.ndarray, panel: Panel) -> None:
    title = panel.title.removesuffix(", degrees")
    # With a height: otherwise Matplotlib measures all labels to find one.
    ax.set_title(title, fontsize=9, color=TEXT, loc="left", y=1.02)
    _style(ax)
    moments = _with_gaps(times, times[None])[0]
    for line in panel.lines:
        values = _with_gaps(times, line.values[None])[0]
        ax.plot(moments, values, color=line.color, lw=1.3, label=line.name)
        if line.std is not None:
            std = _with_gaps(times, line.std[None])[0]
            ax.fill_between(moments, values - std, values + std, color=line.color, alpha=0.18, lw=0)


def _style(ax: Axes) -> None:
    ax.grid(color=GRID, lw=0.6)
    ax.locator_params(nbins=5)
    ax.tick_params(labelsize=8, colors=TEXT, length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _with_gaps(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Insert NaN into the columns (k, n) where poses are missing."""
    steps = np.diff(times)
    gaps = np.flatnonzero(steps > GAP * np.median(steps)) + 1 if len(steps) else []
    return np.insert(values.astype(float), gaps, np.nan, axis=1)
