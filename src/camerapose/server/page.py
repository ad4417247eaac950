"""Layout of the web page: inputs on the left, results on the right, 3D below."""

import atexit
import os
import shutil
import sys
import tempfile
from typing import Any

from camerapose.io.recognise import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from camerapose.server.jobs import Jobs
from camerapose.server.limits import MAX_PEOPLE

CSS = """
footer {display: none !important}
.camerapose-3d iframe {width: 100%; border: 1px solid #dfe3e9; border-radius: 8px}
#files button[aria-label^="Remove"], #files .label-clear-button {display: none}
"""
_WELCOME = """# camerapose
3D poses and the camera, estimated from an image or a video of people.

Your file stays on the computer that serves this page. The file and the results are deleted when
you close the page, and after {keep:g} minutes at the latest. At most {megabytes:g} MB; of a video
the first {seconds:g} seconds."""


def build(jobs: Jobs) -> Any:
    """Return the page as `gradio.Blocks`."""
    gradio = import_gradio()
    with gradio.Blocks(title="camerapose", analytics_enabled=False, fill_width=True) as page:
        gradio.Markdown(_WELCOME.format(
            keep=jobs.limits.keep_minutes, megabytes=jobs.limits.max_megabytes,
            seconds=jobs.limits.max_seconds,
        ))  # fmt: skip
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                inputs, button = _inputs(gradio)
            with gradio.Column(scale=2, min_width=400):
                outputs = _outputs(gradio)
        outputs.append(gradio.HTML(visible=False, elem_id="report", elem_classes="camerapose-3d"))
        _connect(gradio, jobs, inputs, outputs, button)
        # Only with such an event do pages keep the connection that `Sessions` observes.
        page.unload(lambda: None)
    return page


def import_gradio() -> Any:
    """Import Gradio with downloads disabled.

    Raises:
        ValueError: it is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "True")
    # Gradio keeps the folder that it reads when it is imported; its default is shared by all users.
    private = None
    if "GRADIO_TEMP_DIR" not in os.environ and "gradio" not in sys.modules:
        private = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="camerapose-")
        atexit.register(shutil.rmtree, private, ignore_errors=True)
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ValueError(
            f'the page requires {error.name}; run pip install "camerapose[serve]"'
        ) from None
    finally:
        if private is not None:
            del os.environ["GRADIO_TEMP_DIR"]
    return gradio


def _inputs(gradio: Any) -> tuple[list[Any], Any]:
    """Create the inputs (file, people, height, static camera) and the button."""
    file = gradio.File(
        label="Image or video", file_types=sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES),
        elem_id="upload", height=180,
    )  # fmt: skip
    people = gradio.Slider(1, MAX_PEOPLE, 1, step=1, label="Maximum number of people")
    height = gradio.Number(
        0, label="Body height (metres)", step=0.01,
        info="Gives sizes and distances their true scale; 0 if unknown.",
    )  # fmt: skip
    static = gradio.Checkbox(False, label="Static camera")
    button = gradio.Button("Estimate poses", variant="primary", elem_id="run")
    return [file, people, height, static], button


def _outputs(gradio: Any) -> list[Any]:
    """Create the outputs: summary, video, figure, files."""
    summary = gradio.Markdown("The result appears here.", elem_id="summary", line_breaks=True)
    video = gradio.Video(
        label="Video with 3D poses", visible=False, elem_id="video", height=420,
        buttons=["download"],
    )  # fmt: skip
    figure = gradio.Image(
        label="Detected 2D, 3D, reprojection", visible=False, elem_id="figure",
        type="filepath", show_label=False, buttons=["download", "fullscreen"],
    )  # fmt: skip
    files = gradio.File(
        label="Files", visible=False, elem_id="files", file_count="multiple",
        height=260, interactive=False,
    )  # fmt: skip
    return [summary, video, figure, files]


def _connect(gradio: Any, jobs: Jobs, inputs: list[Any], outputs: list[Any], button: Any) -> None:
    """Connect the button and uploads with the jobs."""

    def run(
        file: str | None,
        people: int | float,
        height: int | float | None,
        static_camera: bool,
        request: gradio.Request,
        progress: Any = gradio.Progress(track_tqdm=True),  # noqa: B008
    ) -> tuple:
        visitor = str(request.session_hash)
        try:
            result = jobs.run(file, int(people), height, static_camera, visitor)
        except (ValueError, OSError) as error:
            raise gradio.Error(
                jobs.without_folder(str(error)), duration=None, print_exception=False
            ) from error
        return (
            gradio.Markdown(result.summary, visible=True),
            gradio.Video(result.video, visible=result.video is not None),
            gradio.Image(result.figure, visible=result.figure is not None),
            gradio.File(list(result.files), visible=bool(result.files)),
            gradio.HTML(result.report, visible=bool(result.report)),
        )

    def register(file: str, request: gradio.Request) -> None:
        jobs.register(file, str(request.session_hash))

    def wait(request: gradio.Request) -> None:
        jobs.wait(str(request.session_hash))

    button.click(wait, queue=False, api_visibility="private")
    button.click(run, inputs, outputs, api_name="predict", concurrency_limit=jobs.limits.workers)
    inputs[0].upload(register, inputs[0], queue=False, api_visibility="private")
