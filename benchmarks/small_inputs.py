"""Many small inputs of the batch engines, and the check of their results."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from camerapose.core.poses import Poses
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.io.assets import asset
from camerapose.io.source import Source

#: Size, number of frames, suffix, codec and content of the distinct videos.
VIDEOS = [
    (16, 16, 2, "mp4", "mpeg4", "noise"), (32, 32, 1, "mp4", "libx264", "noise"),
    (64, 48, 2, "avi", "mjpeg", "noise"), (128, 128, 3, "mkv", "libx264", "person"),
    (144, 128, 2, "mp4", "libx264", "person"), (128, 128, 4, "mov", "mpeg4", "person"),
    (128, 128, 5, "avi", "mpeg4", "person"), (128, 128, 2, "gif", "gif", "person"),
    (128, 128, 3, "webm", "libvpx", "person"), (48, 64, 1, "mkv", "mjpeg", "person"),
    (128, 112, 3, "ts", "libx264", "person"), (64, 48, 2, "gif", "gif", "noise"),
]  # fmt: skip


def write_keypoints(folder: Path, n: int, poses: Poses) -> None:
    """Write keypoint files of one to three poses."""
    for i in range(n):
        poses[i % 10 : i % 10 + 1 + i % 3].save(folder / f"small{i:05d}.npz")


def write_videos(folder: Path, n: int) -> None:
    """Write small videos: hard links of the distinct ones, in turn."""
    originals = folder.with_name("originals")
    originals.mkdir(exist_ok=True)
    people = _people(max(row[2] for row in VIDEOS))
    for k, (width, height, n_frames, suffix, codec, content) in enumerate(VIDEOS):
        noise = np.random.default_rng(k).integers(0, 255, (n_frames, 8, 8, 3), np.uint8)
        frames = people if content == "person" else [Image.fromarray(image) for image in noise]
        images = [np.asarray(frame.resize((width, height))) for frame in frames[:n_frames]]
        _write_video(originals / f"video{k:02d}.{suffix}", images, codec)
    paths = sorted(originals.glob("video*"))
    for i in range(n):
        path = paths[i % len(paths)]
        os.link(path, folder / f"small{i:05d}{path.suffix}")


def _people(n: int) -> list[Image.Image]:
    """Return square parts of frames of the sample video with a person."""
    frames = Source.open(asset("demo.mp4")).frames(start=70, end=70 + n)
    images = [Image.fromarray(frame.image) for frame in frames]
    left, height = (images[0].width - images[0].height) // 2, images[0].height
    return [image.crop((left, 0, left + height, height)) for image in images]


def _write_video(path: Path, images: list[np.ndarray], codec: str) -> None:
    height, width = images[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = width, height
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.bit_rate = 1_000_000
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())


def wrong_results(folder: Path) -> Iterator[str]:
    """Yield the small inputs whose results are not those of an undisturbed prediction.

    Args:
        folder: contains the inputs in `in` and their results in `out`.
    """
    expected: dict[Path, list[Any]] = {}
    counts = {"inputs": 0, "poses": 0}
    for path in sorted((folder / "in").glob("small*")):
        number = int(path.stem.removeprefix("small"))
        found = _poses(folder / "out" / path.name)
        if path.suffix == ".npz":
            right = len(found) == 1 + number % 3
        else:
            original = folder / "originals" / f"video{number % len(VIDEOS):02d}{path.suffix}"
            if original not in expected:
                out = folder / "expected" / original.name
                predict(original, out, PredictOptions(figure=False, threads=1), progress=False)
                expected[original] = _poses(out)
            right = found == expected[original]
        counts["inputs"] += 1
        counts["poses"] += len(found)
        if not right:
            yield path.name
    print(f"{counts['inputs']} small inputs with {counts['poses']} poses")


def _poses(out: Path) -> list[Any]:
    """Return the poses in a folder of results, without the names of their images."""
    poses = json.loads((out / "poses.json").read_text())["poses"]
    return [{key: value for key, value in pose.items() if key != "image"} for pose in poses]
