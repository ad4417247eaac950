"""3D skeletons on a floor with a grid, in orthographic projection."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.patches import Polygon

from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.core.visibility import hidden_joints
from camerapose.view.style import (
    ARROW,
    CAPTION,
    FLOOR,
    GRID,
    GROUND_TRUTH,
    SHADOW,
    STD,
    Color,
    bone_colors,
    joint_colors,
    lighter,
)

#: View directions (azimuth, elevation), degrees, see `Stage`.
FRONT, SIDE = (0.0, 12.0), (78.0, 12.0)
#: View direction of a figure with only one 3D view: from an angle at which depth is visible.
OBLIQUE = (32.0, 14.0)
#: Width of bones and diameter of heads, metres.
BONE_WIDTH, HEAD_SIZE = 0.055, 0.15
#: Width of bones to joints without a detection, relative to the others.
HIDDEN_WIDTH = 0.35
#: Share of white in the colour of the farthest bone.
MAX_LIGHTER = 0.45
#: Cell size of the floor's grid, metres, for floors up to a half width, metres.
CELLS = ((1.3, 0.25), (2.6, 0.5), (np.inf, 1.0))
#: Joints whose distance (metres) exceeds the minimum get an arrow, the farthest ones first.
MIN_DIFFERENCE, MAX_ARROWS, MIN_ARROW_LENGTH = 0.05, 5, 0.17


class ColoredPose(NamedTuple):
    """A 3D pose.

    Attributes:
        points: (joints, 3), camera frame, metres.
        color: see `style.bone_colors`.
        std: (joints,) standard deviations, metres, drawn as discs; None: no discs.
        hidden: (joints,) mask of joints without a detection, whose bones are drawn thinly.
    """

    points: Any
    color: str | None = None
    std: Any = None
    hidden: Any = None


def colored_poses(poses: Poses, colors: Sequence[str | None]) -> list[ColoredPose]:
    """Return the poses with their colours, standard deviations and hidden joints."""
    n = len(poses)
    stds = [None] * n if poses.pose3d_std is None else poses.pose3d_std
    hidden = hidden_joints(poses)
    return [ColoredPose(*row) for row in zip(poses.pose3d, colors, stds, hidden, strict=True)]


def draw_poses(
    ax: Axes,
    view: tuple[float, float],
    poses: Sequence[ColoredPose],
    skeleton: Skeleton,
    camera: bool = False,
    include: Any = None,
    floor: float | None = None,
) -> "Stage | None":
    """Draw poses on a floor with a grid, with equal axes; return the stage, None without poses.

    Args:
        view: azimuth and elevation, degrees, see `Stage`.
        camera: mark the direction of the camera.
        include: further points (m, 3) that the panel must contain.
        floor: see `Stage`.
    """
    ax.set_aspect("equal")
    if not poses:
        return None
    content = [pose.points for pose in poses] + ([] if include is None else [include])
    stage = Stage(ax, view, np.concatenate(content), floor)
    stage.draw_floor()
    for pose in poses:
        stage.draw_shadow(pose, skeleton)
    # From far to near; the grey reference below all others.
    for pose in sorted(
        poses, key=lambda p: (p.color != GROUND_TRUTH, -stage.project(p.points)[:, 2].mean())
    ):
        stage.draw_pose(pose, skeleton)
    if camera:
        stage.mark_camera()
    return stage


class Stage:
    """An orthographic view of a part of the floor and the people on it; lengths are preserved.

    The floor is a plane parallel to the x and z axes.

    Args:
        view: azimuth and elevation of the viewer, degrees. Azimuth 0 is the side of the camera;
            90 the right side of the image, so that points far from the camera are on the right.
        content: points (m, 3), camera frame, metres, that the panel contains.
        floor: its y coordinate; None: below the lowest point.
    """

    def __init__(
        self,
        ax: Axes,
        view: tuple[float, float],
        content: Float[np.ndarray, "m 3"],
        floor: float | None = None,
    ):
        self.ax = ax
        self._angles = np.radians(view)
        self.floor = content[:, 1].max() + 0.02 if floor is None else floor
        ground = content[:, [0, 2]]
        half = (ground.max(0) - ground.min(0)) / 2 + 0.1
        self.cell = next((cell for limit, cell in CELLS if half.max() < limit), CELLS[-1][1])
        half = np.ceil(np.maximum(half, 0.75) / self.cell) * self.cell
        center = (ground.max(0) + ground.min(0)) / 2
        self.low, self.high = center - half, center + half
        self._set_limits(content)

    def project(self, points: Any) -> np.ndarray:
        """Convert points from the camera frame (y down, z forward) to right, up and depth."""
        a, e = self._angles
        x, y, z = np.moveaxis(np.asarray(points, dtype=float), -1, 0)
        right = x * np.cos(a) + z * np.sin(a)
        away = z * np.cos(a) - x * np.sin(a)
        return np.stack(
            [right, away * np.sin(e) - y * np.cos(e), away * np.cos(e) + y * np.sin(e)], axis=-1
        )

    def _set_limits(self, content: np.ndarray) -> None:
        """Set limits that contain people and floor and have the panel's aspect."""
        x, z = (self.low[0], self.high[0]), (self.low[1], self.high[1])
        corners = [(x[i], self.floor, z[k]) for i in (0, 1) for k in (0, 1)]
        flat = np.concatenate([self.project(corners), self.project(content)])[:, :2]
        margin = 0.07 * (flat.max(0) - flat.min(0))[1]
        low, high = flat.min(0) - (0.08, 1.4 * margin), flat.max(0) + (0.08, 1.4 * margin)
        box = self.ax.get_window_extent()
        aspect = box.height / box.width
        extent = np.maximum(high - low, (high - low)[::-1] * (1 / aspect, aspect))
        center = (low + high) / 2
        self.ax.set_xlim(center[0] - extent[0] / 2, center[0] + extent[0] / 2)
        self.ax.set_ylim(center[1] - extent[1] / 2, center[1] + extent[1] / 2)
        self.points_per_metre = box.width / extent[0] * 72 / self.ax.figure.dpi

    def draw_floor(self) -> None:
        """Draw the floor and its grid."""
        (x0, z0), (x1, z1), y = self.low, self.high, self.floor
        corners = self.project([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)])
        self.ax.add_patch(Polygon(corners[:, :2], fc=FLOOR, ec="none", zorder=0))
        lines = [[(x, y, z0), (x, y, z1)] for x in np.arange(x0, x1 + 1e-6, self.cell)]
        lines += [[(x0, y, z), (x1, y, z)] for z in np.arange(z0, z1 + 1e-6, self.cell)]
        self._draw_lines(self.project(lines)[..., :2], GRID, 0.8, 1)

    def draw_shadow(self, pose: ColoredPose, skeleton: Skeleton) -> None:
        """Draw the vertical projection on the floor; it shows depth and the supporting foot."""
        ground = pose.points.copy()
        ground[:, 1] = self.floor
        flat = self.project(ground)[:, :2]
        lines = [flat[[child, parent]] for child, parent in skeleton.bones]
        self._draw_lines(lines, SHADOW, self._line_width(BONE_WIDTH), 2)

    def draw_pose(self, pose: ColoredPose, skeleton: Skeleton) -> None:
        """Draw bones from far to near, far ones lighter, each with a white rim."""
        projected = self.project(pose.points)
        depth = projected[:, 2]
        span = max(float(np.ptp(depth)), 0.2)
        reference = pose.color == GROUND_TRUTH
        colors = bone_colors(skeleton, pose.color)
        hidden = np.zeros(len(depth), bool) if pose.hidden is None else np.asarray(pose.hidden)
        bones = []
        for (child, parent), color in zip(skeleton.bones, colors, strict=True):
            center = (depth[child] + depth[parent]) / 2
            share = 0.0 if reference else MAX_LIGHTER * (center - depth.min()) / span
            size = BONE_WIDTH * (0.8 if reference else 1)
            size *= HIDDEN_WIDTH if hidden[child] or hidden[parent] else 1
            line = projected[[child, parent], :2]
            bones.append((center, line, lighter(color, share), self._line_width(size)))
        self._draw_std(projected, pose.std)
        for _, line, color, width in sorted(bones, key=lambda bone: -bone[0]):
            self.ax.plot(*line.T, color="white", lw=width * 1.5, solid_capstyle="butt", zorder=4)
            self.ax.plot(*line.T, color=color, lw=width, solid_capstyle="round", zorder=4)
        if "head" in skeleton.joints:
            head = skeleton.index("head")
            self.ax.scatter(
                *projected[head, :2], s=self._line_width(HEAD_SIZE) ** 2, edgecolors="white",
                linewidths=1.2, color=joint_colors(skeleton, pose.color)[head], zorder=4,
            )  # fmt: skip

    def _draw_std(self, projected: np.ndarray, std: Any) -> None:
        """Draw a disc around each joint whose radius is its standard deviation."""
        if std is not None:
            known = np.isfinite(std)
            size = 2 * np.asarray(std)[known]
            discs = EllipseCollection(
                size, size, np.zeros(len(size)), units="xy", offsets=projected[known, :2],
                transOffset=self.ax.transData, facecolors=STD, edgecolors="none", alpha=0.3,
                zorder=3,
            )  # fmt: skip
            self.ax.add_collection(discs)

    def draw_arrows(self, start: Any, end: Any) -> None:
        """Draw arrows to joints `end` (n, 3) that differ from `start` by `MIN_DIFFERENCE`.

        The tip of an arrow is at its joint; its length is at least `MIN_ARROW_LENGTH`. Differences
        along the view direction are left out.
        """
        distance = np.linalg.norm(np.asarray(end) - np.asarray(start), axis=-1)
        chosen = np.argsort(-distance)[:MAX_ARROWS]
        style = {"arrowstyle": "-|>,head_length=0.5,head_width=0.26", "shrinkA": 0, "shrinkB": 0}
        for i in chosen[distance[chosen] > MIN_DIFFERENCE]:
            tip = self.project(end[i])[:2]
            offset = tip - self.project(start[i])[:2]
            length = float(np.linalg.norm(offset))
            if length < MIN_DIFFERENCE:
                continue
            tail = tip - offset * max(1.0, MIN_ARROW_LENGTH / length)
            for color, width in (("white", 4.0), (ARROW, 1.8)):
                self.ax.annotate("", xy=tip, xytext=tail, zorder=6,
                                 arrowprops=style | {"color": color, "lw": width})  # fmt: skip

    def mark_camera(self) -> None:
        """Draw an arrow along the floor's nearest edge, towards the camera."""
        (x, y), z = (self.high[0], self.floor), self.low[1]
        ends = self.project([(x, y, z + 0.35), (x, y, z)])[:, :2]
        style = {"arrowstyle": "-|>", "color": CAPTION, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        self.ax.annotate("", xy=ends[1], xytext=ends[0], arrowprops=style, zorder=3)
        self.ax.annotate("camera", xy=ends[1], xytext=(0, -4), textcoords="offset points",
                         ha="left", va="top", fontsize=8.5, color=CAPTION, zorder=3)  # fmt: skip

    def _draw_lines(self, lines: Any, color: Color, width: float, zorder: int) -> None:
        self.ax.add_collection(
            LineCollection(
                list(lines), colors=color, linewidths=width, capstyle="round", zorder=zorder
            )
        )

    def _line_width(self, metres: float) -> float:
        """Convert a width in metres to points, at least 1.5."""
        return max(1.5, metres * self.points_per_metre)
