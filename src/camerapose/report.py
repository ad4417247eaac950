"""One HTML page about a video: 3D to turn and play, and what changes over time.

The page holds everything, its script included, and needs no network. By plotly.
"""

import html
import os
from pathlib import Path
from typing import Any

import numpy as np

from camerapose import motion
from camerapose.poses import Poses
from camerapose.visualize import INK, LEFT, PEOPLE, RIGHT

#: Moments that the 3D view can show; curves have every frame.
MOMENTS = 240
#: People with a part of the page to themselves, those seen longest first.
MOST_PEOPLE = 4
#: Angles that are drawn: the joint, and the ends of the bones that meet there (without side).
ANGLES = {"knee": ("hip", "ankle"), "elbow": ("shoulder", "wrist"), "hip": ("shoulder", "knee")}
_STYLE = (
    "body{font-family:system-ui,sans-serif;color:#20242c;max-width:1200px;margin:1.5em auto;"
    "padding:0 1em}table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}"
)


def report(poses: Poses, path: str | os.PathLike, title: str = "camerapose") -> Path:
    """Write the page.

    Args:
        poses: numpy, with label frame; time in seconds and person if there are.
        path: of the .html; whole or not at all.

    Raises:
        ValueError: there is nobody, or plotly is missing.
    """
    try:
        import plotly.io
    except ModuleNotFoundError:
        raise ValueError(
            'a report needs plotly; install it with pip install "camerapose[report]"'
        ) from None
    if len(poses) == 0:
        raise ValueError("nobody was found, so there is nothing to report")
    path = Path(path)
    numbers = poses.labels.get("person", np.zeros(len(poses), int))
    people, counts = np.unique(numbers, return_counts=True)
    people = people[np.argsort(-counts, kind="stable")]
    parts = [f"<h1>{html.escape(title)}</h1>", _summary(poses, people)]
    for k, person in enumerate(people[:MOST_PEOPLE]):
        mine = poses[np.flatnonzero(numbers == person)]
        mine = mine[np.argsort(mine.labels["frame"], kind="stable")]
        if len(people) > 1:
            parts.append(f"<h2>Person {int(person)}</h2>")
        colour = PEOPLE[int(person) % len(PEOPLE)] if len(people) > 1 else None
        parts.append(
            plotly.io.to_html(
                _figure(mine, colour), include_plotlyjs=k == 0, full_html=False,
                auto_play=False, config={"displaylogo": False},
            )
        )  # fmt: skip
    if len(people) > MOST_PEOPLE:
        parts.append(f"<p>{len(people) - MOST_PEOPLE} more people are in poses.json.</p>")
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f'</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>'
        + "\n".join(parts)
        + "</body></html>"
    )
    partial = path.with_name(path.name + ".part")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)
    return path


def seconds(poses: Poses) -> np.ndarray:
    """When each pose was; frame numbers at 30 a second where there is no clock."""
    if "time" in poses.labels:
        return np.asarray(poses.labels["time"], float)
    return np.asarray(poses.labels["frame"], float) / 30


def angles(poses: Poses) -> dict[str, np.ndarray]:
    """Angles at joints over time, degrees: 180 is a straight limb."""
    skeleton, found = poses.skeleton, {}
    for joint, (above, below) in ANGLES.items():
        for side in ("left", "right"):
            names = [f"{side}_{name}" for name in (above, joint, below)]
            if set(names) <= set(skeleton.joints):
                a, b, c = (poses.pose3d[:, skeleton.index(name)] for name in names)
                u, v = a - b, c - b
                size = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
                cosine = (u * v).sum(1) / np.maximum(size, 1e-9)
                found[f"{side} {joint}"] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return found


def _summary(poses: Poses, people: np.ndarray) -> str:
    pixels = poses.camera.in_pixels(poses.image_size)
    size = poses.image_size[0].astype(int)
    rows = {
        "people": len(people),
        "frames with somebody": len(np.unique(poses.labels["frame"])),
        "picture": f"{size[0]} x {size[1]} pixels",
        "focal length (median)": f"{np.median(pixels.focal):.0f} pixels",
        "body height (median)": f"{np.median(motion.body_height(poses)):.2f} m",
        "distance (median)": f"{np.median(np.linalg.norm(poses.root_position, axis=1)):.2f} m",
        "reprojection error (mean)": f"{poses.reprojection_error.mean():.1f} pixels",
        "joints": f"{poses.skeleton.name}; camera frame, metres",
    }
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def _figure(poses: Poses, colour: str | None) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    times = seconds(poses)
    panels = ("angles, degrees", "distance, m", "height above the camera, m", "confidence",
              "reprojection error, pixels")  # fmt: skip
    figure = make_subplots(
        rows=len(panels), cols=2, column_widths=[0.56, 0.44], shared_xaxes=True,
        vertical_spacing=0.045, horizontal_spacing=0.06, row_heights=[0.4, 0.15, 0.15, 0.15, 0.15],
        specs=[[{"type": "scene", "rowspan": len(panels)}, {}], *[[None, {}]] * (len(panels) - 1)],
        subplot_titles=("", *panels),
    )  # fmt: skip
    points = _upright(poses.pose3d)
    for trace in _body(points[0], poses, colour):
        figure.add_trace(go.Scatter3d(**trace, showlegend=False), row=1, col=1)
    moving = list(range(len(figure.data)))
    curves = [
        angles(poses),
        {"distance": np.linalg.norm(poses.root_position, axis=1)},
        {
            name: -poses.pose3d[:, poses.skeleton.index(name), 1]
            for name in ("head", poses.skeleton.root)
            if name in poses.skeleton.joints
        },
        {"confidence": poses.confidence.mean(1)},
        {"error": poses.reprojection_error},
    ]
    cursors = []
    for row, lines in enumerate(curves, start=1):
        for name, values in lines.items():
            style = {"color": LEFT if "left" in name else RIGHT if "right" in name else INK}
            if "elbow" in name:
                style["dash"] = "dot"
            elif "hip" in name:
                style["dash"] = "dash"
            figure.add_trace(
                go.Scatter(x=times, y=_rounded(values, 3), name=name, mode="lines", line=style,
                           showlegend=row == 1),
                row=row, col=2,
            )  # fmt: skip
        low = min(float(values.min()) for values in lines.values())
        high = max(float(values.max()) for values in lines.values())
        cursors.append((low, high))
        figure.add_trace(
            go.Scatter(x=[times[0]] * 2, y=[low, high], mode="lines", showlegend=False,
                       hoverinfo="skip", line={"color": "#B0B5C0", "width": 1}),
            row=row, col=2,
        )  # fmt: skip
        moving.append(len(figure.data) - 1)
    figure.frames = [
        go.Frame(
            name=str(i),
            traces=moving,
            data=[
                *(go.Scatter3d(**trace) for trace in _body(points[i], poses, colour)),
                *(go.Scatter(x=[times[i]] * 2, y=list(ends)) for ends in cursors),
            ],
        )
        for i in np.unique(np.linspace(0, len(poses) - 1, MOMENTS).round().astype(int)).tolist()
    ]
    figure.update_layout(
        height=760, margin={"l": 10, "r": 10, "t": 30, "b": 10}, template="plotly_white",
        scene=_scene(points), legend={"orientation": "h", "x": 0.5, "y": -0.1},
        updatemenus=[_buttons()], sliders=[_slider(figure.frames, times)],
    )  # fmt: skip
    figure.update_xaxes(title_text="seconds", row=len(panels), col=2)
    return figure


def _upright(pose3d: np.ndarray) -> np.ndarray:
    """Camera frame to plotly's: x right, y away from the camera, z up."""
    return _rounded(np.stack([pose3d[..., 0], pose3d[..., 2], -pose3d[..., 1]], axis=-1), 3)


def _body(points: np.ndarray, poses: Poses, colour: str | None) -> list[dict[str, Any]]:
    """Lines of the left, right and middle bones, and the joints, of one pose."""
    skeleton = poses.skeleton
    lines: dict[str, list] = {"left": [], "right": [], "": []}
    for (child, parent), name in zip(skeleton.bones, skeleton.bone_names, strict=True):
        side = name.partition("_")[0]
        part = lines[side if side in lines else ""]
        part += [points[parent], points[child], [None] * 3]
    colours = {"left": LEFT, "right": RIGHT, "": INK}
    found = []
    for side, path in lines.items():
        x, y, z = ([p[i] for p in path] for i in range(3))
        found.append({"x": x, "y": y, "z": z, "mode": "lines", "hoverinfo": "skip",
                      "line": {"width": 9, "color": colour or colours[side]}})  # fmt: skip
    x, y, z = points.T.tolist()
    found.append({"x": x, "y": y, "z": z, "mode": "markers", "text": list(skeleton.joints),
                  "hoverinfo": "text+x+y+z", "marker": {"size": 3, "color": INK}})  # fmt: skip
    return found


def _scene(points: np.ndarray) -> dict[str, Any]:
    """Axes with one scale, around everywhere the person was; seen from the camera's side."""
    low, high = points.min((0, 1)) - 0.2, points.max((0, 1)) + 0.2
    span = high - low
    axes = {
        f"{axis}axis": {"range": [float(low[i]), float(high[i])], "title": {"text": title}}
        for i, (axis, title) in enumerate(
            {"x": "right, m", "y": "away from the camera, m", "z": "up, m"}.items()
        )
    }
    ratio = dict(zip("xyz", (span / span.max() * 1.6).tolist(), strict=True))
    eye = {"x": 0.9, "y": -2.0, "z": 0.6}
    return axes | {"aspectmode": "manual", "aspectratio": ratio, "camera": {"eye": eye}}


def _buttons() -> dict[str, Any]:
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    play = {"fromcurrent": True, "frame": {"duration": 50, "redraw": True},
            "transition": {"duration": 0}}  # fmt: skip
    return {
        "type": "buttons", "direction": "left", "x": 0.0, "y": 0.0, "xanchor": "left",
        "yanchor": "top", "pad": {"t": 45},
        "buttons": [
            {"label": "play", "method": "animate", "args": [None, play]},
            {"label": "pause", "method": "animate", "args": [[None], still]},
        ],
    }  # fmt: skip


def _slider(frames: Any, times: np.ndarray) -> dict[str, Any]:
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    steps = [
        {"label": f"{times[int(f.name)]:.2f}", "method": "animate", "args": [[f.name], still]}
        for f in frames
    ]
    return {
        "steps": steps, "x": 0.13, "len": 0.42, "y": 0.0, "pad": {"t": 30},
        "currentvalue": {"prefix": "seconds: "}, "ticklen": 0, "minorticklen": 0,
        "font": {"size": 10},
    }  # fmt: skip


def _rounded(values: np.ndarray, digits: int) -> np.ndarray:
    return np.round(np.asarray(values, float), digits)
