"""Results of predictions, which stay at an address of their own until they are deleted."""

import html
import json
import os
import re
import shutil
import uuid
import zipfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from camerapose.io.files import atomic_write, make_folder, write_text

#: Prefix of the folders of results, and file with the log of the prediction.
PREFIX, LOG = "results-", "log.json"


class Result(NamedTuple):
    """The result of a prediction.

    Attributes:
        summary: Markdown.
        video: path of the video overlay; None for images.
        figure: path of the figure; None for videos.
        report: HTML of the interactive report; empty without poses.
        files: paths for download, an archive of all others first.
        name: of the result in its address; empty without files.
    """

    summary: str
    video: str | None = None
    figure: str | None = None
    report: str = ""
    files: tuple[str, ...] = ()
    name: str = ""


class Results:
    """Store results in folders with names that cannot be guessed.

    Args:
        folder: contains the folders.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def new(self) -> Path:
        """Return a folder for the files of `predict`; it does not exist yet."""
        return self._folder / f"{PREFIX}{uuid.uuid4().hex}" / "camerapose"

    def keep(self, out: Path, lines: list[str]) -> Result:
        """Keep the files that `predict` wrote into a folder of `new`; return the result.

        Args:
            lines: log of the prediction.
        """
        make_folder(out.parent)
        write_text(out.parent / LOG, json.dumps(lines))
        result = collect(out, lines)
        if not result.files:
            shutil.rmtree(out.parent, ignore_errors=True)
            return result
        return result._replace(name=out.parent.name.removeprefix(PREFIX))

    def load(self, name: str) -> Result | None:
        """Return a result, whose time for expiry starts again; None if it has been deleted."""
        place = self._place(name)
        try:
            lines = json.loads((place / LOG).read_text()) if place is not None else None
        except (OSError, ValueError):
            return None
        if place is None or lines is None:
            return None
        try:
            os.utime(place / LOG)
            return collect(place / "camerapose", lines)._replace(name=name)
        except OSError:  # deleted meanwhile
            return None

    def delete(self, name: str) -> None:
        """Delete a result; nothing happens if there is none of this name."""
        place = self._place(name)
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)

    def delete_expired(self, oldest: float, kept: Collection[Path] = ()) -> None:
        """Delete results that were last written or opened before a time, each as a whole.

        Args:
            oldest: seconds since the epoch.
            kept: folders that are not deleted.
        """
        for folder in self._folder.glob(f"{PREFIX}*"):
            with suppress(OSError):  # deleted or written meanwhile
                newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
                if newest < oldest and folder not in kept:
                    shutil.rmtree(folder)

    def _place(self, name: str) -> Path | None:
        """Return the folder of a result; None for what cannot be a name."""
        if not re.fullmatch(r"[0-9a-f]{32}", name):
            return None
        return self._folder / f"{PREFIX}{name}"


def collect(out: Path, lines: list[str]) -> Result:
    """Return the files that `predict` wrote as a result, in an archive, too.

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
    archive = Path(f"{out}.zip")
    if not archive.exists():
        with (
            atomic_write(archive) as stream,
            zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as content,
        ):
            for file in sorted(out.iterdir()):
                content.write(file, file.name)
    frame = (
        '<iframe title="3D" sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{html.escape(report.read_text(encoding="utf-8"))}"></iframe>'
    )
    return Result(
        summary,
        video=str(overlay) if overlay.exists() else None,
        figure=None if overlay.exists() or not figures else str(figures[0]),
        report=frame,
        files=(str(archive), *(str(file) for file in sorted(out.iterdir()))),
    )
