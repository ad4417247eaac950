"""The video again, with what was found drawn over it: for a look at every frame.

Drawn with Pillow, frame by frame, and encoded as H.264: memory does not grow with the length.
"""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.io.files import AtomicFile
from camerapose.io.source import Source
from camerapose.view.style import LEFT, PEOPLE, RIGHT

#: Longer side, pixels: larger videos are shrunk.
LONGEST = 1280
#: Ticks a second of the video's clock, as in MPEG.
CLOCK = 90000
#: Colours of the trunk and of writing, of what rims them, and of detected joints.
PALE, RIM, DETECTED = "#F0F0F0", "#20242C", "#3CDC3C"


def overlay(
    poses: Poses,
    source: Source,
    path: str | os.PathLike,
    *,
    start: int | None = None,
    end: int | None = None,
    stride: int = 1,
    progress: bool = True,
) -> Path:
    """Write an mp4: bones of the 3D pose seen by its camera, dots where joints were detected.

    Each frame is shown when the video shows it, also where the frame rate changes. Bones of poses
    that were filled in are thin.

    Args:
        poses: numpy, with label frame.
        source: the video that the poses are of.
        start, end, stride: frames that the poses were predicted from.
        path: of the .mp4; whole or not at all.
    """
    import av

    path = Path(path)
    info = source.info()
    fps = info.fps if info else None
    rate = Fraction((fps or 30.0) / stride).limit_denominator(60000)
    rows: dict[int, list[int]] = {}
    for row, frame in enumerate(poses.labels["frame"].tolist() if len(poses) else []):
        rows.setdefault(frame, []).append(row)
    bones = _pixels(poses, poses.reprojection) if len(poses) else None
    dots = _pixels(poses, poses.pose2d) if len(poses) else None
    frames = source.frames(start=start, end=end, stride=stride)
    with (
        AtomicFile(path) as temporary,
        av.open(str(temporary), "w", format="mp4") as file,
    ):
        stream, began, last = None, None, -1
        for frame in tqdm(frames, unit="frame", desc=path.name,
                          disable=None if progress else True):  # fmt: skip
            image, scale = _shrunk(frame.image)
            draw = ImageDraw.Draw(image)
            for row in rows.get(frame.index, []):
                _person(draw, poses, row, bones[row] * scale, dots[row] * scale)
            if stream is None:
                stream = file.add_stream(
                    "libx264", rate=rate, options={"crf": "23", "preset": "veryfast"}
                )
                stream.width, stream.height = image.size
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, CLOCK)
            if image.size != (stream.width, stream.height):  # a video that changes its size
                image = image.resize((stream.width, stream.height))
            began = frame.time if began is None else began
            last = max(last + 1, round((frame.time - began) * CLOCK))
            shown = av.VideoFrame.from_image(image)
            shown.pts, shown.time_base = last, Fraction(1, CLOCK)
            file.mux(stream.encode(shown))
        if stream is not None:
            file.mux(stream.encode())
    return path


def _shrunk(array: np.ndarray) -> tuple[Image.Image, float]:
    """The frame no larger than `LONGEST`, sides even as H.264 wants them; and its scale."""
    height, width = array.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = [max(2, round(side * scale / 2) * 2) for side in (width, height)]
    image = Image.fromarray(array)
    return (image if image.size == tuple(size) else image.resize(size)), size[0] / width


def _person(
    draw: ImageDraw.ImageDraw, poses: Poses, row: int, bones: np.ndarray, dots: np.ndarray
) -> None:
    thick = max(3, round(np.ptp(bones[:, 1]) / 70))
    number = int(poses.labels["person"][row]) if "person" in poses.labels else 0
    several = "person" in poses.labels and len(np.unique(poses.labels["person"])) > 1
    filled = "filled" in poses.labels and poses.labels["filled"][row]
    colours = _colours(poses.skeleton, PEOPLE[number % len(PEOPLE)] if several else None)
    lines = [[tuple(bones[parent]), tuple(bones[child])] for child, parent in poses.skeleton.bones]
    width = max(1, thick // 3) if filled else thick
    for line in lines:  # a rim, so that bones stand out from any image
        draw.line(line, fill=RIM, width=width + 2)
    for line, colour in zip(lines, colours, strict=True):
        draw.line(line, fill=colour, width=width)
    ring = thick + 1
    for (x, y), seen in zip(dots, poses.confidence[row] > 0, strict=True):
        if seen:
            draw.ellipse([x - ring, y - ring, x + ring, y + ring], outline=DETECTED)
    metres = float(np.linalg.norm(poses.root_position[row]))
    label = f"{number}: {metres:.1f} m" if several else f"{metres:.1f} m"
    size = max(16, 5 * thick)
    place = float(bones[:, 0].min()), float(bones[:, 1].min()) - 1.5 * size
    draw.text(np.maximum(place, 3).tolist(), label, fill=PALE, font_size=size, stroke_width=2,
              stroke_fill=RIM)  # fmt: skip


def _colours(skeleton: Skeleton, person: str | None) -> list[str]:
    """Each bone's: the person's or, of one person alone, by its side."""
    sides = {"left": LEFT, "right": RIGHT}
    return [person or sides.get(name.partition("_")[0], PALE) for name in skeleton.bone_names]


def _pixels(poses: Poses, points: np.ndarray) -> np.ndarray:
    """Pixels, kept near the picture: drawing far away takes time and shows nothing."""
    size = poses.image_size[:, None]
    return np.clip(denormalize(points, poses.image_size), -size, 2 * size)
