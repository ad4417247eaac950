"""One HTML page about a video: 3D to turn and play, and what changes over time.

The page holds everything, its script included, and needs no network. By plotly.
"""

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.anatomy import body_height
from camerapose.core.poses import Poses
from camerapose.io.files import write_text
from camerapose.view.style import CAPTION, LEFT, PEOPLE, RIGHT, TEXT

#: Moments that the 3D view can show; curves have every frame.
MOMENTS = 240
#: People with a part of the page to themselves, those seen longest first.
MOST_PEOPLE = 4
#: Angles that are drawn: the joint, and the ends of the bones that meet there (without side).
ANGLES = {"knee": ("hip", "ankle"), "elbow": ("shoulder", "wrist"), "hip": ("shoulder", "knee")}
_STYLE = (
    "body{font-family:system-ui,sans-serif;color:#20242c;background:#fff;max-width:1240px;"
    "margin:1.5em auto;padding:0 1em}h1{font-size:1.5em}h2{font-size:1.15em;margin:1.5em 0 .3em}"
    "table{border-collapse:collapse;font-size:.95em}thead th{border-bottom:1px solid #dfe3e9}"
    "td,th{padding:.25em 1.6em .25em 0;text-align:left;font-weight:normal}"
    "th{color:#5c6370}p{color:#5c6370;font-size:.9em;max-width:60em}"
)
#: Pixels: of a person's part of the page, and above it, for the legend and plotly's buttons.
_HEIGHT, _TOP = 860, 70


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
        drawn = _moving(mine, colour) if len(mine) > 1 else _still(mine, colour)
        parts.append(
            plotly.io.to_html(
                drawn, include_plotlyjs=k == 0, full_html=False,
                auto_play=False, validate=False, config={"displaylogo": False},
            )
        )  # fmt: skip
    if len(people) > MOST_PEOPLE:
        parts.append(f"<p>{len(people) - MOST_PEOPLE} more people are in poses.json.</p>")
    parts.append(_refinement(poses))
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f'</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>'
        + "\n".join(parts)
        + "</body></html>"
    )
    write_text(path, page)
    return path


def _refinement(poses: Poses) -> str:
    """A table of how far the refinement network moved each joint; nothing where none ran."""
    moved = poses.refinement
    known = np.isfinite(moved).any(0)
    if not known.any():
        return ""
    rows = []
    for j in np.flatnonzero(known):
        pixels = moved[np.isfinite(moved[:, j]), j]
        sure = poses.confidence[poses.confidence[:, j] > 0, j]
        cells = (poses.skeleton.joints[j].replace("_", " "), f"{pixels.mean():.1f}",
                 f"{np.percentile(pixels, 95):.1f}", f"{sure.mean():.2f}")  # fmt: skip
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = ("joint", "moved, pixels", "95 of 100 less than", "confidence")
    return (
        f"<h2>Refinement</h2><p>How far the refinement network moved the detected joints before "
        f"they were lifted: {np.nanmean(moved):.1f} pixels on average.</p><table><thead><tr>"
        + "".join(f"<th>{name}</th>" for name in head)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def clock(poses: Poses) -> tuple[np.ndarray, str]:
    """When each pose was, and in what: "seconds" of a video, else the number of the "frame"."""
    if "time" in poses.labels:
        return np.asarray(poses.labels["time"], float), "seconds"
    return np.asarray(poses.labels["frame"], float), "frame"


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
    """What holds for all, and a line a person."""
    numbers = poses.labels.get("person", np.zeros(len(poses), int))
    size = poses.image_size[0].astype(int)
    frames = len(np.unique(poses.labels["frame"]))
    head = ("person", "poses", "body height", "distance", "focal length", "reprojection error")
    lines = []
    for person in people[:MOST_PEOPLE]:
        mine = poses[np.flatnonzero(numbers == person)]
        away = np.linalg.norm(mine.root_position, axis=1)
        height = np.median(body_height(mine.pose3d, mine.skeleton))
        focal = np.median(mine.camera.in_pixels(mine.image_size).focal)
        lines.append(
            (f"{int(person)}", f"{len(mine)}", f"{height:.2f} m",
             _span(away), f"{focal:.0f} pixels",
             f"{mine.reprojection_error.mean():.1f} pixels")
        )  # fmt: skip
    cells = "".join(f"<th>{name}</th>" for name in head)
    rows = "".join(f"<tr>{''.join(f'<td>{v}</td>' for v in line)}</tr>" for line in lines)
    return (
        f"<p>Somebody in {frames} frame{'s' * (frames > 1)} of {size[0]} x {size[1]} pixels. "
        "Heights and focal lengths are medians. From one camera, size and distance are estimates "
        "unless the person's height was given.</p>"
        f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _span(metres: np.ndarray) -> str:
    low, high = f"{metres.min():.1f}", f"{metres.max():.1f}"
    return f"{low} m" if low == high else f"{low} to {high} m"


def _still(poses: Poses, colour: str | None) -> Any:
    """One pose to turn, and its angles."""
    import plotly.graph_objects as go

    points = _upright(poses.pose3d)
    figure = go.Figure(go.Mesh3d(**_floor(points)))
    for trace in _body(points[0], poses, colour):
        figure.add_trace(go.Scatter3d(**trace, showlegend=False))
    told = ", ".join(f"{name} {value[0]:.0f}°" for name, value in angles(poses).items())
    figure.update_layout(
        height=620, margin={"l": 10, "r": 10, "t": 50, "b": 10}, template="plotly_white",
        font={"color": TEXT}, scene=_scene(points),
        title={"text": told, "font": {"size": 13}, "x": 0.01},
    )  # fmt: skip
    return figure


def _moving(poses: Poses, colour: str | None) -> Any:
    """Poses over time: to turn, to play, and in curves."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    times, unit = clock(poses)
    curves = _curves(poses)
    share = 1 / len(curves)
    figure = make_subplots(
        rows=len(curves), cols=2, column_widths=[0.55, 0.45], shared_xaxes=True,
        vertical_spacing=0.3 * share, horizontal_spacing=0.05, row_heights=[share] * len(curves),
        specs=[[{"type": "scene", "rowspan": len(curves)}, {}], *[[None, {}]] * (len(curves) - 1)],
        subplot_titles=("", *curves),
    )  # fmt: skip
    points = _upright(poses.pose3d)
    figure.add_trace(go.Mesh3d(**_floor(points)), row=1, col=1)
    for trace in _body(points[0], poses, colour):
        figure.add_trace(go.Scatter3d(**trace, showlegend=False), row=1, col=1)
    moving = list(range(1, len(figure.data)))
    cursors, told = [], set()
    for row, lines in enumerate(curves.values(), start=1):
        for name, values in lines.items():
            side = name.partition(" ")[0]
            legend = side in ("left", "right") and side not in told
            told.add(side)
            figure.add_trace(
                go.Scatter(x=times, y=_rounded(values, 3), name=side if legend else name,
                           mode="lines", showlegend=legend,
                           line={"color": {"left": LEFT, "right": RIGHT}.get(side, TEXT),
                                 "width": 1.6},
                           hovertemplate=f"{name} %{{y}}<extra></extra>"),
                row=row, col=2,
            )  # fmt: skip
        low = min(float(values.min()) for values in lines.values())
        high = max(float(values.max()) for values in lines.values())
        cursors.append((low, high))
        figure.add_trace(
            go.Scatter(x=[times[0]] * 2, y=[low, high], mode="lines", showlegend=False,
                       hoverinfo="skip", line={"color": "#8A909C", "width": 1}),
            row=row, col=2,
        )  # fmt: skip
        moving.append(len(figure.data) - 1)
    chosen = np.unique(np.linspace(0, len(poses) - 1, MOMENTS).round().astype(int)).tolist()
    frames = [
        {
            "name": str(i),
            "traces": moving,
            "data": [
                *({"type": "scatter3d", **trace} for trace in _body(points[i], poses, colour)),
                *({"x": [times[i]] * 2, "y": list(ends)} for ends in cursors),
            ],
        }
        for i in chosen
    ]
    pace = 1000 * (times[-1] - times[0]) / max(len(chosen) - 1, 1) if unit == "seconds" else 100.0
    figure.update_layout(
        height=_HEIGHT, margin={"l": 10, "r": 10, "t": _TOP, "b": 10}, template="plotly_white",
        font={"color": TEXT}, scene=_scene(points), hovermode="x",
        legend={"orientation": "h", "x": 0.58, "xanchor": "left", "y": 1.035, "yanchor": "bottom"},
        updatemenus=[_buttons(pace)], sliders=[_slider(chosen, times, unit)],
    )  # fmt: skip
    figure.update_annotations(font_size=13, x=0.575, xanchor="left")
    figure.update_xaxes(title_text=unit, row=len(curves), col=2)
    # As they are: to have plotly check every frame takes seconds.
    return figure.to_dict() | {"frames": frames}


def _curves(poses: Poses) -> dict[str, dict[str, np.ndarray]]:
    """What is drawn over time: a panel's title, and its curves by name."""
    turns = angles(poses)
    panels = {
        f"{joint}s, degrees": {name: v for name, v in turns.items() if name.endswith(joint)}
        for joint in ANGLES
    }
    ends = [name for name in ("head", poses.skeleton.root) if name in poses.skeleton.joints]
    heights = {name: -poses.pose3d[:, poses.skeleton.index(name), 1] for name in ends}
    panels |= {
        "distance, m": {"distance": np.linalg.norm(poses.root_position, axis=1)},
        f"height of {' and '.join(ends)} above the camera, m": heights,
        "mean confidence": {"confidence": poses.confidence.mean(1)},
        "reprojection error, pixels": {"error": poses.reprojection_error},
    }
    return {title: lines for title, lines in panels.items() if lines}


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
    colours = {"left": LEFT, "right": RIGHT, "": TEXT}
    if colour is not None:
        pale = "#" + "".join(f"{int(128 + int(colour[i : i + 2], 16) / 2):02x}" for i in (1, 3, 5))
        colours = {"left": colour, "right": pale, "": colour}
    found = []
    for side, path in lines.items():
        x, y, z = ([p[i] for p in path] for i in range(3))
        found.append({"x": x, "y": y, "z": z, "mode": "lines", "hoverinfo": "skip",
                      "line": {"width": 9, "color": colours[side]}})  # fmt: skip
    x, y, z = points.T.tolist()
    sizes = [11 if name == "head" else 4 for name in skeleton.joints]
    names = [name.replace("_", " ") for name in skeleton.joints]
    found.append({"x": x, "y": y, "z": z, "mode": "markers", "text": names,
                  "hoverinfo": "text+x+y+z",
                  "marker": {"size": sizes, "color": colour or TEXT, "opacity": 1}})  # fmt: skip
    return found


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Around everywhere the person was, at least 1.4 m along the ground."""
    low, high = points.min((0, 1)) - 0.15, points.max((0, 1)) + 0.15
    more = np.maximum(0, [1.4, 1.4, 0] - (high - low)) / 2
    return low - more, high + more


def _floor(points: np.ndarray) -> dict[str, Any]:
    """A plane below the lowest joint."""
    (x0, y0, _), (x1, y1, _) = _limits(points)
    z = float(points[..., 2].min()) - 0.03
    return {"x": [x0, x1, x1, x0], "y": [y0, y0, y1, y1], "z": [z] * 4, "i": [0, 0], "j": [1, 2],
            "k": [2, 3], "color": "#E4E8EE", "opacity": 0.9, "hoverinfo": "skip",
            "flatshading": True, "lighting": {"ambient": 1, "diffuse": 0}}  # fmt: skip


def _scene(points: np.ndarray) -> dict[str, Any]:
    """Axes with one scale, around everywhere the person was; seen from the camera's side."""
    low, high = _limits(points)
    span = high - low
    titles = {"x": "right, m", "y": "away, m", "z": "up, m"}
    axes = {
        f"{axis}axis": {"range": [float(low[i]), float(high[i])], "title": {"text": title},
                        "nticks": 5, "showbackground": False, "showspikes": False,
                        "tickfont": {"size": 10, "color": CAPTION}}
        for i, (axis, title) in enumerate(titles.items())
    }  # fmt: skip
    eye = np.array([0.8, -1.9, 0.6])
    x, y = np.abs(eye[:2]) / np.linalg.norm(eye[:2])
    wide, tall = y * span[0] + x * span[1], span[2] + 0.3 * (x * span[0] + y * span[1])
    size = 1.3 / max(wide, 0.75 * tall)  # fills the panel, which is a little taller than wide
    ratio = dict(zip("xyz", (span * size).tolist(), strict=True))
    camera = {"eye": dict(zip("xyz", eye.tolist(), strict=True)),
              "center": {"x": 0, "y": 0, "z": -0.1}}  # fmt: skip
    return axes | {"aspectmode": "manual", "aspectratio": ratio, "camera": camera}


def _buttons(pace: float) -> dict[str, Any]:
    """Play, at `pace` milliseconds a frame, and pause."""
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    play = {"fromcurrent": True, "frame": {"duration": max(pace, 20.0), "redraw": True},
            "transition": {"duration": 0}}  # fmt: skip
    return {
        "type": "buttons", "direction": "left", "x": 0.0, "y": 0.0, "xanchor": "left",
        "yanchor": "top", "pad": {"t": 45},
        "buttons": [
            {"label": "play", "method": "animate", "args": [None, play]},
            {"label": "pause", "method": "animate", "args": [[None], still]},
        ],
    }  # fmt: skip


def _slider(rows: Sequence[int], times: np.ndarray, unit: str) -> dict[str, Any]:
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    digits = 2 if unit == "seconds" else 0
    steps = [
        {"label": f"{times[i]:.{digits}f}", "method": "animate", "args": [[str(i)], still]}
        for i in rows
    ]
    return {
        "steps": steps, "x": 0.13, "len": 0.38, "y": 0.0, "pad": {"t": 30},
        "currentvalue": {"prefix": f"{unit}: "}, "ticklen": 0, "minorticklen": 0,
        "font": {"size": 10},
    }  # fmt: skip


def _rounded(values: np.ndarray, digits: int) -> np.ndarray:
    return np.round(np.asarray(values, float), digits)
