"""Interactive figures of one person: a single pose, or an animation with curves over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from camerapose.core.poses import Poses
from camerapose.view.displayed import displayed
from camerapose.view.report import scene
from camerapose.view.report.curves import curves, joint_angles, time_axis
from camerapose.view.style import CAPTION, LEFT, RIGHT, TEXT

#: Maximum number of poses in the animation; curves have every frame.
MAX_POSES = 240
#: Height of an animation, and of its legend and plotly's buttons at the top, pixels.
HEIGHT, TOP = 860, 70
#: Time per pose without a clock and shortest time per pose, milliseconds.
DEFAULT_INTERVAL, MIN_INTERVAL = 100.0, 20.0
_JUMP = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}


def still(poses: Poses, color: str | None) -> Any:
    """Return a figure of one pose with its joint angles as the title."""
    import plotly.graph_objects as go

    drawn = displayed(poses)
    points = scene.to_plotly(drawn.pose3d)
    figure = go.Figure(go.Mesh3d(**scene.floor(points)))
    for trace in _traces(drawn, points, 0, color):
        figure.add_trace(go.Scatter3d(**trace, showlegend=False))
    title = ", ".join(f"{name} {value[0]:.0f}°" for name, value in joint_angles(poses).items())
    figure.update_layout(
        height=620, margin={"l": 10, "r": 10, "t": 50, "b": 10}, template="plotly_white",
        font={"color": TEXT}, scene=scene.axes(points),
        title={"text": title, "font": {"size": 13}, "x": 0.01},
    )  # fmt: skip
    return figure


def animation(poses: Poses, color: str | None) -> dict[str, Any]:
    """Return a figure of poses over time: an animation in 3D next to curves."""
    import plotly.graph_objects as go

    times, unit = time_axis(poses)
    panels = curves(poses)
    figure = _panels(list(panels))
    drawn = displayed(poses)
    points = scene.to_plotly(drawn.pose3d)
    figure.add_trace(go.Mesh3d(**scene.floor(points)), row=1, col=1)
    for trace in _traces(drawn, points, 0, color):
        figure.add_trace(go.Scatter3d(**trace, showlegend=False), row=1, col=1)
    moving = list(range(1, len(figure.data)))
    cursors = _add_curves(figure, panels, times)
    moving += list(cursors)
    chosen = np.unique(np.linspace(0, len(poses) - 1, MAX_POSES).round().astype(int)).tolist()
    frames = [
        {
            "name": str(i),
            "traces": moving,
            "data": [
                *({"type": "scatter3d", **trace}
                  for trace in _traces(drawn, points, i, color)),
                *({"x": [times[i]] * 2, "y": list(ends)} for ends in cursors.values()),
            ],
        }
        for i in chosen
    ]  # fmt: skip
    interval = DEFAULT_INTERVAL
    if unit == "seconds":
        interval = 1000 * (times[-1] - times[0]) / max(len(chosen) - 1, 1)
    figure.update_layout(
        height=HEIGHT, margin={"l": 10, "r": 10, "t": TOP, "b": 10}, template="plotly_white",
        font={"color": TEXT}, scene=scene.axes(points), hovermode="x",
        legend={"orientation": "h", "x": 0.58, "xanchor": "left", "y": 1.035, "yanchor": "bottom"},
        updatemenus=[_buttons(interval)], sliders=[_slider(chosen, times, unit)],
    )  # fmt: skip
    figure.update_annotations(font_size=13, x=0.575, xanchor="left")
    figure.update_xaxes(title_text=unit, row=len(panels), col=2)
    # As plain data: plotly's validation of every frame takes seconds.
    return figure.to_dict() | {"frames": frames}


def _panels(titles: Sequence[str]) -> Any:
    """Return a figure with a 3D scene on the left and one panel per title on the right."""
    from plotly.subplots import make_subplots

    n = len(titles)
    return make_subplots(
        rows=n, cols=2, column_widths=[0.55, 0.45], shared_xaxes=True,
        vertical_spacing=0.3 * (1 / n), horizontal_spacing=0.05, row_heights=[1 / n] * n,
        specs=[[{"type": "scene", "rowspan": n}, {}], *[[None, {}]] * (n - 1)],
        subplot_titles=("", *titles),
    )  # fmt: skip


def _add_curves(
    figure: Any, panels: dict[str, dict[str, np.ndarray]], times: np.ndarray
) -> dict[int, tuple[float, float]]:
    """Add the curves, and a time cursor to each panel.

    Returns:
        Index of each cursor's trace, with its lower and upper end.
    """
    import plotly.graph_objects as go

    cursors: dict[int, tuple[float, float]] = {}
    named: set[str] = set()
    for row, lines in enumerate(panels.values(), start=1):
        for name, values in lines.items():
            side = name.partition(" ")[0]
            legend = side in ("left", "right") and side not in named
            named.add(side)
            figure.add_trace(
                go.Scatter(x=times, y=np.round(np.asarray(values, float), 3),
                           name=side if legend else name, mode="lines", showlegend=legend,
                           line={"color": {"left": LEFT, "right": RIGHT}.get(side, TEXT),
                                 "width": 1.6},
                           hovertemplate=f"{name} %{{y}}<extra></extra>"),
                row=row, col=2,
            )  # fmt: skip
        low = min(float(values.min()) for values in lines.values())
        high = max(float(values.max()) for values in lines.values())
        figure.add_trace(
            go.Scatter(x=[times[0]] * 2, y=[low, high], mode="lines", showlegend=False,
                       hoverinfo="skip", line={"color": CAPTION, "width": 1}),
            row=row, col=2,
        )  # fmt: skip
        cursors[len(figure.data) - 1] = (low, high)
    return cursors


def _traces(poses: Poses, points: np.ndarray, row: int, color: str | None) -> list[dict[str, Any]]:
    """Return the traces of one pose."""
    std = None if poses.pose3d_std is None else poses.pose3d_std[row]
    return scene.skeleton_traces(points[row], poses.skeleton, color, std)


def _buttons(interval: float) -> dict[str, Any]:
    """Return buttons to play, with an interval in milliseconds per pose, and to pause."""
    play = {"fromcurrent": True, "frame": {"duration": max(interval, MIN_INTERVAL), "redraw": True},
            "transition": {"duration": 0}}  # fmt: skip
    return {
        "type": "buttons", "direction": "left", "x": 0.0, "y": 0.0, "xanchor": "left",
        "yanchor": "top", "pad": {"t": 45},
        "buttons": [
            {"label": "play", "method": "animate", "args": [None, play]},
            {"label": "pause", "method": "animate", "args": [[None], _JUMP]},
        ],
    }  # fmt: skip


def _slider(rows: Sequence[int], times: np.ndarray, unit: str) -> dict[str, Any]:
    """Return a slider over the poses of these rows."""
    digits = 2 if unit == "seconds" else 0
    steps = [
        {"label": f"{times[i]:.{digits}f}", "method": "animate", "args": [[str(i)], _JUMP]}
        for i in rows
    ]
    return {
        "steps": steps, "x": 0.13, "len": 0.38, "y": 0.0, "pad": {"t": 30},
        "currentvalue": {"prefix": f"{unit}: "}, "ticklen": 0, "minorticklen": 0,
        "font": {"size": 10},
    }  # fmt: skip
