"""Images of the live window: frame with 2D poses, people in 3D, joint angles over time."""

from collections import deque
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.core.visibility import hidden_joints
from camerapose.view.displayed import displayed
from camerapose.view.report.curves import Panel, angle_panels
from camerapose.view.style import (
    CAPTION,
    GRID,
    SHADOW,
    TEXT,
    bone_colors,
    lighter,
    person_colors,
)

#: Size of the window, and of its left part, pixels.
SIZE, LEFT_WIDTH = (1280, 720), 800
#: Time span of the curves, seconds, and number of panels with curves.
SPAN, MAX_PANELS = 5.0, 3
#: Direction of the 3D view (azimuth and elevation, degrees), its height in metres, and its floor.
VIEW, VIEW_HEIGHT, CELL, CELLS = (32.0, 14.0), 2.6, 0.5, 4
BACKGROUND = "#FFFFFF"


class LiveView:
    """Compose the images of a window, frame by frame; remembers the last seconds of the angles."""

    def __init__(self) -> None:
        self._history: deque[tuple[float, list[Panel]]] = deque()
        self._center: np.ndarray | None = None
        self._spread: float | None = None
        self._person: int | None = None

    def compose(
        self, image: UInt8[np.ndarray, "h w 3"], poses: Poses | None, time: float
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return the next image of the window, RGB.

        Args:
            image: the frame.
            poses: people of the frame, numpy, with 3D and cameras; None or empty for nobody.
            time: of the frame, seconds.
        """
        canvas = Image.new("RGB", SIZE, BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        people = None if poses is None or len(poses) == 0 else displayed(poses)
        self._draw_frame(canvas, draw, image, people)
        canvas.paste(self._scene(people), (LEFT_WIDTH, 0))
        if poses is not None and len(poses):
            self._history.append((time, angle_panels(self._chosen(poses))[:MAX_PANELS]))
        while self._history and time - self._history[0][0] > SPAN:
            self._history.popleft()
        self._draw_curves(draw, time)
        return np.asarray(canvas)

    def _draw_frame(
        self, canvas: Image.Image, draw: ImageDraw.ImageDraw, image: np.ndarray, poses: Poses | None
    ) -> None:
        """Draw the frame and the projected poses into the left part."""
        height, width = image.shape[:2]
        scale = min(LEFT_WIDTH / width, SIZE[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (LEFT_WIDTH - size[0]) // 2, (SIZE[1] - size[1]) // 2
        canvas.paste(Image.fromarray(image).resize(size, reducing_gap=1.1), (left, top))
        if poses is None:
            text = "nobody detected"
        else:
            points = denormalize(poses.reprojection, poses.image_size) * scale + [left, top]
            self._draw_bones(draw, poses, np.clip(points, -4000, 8000), outline=True)
            distance = np.linalg.norm(poses.root_position, axis=1)
            text = ", ".join(f"{metres:.1f} m" for metres in distance)
        draw.text((12, 10), text, fill=TEXT, font_size=20, stroke_width=3, stroke_fill=BACKGROUND)

    def _chosen(self, poses: Poses) -> Poses:
        """Return the person whose angles are shown: the same one for as long as possible."""
        numbers = np.asarray(poses.labels.get("person", np.arange(len(poses))))
        row = int(np.argmax(poses.confidence.mean(1)))
        if self._person in numbers:
            row = int(np.flatnonzero(numbers == self._person)[0])
        elif self._history:
            self._history.clear()
        self._person = int(numbers[row])
        return poses[row]

    def _scene(self, poses: Poses | None) -> Image.Image:
        """Return the upper right part: the people on a floor."""
        size = SIZE[0] - LEFT_WIDTH, round(SIZE[1] * 0.52)
        canvas = Image.new("RGB", size, BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        if poses is None:
            return canvas
        roots = np.asarray(poses.root_position, float)
        center = np.array([*roots.mean(0)[[0, 2]], np.asarray(poses.pose3d)[..., 1].max() + 0.03])
        if self._center is None or np.abs(center - self._center).max() > 2:
            self._center = center
        self._center = 0.9 * self._center + 0.1 * center
        spread = max(VIEW_HEIGHT, float(np.ptp(roots[:, [0, 2]], axis=0).max()) + 1.5,
                     float(np.ptp(np.asarray(poses.pose3d)[..., 1])) + 0.9)  # fmt: skip
        self._spread = spread if self._spread is None else 0.9 * self._spread + 0.1 * spread
        scale, middle = size[1] / self._spread, np.array([size[0] / 2, size[1] * 0.86])

        def project(points: np.ndarray) -> np.ndarray:
            a, e = np.radians(VIEW)
            x, z = points[..., 0] - self._center[0], points[..., 2] - self._center[1]
            up = self._center[2] - points[..., 1]
            right, away = x * np.cos(a) + z * np.sin(a), z * np.cos(a) - x * np.sin(a)
            flat = np.stack([right, -(up * np.cos(e) + away * np.sin(e))], axis=-1)
            return middle + scale * flat

        self._draw_floor(draw, project)
        floor = np.array(poses.pose3d, float)
        floor[..., 1] = self._center[2]
        for points in project(floor):
            for child, parent in poses.skeleton.bones:
                draw.line([*points[child], *points[parent]], fill=SHADOW, width=3)
        self._draw_bones(draw, poses, project(np.asarray(poses.pose3d, float)), outline=False)
        return canvas

    def _draw_floor(
        self, draw: ImageDraw.ImageDraw, project: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        assert self._center is not None
        x0, z0, y = self._center
        edge = CELL * CELLS
        for step in np.arange(-CELLS, CELLS + 1) * CELL:
            for ends in (
                ((x0 + step, y, z0 - edge), (x0 + step, y, z0 + edge)),
                ((x0 - edge, y, z0 + step), (x0 + edge, y, z0 + step)),
            ):
                draw.line([tuple(p) for p in project(np.array(ends)).tolist()], fill=GRID)

    @staticmethod
    def _draw_bones(
        draw: ImageDraw.ImageDraw, poses: Poses, points: np.ndarray, outline: bool
    ) -> None:
        """Draw the bones of all people; pale and thin where a joint is not visible."""
        colors = person_colors(poses, len(poses) > 1)
        all_hidden = hidden_joints(poses)
        for row, color in enumerate(colors):
            hidden = all_hidden[row]
            bones = zip(poses.skeleton.bones, bone_colors(poses.skeleton, color), strict=True)
            for (child, parent), shade in bones:
                line = [*points[row, child].tolist(), *points[row, parent].tolist()]
                guess = bool(hidden[child] or hidden[parent])
                if outline:
                    draw.line(line, fill=BACKGROUND, width=5 if guess else 9)
                rgb = tuple(round(255 * c) for c in lighter(shade, 0.6 if guess else 0.0))
                draw.line(line, fill=rgb, width=2 if guess else 6)

    def _draw_curves(self, draw: ImageDraw.ImageDraw, time: float) -> None:
        """Draw the angles of the most visible person into the lower right part."""
        if not self._history:
            return
        panels = self._history[-1][1]
        left, right, bottom = LEFT_WIDTH + 30, SIZE[0] - 20, SIZE[1] - 14
        height = (SIZE[1] * 0.46 - 20) / MAX_PANELS
        for row, panel in enumerate(panels):
            top = bottom - (MAX_PANELS - row) * height
            lower = top + height - 12
            draw.line([left, lower, right, lower], fill=GRID)
            x = left
            draw.text((x, top), panel.title, fill=CAPTION, font_size=15)
            x += draw.textlength(panel.title, font_size=15) + 16
            for line in panel.lines:
                label = f"{line.name} {line.values[0]:.0f}°"
                draw.text((x, top), label, fill=line.color, font_size=15)
                x += draw.textlength(label, font_size=15) + 14
            self._draw_panel(draw, time, row, (left, top + 20, right, lower))

    def _draw_panel(
        self,
        draw: ImageDraw.ImageDraw,
        time: float,
        row: int,
        box: tuple[float | int, ...],
    ) -> None:
        left, top, right, bottom = box
        values = self._values(row)
        low, high = np.nanmin(values), np.nanmax(values)
        low, high = min(low, 0.0), max(high, low + 60.0)
        moments = np.array([moment for moment, _ in self._history])
        x = right - (time - moments) / SPAN * (right - left)
        for line, column in zip(self._history[-1][1][row].lines, values.T, strict=True):
            y = bottom - (column - low) / (high - low) * (bottom - top)
            path = np.column_stack([x, y])[np.isfinite(y)]
            if len(path) > 1:
                draw.line([tuple(p) for p in path.tolist()], fill=line.color, width=2)

    def _values(self, row: int) -> Float[np.ndarray, "t lines"]:
        return np.array(
            [[float(line.values[0]) for line in panels[row].lines] for _, panels in self._history]
        )
