"""Prediction from a source to 3D poses: read, detect, track, lift, process, write."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from camerapose.core import joint_formats
from camerapose.core.limits import DEFAULT
from camerapose.core.poses import Poses
from camerapose.infer import live
from camerapose.infer.detection import (
    Detections,
    LoadDetector,
    Observer,
    collect,
    correct_swaps,
    detect,
    load_detector,
    track,
    without_slow_motion,
)
from camerapose.infer.figures import FrameSampler
from camerapose.infer.interrupts import delayed_interrupt
from camerapose.infer.keypoint_input import read_keypoints
from camerapose.infer.lift import check_temporal, corrected, lift
from camerapose.infer.options import Check, Log, PredictOptions
from camerapose.infer.outputs import write_outputs, write_poses
from camerapose.infer.people import select_people
from camerapose.infer.postprocess import known_focal, process
from camerapose.infer.predictor import Predictor
from camerapose.infer.report import observer, start_preview
from camerapose.infer.request import check_request
from camerapose.infer.search import ViewDetector, find_view
from camerapose.infer.summary import summarize
from camerapose.io import files
from camerapose.io.ahead import read_ahead
from camerapose.io.frames import Frame, SourceInfo
from camerapose.io.locks import lock_folder
from camerapose.io.source import Input, Source
from camerapose.track.identities import create_tracker


def silent(line: str) -> None:
    """Ignore log lines."""


def go_on() -> None:
    """Never end a prediction."""


def predict(
    source: Input,
    out: str | os.PathLike | None = None,
    options: PredictOptions | None = None,
    *,
    progress: bool = True,
    log: Log = silent,
    check: Check = go_on,
    predictor: Predictor | None = None,
    load: LoadDetector = load_detector,
) -> Poses:
    """Predict 3D poses and cameras of the people in a source.

    Video is streamed. If reading fails or is interrupted, the poses up to there are processed and
    written before the exception is raised. A webcam ends with an interruption, without exception;
    its poses are written to `poses.jsonl` while it runs, and only those of its last hour are kept.
    A second interruption keeps the files that are complete. Two predictions cannot write to one
    folder at the same time.

    Args:
        source: see `camerapose.predict`.
        out: folder for the result files, created if needed; None writes no files.
        options: None: the default options.
        progress: show a progress bar on a terminal.
        log: receives lines of text.
        check: called between the stages after reading, and between files; an exception of it ends
            the prediction.
        predictor: with the weights of the options; None: it is loaded.
        load: returns the detector; called if the source is not keypoints.

    Raises:
        FileNotFoundError, ValueError: the source or an option cannot be used.
        OSError: a file cannot be written.
    """
    source, out = Source.open(source, log=log), None if out is None else Path(out)
    options = options or PredictOptions()
    info = check_request(source, out, options)
    if predictor is None:
        predictor = Predictor(options.weights, device=options.device, threads=options.threads)
    check_temporal(predictor, options)
    if out is None:
        return _run(source, info, None, options, predictor, progress, log, check, load)
    with _output_folder(out):
        return _run(source, info, out, options, predictor, progress, log, check, load)


@contextmanager
def _output_folder(out: Path) -> Iterator[None]:
    """Create a folder and lock it during the context; remove a new one if nothing was written."""
    new = not out.exists()
    try:
        with lock_folder(files.make_folder(out)):
            yield
    finally:
        if new:
            with suppress(OSError):
                out.rmdir()


def _run(
    source: Source,
    info: SourceInfo | None,
    out: Path | None,
    options: PredictOptions,
    predictor: Predictor,
    progress: bool,
    log: Log,
    check: Check,
    load: LoadDetector,
) -> Poses:
    """Read, detect, track, lift, process and write."""
    began = time.monotonic()
    sampler, preview = FrameSampler(latest=_latest(source)), start_preview(source, info, options)
    live_path = live.live_file(source, out)

    if source.kind == "keypoints":
        detections = read_keypoints(source, options, log)
    else:
        observers: list[Observer] = [sampler] if out is not None and options.figure else []
        observers += [] if preview is None else [observer(preview)]
        with ExitStack() as stack:
            shown = live.start(live_path, predictor, options, stack)
            observers += [] if shown is None else [shown]
            detector = load(options, source.is_video)
            detections = _detect_all(source, info, options, detector, observers, progress)
    check()
    with delayed_interrupt(log):
        detections = select_people(
            detections, options, log,
            consecutive=source.is_video or source.kind == "keypoints",
            renumber=source.kind == "video",
        )  # fmt: skip
        if options.slowmo != 1:
            detections = without_slow_motion(detections, options.slowmo)
        focal = known_focal(detections, source, options, log)
        lifted = lift(detections, predictor, focal, options.height)
        lifted = lifted._replace(poses=corrected(lifted.poses, predictor, options))
        check()
        seconds = time.monotonic() - began
        poses, plane = process(
            lifted.poses, source, detections.frames, options, log, focal=lifted.focal
        )  # fmt: skip
        lifted = lifted._replace(poses=poses)  # frees those before processing
        for line in summarize(lifted, poses, seconds):
            log(line)
        written = [] if live_path is None else [live_path]
        if out is not None:
            written += write_poses(poses, lifted, out, plane)
    if out is not None:
        written += write_outputs(
            poses, lifted, source, out, options,
            images=sampler.images, preview=preview, plane=plane, progress=progress, check=check,
        )  # fmt: skip
        log("wrote " + ", ".join(str(path) for path in written))
    if detections.error is not None:
        raise detections.error
    return poses


def _detect_all(
    source: Source,
    info: SourceInfo | None,
    options: PredictOptions,
    detector: Any,
    observers: list[Observer],
    progress: bool,
) -> Detections:
    """Read all frames; detect and track their people."""
    video = source.is_video
    notes: list[str] = []
    rate = info.fps / options.stride if info and info.fps else None
    tracker = create_tracker(options.people_per_frame, rate) if video else None

    def detect_with(detector: Any) -> Detections:
        frames = source.frames(options.start, options.end, options.stride)
        if source.kind == "video":
            frames = read_ahead(frames)
        shown = _with_progress(frames, _frame_count(info, options), progress)
        people = detect(shown, detector, consecutive=video, notes=None if video else notes)
        return collect(
            track(people, tracker),
            joint_formats.get(detector.skeleton),
            timed=video,
            observers=observers if video else [],
            latest=_latest(source),
        )

    detections = detect_with(detector)
    if source.kind == "video" and not len(detections) and detections.error is None:
        view = find_view(detector, source, options, len(detections.frames[0]))
        if view is not None:
            detector.reset()
            detections = detect_with(ViewDetector(detector, view))
            notes.append(f"people were only detected {view}")
    detections = replace(detections, notes=(*detections.notes, *notes))
    if source.kind == "webcam" and isinstance(detections.error, KeyboardInterrupt):
        return replace(detections, error=None)  # how a webcam is ended
    return correct_swaps(detections) if source.kind == "video" else detections


def _latest(source: Source) -> int | None:
    """Return the number of frames of an endless source that are kept; None for other sources."""
    return DEFAULT.max_live_frames if source.kind == "webcam" else None


def _with_progress(frames: Iterator[Frame], count: int | None, progress: bool) -> Iterator[Frame]:
    hidden = True if not progress or count == 1 else None  # None: unless on a terminal
    return iter(tqdm(frames, total=count, unit="frame", disable=hidden))


def _frame_count(info: SourceInfo | None, options: PredictOptions) -> int | None:
    start, end, stride = options.start or 0, options.end, options.stride
    if info is None or info.n_frames is None:
        return None if end is None else len(range(start, end, stride))
    return len(range(start, min(end or info.n_frames, info.n_frames), stride))
