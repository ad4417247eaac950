"""Pictures of poses, after CameraPose's figures 4, 6, 7 and 8.

Left limbs are blue, right limbs vermilion, the trunk is dark: colours that colour-blind readers
tell apart (Okabe and Ito, 2008). Several people get one colour each, right limbs a lighter one.
Everything is drawn flat with matplotlib's object interface, so no global state is touched.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from PIL import Image

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.files import write_bytes

LEFT, RIGHT, TRUNK = "#0072B2", "#E0560B", "#2E3440"
#: One colour a person where there are several.
PEOPLE = ("#0072B2", "#E0560B", "#009E73", "#CC79A7", "#B58900", "#56B4E9")
TRUTH = "#A3A9B4"
INK, FAINT = "#20242C", "#8A909C"
FLOOR, GRID, SHADOW = "#F4F5F8", "#DFE3E9", "#CDD2DB"
ARROW = "#009E73"
#: Confidence from 0 to 1: dark is unsure and yellow sure, for colour-blind readers too.
CONFIDENCE = LinearSegmentedColormap.from_list(
    "confidence", ["#3B1E6D", "#9C2A78", "#E3544F", "#FB9F3A", "#F6E84A"]
)

WIDTH = 12.0  # inches
DOT = 8.5  # points: a keypoint that is coloured by confidence
GAP, MARGIN, HEADER, CAPTION, FOOTER = 0.10, 0.08, 0.34, 0.26, 0.28  # inches
TALLEST, WIDEST = 1.18, 0.62  # a panel's height over its width
MOST_PIXELS = 900  # an image panel's longer side; more would only make the file bigger

#: Azimuth and elevation, degrees: where the two 3D views look from.
FRONT, SIDE = (0.0, 12.0), (78.0, 12.0)
#: Where a gallery's only 3D view looks from: enough aside that depth is seen.
OBLIQUE = (32.0, 14.0)
#: Joints that two models place so far apart, metres, get an arrow, but only the first of them.
DIFFERENT, MOST_ARROWS, ARROW_LENGTH = 0.05, 5, 0.17
#: How thick bones are drawn, and how large heads, metres; how much paler the farthest bone is.
BONE, HEAD, PALEST = 0.055, 0.15, 0.45
#: Cells of the floor's grid, metres, for floors up to a half width.
CELLS = ((1.3, 0.25), (2.6, 0.5), (np.inf, 1.0))
#: Room around someone's keypoints, as a share of their extent: wished, and the least.
ROOM, LEAST_ROOM = 0.22, 0.06


#: A name, a hex code or red, green and blue.
Color = str | tuple[float, ...]


class Row(NamedTuple):
    """One line of a figure: the people of one frame, and their image where there is one."""

    poses: Poses
    image: Any = None
    title: str = ""


def figure8(
    image: Any, poses: Poses, *, title: str = "", scene: bool = False, width: float = WIDTH
) -> Figure:
    """One frame as a row of four panels: detected 2D, 3D from two views, reprojected 2D.

    Source: CameraPose, Fig. 8.

    Args:
        image: uint8 (height, width, 3) RGB, or None: keypoints are drawn on a plain ground.
        poses: all people of this frame, as a `Predictor` returns them.
        title: shown in the image's corner, such as a time.
        scene: show the whole image instead of the part around the people.
        width: inches.
    """
    return sheet([Row(poses, image, title)], scene=scene, width=width)


def sheet(
    rows: Sequence[Row],
    *,
    scene: bool = False,
    width: float = WIDTH,
    titles: tuple[str, str] = ("detected 2D", "reprojected 2D"),
) -> Figure:
    """Several frames below one another, each a row as in `figure8`.

    Several people keep their colour from row to row where `poses.labels["person"]` numbers them.

    Args:
        titles: of the first and the last column.
    """
    assert rows, "a sheet needs a row"
    titles = (titles[0], "3D, seen by the camera", "3D, seen from the side", titles[1])
    tall = _panel_shape([row.poses for row in rows], scene, [row.image for row in rows])
    figure, grid = _grid(len(rows), titles, width, tall)
    several = max(len(row.poses) for row in rows) > 1
    for axes, row in zip(grid, rows, strict=True):
        poses = row.poses.to_numpy()
        colors = _colors(poses, several)
        _image_panels((axes[0], axes[3]), row, scene)
        _draw_detected(axes[0], poses, colors)
        _draw_reprojected(axes[3], poses, colors)
        for ax, view in zip(axes[1:3], (FRONT, SIDE), strict=True):
            _draw_3d(ax, view, [Body(p, c) for p, c in zip(poses.pose3d, colors, strict=True)],
                     poses.skeleton, camera=view is SIDE)  # fmt: skip
        _caption(axes[0], row.title)
        _caption(axes[2], _distances(poses))
        _caption(axes[3], _errors(poses))
    _legend(figure, several)
    return figure


def samples(rows: Sequence[Row], *, width: float = WIDTH) -> Figure:
    """Poses of a data set: a row each as in `sheet` or, where there is no 3D, four 2D in a row."""
    assert rows, "a picture of samples needs some"
    if all(row.poses.pose3d is not None and row.poses.camera is not None for row in rows):
        return sheet(rows, width=width, titles=("2D", "2D over projected 3D"))
    columns = min(4, len(rows))
    tall = _panel_shape([row.poses for row in rows], False, [row.image for row in rows])
    figure, grid = _grid(-(-len(rows) // columns), [""] * columns, width, tall)
    panels = [ax for line in grid for ax in line]
    for ax, row in zip(panels, rows, strict=False):
        poses = row.poses.to_numpy()
        _image_panels((ax,), row, False)
        _draw_detected(ax, poses, _colors(poses, len(poses) > 1))
        _caption(ax, row.title)
    for ax in panels[len(rows) :]:
        ax.set_visible(False)
    _legend(figure, any(len(row.poses) > 1 for row in rows))
    return figure


def comparison(truth: Poses, predicted: Poses, path: str | os.PathLike | None = None) -> Figure:
    """Predicted beside true poses: 2D with its reprojection, and root-relative 3D from two views.

    Truth is grey and lies under the prediction. Rows are poses; the order of both must agree.

    Args:
        truth: `pose2d`, and `pose3d` where it is known.
        predicted: as the model made it: `pose3d` absolute and `camera`.
        path: where to write the picture; None only returns it.
    """
    truth, predicted = truth.to_numpy(), predicted.to_numpy()
    assert len(truth) == len(predicted) and len(truth) > 0, "one prediction for each true pose"
    skeleton = predicted.skeleton
    titles = ("2D and its reprojection", "3D, seen by the camera", "3D, seen from the side")
    figure, grid = _grid(len(truth), titles, 9.0, 1.0)
    root = skeleton.root_index
    for i, axes in enumerate(grid):
        _image_panels(axes[:1], Row(truth[i : i + 1]), scene=False)
        _draw_truth(axes[0], truth[i : i + 1], predicted[i : i + 1])
        guess = predicted.pose3d[i] - predicted.pose3d[i, root]
        bodies = [Body(guess, None)]
        if truth.pose3d is not None:
            real = truth.pose3d[i] - truth.pose3d[i, root]
            bodies.insert(0, Body(real, TRUTH))
            error = 1000 * np.linalg.norm(guess - real, axis=-1).mean()
            _caption(axes[1], f"MPJPE {error:.0f} mm")
            away = 1000 * np.linalg.norm(predicted.pose3d[i, root] - truth.pose3d[i, root])
            _caption(axes[2], f"root error {away:.0f} mm")
        for ax, view in zip(axes[1:], (FRONT, SIDE), strict=True):
            _draw_3d(ax, view, bodies, skeleton)
        _caption(axes[0], _errors(replace(
            predicted[i : i + 1], pose2d=truth.pose2d[i : i + 1],
            confidence=truth.confidence[i : i + 1])))  # fmt: skip
    _legend(figure, several=False, truth=True)
    if path is not None:
        save_figure(figure, path)
    return figure


def keypoints(rows: Sequence[Row], *, columns: int = 2, width: float = WIDTH) -> Figure:
    """Someone's keypoints on the image, coloured by confidence, and every joint's confidence.

    Source: CameraPose, Fig. 4, which shows the heatmaps that confidences are the maxima of; most
    detectors tell the maxima alone. A cross marks where the refinement network, which reads the
    confidences, has put a joint that it moved by more than half a dot.

    Args:
        rows: of one person each: `pose2d` and `confidence`, `refined2d` if there is.
        columns: how many people stand beside one another.
    """
    assert rows and all(len(row.poses) == 1 for row in rows), "a row a person"
    columns = min(columns, len(rows))
    titles = ("keypoints", "confidence") * columns
    tall = _panel_shape([row.poses for row in rows], False, [row.image for row in rows])
    tall = max(tall, 0.85)  # room for the joints' names
    figure, grid = _grid(-(-len(rows) // columns), titles, width, tall)
    for (picture, bars), row in zip(_units(grid, 2, len(rows)), rows, strict=True):
        poses = row.poses.to_numpy()
        _image_panels([picture], row, scene=False)
        _draw_confidence(picture, poses)
        _draw_bars(bars, poses)
        _caption(picture, row.title)
        seen = poses.confidence[0] > 0
        if seen.any():
            mean, count = poses.confidence[0][seen].mean(), f"{seen.sum()} of {len(seen)} joints"
            _caption(bars, f"mean {mean:.2f}, {count} seen")
    moved = any(row.poses.refined2d is not None for row in rows)
    handles = [Line2D([], [], ls="", marker="o", ms=8, mew=1.2, mec="white",
                      color=CONFIDENCE(value)) for value in (0.1, 0.5, 0.9)]  # fmt: skip
    labels = ["confidence 0.1", "0.5", "0.9"]
    if moved:
        handles.append(Line2D([], [], ls="", marker="x", ms=6, mew=1.6, color=INK))
        labels.append("where the refinement network puts it")
    _entries(figure, handles, labels)
    return figure


def gallery(rows: Sequence[Row], *, columns: int = 3, width: float = WIDTH) -> Figure:
    """Many images at a glance: the 2D, and beside it the 3D from half aside.

    Source: CameraPose, Fig. 7.
    """
    assert rows, "a gallery needs a row"
    columns = min(columns, len(rows))
    tall = _panel_shape([row.poses for row in rows], False, [row.image for row in rows])
    figure, grid = _grid(-(-len(rows) // columns), ("2D", "3D") * columns, width, tall)
    several = max(len(row.poses) for row in rows) > 1
    for (picture, stage), row in zip(_units(grid, 2, len(rows)), rows, strict=True):
        poses = row.poses.to_numpy()
        colors = _colors(poses, several)
        _image_panels([picture], row, scene=False)
        _draw_detected(picture, poses, colors)
        bodies = [Body(p, c) for p, c in zip(poses.pose3d, colors, strict=True)]
        _draw_3d(stage, OBLIQUE, bodies, poses.skeleton)
        _caption(picture, row.title)
        _caption(stage, _distances(poses).replace("from the camera", "away"))
    _legend(figure, several)
    return figure


def side_by_side(
    rows: Sequence[tuple[Row, Poses]],
    names: tuple[str, str],
    *,
    width: float = WIDTH,
) -> Figure:
    """Two models on the same people: the 2D, and root-relative 3D of both from two views.

    Source: CameraPose, Fig. 6. The second's panels show the first's pose in grey, and arrows
    point away from it to where joints are more than `DIFFERENT` apart.

    Args:
        rows: of one person each: image and the first model's pose, and the second's pose in the
            same skeleton.
        names: of the models.
    """
    assert rows, "a comparison needs a row"
    titles = ("detected 2D", *(f"{name}, {view}" for view in ("front", "side") for name in names))
    tall = _panel_shape([row.poses for row, _ in rows], False, [row.image for row, _ in rows])
    figure, grid = _grid(len(rows), titles, width, tall)
    for axes, (row, other) in zip(grid, rows, strict=True):
        first, second = row.poses.to_numpy(), other.to_numpy()
        skeleton = first.skeleton
        a, b = ((p.pose3d - p.root_position[:, None])[0] for p in (first, second))
        _image_panels(axes[:1], row, scene=False)
        _draw_detected(axes[0], first, [None])
        for (left, right), view in zip((axes[1:3], axes[3:5]), (FRONT, SIDE), strict=True):
            _draw_3d(left, view, [Body(a)], skeleton, room=b)
            stage = _draw_3d(right, view, [Body(a, TRUTH), Body(b)], skeleton)
            stage.draw_arrows(a, b)
        apart = 1000 * np.linalg.norm(a - b, axis=-1)
        worst = skeleton.joints[int(apart.argmax())].replace("_", " ")
        away = 100 * np.linalg.norm(first.root_position - second.root_position)
        _caption(axes[0], row.title)
        _caption(axes[2], f"{apart.mean():.0f} mm apart (mean)")
        _caption(axes[3], f"most: {worst}, {apart.max():.0f} mm")
        _caption(axes[4], f"roots {away:.0f} cm apart")
    handles = [Line2D([], [], color=c, lw=4, solid_capstyle="round") for c in
               (LEFT, RIGHT, TRUNK, TRUTH, ARROW)]  # fmt: skip
    apart = f"more than {100 * DIFFERENT:.0f} cm apart"
    _entries(figure, handles, ["left", "right", "trunk", names[0], apart])
    return figure


def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 110) -> Path:
    """Write a figure as .png (or what the ending says); whole or not at all."""
    path = Path(path)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format=path.suffix.lstrip(".") or "png", dpi=dpi, facecolor="white")
    write_bytes(path, buffer.getvalue())
    return path


# --- the page -----------------------------------------------------------------------------------


def _grid(
    n_rows: int, titles: Sequence[str], width: float, tall: float
) -> tuple[Figure, list[list[Axes]]]:
    """A page of equal panels: titles above, a caption below each row, the legend at the bottom.

    Args:
        tall: a panel's height over its width.
    """
    columns = len(titles)
    panel = (width - 2 * MARGIN - (columns - 1) * GAP) / columns
    row = panel * tall + CAPTION
    height = HEADER + FOOTER + n_rows * row
    figure = Figure(figsize=(width, height))
    grid = []
    for r in range(n_rows):
        bottom = FOOTER + (n_rows - 1 - r) * row + CAPTION
        grid.append([])
        for c in range(columns):
            left = MARGIN + c * (panel + GAP)
            box = (left / width, bottom / height, panel / width, panel * tall / height)
            ax = figure.add_axes(box)
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_visible(False)
            grid[-1].append(ax)
    for c, title in enumerate(titles):
        x = (MARGIN + c * (panel + GAP) + panel / 2) / width
        figure.text(x, 1 - HEADER / 2 / height, title, ha="center", va="center",
                    fontsize=12, color=INK)  # fmt: skip
    return figure, grid


def _units(grid: Sequence[Sequence[Axes]], size: int, count: int) -> list[Sequence[Axes]]:
    """Panels in groups of `size` that belong together, line by line; those left over are hidden."""
    units = [line[i : i + size] for line in grid for i in range(0, len(line), size)]
    for ax in (ax for unit in units[count:] for ax in unit):
        ax.set_visible(False)
    return units[:count]


def _legend(figure: Figure, several: bool, truth: bool = False) -> None:
    if several:
        entries = [("left side", INK), ("right side (lighter)", _lighter(INK, 0.5))]
    else:
        entries = [("left", LEFT), ("right", RIGHT), ("trunk", TRUNK)]
    if truth:
        entries.append(("truth", TRUTH))
    handles = [Line2D([], [], color=c, lw=4, solid_capstyle="round") for _, c in entries]
    _entries(figure, handles, [name for name, _ in entries])


def _entries(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """The legend's line at the bottom of the page."""
    height = figure.get_size_inches()[1]
    figure.legend(handles, labels, loc="center", bbox_to_anchor=(0.5, FOOTER / 2 / height),
                  ncols=len(labels), frameon=False, fontsize=9.5, labelcolor=INK,
                  handlelength=1.2, columnspacing=1.8, borderpad=0)  # fmt: skip


def _caption(ax: Axes, text: str) -> None:
    """A few words below a panel."""
    ax.annotate(text, (0.5, 0), xycoords="axes fraction", xytext=(0, -4),
                textcoords="offset points", ha="center", va="top", fontsize=9.5, color=FAINT,
                annotation_clip=False)  # fmt: skip


def _distances(poses: Poses) -> str:
    depth = np.sort(poses.root_position[:, 2])
    if len(depth) == 1:
        return f"{depth[0]:.1f} m from the camera"
    return f"{depth[0]:.1f} to {depth[-1]:.1f} m from the camera" if len(depth) else "nobody"


def _errors(poses: Poses) -> str:
    if not len(poses) or poses.camera is None:
        return ""
    if poses.image_size is None:
        return f"reprojection error {poses.reprojection_error.mean():.3f}"
    focal = poses.camera.in_pixels(poses.image_size).focal.mean()
    return f"error {poses.reprojection_error.mean():.1f} px, focal length {focal:.0f} px"


# --- people -------------------------------------------------------------------------------------


class Body(NamedTuple):
    """A 3D pose (joints, 3) and its colour; None stands for left, right and trunk colours."""

    points: Any
    color: str | None = None


def _colors(poses: Poses, several: bool) -> list[str | None]:
    if not several:
        return [None] * len(poses)
    numbers = poses.labels.get("person", np.arange(len(poses)))
    return [PEOPLE[int(number) % len(PEOPLE)] for number in numbers]


def _bone_colors(skeleton: Skeleton, color: str | None) -> list[Color]:
    """Each bone's colour, by the side of its outer joint."""
    if color is None:
        sides = {"left": LEFT, "right": RIGHT}
        return [sides.get(bone.partition("_")[0], TRUNK) for bone in skeleton.bone_names]
    if color == TRUTH:
        return [TRUTH] * len(skeleton.bones)
    return [
        _lighter(color, 0.42) if bone.startswith("right_") else color
        for bone in skeleton.bone_names
    ]


def _joint_colors(skeleton: Skeleton, color: str | None) -> list[Color]:
    bones = dict(zip(skeleton.bone_names, _bone_colors(skeleton, color), strict=True))
    return [bones.get(joint, color or TRUNK) for joint in skeleton.joints]


def _lighter(color: Color, share: float) -> Color:
    """The colour mixed with white."""
    return tuple(1 - (1 - channel) * (1 - share) for channel in to_rgb(color))


# --- image panels -------------------------------------------------------------------------------


def _pixels(poses: Poses, points: Any) -> np.ndarray:
    """Normalised to pixels; where the image's size is not known, of one 1000 pixels wide."""
    if poses.image_size is None:
        return denormalize(np.asarray(points), np.asarray([1000, 1000]))
    return denormalize(points, poses.image_size)


def _ground_size(poses: Poses, image: Any) -> np.ndarray:
    """Width and height, pixels, of the image that the poses are of; `image` may be smaller."""
    if poses.image_size is not None and len(poses):
        return np.asarray(poses.to_numpy().image_size[0], dtype=float)
    if image is not None:
        return np.array([image.shape[1], image.shape[0]], dtype=float)
    return np.array([1000.0, 1000.0])


def _image_panels(panels: Sequence[Axes], row: Row, scene: bool) -> None:
    """Show the image, or a plain ground of its size, cut to the part around the people."""
    size = _ground_size(row.poses, row.image)
    box = panels[0].get_window_extent()
    x0, y0, x1, y1 = _window(row.poses.to_numpy(), size, scene, box.height / box.width)
    for ax in panels:
        if row.image is not None:
            _show(ax, row.image, size, (x0, y0, x1, y1))
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fc="#E9ECF0", ec="none", zorder=-2))
        if row.image is None:
            ax.add_patch(Rectangle((0, 0), *size, fc="#F6F7F9", ec="#C9CED6", lw=0.8, zorder=-1))
        ax.set_xlim(x0, x1)
        ax.set_ylim(y1, y0)
        ax.set_aspect("equal")


def _around(poses: Poses, room: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Low and high corner, pixels, of the joints seen with some room; None if none is seen."""
    points = _pixels(poses, poses.pose2d)[poses.confidence > 0]
    if not len(points):
        return None
    low, high = points.min(0), points.max(0)
    return low - room * max(high - low), high + room * max(high - low)


def _panel_shape(people: Sequence[Poses], scene: bool, images: Sequence[Any]) -> float:
    """Height over width that suits the rows: upright for one person, wide for a group."""
    shapes = []
    for poses, image in zip(people, images, strict=True):
        box = None if scene else _around(poses.to_numpy(), ROOM)
        width, height = _ground_size(poses, image) if box is None else box[1] - box[0]
        shapes.append(height / max(width, 1e-6))
    return float(np.clip(np.median(shapes), WIDEST, TALLEST))


def _window(
    poses: Poses, size: np.ndarray, scene: bool, tall: float
) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1 in pixels, of a panel's shape: around the people, inside the image if it can."""

    def shaped(extent: np.ndarray) -> np.ndarray:
        return np.maximum(extent, extent[::-1] * (1 / tall, tall))

    boxes = [_around(poses, room) for room in (ROOM, LEAST_ROOM)]
    if scene or boxes[0] is None:
        center, extent = size / 2, shaped(size)
    else:
        center = (boxes[0][0] + boxes[0][1]) / 2
        wished, least = (shaped(high - low) for low, high in boxes)
        fitting = wished * min(1, *(size / wished))
        extent = np.maximum(fitting, least)
        # No ground beyond the border while there is image on the other side ...
        half = np.minimum(extent, size) / 2
        center = np.clip(center, half, size - half)
        # ... but nobody is cut off.
        low, high = boxes[1]
        center = np.clip(center, high - extent / 2, low + extent / 2)
    (x0, y0), (x1, y1) = center - extent / 2, center + extent / 2
    return float(x0), float(y0), float(x1), float(y1)


def _show(
    ax: Axes, image: Any, size: np.ndarray, window: tuple[float, float, float, float]
) -> None:
    """The window of an image, made small enough for a panel; `size` is the image's true one."""
    height, width = image.shape[:2]
    scale = np.array([width, height] * 2) / np.tile(size, 2)
    low = np.floor(np.array(window[:2]) * scale[:2]).astype(int).clip(0)
    high = np.ceil(np.array(window[2:]) * scale[2:]).astype(int).clip(None, (width, height))
    if (high <= low).any():  # everyone is outside the image
        return
    part = Image.fromarray(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]))
    part.thumbnail((MOST_PIXELS, MOST_PIXELS), Image.Resampling.LANCZOS)
    (x0, y0), (x1, y1) = low / scale[:2], high / scale[2:]
    ax.imshow(np.asarray(part), extent=(x0, x1, y1, y0), zorder=0)


def _draw_detected(ax: Axes, poses: Poses, colors: Sequence[str | None]) -> None:
    """2D as given; confidence is opacity and size, joints not seen are left out."""
    for points, confidence, color in zip(
        _pixels(poses, poses.pose2d), poses.confidence, colors, strict=True
    ):
        _draw_2d(ax, points, confidence, poses.skeleton, color)


def _draw_reprojected(ax: Axes, poses: Poses, colors: Sequence[str | None]) -> None:
    """The 3D pose as its camera sees it; rings stand where the joints were detected."""
    for points, given, confidence, color in zip(
        _pixels(poses, poses.reprojection),
        _pixels(poses, poses.pose2d),
        poses.confidence,
        colors,
        strict=True,
    ):
        _draw_2d(ax, points, np.ones_like(confidence), poses.skeleton, color)
        seen = given[confidence > 0]
        ax.scatter(*seen.T, s=26, facecolors="none", edgecolors="white", linewidths=2.6, zorder=9)
        ax.scatter(*seen.T, s=26, facecolors="none", edgecolors=INK, linewidths=1.0, zorder=10)


def _draw_confidence(ax: Axes, poses: Poses) -> None:
    """One person's keypoints, coloured by confidence, on plain bones; moved ones with a cross."""
    points, confidence = _pixels(poses, poses.pose2d)[0], np.clip(poses.confidence[0], 0, 1)
    seen = confidence > 0
    lines = [points[[a, b]] for a, b in poses.skeleton.bones if seen[a] and seen[b]]
    for color, lw in (((1, 1, 1, 0.75), 3.4), (to_rgb(INK), 1.2)):
        ax.add_collection(
            LineCollection(lines, colors=[color], linewidths=lw, capstyle="round", zorder=5)
        )
    ax.scatter(*points[seen].T, s=DOT**2, c=CONFIDENCE(confidence[seen]), edgecolors="white",
               linewidths=1.2, zorder=7)  # fmt: skip
    if poses.refined2d is None:
        return
    refined = _pixels(poses, poses.refined2d)[0]
    x0, x1 = ax.get_xlim()
    dot = DOT / 72 * ax.figure.dpi * (x1 - x0) / ax.get_window_extent().width
    moved = np.linalg.norm(refined - points, axis=-1) > dot / 2
    for start, end in zip(points[moved & seen], refined[moved & seen], strict=True):
        ax.plot(*np.stack([start, end]).T, color="white", lw=1.2, zorder=8)
    for color, lw, size in (("white", 3.2, 36), (INK, 1.6, 30)) if moved.any() else ():
        ax.scatter(*refined[moved].T, marker="x", s=size, c=[color], linewidths=lw, zorder=9)


def _draw_bars(ax: Axes, poses: Poses) -> None:
    """One bar a joint, its name on the left, its confidence on the right."""
    joints = [joint.replace("_", " ") for joint in poses.skeleton.joints]
    confidence = np.clip(poses.confidence[0], 0, 1)
    low, high = 0.36, 0.88  # of the panel's width: where 0 and 1 are
    size = min(9.5, 0.62 * ax.get_window_extent().height / ax.figure.dpi * 72 / len(joints))
    for place, (name, value) in enumerate(zip(joints, confidence, strict=True)):
        y = 1 - (place + 0.5) / len(joints)
        box = dict(height=0.56 / len(joints), transform=ax.transAxes, ec="none")
        bottom = y - box["height"] / 2
        ax.add_patch(Rectangle((low, bottom), high - low, fc=FLOOR, **box))
        ax.add_patch(Rectangle((low, bottom), (high - low) * value, fc=CONFIDENCE(value), **box))
        words = dict(transform=ax.transAxes, va="center", fontsize=size)
        ax.text(low - 0.02, y, name, ha="right", color=INK, **words)
        if value:
            ax.text(high + 0.02, y, f"{value:.2f}", ha="left", color=INK, **words)
        else:
            ax.text(low + 0.02, y, "not seen", ha="left", color=FAINT, **words)


def _draw_truth(ax: Axes, truth: Poses, predicted: Poses) -> None:
    """True 2D in grey below the prediction's reprojection; both of one pose."""
    given = _pixels(truth, truth.pose2d)[0]
    again = _pixels(truth, predicted.reprojection)[0]
    _draw_2d(ax, given, truth.confidence[0], truth.skeleton, TRUTH)
    _draw_2d(ax, again, np.ones(len(again)), predicted.skeleton, None)


def _draw_2d(
    ax: Axes,
    points: Float[np.ndarray, "joints 2"],
    confidence: Float[np.ndarray, " joints"],
    skeleton: Skeleton,
    color: str | None,
) -> None:
    """Bones with a white rim, so that they stand out from any image, and a dot for each joint."""
    confidence = np.clip(confidence, 0, 1)
    bones = zip(skeleton.bones, _bone_colors(skeleton, color), strict=True)
    drawn = [
        (points[[child, parent]], to_rgb(bone_color), min(confidence[child], confidence[parent]))
        for (child, parent), bone_color in bones
    ]
    drawn = [(line, c, seen) for line, c, seen in drawn if seen > 0]
    lines = [line for line, _, _ in drawn]
    # Squared less steeply than linear: a confidence of 0.5 is still plainly visible.
    strength = [0.25 + 0.75 * seen for _, _, seen in drawn]
    rim = [(1, 1, 1, 0.85 * a) for a in strength]
    body = [(*c, a) for (_, c, _), a in zip(drawn, strength, strict=True)]
    for colors, lw, z in ((rim, 5.0, 5), (body, 2.8, 6)):
        ax.add_collection(
            LineCollection(lines, colors=colors, linewidths=lw, capstyle="round", zorder=z)
        )
    seen = confidence > 0
    dots = [
        (*to_rgb(c), 0.25 + 0.75 * share)
        for c, share in zip(_joint_colors(skeleton, color), confidence, strict=True)
    ]
    ax.scatter(
        *points[seen].T,
        s=6 + 22 * confidence[seen],
        c=[d for d, keep in zip(dots, seen, strict=True) if keep],
        edgecolors="white",
        linewidths=0.8,
        zorder=7,
    )


# --- 3D panels ----------------------------------------------------------------------------------


def _draw_3d(
    ax: Axes,
    view: tuple[float, float],
    bodies: Sequence[Body],
    skeleton: Skeleton,
    camera: bool = False,
    room: Any = None,
) -> "_Stage | None":
    """Bodies on a floor with a grid, upright, with equal axes; the stage, unless nobody is on it.

    `room` is further points (m, 3) that the panel is to have room for.
    """
    ax.set_aspect("equal")
    if not bodies:
        return None
    inside = [body.points for body in bodies] + ([] if room is None else [room])
    stage = _Stage(ax, view, np.concatenate(inside))
    stage.draw_floor()
    for body in bodies:
        stage.draw_shadow(body, skeleton)
    # From far to near; the truth, or what stands in its place, below all.
    for body in sorted(bodies, key=lambda b: (b.color != TRUTH, -stage.see(b.points)[:, 2].mean())):
        stage.draw_body(body, skeleton)
    if camera:
        stage.point_to_camera()
    return stage


class _Stage:
    """A view of a piece of floor and of who stands on it: orthographic, lengths true.

    The viewer walks `azimuth` degrees around the people (0: the camera's side; 90: the right of
    the image, so that what is far from the camera is on the right) and rises by `elevation`.
    "Floor" is the plane of the camera's x and z below the lowest joint.
    """

    def __init__(self, ax: Axes, view: tuple[float, float], everyone: Float[np.ndarray, "m 3"]):
        self.ax = ax
        self._angles = np.radians(view)
        self.floor = everyone[:, 1].max() + 0.02
        ground = everyone[:, [0, 2]]
        half = (ground.max(0) - ground.min(0)) / 2 + 0.1
        self.cell = next((cell for limit, cell in CELLS if half.max() < limit), CELLS[-1][1])
        half = np.ceil(np.maximum(half, 0.75) / self.cell) * self.cell
        middle = (ground.max(0) + ground.min(0)) / 2
        self.low, self.high = middle - half, middle + half
        self._fit(everyone)

    def see(self, points: Any) -> np.ndarray:
        """Camera frame (y down, z forward) to the viewer's right, up and depth."""
        a, e = self._angles
        x, y, z = np.moveaxis(np.asarray(points, dtype=float), -1, 0)
        right = x * np.cos(a) + z * np.sin(a)
        away = z * np.cos(a) - x * np.sin(a)
        return np.stack(
            [right, away * np.sin(e) - y * np.cos(e), away * np.cos(e) + y * np.sin(e)], axis=-1
        )

    def _fit(self, everyone: np.ndarray) -> None:
        """Limits that hold bodies and floor, in the panel's shape."""
        x, z = (self.low[0], self.high[0]), (self.low[1], self.high[1])
        corners = [(x[i], self.floor, z[k]) for i in (0, 1) for k in (0, 1)]
        flat = np.concatenate([self.see(corners), self.see(everyone)])[:, :2]
        room = 0.07 * (flat.max(0) - flat.min(0))[1]
        low, high = flat.min(0) - (0.08, 1.4 * room), flat.max(0) + (0.08, 1.4 * room)
        box = self.ax.get_window_extent()
        tall = box.height / box.width
        extent = np.maximum(high - low, (high - low)[::-1] * (1 / tall, tall))
        middle = (low + high) / 2
        self.ax.set_xlim(middle[0] - extent[0] / 2, middle[0] + extent[0] / 2)
        self.ax.set_ylim(middle[1] - extent[1] / 2, middle[1] + extent[1] / 2)
        self.points_per_metre = box.width / extent[0] * 72 / self.ax.figure.dpi

    def draw_floor(self) -> None:
        (x0, z0), (x1, z1), y = self.low, self.high, self.floor
        corners = self.see([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)])
        self.ax.add_patch(Polygon(corners[:, :2], fc=FLOOR, ec="none", zorder=0))
        lines = [[(x, y, z0), (x, y, z1)] for x in np.arange(x0, x1 + 1e-6, self.cell)]
        lines += [[(x0, y, z), (x1, y, z)] for z in np.arange(z0, z1 + 1e-6, self.cell)]
        self._lines(self.see(lines)[..., :2], GRID, 0.8, 1)

    def draw_shadow(self, body: Body, skeleton: Skeleton) -> None:
        """The body straight down on the floor: it shows depth, and which foot stands."""
        ground = body.points.copy()
        ground[:, 1] = self.floor
        flat = self.see(ground)[:, :2]
        lines = [flat[[child, parent]] for child, parent in skeleton.bones]
        self._lines(lines, SHADOW, self._thick(BONE), 2)

    def draw_body(self, body: Body, skeleton: Skeleton) -> None:
        """Bones from far to near, the far ones paler, each with a white rim before the others."""
        seen = self.see(body.points)
        depth = seen[:, 2]
        span = max(float(np.ptp(depth)), 0.2)
        truth = body.color == TRUTH
        colors = _bone_colors(skeleton, body.color)
        pieces = []
        for (child, parent), color in zip(skeleton.bones, colors, strict=True):
            middle = (depth[child] + depth[parent]) / 2
            pale = 0.0 if truth else PALEST * (middle - depth.min()) / span
            pieces.append((middle, seen[[child, parent], :2], _lighter(color, pale)))
        thick = self._thick(BONE * (0.8 if truth else 1))
        for _, line, color in sorted(pieces, key=lambda piece: -piece[0]):
            self.ax.plot(*line.T, color="white", lw=thick * 1.5, solid_capstyle="butt", zorder=4)
            self.ax.plot(*line.T, color=color, lw=thick, solid_capstyle="round", zorder=4)
        if "head" in skeleton.joints:
            head = skeleton.index("head")
            self.ax.scatter(
                *seen[head, :2], s=self._thick(HEAD) ** 2, edgecolors="white", linewidths=1.2,
                color=_joint_colors(skeleton, body.color)[head], zorder=4,
            )  # fmt: skip

    def draw_arrows(self, start: Any, end: Any) -> None:
        """At joints (n, 3) that are `DIFFERENT` from others, the farthest apart first.

        An arrow's tip is at its joint; its length is at least `ARROW_LENGTH`. One that would point
        into the picture is left out.
        """
        apart = np.linalg.norm(np.asarray(end) - np.asarray(start), axis=-1)
        chosen = np.argsort(-apart)[:MOST_ARROWS]
        style = {"arrowstyle": "-|>,head_length=0.5,head_width=0.26", "shrinkA": 0, "shrinkB": 0}
        for i in chosen[apart[chosen] > DIFFERENT]:
            tip = self.see(end[i])[:2]
            way = tip - self.see(start[i])[:2]
            length = float(np.linalg.norm(way))
            if length < DIFFERENT:
                continue
            tail = tip - way * max(1.0, ARROW_LENGTH / length)
            for color, lw in (("white", 4.0), (ARROW, 1.8)):
                self.ax.annotate("", xy=tip, xytext=tail, zorder=6,
                                 arrowprops=style | {"color": color, "lw": lw})  # fmt: skip

    def point_to_camera(self) -> None:
        """An arrow along the floor's nearest edge, towards the camera."""
        (x, y), z = (self.high[0], self.floor), self.low[1]
        ends = self.see([(x, y, z + 0.35), (x, y, z)])[:, :2]
        style = {"arrowstyle": "-|>", "color": FAINT, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        self.ax.annotate("", xy=ends[1], xytext=ends[0], arrowprops=style, zorder=3)
        self.ax.annotate("camera", xy=ends[1], xytext=(0, -4), textcoords="offset points",
                         ha="left", va="top", fontsize=8.5, color=FAINT, zorder=3)  # fmt: skip

    def _lines(self, lines: Any, color: Color, width: float, zorder: int) -> None:
        self.ax.add_collection(
            LineCollection(
                list(lines), colors=color, linewidths=width, capstyle="round", zorder=zorder
            )
        )

    def _thick(self, metres: float) -> float:
        """Line width in points of something so thick."""
        return max(1.5, metres * self.points_per_metre)
