"""Layout of the web page: inputs on the left, results on the right, 3D below."""

from collections.abc import Sequence
from typing import Any

from camerapose.io import export
from camerapose.io.recognise import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from camerapose.server.jobs import EVERYONE, LARGEST, LONGEST, Jobs
from camerapose.server.limits import MAX_PEOPLE
from camerapose.server.live import add_live_view
from camerapose.server.results import Result
from camerapose.server.uploads import import_gradio

CSS = """
footer {display: none !important}
#summary {min-height: 130px; scroll-margin-top: 12px}
#video video {height: auto !important; max-height: 420px}
#summary .pending {opacity: 0 !important}
.camerapose-3d iframe {width: 100%; height: min(1120px, 92vh); border: 1px solid #dfe3e9}
#files button[aria-label^="Remove"], #files .label-clear-button {display: none}
.gradio-container {padding-left: max(8px, 1vw) !important; padding-right: max(8px, 1vw) !important}
.gradio-container .main.fillable {padding: 16px clamp(0px, 4vw - 12px, 32px) !important}
.camerapose-3d, .camerapose-3d > * {padding: 0 !important}
"""
_WELCOME = """# camerapose
See how people move in 3D: choose a video or photo in which the whole body is visible, and press
the button. The 3D view, joint angles and files for other programs appear on this page.

Your video is processed on the computer that serves this page and nowhere else, and deleted when
you close the page. Your result gets an address of its own that nobody can guess, so that you can
reload or bookmark it; it is deleted when you press *Delete this result*, {keep:g} minutes after it
was last opened, or when the server stops.

At most {megabytes:g} MB; of a video the first {seconds:g} seconds. Keep the page open until the
result appears."""
_START = "The result appears here. A video of 10 seconds takes about half a minute."
#: Choices of people, by their texts on the page.
WHICH = {
    "Everyone": EVERYONE,
    "Only the person who looks largest": LARGEST,
    "Only the person who is visible longest": LONGEST,
}
#: Show the address of a result, or that of the empty page, in the browser.
_ADDRESS = (
    "(name) => {history.replaceState(null, '', name ? '?result=' + name : location.pathname)}"
)
#: Show the progress, which is below the settings on a phone.
_SCROLL = "() => {document.querySelector('#summary').scrollIntoView({block: 'center'})}"
#: The same for the result in the address of the page, unless it is in view or scrolled past.
_SCROLL_TO_RESULT = """() => {
  const summary = document.querySelector('#summary');
  const isBelow = summary.getBoundingClientRect().top > innerHeight / 2;
  if (location.search.includes('result=') && isBelow) summary.scrollIntoView();
}"""


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
                inputs, button, sample = _inputs(gradio, jobs.formats)
                add_live_view(gradio, jobs, inputs[1])
            with gradio.Column(scale=2, min_width=280):
                outputs = _outputs(gradio)
                name = gradio.Textbox(visible=False)
                delete = gradio.Button(
                    "Delete this result", visible=False, size="sm", elem_id="delete"
                )
        outputs.append(gradio.HTML(visible=False, elem_id="report", elem_classes="camerapose-3d"))
        kept = [*outputs, name, delete]
        _connect(gradio, jobs, inputs, kept, button, sample)
        _connect_results(gradio, page, jobs, kept)
        # Only with such an event do pages keep the connection that `Sessions` observes.
        page.unload(lambda: None)
    return page


def _inputs(gradio: Any, formats: Sequence[str]) -> tuple[list[Any], Any, Any]:
    """Create the inputs of `run`, and the buttons.

    Args:
        formats: of files for other programs that are chosen at first.
    """
    file = gradio.File(
        label="Video or photo", file_types=sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES),
        elem_id="upload", height=180,
    )  # fmt: skip
    sample = gradio.Button("Try it with a sample video", size="sm", elem_id="sample")
    people = gradio.Slider(1, MAX_PEOPLE, 1, step=1, label="How many people are there, at most?")
    which = gradio.Dropdown(list(WHICH), value="Everyone", label="Who is of interest?")
    height = gradio.Number(
        0, label="Body height in metres", step=0.01,
        info="For example 1.75. Makes sizes and distances correct; 0 if you do not know it.",
    )  # fmt: skip
    static = gradio.Checkbox(
        False, label="The camera did not move", info="For example, it stood on a tripod."
    )
    ground = gradio.Checkbox(
        False, label="Put people upright on a floor",
        info="Corrects a tilted camera; people should stand or walk for a part of the video.",
    )  # fmt: skip
    known = export.installed()
    files = gradio.Dropdown(
        [(text, name) for name, text in known.items()], value=[f for f in formats if f in known],
        label="Files for other programs", multiselect=True, elem_id="formats",
    )  # fmt: skip
    button = gradio.Button("Estimate the movement in 3D", variant="primary", elem_id="run")
    return [file, people, height, static, ground, which, files], button, sample


def _outputs(gradio: Any) -> list[Any]:
    """Create the outputs: summary, video, figure, files."""
    summary = gradio.Markdown(_START, elem_id="summary", line_breaks=True)
    video = gradio.Video(
        label="Video with 3D poses", visible=False, elem_id="video", show_label=False,
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


def _connect(
    gradio: Any, jobs: Jobs, inputs: list[Any], kept: list[Any], button: Any, sample: Any
) -> None:
    """Connect the buttons and uploads with the jobs.

    Args:
        kept: outputs of a result; see `_shown`.
    """

    def run(
        file: str | None,
        people: int | float,
        height: int | float | None,
        static_camera: bool,
        ground: bool,
        which: str,
        formats: list[str] | None,
        request: gradio.Request,
        progress: Any = gradio.Progress(),  # noqa: B008
    ) -> tuple:
        try:
            result = jobs.run(
                file, int(people), height, static_camera, str(request.session_hash),
                ground=ground, which=WHICH.get(which, EVERYONE), export=formats,
                report=lambda part, text: progress(part, desc=text),
            )  # fmt: skip
        except (ValueError, OSError) as error:
            raise gradio.Error(
                jobs.without_folder(str(error)), duration=None, print_exception=False
            ) from error
        return _shown(gradio, result)

    def register(file: str, request: gradio.Request) -> None:
        jobs.register(file, str(request.session_hash))

    def wait(request: gradio.Request) -> None:
        jobs.wait(str(request.session_hash))

    def load_sample(request: gradio.Request) -> tuple[str, int]:
        try:
            return str(jobs.sample(str(request.session_hash))), 2
        except OSError as error:
            raise gradio.Error(str(error), duration=None, print_exception=False) from error

    limit, name = jobs.limits.workers, kept[5]
    for start in (button, sample):
        start.click(None, None, None, js=_SCROLL, api_visibility="private")
    button.click(wait, queue=False, api_visibility="private")
    button.click(run, inputs, kept, api_name="predict", concurrency_limit=limit).success(
        None, name, None, js=_ADDRESS, api_visibility="private"
    )
    loaded = sample.click(load_sample, None, inputs[:2], api_visibility="private")
    loaded.success(run, inputs, kept, api_visibility="private", concurrency_limit=limit).success(
        None, name, None, js=_ADDRESS, api_visibility="private"
    )
    inputs[0].upload(register, inputs[0], queue=False, api_visibility="private")


def _connect_results(gradio: Any, page: Any, jobs: Jobs, kept: list[Any]) -> None:
    """Show the result in the address of the page, and let it be deleted."""

    def restore(request: gradio.Request) -> tuple:
        name = str(request.query_params.get("result", ""))
        result = jobs.results.load(name) if name else None
        if result is not None:
            return _shown(gradio, result)
        text = "**This result has been deleted.** Choose a file." if name else _START
        return _shown(gradio, Result(text))

    def delete(name: str) -> tuple:
        jobs.results.delete(name)
        return _shown(gradio, Result("The result has been deleted."))

    name, button = kept[5:]
    page.load(
        restore, None, kept, queue=False, api_visibility="private", show_progress="hidden"
    ).then(None, None, None, js=_SCROLL_TO_RESULT, api_visibility="private")
    button.click(delete, name, kept, queue=False, api_visibility="private").success(
        None, name, None, js=_ADDRESS, api_visibility="private"
    )


def _shown(gradio: Any, result: Result) -> tuple:
    """Return the outputs: summary, video, figure, files, report, name, button for deletion."""
    return (
        gradio.Markdown(result.summary, visible=True),
        gradio.Video(result.video, visible=result.video is not None),
        gradio.Image(result.figure, visible=result.figure is not None),
        gradio.File(list(result.files) or None, visible=bool(result.files)),
        gradio.HTML(result.report, visible=bool(result.report)),
        result.name,
        gradio.Button(visible=bool(result.name)),
    )
