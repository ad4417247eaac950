"""Data of the report as JSON; arrays are base64 texts of little-endian numbers."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.core.visibility import hidden_joints
from camerapose.view.displayed import displayed
from camerapose.view.report.curves import Panel, panels, time_axis
from camerapose.view.report.recording import Recording
from camerapose.view.style import LEFT, PEOPLE, RIGHT, TRUNK, lighter

#: Longer side of images in pixels, and their JPEG quality.
IMAGE_PIXELS, IMAGE_QUALITY = 800, 78
#: Frames per second at which keypoints without times, and images, are played.
FRAME_RATE, IMAGE_RATE = 10.0, 1.5
DEFAULT_INTERVAL = 1 / 30
#: Distance of the image plane from the camera: share of the distance of people, and its limits.
PLANE_SHARE, PLANE_LIMITS = 0.4, (0.4, 3.0)
#: Quantile of the lowest joints that defines the floor where it is not estimated.
FLOOR_QUANTILE, FLOOR_MARGIN = 0.02, 0.06
SIDES = ("left", "right")


def payload(poses: Poses, people: list[tuple[int, Poses]], recording: Recording) -> dict[str, Any]:
    """Return the data of the page.

    Args:
        poses: all poses, numpy, with 3D, cameras and the label `frame`.
        people: number and poses, by increasing frame, of the people who are shown.
    """
    times, unit = time_axis(poses)
    interval = _interval(times, unit)
    start, end = (float(times.min()), float(times.max()))
    if recording.span is not None and unit == "seconds":
        start, end = min(start, recording.span[0]), max(end, recording.span[1])
    distance = float(np.median(poses.root_position[:, 2]))
    ground = recording.ground
    skeleton = displayed(poses).skeleton
    return {
        "unit": unit,
        "rate": 1.0 if unit == "seconds" else IMAGE_RATE if recording.images else FRAME_RATE,
        "start": start, "end": end, "interval": interval,
        "skeleton": _skeleton(skeleton),
        "people": [_person(number, own, skeleton, len(people) > 1, ground if recording.aligned
                           else None) for number, own in people],
        "plane_depth": float(np.clip(PLANE_SHARE * distance, *PLANE_LIMITS)),
        "floor": _floor(poses),
        "ground": None if ground is None else {
            "axes": np.round(ground.axes, 5).ravel().tolist(),
            "height": round(ground.camera_height, 3),
        },
        "aligned": recording.aligned,
        "media": _media(poses, recording),
    }  # fmt: skip


def _interval(times: np.ndarray, unit: str) -> float:
    """Return the usual time between frames; a person is shown for one and a half of it."""
    steps = np.diff(np.unique(times))
    if not len(steps):
        return DEFAULT_INTERVAL if unit == "seconds" else 1.0
    return float(np.quantile(steps, 0.9))


def _skeleton(skeleton: Skeleton) -> dict[str, Any]:
    def side(name: str) -> int:
        first = name.partition("_")[0]
        return SIDES.index(first) if first in SIDES else len(SIDES)

    return {
        "joints": list(skeleton.joints),
        "root": skeleton.root_index,
        "bones": [[int(child), int(parent)] for child, parent in skeleton.bones],
        "joint_sides": [side(name) for name in skeleton.joints],
        "bone_sides": [side(name) for name in skeleton.bone_names],
    }


def _person(
    number: int, poses: Poses, skeleton: Skeleton, several: bool, ground: Ground | None
) -> dict[str, Any]:
    color = PEOPLE[number % len(PEOPLE)]
    drawn = poses if skeleton == poses.skeleton else poses.to(skeleton)
    points = np.asarray(drawn.pose3d, float)
    scale = max(1e-3, float(np.abs(points).max()) / 32767)
    hidden = hidden_joints(drawn)
    if "filled" in poses.labels:
        hidden = hidden | poses.labels["filled"][:, None]
    camera = poses.camera
    size = np.asarray(poses.image_size, float)
    view = np.column_stack([camera.focal, camera.center, size[:, 1] / size[:, 0]])
    shown = panels(poses, ground) if len(poses) > 1 else []
    return {
        "number": number,
        "colors": [color, _hex(lighter(color, 0.42)), color] if several else [LEFT, RIGHT, TRUNK],
        "time": _pack(time_axis(poses)[0], "<f4"),
        "scale": scale,
        "points": _pack(np.round(points / scale), "<i2"),
        "hidden": _pack(hidden, "u1"),
        "std": None if drawn.pose3d_std is None else _pack(_millimetres(drawn.pose3d_std), "<u2"),
        "camera": _pack(view, "<f4"),
        "panels": [_panel(panel) for panel in shown],
    }


def _millimetres(std: np.ndarray) -> np.ndarray:
    """Return standard deviations in millimetres, 0 where unknown."""
    return np.clip(np.round(1000 * np.where(np.isfinite(std), std, 0)), 0, 65535)


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "title": panel.title,
        "digits": panel.digits,
        "lines": [
            {
                "name": line.name,
                "color": line.color,
                "values": _pack(line.values, "<f4"),
                "std": None if line.std is None else _pack(line.std, "<f4"),
            }
            for line in panel.lines
        ],
    }


def _floor(poses: Poses) -> float:
    """Return the height of the camera above the lowest joints of all people, in the image."""
    lowest = np.asarray(poses.pose3d)[..., 1].max(axis=1)
    return float(np.quantile(lowest, 1 - FLOOR_QUANTILE)) + FLOOR_MARGIN


def _media(poses: Poses, recording: Recording) -> dict[str, Any] | None:
    if recording.video is not None:
        data, offset = recording.video
        return {"kind": "video", "type": "video/mp4", "offset": offset,
                "data": base64.b64encode(data).decode()}  # fmt: skip
    images = [
        {"time": int(frame), "source": jpeg(image)} for frame, image in recording.images.items()
    ]
    return {"kind": "images", "images": images} if images else None


def jpeg(image: np.ndarray) -> str:
    """Return an RGB image as a data URL, shrunk to `IMAGE_PIXELS`."""
    small = Image.fromarray(image)
    small.thumbnail((IMAGE_PIXELS, IMAGE_PIXELS), reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=IMAGE_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _pack(values: Any, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()


def _hex(color: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in color)
