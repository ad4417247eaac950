"""`camerapose serve`: predict in a browser. One page, by Gradio, on this computer unless told.

Nothing is loaded from or told to anybody else: no fonts, no scripts, no statistics. Uploads and
results lie in one private folder, which is emptied as `serve` says.
"""

import html
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from camerapose.infer import clip
from camerapose.infer.pipeline import _detector, predict
from camerapose.infer.predictor import Predictor
from camerapose.io.frames import IncompleteInput
from camerapose.io.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Source

#: What is written for downloading, besides poses.json, poses.npz and pictures.
EXPORTS = ("trc", "c3d", "bvh", "gltf", "csv")
#: People at most that can be asked for, photos' pixels, visitors who may wait.
MOST_PEOPLE, MOST_PIXELS, MOST_WAITING = 6, 50_000_000, 10
#: Frames a second that a length limit counts with at most: slow motion has more.
MOST_FPS = 120
#: Seconds between looks for files that are due.
SWEEP = 30.0
_STYLE = """
footer {display: none !important}
.camerapose-3d iframe {width: 100%; border: 1px solid #dfe3e9; border-radius: 8px}
#files button[aria-label^="Remove"], #files .label-clear-button {display: none}
"""
_WELCOME = """# camerapose
3D poses, and the camera that saw them, from a photo or a video of people.

Your file stays on the computer that serves this page. It and the results are deleted when you
close the page, and after {keep:g} minutes at the latest. At most {megabytes:g} MB; of a video the
first {seconds:g} seconds."""


class Limits(NamedTuple):
    """What is taken, and for how long it is kept."""

    megabytes: float = 200
    seconds: float = 60
    keep_minutes: float = 60


class Found(NamedTuple):
    """What a visitor gets.

    Attributes:
        words: Markdown.
        video: with the poses drawn on it.
        picture: image, 2D, 3D and reprojection, where the upload is a photo.
        view: HTML: 3D to turn.
        files: to download, all in one first.
    """

    words: str
    video: str | None = None
    picture: str | None = None
    view: str = ""
    files: tuple[str, ...] = ()


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    weights: str | os.PathLike = "default",
    detector: str = "blazepose",
    model: str = "auto",
    limits: Limits = Limits(),  # noqa: B008
    threads: int | None = None,
    browser: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until interrupted.

    Visitors are served one at a time. What they upload and get is deleted when they close the
    page, when `limits.keep_minutes` have passed, and all of it when the server ends.

    Args:
        host: 127.0.0.1 is for this computer alone; 0.0.0.0 for everyone who can reach it.
        port: of TCP.
        weights, detector, model, threads: see `predict`.
        browser: open the page, too.

    Raises:
        ValueError: Gradio is missing, or a setting can't be used.
        OSError: the port is taken, or models can't be fetched.
    """
    _gradio()
    Predictor(weights, threads=threads)
    _detector(detector, model, 1, True, threads)  # what it needs is fetched now, not by a visitor
    options = dict(weights=weights, detector=detector, model=model, threads=threads)
    with opened(host, port, options, limits, browser=browser) as address:
        say(f"camerapose is at {address} (Ctrl-C ends it)")
        if host not in ("127.0.0.1", "localhost", "::1"):
            say(
                f"everyone who can reach {host} can use it, without password or encryption: "
                "put a proxy that has both before it"
            )
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            say("ended; uploads and results are deleted")
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def opened(
    host: str, port: int, options: dict[str, Any], limits: Limits, *, browser: bool = False
) -> Iterator[str]:
    """The page, while the context lasts; gives its address."""
    with tempfile.TemporaryDirectory(prefix="camerapose-") as folder, _gradio_in(folder):
        desk = Desk(Path(folder), options, limits)
        page = build(desk)
        page.queue(max_size=MOST_WAITING, default_concurrency_limit=1)
        sweeper = threading.Thread(target=desk.sweep_on, daemon=True)
        sweeper.start()
        try:
            address = _launch(page, host, port, browser, limits)
            yield address
        finally:
            page.close(verbose=False)
            desk.done.set()
            sweeper.join()


def _launch(page: Any, host: str, port: int, browser: bool, limits: Limits) -> str:
    """The page's address."""
    gradio = _gradio()
    theme = gradio.themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"],
                                  font_mono=["ui-monospace", "monospace"])  # fmt: skip
    try:
        _, address, _ = page.launch(
            server_name=host, server_port=port, inbrowser=browser, quiet=True, share=False,
            prevent_thread_lock=True, ssr_mode=False, run_history=False, footer_links=[],
            enable_monitoring=False, max_file_size=round(limits.megabytes * 1e6), css=_STYLE,
            theme=theme,
        )  # fmt: skip
    except OSError as error:
        raise OSError(
            f"the page can't be opened at {host}, port {port}: the port is taken, or the address "
            "is none of this computer; give others with --port and --host"
        ) from error
    return address


def build(desk: "Desk") -> Any:
    """The page: what to give on the left, what comes out on the right, 3D below."""
    gradio = _gradio()

    def run(
        file: str | None,
        people: int | float,
        height: int | float | None,
        static_camera: bool,
        request: gradio.Request,
        progress: Any = gradio.Progress(track_tqdm=True),  # noqa: B008
    ) -> tuple:
        try:
            found = desk.look(file, int(people), height, static_camera, str(request.session_hash))
        except (ValueError, OSError) as error:
            raise gradio.Error(
                desk.without_folder(str(error)), duration=None, print_exception=False
            ) from error
        return (
            gradio.Markdown(found.words, visible=True),
            gradio.Video(found.video, visible=found.video is not None),
            gradio.Image(found.picture, visible=found.picture is not None),
            gradio.File(list(found.files), visible=bool(found.files)),
            gradio.HTML(found.view, visible=bool(found.view)),
        )

    def note(file: str, request: gradio.Request) -> None:
        desk.note(file, str(request.session_hash))

    def leave(request: gradio.Request) -> None:
        desk.forget(str(request.session_hash))

    with gradio.Blocks(title="camerapose", analytics_enabled=False, fill_width=True) as page:
        gradio.Markdown(_WELCOME.format(
            keep=desk.limits.keep_minutes, megabytes=desk.limits.megabytes,
            seconds=desk.limits.seconds,
        ))  # fmt: skip
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                file = gradio.File(
                    label="Photo or video", file_types=sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES),
                    elem_id="upload", height=180,
                )  # fmt: skip
                people = gradio.Slider(1, MOST_PEOPLE, 1, step=1, label="People to look for")
                height = gradio.Number(
                    0, label="Height of the person, metres", step=0.01,
                    info="With it sizes and distances become right; 0 if you don't know it.",
                )  # fmt: skip
                still = gradio.Checkbox(False, label="The camera stood still")
                button = gradio.Button("Find poses", variant="primary", elem_id="run")
            with gradio.Column(scale=2, min_width=400):
                words = gradio.Markdown(
                    "The result appears here.", elem_id="words", line_breaks=True
                )
                video = gradio.Video(
                    label="3D on the video", visible=False, elem_id="video", height=420,
                    buttons=["download"],
                )  # fmt: skip
                picture = gradio.Image(
                    label="Detected, 3D, reprojected", visible=False, elem_id="picture",
                    type="filepath", show_label=False, buttons=["download", "fullscreen"],
                )  # fmt: skip
                files = gradio.File(
                    label="Files", visible=False, elem_id="files", file_count="multiple",
                    height=260, interactive=False,
                )  # fmt: skip
        view = gradio.HTML(visible=False, elem_id="view", elem_classes="camerapose-3d")
        button.click(
            run, [file, people, height, still], [words, video, picture, files, view],
            api_name="predict", concurrency_limit=1,
        )  # fmt: skip
        file.upload(note, file, queue=False, api_visibility="private")
        page.unload(leave)
    return page


class Desk:
    """Does the work of the page, in one folder.

    Args:
        folder: Gradio puts uploads into it, each into a folder of its own.
        options: of `predict`, the same for everyone.
    """

    def __init__(self, folder: Path, options: dict[str, Any], limits: Limits):
        self.folder, self.limits = folder, limits
        self.done = threading.Event()
        self._options = options
        self._uploads: dict[str, set[Path]] = {}

    def look(
        self,
        file: str | None,
        people: int = 1,
        height: int | float | None = None,
        static_camera: bool = False,
        visitor: str = "",
    ) -> Found:
        """Predict an upload.

        Raises:
            ValueError: it can't be read or is too large; the message is for the visitor.
        """
        if not file:
            raise ValueError("Give a photo or a video first.")
        path = self.note(file, visitor)
        kind = self._checked(path)
        height = float(height) if height else None  # an empty field comes as 0
        if height is not None:
            clip.check_height(height)
        out = self._place(visitor) / uuid.uuid4().hex / "camerapose"
        lines: list[str] = []
        video = kind == "video"
        end = None
        if video:
            end, cut = self._last_frame(path)
            lines += [cut] if cut else []
        try:
            predict(
                path, out, max_people=people, height=height, static_camera=static_camera,
                end=end, export=EXPORTS, overlay=video, report=True, picture=True, say=lines.append,
                **self._options,
            )  # fmt: skip
        except IncompleteInput as error:  # what could be read is written
            lines.append(f"**{self.without_folder(str(error))}**")
        return self._found(out, [line for line in lines if not line.startswith("wrote ")])

    def note(self, file: str, visitor: str) -> Path:
        """Whose upload it is."""
        self._uploads.setdefault(visitor, set()).add(Path(file))
        return Path(file)

    def without_folder(self, text: str) -> str:
        """The same without the places of uploads, which only we know."""
        for path in sorted({p for paths in self._uploads.values() for p in paths}):
            text = text.replace(str(path), path.name)
        return text.replace(f"{self.folder}{os.sep}", "")

    def forget(self, visitor: str) -> None:
        """Delete what a visitor uploaded and got."""
        for path in self._uploads.pop(visitor, ()):
            shutil.rmtree(path.parent if path.parent != self.folder else path, ignore_errors=True)
        shutil.rmtree(self._place(visitor), ignore_errors=True)

    def sweep(self) -> None:
        """Delete what is older than it may become."""
        due = time.time() - 60 * self.limits.keep_minutes
        for path in sorted(self.folder.rglob("*"), reverse=True):  # what is inside comes first
            try:
                if path.is_dir():
                    if not any(path.iterdir()) and path.stat().st_mtime < due:
                        path.rmdir()
                elif path.stat().st_mtime < due:
                    path.unlink()
            except OSError:  # gone meanwhile, or just being filled
                continue

    def sweep_on(self) -> None:
        """Sweep until `done`."""
        while not self.done.wait(SWEEP):
            self.sweep()

    def _place(self, visitor: str) -> Path:
        return self.folder / f"of-{''.join(c for c in visitor if c.isalnum())}"

    def _checked(self, path: Path) -> str:
        """What the upload is: "image" or "video", of a size that may be."""
        if not path.is_file():
            raise ValueError("The file was deleted meanwhile; upload it again.")
        kind = Source.open(path).kind
        if kind not in ("image", "video"):
            raise ValueError(f"{path.name} is neither a photo nor a video.")
        size = path.stat().st_size / 1e6
        if size > self.limits.megabytes:
            raise ValueError(
                f"{path.name} has {size:.0f} MB; this page takes {self.limits.megabytes:g} MB. "
                "Cut or shrink it, or run `camerapose predict` yourself."
            )
        # Text can be a playlist, which would make FFmpeg open files that nobody uploaded.
        with path.open("rb") as stream:
            head = stream.read(512)
        if head and b"\0" not in head and head.isascii():
            raise ValueError(f"{path.name} holds text, neither a photo nor a video.")
        if kind == "image":
            self._check_pixels(path)
        return kind

    def _check_pixels(self, path: Path) -> None:
        """Before they are unpacked; what Pillow can't open, `Source` will explain."""
        try:
            with Image.open(path) as image:
                width, height = image.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return
        if width * height > MOST_PIXELS:
            raise ValueError(
                f"{path.name} has {width} x {height} pixels; this page takes "
                f"{MOST_PIXELS / 1e6:.0f} million. Shrink it."
            )

    def _last_frame(self, path: Path) -> tuple[int, str]:
        """The frame to stop before, and what to tell a visitor whose video is longer."""
        info = Source.open(path).info()
        assert info is not None  # a video
        rate = min(info.fps or 30.0, MOST_FPS)
        end = max(1, round(self.limits.seconds * rate))
        if info.n_frames is None or info.n_frames <= end:
            return end, ""
        return end, (
            f"**The video is {info.n_frames / (info.fps or 30.0):.0f} s long; this page takes the "
            f"first {end / (info.fps or 30.0):.0f}.** `camerapose predict` takes all of it."
        )

    def _found(self, out: Path, lines: list[str]) -> Found:
        """What `predict` wrote, for the page."""
        words = "\n".join(f"- {line}" for line in lines)
        page = out / "report.html"
        if not page.exists():  # no poses
            return Found(f"**Nobody was found.** Is a whole person to be seen?\n\n{words}")
        overlay = out / "overlay.mp4"
        pictures = sorted(out.glob("*poses.png"))
        archive = shutil.make_archive(str(out), "zip", out)
        tall = 1120 if overlay.exists() else 760  # curves under one another, or 3D alone
        view = (
            f'<iframe title="3D" style="height: {tall}px" sandbox="allow-scripts allow-downloads" '
            f'srcdoc="{html.escape(page.read_text(encoding="utf-8"))}"></iframe>'
        )
        return Found(
            words,
            video=str(overlay) if overlay.exists() else None,
            picture=None if overlay.exists() or not pictures else str(pictures[0]),
            view=view,
            files=(archive, *(str(file) for file in sorted(out.iterdir()))),
        )


def _gradio() -> Any:
    """Gradio, told to keep to itself."""
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, str(name != "GRADIO_ANALYTICS_ENABLED"))
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ValueError(
            f'the page needs {error.name}; install it with pip install "camerapose[serve]"'
        ) from None
    return gradio


@contextmanager
def _gradio_in(folder: str) -> Iterator[None]:
    """Gradio keeps uploads there."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
