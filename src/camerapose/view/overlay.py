"""Video overlay: the input video with the poses drawn on every frame.

Drawn with Pillow and encoded as H.264 frame by frame; memory does not depend on the length.
"""

import os
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw
from tqdm import tqdm

from camerapose.core.camera import denormalize
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.core.visibility import hidden_joints
from camerapose.io.files import AtomicFile
from camerapose.io.source import Source
from camerapose.view.displayed import displayed, std_pixels
from camerapose.view.encoder import VideoEncoder, even_size
from camerapose.view.style import LEFT, PEOPLE, RIGHT, STD

#: Maximum of the longer side, pixels; larger videos are shrunk.
MAX_SIDE = 1280
DEFAULT_FPS = 30.0
#: Colours of the trunk and of text, of outlines, and of detected joints.
TRUNK, OUTLINE, DETECTED = "#F0F0F0", "#20242C", "#3CDC3C"
#: Colour of the floor, RGBA; step of its grid, margin around the people, length of the segments
#: that are drawn, and smallest depth, metres; largest extent, steps.
FLOOR, STEP, MARGIN, SEGMENT, NEAR, EXTENT = (240, 240, 240, 150), 1.0, 1.0, 0.25, 0.3, 30


def write_overlay(
    poses: Poses,
    source: Source,
    path: str | os.PathLike,
    *,
    start: int | None = None,
    end: int | None = None,
    stride: int = 1,
    ground: Ground | None = None,
    progress: bool = True,
) -> Path:
    """Write an mp4 with the projected bones of the 3D poses, and rings at the detected joints.

    The radius of the disc around a joint is its predicted standard deviation, if there is one.
    Bones to joints that were not detected are thin, and those of poses that fill gaps (label
    `filled`). Frames keep their times, also if the frame rate varies.

    Args:
        poses: numpy arrays with the label `frame`.
        source: the video of the poses.
        start: first of the frames from which the poses were predicted.
        end: frame after the last of them.
        stride: step between them.
        ground: floor in front of a static camera, drawn as a grid with a step of 1 m; None: none.
        path: .mp4 file, written atomically.
        progress: show a progress bar.

    Raises:
        OSError: the file cannot be written.
        IncompleteInput: part of the video cannot be read.
    """
    import av

    path = Path(path)
    info = source.info()
    fps = Fraction(((info and info.fps) or DEFAULT_FPS) / stride).limit_denominator(60000)
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for row, index in enumerate(poses.labels["frame"].tolist() if len(poses) else []):
        rows[index].append(row)
    poses = displayed(poses)
    bones = _clipped_pixels(poses, poses.reprojection) if len(poses) else None
    stds = std_pixels(poses) if len(poses) else None
    joints = _clipped_pixels(poses, poses.pose2d) if len(poses) else None
    floor = _floor(poses, ground) if len(poses) and ground is not None else np.zeros((0, 2, 2))
    frames = source.frames(start=start, end=end, stride=stride)
    with AtomicFile(path) as temporary, av.open(str(temporary), "w", format="mp4") as file:
        encoder = VideoEncoder(file, fps, {"crf": "23", "preset": "veryfast"})
        for frame in tqdm(frames, unit="frame", desc=path.name, disable=None if progress else True):
            image, scale = _shrink(frame.image)
            draw = ImageDraw.Draw(image, "RGBA")  # blends translucent colours
            for line in floor * scale:
                draw.line(line.ravel().tolist(), fill=FLOOR, width=max(1, image.width // 640))
            for row in rows[frame.index] if stds is not None else ():
                _draw_std(draw, bones[row] * scale, stds[row] * scale)
            for row in rows[frame.index]:
                _draw_person(draw, poses, row, bones[row] * scale, joints[row] * scale)
            encoder.write(av.VideoFrame.from_image(image), frame.time)
        encoder.finish()
    return path


def _floor(poses: Poses, ground: Ground) -> np.ndarray:
    """Return the visible segments (n, 2, 2) of a grid on the floor below the people, pixels."""
    focal, center = (np.median(c, axis=0) for c in (poses.camera.focal, poses.camera.center))
    places = ground.points(np.asarray(poses.root_position, float))[:, [0, 2]]
    low, high = np.quantile(places, 0.05, axis=0) - MARGIN, np.quantile(places, 0.95, 0) + MARGIN
    low, high = (
        np.floor(low / STEP),
        np.minimum(np.ceil(high / STEP), np.floor(low / STEP) + EXTENT),
    )
    lines = []
    for axis in (0, 1):
        along = np.arange(low[axis] * STEP, high[axis] * STEP + SEGMENT / 2, SEGMENT)
        for across in np.arange(low[1 - axis], high[1 - axis] + 1) * STEP:
            points = np.zeros((len(along), 3))
            points[:, 2 * axis], points[:, 2 - 2 * axis] = along, across
            lines.append(np.stack([points[:-1], points[1:]], axis=1))
    ends = np.concatenate(lines) - np.array([0.0, ground.camera_height, 0.0])
    ends = ends @ ground.axes
    ends = ends[(ends[..., 2] > NEAR).all(1)]
    plane = ends[..., :2] / ends[..., 2:] * focal + center
    return _clipped_pixels(poses[:1], plane.reshape(1, -1, 2)).reshape(-1, 2, 2)


def _draw_std(draw: ImageDraw.ImageDraw, points: np.ndarray, radii: np.ndarray) -> None:
    """Draw a translucent disc around each joint."""
    color = (*ImageColor.getrgb(STD), 70)
    for (x, y), radius in zip(points, radii, strict=True):
        if radius >= 1:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)


def _shrink(array: np.ndarray) -> tuple[Image.Image, float]:
    """Return the frame with sides of at most `MAX_SIDE`, and its scale."""
    size = even_size(array.shape[1], array.shape[0], MAX_SIDE)
    image = Image.fromarray(array)
    return (image if image.size == size else image.resize(size)), size[0] / array.shape[1]


def _draw_person(
    draw: ImageDraw.ImageDraw, poses: Poses, row: int, bones: np.ndarray, joints: np.ndarray
) -> None:
    """Draw one pose with its distance from the camera; points are pixels of the drawn image."""
    thickness = max(3, round(np.ptp(bones[:, 1]) / 70))
    people = poses.labels.get("person", np.zeros(len(poses), int))
    person, several = int(people[row]), len(np.unique(people)) > 1
    filled = "filled" in poses.labels and poses.labels["filled"][row]
    colors = _bone_colors(poses.skeleton, PEOPLE[person % len(PEOPLE)] if several else None)
    lines = [[tuple(bones[parent]), tuple(bones[child])] for child, parent in poses.skeleton.bones]
    width = max(1, thickness // 3) if filled else thickness
    for line in lines:  # outlines first, which separate bones from any image
        draw.line(line, fill=OUTLINE, width=width + 2)
    hidden = hidden_joints(poses[[row]])[0]  # drawn thinly: these joints are guesses
    for (child, parent), line, color in zip(poses.skeleton.bones, lines, colors, strict=True):
        is_guess = hidden[child] or hidden[parent]
        draw.line(line, fill=color, width=max(1, thickness // 3) if is_guess else width)
    radius = thickness + 1
    for x, y in joints[poses.confidence[row] > 0]:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=DETECTED)
    distance = f"{float(np.linalg.norm(poses.root_position[row])):.1f} m"
    size = max(16, 5 * thickness)
    text = f"{person}: {distance}" if several else distance
    left = min(
        float(bones[:, 0].min()), draw.im.size[0] - draw.textlength(text, font_size=size) - 3
    )
    place = np.maximum((left, float(bones[:, 1].min()) - 1.5 * size), 3)
    draw.text(place.tolist(), text,
              fill=TRUNK, font_size=size, stroke_width=2, stroke_fill=OUTLINE)  # fmt: skip


def _bone_colors(skeleton: Skeleton, person: str | None) -> list[str]:
    """Return the colour of each bone: that of the person or, for one person, of its side."""
    sides = {"left": LEFT, "right": RIGHT}
    return [person or sides.get(name.partition("_")[0], TRUNK) for name in skeleton.bone_names]


def _clipped_pixels(poses: Poses, points: np.ndarray) -> np.ndarray:
    """Return pixels near the image: drawing far outside takes time and is not visible."""
    size = poses.image_size[:, None]
    return np.clip(denormalize(points, poses.image_size), -size, 2 * size)
