"""Live view of a visitor's camera: poses in the frames that the browser sends."""

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from camerapose.core import joint_formats
from camerapose.core.poses import Poses
from camerapose.infer.detection import detect, load_detector, one_frame, track
from camerapose.infer.live import LivePoses
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.io.frames import Frame
from camerapose.io.resize import shrink
from camerapose.server.jobs import Jobs
from camerapose.track.identities import create_tracker
from camerapose.view.live import LiveView

#: Longest side of the frames that are processed, pixels; quality of the images that are sent back.
MAX_SIDE, QUALITY = 640, 75
#: Seconds between frames, if the server is fast enough, and after which the view ends.
INTERVAL, TIME_LIMIT = 0.1, 300
_TEXT = "Frames are sent to the computer that serves this page, and not stored."


class LiveCamera:
    """Detect, lift and draw the people in the frames of one visitor, in memory.

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


def add_live_view(gradio: Any, jobs: Jobs, people: Any) -> None:
    """Add the live view to the page that is being built.

    Args:
        people: component with the number of people.
    """

    def show(
        image: np.ndarray | None, number: int | float, camera: LiveCamera | None
    ) -> tuple[Any, LiveCamera | None]:
        if image is None:
            return gradio.skip(), camera
        if camera is None:
            camera = LiveCamera(replace(jobs.options, max_people=int(number)))
        return _tag(camera(image)), camera

    with gradio.Accordion("Live view of your camera", open=False, elem_id="live"):
        gradio.Markdown(_TEXT)
        source = gradio.Image(
            sources=["webcam"], streaming=True, type="numpy", show_label=False, height=200,
            webcam_options=gradio.WebcamOptions(mirror=False), buttons=[], elem_id="camera",
        )  # fmt: skip
        view = gradio.HTML(elem_id="live-view")
        camera = gradio.State(None, time_to_live=2 * TIME_LIMIT)
        source.stream(
            show, [source, people, camera], [view, camera], stream_every=INTERVAL,
            time_limit=TIME_LIMIT, concurrency_limit=jobs.limits.workers, show_progress="hidden",
            api_visibility="private",
        )  # fmt: skip


def _tag(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """Return the HTML of an image, which is not stored in a file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="2D, 3D and joint angles" src="data:image/jpeg;base64,{data}">'
