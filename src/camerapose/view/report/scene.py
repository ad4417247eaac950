"""The 3D scene of the report: skeleton, floor and axes for plotly."""

from typing import Any

import numpy as np

from camerapose.core.skeleton import Skeleton
from camerapose.view.style import CAPTION, LEFT, RIGHT, TEXT

#: Margin around a person, and minimum size of the floor, metres.
MARGIN, MIN_FLOOR = 0.15, 1.4
#: Position of the viewer: on the camera's side, slightly from the right and above.
EYE = (0.8, -1.9, 0.6)


def to_plotly(pose3d: np.ndarray) -> np.ndarray:
    """Convert the camera frame to plotly's: x right, y away from the camera, z up; millimetres."""
    return np.round(
        np.stack([pose3d[..., 0], pose3d[..., 2], -pose3d[..., 1]], axis=-1).astype(float), 3
    )


def skeleton_traces(
    points: np.ndarray, skeleton: Skeleton, color: str | None, std: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Return traces of the left, right and other bones, and of the joints.

    Args:
        points: (joints, 3), see `to_plotly`.
        color: of the person; None for the colours by side.
        std: (joints,) standard deviations, metres, shown with the names of the joints.
    """
    lines: dict[str, list] = {"left": [], "right": [], "": []}
    for (child, parent), name in zip(skeleton.bones, skeleton.bone_names, strict=True):
        side = name.partition("_")[0]
        lines[side if side in lines else ""] += [points[parent], points[child], [None] * 3]
    colors = {"left": LEFT, "right": RIGHT, "": TEXT}
    if color is not None:
        colors = {"left": color, "right": _lighter(color), "": color}
    traces: list[dict[str, Any]] = []
    for side, path in lines.items():
        x, y, z = ([p[i] for p in path] for i in range(3))
        traces.append({"x": x, "y": y, "z": z, "mode": "lines", "hoverinfo": "skip",
                       "line": {"width": 9, "color": colors[side]}})  # fmt: skip
    x, y, z = points.T.tolist()
    sizes = [11 if name == "head" else 4 for name in skeleton.joints]
    names = [name.replace("_", " ") for name in skeleton.joints]
    if std is not None:
        names = [f"{n}, ±{1000 * s:.0f} mm" for n, s in zip(names, std.tolist(), strict=True)]
    traces.append({"x": x, "y": y, "z": z, "mode": "markers", "text": names,
                   "hoverinfo": "text+x+y+z",
                   "marker": {"size": sizes, "color": color or TEXT, "opacity": 1}})  # fmt: skip
    return traces


def floor(points: np.ndarray) -> dict[str, Any]:
    """Return a horizontal plane below the lowest joint of all poses (n, joints, 3)."""
    (x0, y0, _), (x1, y1, _) = _limits(points)
    z = float(points[..., 2].min()) - 0.03
    return {"x": [x0, x1, x1, x0], "y": [y0, y0, y1, y1], "z": [z] * 4, "i": [0, 0], "j": [1, 2],
            "k": [2, 3], "color": "#E4E8EE", "opacity": 0.9, "hoverinfo": "skip",
            "flatshading": True, "lighting": {"ambient": 1, "diffuse": 0}}  # fmt: skip


def axes(points: np.ndarray) -> dict[str, Any]:
    """Return axes of equal scale that contain all poses (n, joints, 3), and the viewer."""
    low, high = _limits(points)
    span = high - low
    titles = {"x": "right, m", "y": "forward, m", "z": "up, m"}
    scene: dict[str, Any] = {
        f"{axis}axis": {"range": [float(low[i]), float(high[i])], "title": {"text": title},
                        "nticks": 5, "showbackground": False, "showspikes": False,
                        "tickfont": {"size": 10, "color": CAPTION}}
        for i, (axis, title) in enumerate(titles.items())
    }  # fmt: skip
    eye = np.array(EYE)
    x, y = np.abs(eye[:2]) / np.linalg.norm(eye[:2])
    width, height = y * span[0] + x * span[1], span[2] + 0.3 * (x * span[0] + y * span[1])
    size = 1.3 / max(width, 0.75 * height)  # fills the panel, which is slightly higher than wide
    ratio = dict(zip("xyz", (span * size).tolist(), strict=True))
    camera = {"eye": dict(zip("xyz", eye.tolist(), strict=True)),
              "center": {"x": 0, "y": 0, "z": -0.1}}  # fmt: skip
    return scene | {"aspectmode": "manual", "aspectratio": ratio, "camera": camera}


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high corner around all poses, at least `MIN_FLOOR` along the ground."""
    low, high = points.min((0, 1)) - MARGIN, points.max((0, 1)) + MARGIN
    more = np.maximum(0, [MIN_FLOOR, MIN_FLOOR, 0] - (high - low)) / 2
    return low - more, high + more


def _lighter(color: str) -> str:
    """Mix a hex code with white."""
    return "#" + "".join(f"{int(128 + int(color[i : i + 2], 16) / 2):02x}" for i in (1, 3, 5))
