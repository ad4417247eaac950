"""Predictions for the visitors of the web page, and the deletion of their files."""

import html
import os
import shutil
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.io.frames import IncompleteInput
from camerapose.server.limits import ServerLimits, check_upload, frame_limit

#: Export formats offered for download.
EXPORTS = ("trc", "c3d", "bvh", "gltf", "csv")
#: Seconds between searches for expired files.
EXPIRY_INTERVAL = 30.0
#: Heights of the report, pixels: of a video (3D next to curves) and of an image (3D only).
VIDEO_HEIGHT, IMAGE_HEIGHT = 1120, 760


class Result(NamedTuple):
    """The result of a prediction.

    Attributes:
        summary: Markdown.
        video: path of the video overlay; None for images.
        figure: path of the figure; None for videos.
        report: HTML of the interactive report; empty without poses.
        files: paths for download, an archive of all others first.
    """

    summary: str
    video: str | None = None
    figure: str | None = None
    report: str = ""
    files: tuple[str, ...] = ()


class Jobs:
    """Run predictions, and keep the files of each visitor separate.

    Args:
        folder: contains all uploads and results; Gradio stores each upload in a folder of its own.
        options: options of all predictions; visitors choose people, height and static camera.
    """

    def __init__(self, folder: Path, options: PredictOptions, limits: ServerLimits):
        self.folder, self.limits = folder, limits
        self.stopped = threading.Event()
        self._options = options
        self._uploads: dict[str, set[Path]] = {}

    def run(
        self,
        file: str | None,
        people: int = 1,
        height: int | float | None = None,
        static_camera: bool = False,
        visitor: str = "",
    ) -> Result:
        """Predict the poses in an upload.

        Args:
            file: path of the upload.
            people: maximum number of people.
            height: body height in metres; 0 or None if it is unknown.
            static_camera: whether the camera does not move.
            visitor: identifier of the session.

        Raises:
            ValueError: the upload cannot be read or is too large, or an invalid height; see
                `without_folder`.
        """
        if not file:
            raise ValueError("no file; upload an image or a video first")
        path = self.register(file, visitor)
        source = check_upload(path, self.limits)
        out = self._result_folder(visitor) / uuid.uuid4().hex / "camerapose"
        end, cut = frame_limit(source, self.limits) if source.is_video else (None, "")
        options = replace(
            self._options, max_people=people, height=float(height) if height else None,
            static_camera=static_camera, end=end, export=EXPORTS, overlay=source.is_video,
            report=True,
        )  # fmt: skip
        lines = [cut] if cut else []
        try:
            predict(source, out, options, log=lines.append)
        except IncompleteInput as error:  # the poses of the readable part are written
            lines.append(f"**{self.without_folder(str(error))}**")
        return collect(out, [line for line in lines if not line.startswith("wrote ")])

    def register(self, file: str, visitor: str) -> Path:
        """Assign an upload to a visitor, whose session deletes it at its end."""
        self._uploads.setdefault(visitor, set()).add(Path(file))
        return Path(file)

    def without_folder(self, text: str) -> str:
        """Remove the folders of uploads, which visitors do not know, from a message."""
        for path in sorted({p for paths in self._uploads.values() for p in paths}):
            text = text.replace(str(path), path.name)
        return text.replace(f"{self.folder}{os.sep}", "")

    def end_session(self, visitor: str) -> None:
        """Delete the uploads and results of a visitor."""
        for path in self._uploads.pop(visitor, ()):
            shutil.rmtree(path.parent if path.parent != self.folder else path, ignore_errors=True)
        shutil.rmtree(self._result_folder(visitor), ignore_errors=True)

    def delete_expired(self) -> None:
        """Delete files that are older than `limits.keep_minutes`."""
        oldest = time.time() - 60 * self.limits.keep_minutes
        for path in sorted(self.folder.rglob("*"), reverse=True):  # the content of folders first
            try:
                if path.is_dir():
                    if not any(path.iterdir()) and path.stat().st_mtime < oldest:
                        path.rmdir()
                elif path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:  # deleted or written meanwhile
                continue

    def delete_expired_until_stopped(self) -> None:
        """Delete expired files regularly until `stopped` is set; run it in a thread."""
        while not self.stopped.wait(EXPIRY_INTERVAL):
            self.delete_expired()

    def _result_folder(self, visitor: str) -> Path:
        return self.folder / f"results-{''.join(c for c in visitor if c.isalnum())}"


def collect(out: Path, lines: list[str]) -> Result:
    """Return the files that `predict` wrote as a result.

    Args:
        lines: log of the prediction.
    """
    summary = "\n".join(f"- {line}" for line in lines)
    report = out / "report.html"
    if not report.exists():  # no poses
        message = "**No person was detected.** The whole body should be visible."
        return Result(f"{message}\n\n{summary}")
    overlay = out / "overlay.mp4"
    figures = sorted(out.glob("*poses.png"))
    archive = shutil.make_archive(str(out), "zip", out)
    height = VIDEO_HEIGHT if overlay.exists() else IMAGE_HEIGHT
    frame = (
        f'<iframe title="3D" style="height: {height}px" sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{html.escape(report.read_text(encoding="utf-8"))}"></iframe>'
    )
    return Result(
        summary,
        video=str(overlay) if overlay.exists() else None,
        figure=None if overlay.exists() or not figures else str(figures[0]),
        report=frame,
        files=(archive, *(str(file) for file in sorted(out.iterdir()))),
    )
