"""Time and memory of a long clip: keypoints through `camerapose predict` with all outputs.

    python benchmarks/long_clip.py                     # an hour: 108,000 frames, 6 minutes
    python benchmarks/long_clip.py --frames 12000 --threads 1 --export csv trc bvh

The walking person of the sample keypoints, interpolated to 30 frames per second, walks to and fro,
with one pixel of noise. Printed are time, processor time and peak memory, whenever `predict` logs a
line, and in the end the frames per second.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from camerapose.core.camera import normalize
from camerapose.core.poses import Poses
from camerapose.infer.keypoint_input import read_keypoints
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.io.source import Source

FPS, NOISE = 30.0, 1.0
#: Number of the person who walks, and the step between the frames of the sample.
PERSON, STEP = 1, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="?", default="open", help="name, folder or .onnx file")
    parser.add_argument("--frames", type=int, default=108_000, help="length of the clip")
    parser.add_argument("--export", nargs="*", default=["csv", "trc"], help="export formats")
    parser.add_argument("--threads", type=int, help="number of threads; default: all cores")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.npz"
        clip(arguments.frames).save(path)
        began, processor = time.perf_counter(), time.process_time()

        def log(line: str) -> None:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            used = time.process_time() - processor
            wall = time.perf_counter() - began
            print(f"{wall:6.1f} s, processor {used:6.1f} s, peak {peak:5.0f} MB: {line[:80]}")

        options = PredictOptions(
            weights=arguments.weights, ground=True, report=True, export=tuple(arguments.export),
            threads=arguments.threads,
        )  # fmt: skip
        predict(path, Path(folder) / "out", options, progress=False, log=log)
        wall, used = time.perf_counter() - began, time.process_time() - processor
        print(f"{arguments.frames / wall:.0f} frames per second, "
              f"{arguments.frames / used:.0f} per second of processor time")  # fmt: skip
        for file in sorted((Path(folder) / "out").iterdir()):
            print(f"{file.stat().st_size / 1e6:9.1f} MB {file.name}")


def clip(n: int) -> Poses:
    """Return the keypoints of n frames."""
    with as_file(files("camerapose") / "samples" / "demo_keypoints.npz") as sample:
        given = read_keypoints(Source.open(sample), PredictOptions(fps=FPS), lambda _: None)
    rows = given.labels["person"] == PERSON
    points, score = given.keypoints[rows].astype(float), given.confidence[rows]
    last = (len(points) - 1) * STEP
    step = np.arange(n) % (2 * last)
    place = np.where(step <= last, step, 2 * last - step) / STEP
    before = np.minimum(place.astype(int), len(points) - 2)
    share = (place - before)[:, None, None]
    moved = (1 - share) * points[before] + share * points[before + 1]
    moved += NOISE * np.random.default_rng(0).normal(size=moved.shape)
    size = np.tile(given.image_size[:1], (n, 1))
    frame = np.arange(n)
    labels = {"frame": frame, "time": frame / FPS, "person": np.zeros(n, int)}
    poses = Poses(given.skeleton, np.float32(normalize(moved, size)), score[before], labels=labels)
    return replace(poses, image_size=np.float32(size))


if __name__ == "__main__":
    main()
