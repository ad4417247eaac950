"""Live view of a visitor's camera: poses in the frames that the browser sends."""

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from camerapose.infer.live_camera import LiveCamera
from camerapose.server.jobs import Jobs

#: Quality of the images that are sent back.
QUALITY = 75
#: Seconds between frames, if the server is fast enough, and after which the view ends.
INTERVAL, TIME_LIMIT = 0.1, 300
_TEXT = "Frames are sent to the computer that serves this page, and not stored."


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
