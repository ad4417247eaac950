"""Many frames, many threads and many small inputs: memory, identical results, correct counts.

    python benchmarks/endurance.py --hours 24

A source yields the frames of that many hours at 30 frames/s, without waiting, to what reads a
webcam: detection, tracking, collection and the sampling of figures. In one second of `--live`,
the poses are lifted, smoothed and appended to poses.jsonl, too. The detector returns two people who
come and go.
"""

import math
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tyro

import camerapose
from camerapose import Poses, Predictor
from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import COCO_17
from camerapose.core.limits import DEFAULT
from camerapose.infer.batch import predict_each
from camerapose.infer.detection import Detections, Person, collect, detect, track
from camerapose.infer.figures import FrameSampler
from camerapose.infer.live import LivePoses, LiveWriter
from camerapose.infer.options import PredictOptions
from camerapose.io.frames import Frame
from camerapose.track.identities import create_tracker

FPS = 30
KEYPOINTS = Path(camerapose.__file__).parent / "samples" / "demo_keypoints.npz"


class _Detector:
    """Returns up to two people, who move a little; each leaves after ten seconds, another comes."""

    skeleton = "coco_17"

    def __init__(self) -> None:
        people = Poses.load(KEYPOINTS).to(COCO_17)
        self._points = np.asarray(people.pose2d)[0].astype(np.float32) * 200 + 320
        self._confidence = np.ones(17, np.float32)
        self._count = 0

    def __call__(self, image: np.ndarray, track: bool = False) -> list[Person]:
        self._count += 1
        result = []
        for i in range(2):
            if (self._count + 170 * i) % 400 >= 300:  # longer than identities are remembered
                continue
            points = self._points + np.float32(20 * math.sin(self._count / 50) + 150 * i)
            box = np.concatenate([points.min(0), points.max(0)])
            result.append(Person(points, self._confidence, box, 0.9, i))
        return result


def resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def stream(hours: float, live: int) -> None:
    """Print the memory after each tenth of the frames, and the counts."""
    image, total = np.zeros((48, 64, 3), np.uint8), round(hours * 3600 * FPS)
    began, tenth = time.monotonic(), max(total // 10, 1)
    identities, n_people = -1, 0

    def frames() -> Iterator[Frame]:
        for i in range(total):
            yield Frame(i, i / FPS, image, f"webcam_{i:06d}")

    def watch(frame: Frame, people: list[Person], detections: Detections) -> None:
        nonlocal identities, n_people
        n_people += len(people)
        identities = max([identities, *(person.person for person in people)])
        if frame.index // FPS % live == 0:
            lifted(frame, people, detections)
        if frame.index % tenth == tenth - 1:
            seconds = time.monotonic() - began
            print(f"{frame.index + 1} frames, {seconds:.0f} s, {resident():.0f} MB", flush=True)

    latest = DEFAULT.max_live_frames
    with tempfile.TemporaryDirectory() as name:
        writer = LiveWriter(Path(name) / "poses.jsonl")
        lifted = LivePoses(Predictor(threads=1), PredictOptions(), [writer])
        people = track(detect(frames(), _Detector(), True), create_tracker(2, FPS))
        kept = collect(
            people, COCO_17, timed=True, observers=[FrameSampler(latest=latest), watch],
            latest=latest,
        )  # fmt: skip
        n_lines = sum(1 for _ in writer.path.open())
    print(
        f"{total} frames, {n_people} people, {identities + 1} identities, {n_lines} poses lifted "
        f"and written; the last {len(kept.frames[0])} frames kept; {resident():.0f} MB"
    )


def share(threads: int) -> None:
    """Let threads use one predictor, and compare their results."""
    poses = Poses.load(KEYPOINTS)
    predictor = Predictor(threads=1)
    points, size = denormalize(poses.pose2d, poses.image_size), np.asarray(poses.image_size)

    def lift() -> Poses:
        return predictor(points, poses.confidence, image_size=size, skeleton=poses.skeleton.name)

    expected, wrong = lift(), []

    def run() -> None:
        for _ in range(5):
            if not np.array_equal(lift().pose3d, expected.pose3d):
                wrong.append(1)

    pool = [threading.Thread(target=run) for _ in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    print(f"{threads} threads, 5 predictions each: {len(wrong)} differ")


def batch(inputs: int) -> None:
    """Predict many small files, and compare the counts with what was written."""
    with tempfile.TemporaryDirectory() as name:
        folder, poses = Path(name), Poses.load(KEYPOINTS)
        (folder / "in").mkdir()
        for i in range(inputs):
            poses[i % 10 : i % 10 + 1 + i % 3].save(folder / "in" / f"{i:05d}.npz")
        began = time.monotonic()
        results = predict_each(str(folder / "in" / "*.npz"), folder / "out",
                               PredictOptions(figure=False, threads=1))  # fmt: skip
        wrong = 0
        for i, result in enumerate(results):
            read = len(Poses.load(folder / "out" / result.name / "poses.npz"))
            wrong += not (result.poses == read == 1 + i % 3)
        seconds = time.monotonic() - began
    print(f"{inputs} inputs in {seconds:.0f} s, {wrong} with a wrong count; {resident():.0f} MB")


def main(hours: float = 24.0, threads: int = 16, inputs: int = 1000, live: int = 100) -> None:
    """Run all three; 0 leaves one out.

    Args:
        hours: of frames at 30 frames/s.
        threads: that share one predictor.
        inputs: small files.
        live: seconds, in one of which poses are lifted.
    """
    if threads:
        share(threads)
    if inputs:
        batch(inputs)
    if hours:
        stream(hours, live)


if __name__ == "__main__":
    tyro.cli(main)
