"""Poses while a webcam or video is read: smoothed, written and shown frame by frame."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from camerapose.core.poses import Poses
from camerapose.infer.detection import Detections, Person
from camerapose.infer.lift import check_temporal, lift
from camerapose.infer.live_smoothing import LiveSmoother
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.infer.temporal import LiveTemporal
from camerapose.io import files, results
from camerapose.io.frames import Frame
from camerapose.io.source import Source
from camerapose.view.live import LiveView
from camerapose.view.window import Window

#: Receives each frame and its people; None for nobody.
Sink = Callable[[Frame, Poses | None], None]


class LivePoses:
    """Lift and smooth the people of each frame, and pass them on.

    Args:
        predictor: lifts the people of a frame.
        options: strength of smoothing (None: 1), and known quantities.
        sinks: receive the frames and poses.
    """

    def __init__(self, predictor: Predictor, options: PredictOptions, sinks: Sequence[Sink]):
        self._predictor, self._options, self._sinks = predictor, options, sinks
        self._smooth = LiveSmoother(1.0 if options.smooth is None else options.smooth)
        model = check_temporal(predictor, options)
        self._correct = None if model is None or options.smooth == 0 else LiveTemporal(model)

    def __call__(self, frame: Frame, people: list[Person], detections: Detections) -> None:
        """Lift the people of a frame; an observer of `infer.detection.collect`."""
        poses = None
        if people:
            focal = self._options.focal
            focals = None if focal is None else np.full(len(detections), float(focal))
            lifted = lift(detections, self._predictor, focals, self._options.height).poses
            if self._correct is not None and len(lifted):
                lifted = self._correct(lifted, frame.time)
            poses = self._smooth(lifted, frame.time) if len(lifted) else None
        for sink in self._sinks:
            sink(frame, poses)


class LiveWriter:
    """Append the poses of each webcam frame to a file, one line of JSON per pose.

    Args:
        path: the .jsonl file; emptied now.
    """

    def __init__(self, path: Path):
        self.path = path
        files.write_text(path, "")

    def __call__(self, frame: Frame, poses: Poses | None) -> None:
        """Write the people of a frame."""
        if poses is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"skeleton": poses.skeleton.name} | row, allow_nan=False) + "\n"
                    for row in results.rows(poses)
                )


class LiveWindow:
    """Show each frame with its people in a window.

    Args:
        window: is closed by the caller.
    """

    def __init__(self, window: Window):
        self._window, self._view = window, LiveView()

    def __call__(self, frame: Frame, poses: Poses | None) -> None:
        """Show the people of a frame.

        Raises:
            KeyboardInterrupt: the user has closed the window, or pressed q or Escape.
        """
        if not self._window.show(self._view.compose(frame.image, poses, frame.time)):
            raise KeyboardInterrupt


def live_file(source: Source, out: Path | None) -> Path | None:
    """Return the file of the poses of a webcam; None for other sources and without folder."""
    return None if out is None or source.kind != "webcam" else out / "poses.jsonl"


def start(
    path: Path | None, predictor: Predictor, options: PredictOptions, stack: ExitStack
) -> LivePoses | None:
    """Return an observer of the frames that writes and shows poses as far as required.

    Args:
        path: see `live_file`.
        stack: closes the window.

    Returns:
        None if there is nothing to do.
    """
    sinks: list[Sink] = [] if path is None else [LiveWriter(path)]
    if options.show:
        sinks.append(LiveWindow(stack.enter_context(Window())))
    return LivePoses(predictor, options, sinks) if sinks else None
