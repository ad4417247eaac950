"""Many frames, many threads and many small inputs: memory, identical results, correct counts.

    python benchmarks/endurance.py --hours 24

A source yields the frames of that many hours at 30 frames/s through detection and tracking, without
waiting, with a detector that returns two fixed people; lifting and smoothing do not run.
"""

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
from camerapose.infer.batch import predict_each
from camerapose.infer.detection import Person, detect, track
from camerapose.infer.options import PredictOptions
from camerapose.io.frames import Frame
from camerapose.track.identities import create_tracker

KEYPOINTS = Path(camerapose.__file__).parent / "samples" / "demo_keypoints.npz"


class _Detector:
    """Returns the same two people, who move a little."""

    skeleton = "coco_17"

    def __init__(self) -> None:
        people = Poses.load(KEYPOINTS).to(COCO_17)
        self._points = np.asarray(people.pose2d)[0] * 200 + 320
        self._count = 0

    def __call__(self, image: np.ndarray, track: bool = False) -> list[Person]:
        self._count += 1
        shift = 20 * np.sin(self._count / 50)
        result = []
        for i in range(2):
            points = (self._points + shift + 150 * i).astype(np.float32)
            box = np.concatenate([points.min(0), points.max(0)]).astype(np.float32)
            result.append(Person(points, np.ones(17, np.float32), box, 0.9, i))
        return result


def resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def stream(hours: float) -> None:
    """Print the memory after each tenth of the frames, and the counts."""
    image, total = np.zeros((48, 64, 3), np.uint8), round(hours * 3600 * 30)

    def frames() -> Iterator[Frame]:
        for i in range(total):
            yield Frame(i, i / 30, image, "frame")

    tracker, began, memory = create_tracker(2, 30.0), time.monotonic(), []
    n_frames = n_people = 0
    for frame, people in track(detect(frames(), _Detector(), True), tracker):
        n_frames += 1
        n_people += len(people)
        if frame.index % max(total // 10, 1) == max(total // 10, 1) - 1:
            memory.append(round(resident()))
    print(
        f"{n_frames} of {total} frames, {n_people} people, {time.monotonic() - began:.0f} s; "
        f"memory MB: {memory}"
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


def main(hours: float = 24.0, threads: int = 16, inputs: int = 1000) -> None:
    """Run all three.

    Args:
        hours: of frames at 30 frames/s.
        threads: that share one predictor.
        inputs: small files.
    """
    share(threads)
    batch(inputs)
    stream(hours)


if __name__ == "__main__":
    tyro.cli(main)
