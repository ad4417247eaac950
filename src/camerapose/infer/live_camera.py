"""Live view of frames that are passed on one after another, such as those of a browser's camera."""

import time
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from camerapose.core import joint_formats
from camerapose.core.poses import Poses
from camerapose.infer.detection import detect, load_detector, one_frame, track
from camerapose.infer.live import LivePoses
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.io.frames import Frame
from camerapose.io.resize import shrink
from camerapose.track.identities import create_tracker
from camerapose.view.live import LiveView

#: Longest side of the frames that are processed, pixels.
MAX_SIDE = 640


class LiveCamera:
    """Detect, lift and draw the people in the frames of one camera, in memory.

    Args:
        options: of the detector and the network.
    """

    def __init__(self, options: PredictOptions):
        detector = load_detector(options, consecutive=True)
        self._skeleton = joint_formats.get(detector.skeleton)
        self._frame = Frame(0, 0.0, np.zeros((1, 1, 3), np.uint8), "")
        self._tracked = track(
            detect(self._frames(), detector, consecutive=True),
            create_tracker(options.people_per_frame, None),
        )
        predictor = Predictor(options.weights, device=options.device, threads=options.threads)
        self._lift = LivePoses(predictor, options, [self._show])
        self._view, self._shown = LiveView(), self._frame.image
        self._start = time.monotonic()

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """Return the view of the next frame: 2D, 3D and joint angles."""
        index, seconds = self._frame.index + 1, time.monotonic() - self._start
        self._frame = Frame(index, seconds, shrink(image, MAX_SIDE), "camera")
        frame, people = next(self._tracked)
        self._lift(frame, people, one_frame(frame, people, self._skeleton, True))
        return self._shown

    def _frames(self) -> Iterator[Frame]:
        while True:
            yield self._frame

    def _show(self, frame: Frame, poses: Poses | None) -> None:
        self._shown = self._view.compose(frame.image, poses, frame.time)
