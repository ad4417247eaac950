"""Speed of `predict` on a video compared with MediaPipe, in turns.

    python -m venv mp && mp/bin/pip install mediapipe==0.10.21     # requires Python 3.12 or older
    python benchmarks/video_speed.py --mediapipe mp/bin/python

MediaPipe decodes the video and detects the landmarks; `predict` also lifts, estimates the camera,
and smooths. Neither writes files, and networks are loaded before. --before is the folder `src` of
another version of camerapose, which takes its turns too.
For heavy, MediaPipe needs the model file (see `mediapipe_landmarks.py`) in its package.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from camerapose.io.assets import asset

HERE = Path(__file__).resolve().parent
MODELS = ("full", "heavy")


#: Command, and the folder with its modules; None: the default.
Program = tuple[list[str], Path | None]


class Pass(NamedTuple):
    """One pass over a video; seconds, and seconds of processor time of all threads."""

    frames: int
    seconds: float
    busy: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", nargs="?", type=Path, help="default: the sample video")
    parser.add_argument("--mediapipe", type=Path, help="Python interpreter with mediapipe")
    parser.add_argument("--before", type=Path, help="folder src of another version")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of camerapose; default: all cores")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    video = str(arguments.video or asset("demo.mp4"))
    if arguments.serve:
        serve(video, arguments.serve, arguments.threads)
        return
    print("| BlazePose | program | frames/s | processor time a frame, ms | of camerapose |")
    print("| --- | --- | --- | --- | --- |")
    for model in arguments.models:
        own = [str(HERE / "video_speed.py"), video, "--serve", model]
        own += [] if arguments.threads is None else ["--threads", str(arguments.threads)]
        programs: dict[str, Program] = {"camerapose": ([sys.executable, *own], None)}
        if arguments.before:
            programs["camerapose before"] = ([sys.executable, *own], arguments.before)
        if arguments.mediapipe:
            command = [str(arguments.mediapipe), str(HERE / "mediapipe_speed.py"), video, model]
            programs["MediaPipe"] = (command, None)
        for line in lines(model, in_turns(programs, arguments.rounds)):
            print(line, flush=True)


def serve(video: str, model: str, threads: int | None) -> None:
    """Process the video for each line of standard input, as `mediapipe_speed.py` does."""
    from camerapose.infer.detection import load_detector
    from camerapose.infer.options import PredictOptions
    from camerapose.infer.pipeline import predict
    from camerapose.infer.predictor import Predictor

    options = PredictOptions(model=model, threads=threads)
    predictor = Predictor(options.weights, device=options.device, threads=threads)
    detector, frames = load_detector(options, True), 0
    for _ in sys.stdin:
        detector.reset()
        lines: list[str] = []
        began, busy = time.perf_counter(), time.process_time()
        predict(
            video, None, options, predictor=predictor, load=lambda *_: detector, log=lines.append,
            progress=False,
        )  # fmt: skip
        measured = time.perf_counter() - began, time.process_time() - busy
        frames = next(int(line.split()[0]) for line in lines if " frames in " in line)
        print(json.dumps((frames, *measured)), flush=True)


def in_turns(programs: dict[str, Program], rounds: int) -> dict[str, list[Pass]]:
    """Run one pass of each program per round; the first round is not counted."""
    found: dict[str, list[Pass]] = {name: [] for name in programs}
    with contextlib.ExitStack() as stack:
        running = {}
        for name, (command, path) in programs.items():
            environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
            running[name] = stack.enter_context(
                subprocess.Popen(
                    command, env=environment, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
        for number in range(rounds + 1):
            for name, process in running.items():
                assert process.stdin and process.stdout
                process.stdin.write("\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    raise SystemExit(f"{name} failed: {' '.join(programs[name][0])}")
                if number:
                    found[name].append(Pass(*json.loads(line)))
        for process in running.values():
            process.communicate()
    return found


def lines(model: str, found: dict[str, list[Pass]]) -> list[str]:
    """Return rows of the table: medians of the rounds, and of their ratios of processor time."""
    own = found["camerapose"]
    rows = []
    for name, passes in found.items():
        rate = median(p.frames / p.seconds for p in passes)
        busy = median(1000 * p.busy / p.frames for p in passes)
        share = median(p.busy / o.busy for p, o in zip(passes, own, strict=True))
        rows.append(f"| {model} | {name} | {rate:.1f} | {busy:.1f} | {share:.2f}x |")
    return rows


if __name__ == "__main__":
    main()
