"""Predictions for the visitors of the web page, and the deletion of their files."""

import os
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.io.assets import asset
from camerapose.io.files import make_folder
from camerapose.io.frames import IncompleteInput
from camerapose.io.locks import PRIVATE_LOCK as LOCK
from camerapose.io.source import Source
from camerapose.server.clock import JobClock, TimeLimitReached
from camerapose.server.limits import ServerLimits, check_upload, fewest_frames, frame_limit
from camerapose.server.progress import JobProgress, Report
from camerapose.server.results import PREFIX, Result, Results

#: Formats of files for other programs, unless a visitor or the options of the server choose others.
EXPORTS = ("trc", "c3d", "bvh", "gltf", "csv")
#: Seconds between searches for expired files, and after which uploads of no visitor are deleted.
EXPIRY_INTERVAL, ORPHAN_SECONDS = 30.0, 60.0
#: Choices of people.
EVERYONE, LARGEST, LONGEST = "all", "largest", "longest"


def _ignore(part: float, text: str) -> None:
    """Discard the progress."""


class Jobs:
    """Run predictions, and keep the files of each visitor separate.

    Uploads are deleted at the end of a session. Results have addresses of their own and stay until
    they are deleted or expire.

    Args:
        folder: contains all uploads and results; Gradio stores each upload in a folder of its own.
        options: options of all predictions; visitors choose people, height, camera, floor, formats.
    """

    def __init__(self, folder: Path, options: PredictOptions, limits: ServerLimits):
        self.folder, self.limits = folder, limits
        self.stopped = threading.Event()
        self.results = Results(folder)
        self.options = options
        self.formats = options.export or EXPORTS
        self._uploads: dict[str, set[Path]] = {}
        self._made: dict[str, set[Path]] = {}
        self._lock = threading.RLock()
        self._waiting: set[str] = set()
        self._running: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._ended: dict[str, float] = {}

    def run(
        self,
        file: str | None,
        people: int = 1,
        height: int | float | None = None,
        static_camera: bool = False,
        visitor: str = "",
        *,
        ground: bool = False,
        which: str = EVERYONE,
        export: Sequence[str] | None = None,
        report: Report = _ignore,
    ) -> Result:
        """Predict the poses in an upload.

        Args:
            file: path of the upload.
            people: maximum number of people.
            height: body height in metres; 0 or None if it is unknown.
            static_camera: whether the camera does not move.
            visitor: identifier of the session.
            ground: align files and report with gravity.
            which: `EVERYONE`, or the `LARGEST` or `LONGEST` visible person.
            export: formats of files for other programs; None: `formats`.
            report: receives the progress.

        Raises:
            ValueError: the upload cannot be read or is too large, or an invalid height; see
                `without_folder`.
        """
        with self._lock:
            self._waiting.discard(visitor)
            self._running[visitor] += 1
        try:
            options = replace(
                self.options, max_people=people if which == EVERYONE else 1,
                people=None if which == EVERYONE else which,
                height=float(height) if height else None, static_camera=static_camera,
                export=self.formats if export is None else tuple(export), report=True,
                ground=ground,
            )  # fmt: skip
            return self._run(file, options, visitor, report)
        finally:
            with self._lock:
                self._running[visitor] -= 1
                if not self._running[visitor]:
                    del self._running[visitor]
                    if self.is_closed(visitor):
                        self._delete(visitor)

    def _run(
        self, file: str | None, options: PredictOptions, visitor: str, report: Report
    ) -> Result:
        if not file:
            raise ValueError("no file; upload an image or a video first")
        path = self.register(file, visitor)
        self._check_required(visitor)
        self._check_space(visitor)
        source = check_upload(path, self.limits)
        end, cut = frame_limit(source, self.limits) if source.is_video else (None, "")
        options = replace(options, end=end, overlay=source.is_video)
        info, out = source.info(), self.results.new()
        if end and info and options.min_frames == 1:
            options = replace(options, min_frames=fewest_frames(info.n_frames, end))
        progress = JobProgress(report, min(end, info.n_frames or end) if end and info else 1)
        with self._lock:
            self._made.setdefault(visitor, set()).add(out.parent)
        lines = [cut] if cut else []
        clock = JobClock(self.limits.max_job_minutes, lambda: self._ending(visitor), progress)
        kept = False
        try:
            self._predict(source, out, options, clock, lines)
            self._check_required(visitor)  # otherwise nobody receives the address
            lines = [line for line in lines if not line.startswith("wrote ")]
            result = self.results.keep(out, lines)
            kept = True
            return result
        finally:
            if not kept:
                shutil.rmtree(out.parent, ignore_errors=True)

    def _predict(
        self, source: Source, out: Path, options: PredictOptions, clock: JobClock, lines: list[str]
    ) -> None:
        """Predict; where the input or the time ends early, keep the files that are complete."""
        try:
            predict(clock.limited(source), out, options, log=lines.append, check=clock)
        except IncompleteInput as error:  # the poses of the readable part are written
            lines.append(f"**{self.without_folder(str(error))}**")
        except TimeLimitReached as error:
            if not (out / "report.html").exists():
                raise
            lines += [f"**{text}**" for text in (clock.cut, f"{error}: files are missing") if text]

    def sample(self, visitor: str) -> Path:
        """Return a copy of the sample video as an upload of a visitor; downloaded on first use.

        Raises:
            OSError: it cannot be downloaded.
        """
        path = make_folder(self.folder / f"sample-{uuid.uuid4().hex}") / "sample.mp4"
        shutil.copyfile(asset("demo.mp4"), path)
        return self.register(str(path), visitor)

    def is_closed(self, visitor: str) -> bool:
        """Return whether a visitor has closed the page."""
        return visitor in self._ended

    def stop(self, seconds: float) -> int:
        """Stop all predictions and the deletion of expired files.

        Returns:
            Number of predictions that have not stopped after some seconds.
        """
        self.stopped.set()
        end = time.monotonic() + seconds
        while self._running and time.monotonic() < end:
            time.sleep(0.05)
        with self._lock:
            return sum(self._running.values())

    def _ending(self, visitor: str) -> str | None:
        """Return why the predictions of a visitor end; None if they do not."""
        if self.stopped.is_set():
            return "the server is stopping; try again later"
        return "the page was closed" if self.is_closed(visitor) else None

    def _check_required(self, visitor: str) -> None:
        """Raise ValueError if a prediction is not required any more."""
        if (reason := self._ending(visitor)) is not None:
            raise ValueError(reason)

    def register(self, file: str, visitor: str) -> Path:
        """Assign an upload to a visitor, whose session deletes it at its end.

        Raises:
            ValueError: not a file in the folder of uploads; symbolic links are not followed.
        """
        path = Path(file)
        if path.is_symlink() or not path.resolve().is_relative_to(self.folder.resolve()):
            raise ValueError(f"{path.name} is not an upload")
        with self._lock:
            self._uploads.setdefault(visitor, set()).add(path)
            if visitor in self._ended and not self._running[visitor]:
                self._delete(visitor)
        return path

    def begin_session(self, visitor: str) -> None:
        """Note that a visitor has opened the page, or has connected again."""
        with self._lock:
            self._open[visitor] += 1
            self._ended.pop(visitor, None)

    def wait(self, visitor: str) -> None:
        """Keep the files of a visitor who waits for a prediction."""
        with self._lock:
            self._waiting.add(visitor)

    def _check_space(self, visitor: str) -> None:
        """Raise ValueError if the uploads and results take too much space."""
        total, own = 1e6 * self.limits.max_total_megabytes, _size(self._folders(visitor))
        if own > total / 4:
            self.end_results(visitor)
            raise ValueError("your files take too much space, and were deleted; upload one again")
        if _size([self.folder]) > total:
            raise ValueError("the server has no space for further results; try again later")

    def end_results(self, visitor: str) -> None:
        """Delete the files of a visitor now."""
        with self._lock:
            for folder in self._made.pop(visitor, ()):
                shutil.rmtree(folder, ignore_errors=True)
            self._delete(visitor)

    def _folders(self, visitor: str) -> list[Path]:
        """Return the folders of a visitor's uploads and results."""
        with self._lock:
            made = sorted(self._made.get(visitor, ()))
            return [*self._upload_folders(visitor), *made]

    def _upload_folders(self, visitor: str) -> list[Path]:
        uploads = sorted(self._uploads.get(visitor, ()))
        return [path.parent if path.parent != self.folder else path for path in uploads]

    def without_folder(self, text: str) -> str:
        """Remove the folders of uploads, which visitors do not know, from a message."""
        with self._lock:
            uploads = {path for paths in self._uploads.values() for path in paths}
        for path in sorted(uploads):
            text = text.replace(str(path), path.name)
        return text.replace(f"{self.folder}{os.sep}", "")

    def end_session(self, visitor: str) -> None:
        """Delete the uploads of a visitor, after the prediction that is running.

        Requests that arrive later are those of a closed page.
        """
        with self._lock:
            self._open[visitor] -= 1
            if self._open[visitor] > 0:  # another connection of the same page
                return
            del self._open[visitor]
            self._waiting.discard(visitor)
            self._ended[visitor] = time.time()
            if not self._running[visitor]:
                self._delete(visitor)

    def _delete(self, visitor: str) -> None:
        own = self._upload_folders(visitor)
        self._uploads.pop(visitor, None)
        # A program may pass the path of an upload of another session.
        shared = {folder for other in self._uploads for folder in self._upload_folders(other)}
        for folder in own:
            if folder not in shared:
                shutil.rmtree(folder, ignore_errors=True)

    def delete_expired(self) -> None:
        """Delete files older than `limits.keep_minutes`, except of visitors who wait.

        Uploads that belong to no visitor are deleted after a minute without visitors: their page
        was closed before the upload was complete.
        """
        now = time.time()
        oldest = now - 60 * self.limits.keep_minutes
        with self._lock:
            self._ended = {v: t for v, t in self._ended.items() if t > oldest or self._running[v]}
            busy = {*self._waiting, *(v for v, n in self._running.items() if n)}
            kept = {f for v in busy for f in self._folders(v)}
            if not busy and not self._open:
                self._delete_orphans(now - ORPHAN_SECONDS)
            for visitor, made in list(self._made.items()):
                made &= {path for path in made if path in kept or path.exists()}
                if not made:
                    del self._made[visitor]
        self.results.delete_expired(oldest, kept)
        for path in sorted(self.folder.rglob("*"), reverse=True):  # the content of folders first
            inside = path.relative_to(self.folder).parts[0].startswith(PREFIX)
            if path.name == LOCK or inside or any(path.is_relative_to(f) for f in kept):
                continue
            try:
                if path.is_dir() and not path.is_symlink():
                    if not any(path.iterdir()) and path.stat().st_mtime < oldest:
                        path.rmdir()
                elif path.lstat().st_mtime < oldest:
                    path.unlink()
            except OSError:  # deleted or written meanwhile
                continue

    def _delete_orphans(self, oldest: float) -> None:
        """Delete uploads of no visitor that are older than a time."""
        known = {folder for visitor in self._uploads for folder in self._folders(visitor)}
        for path in sorted(self.folder.iterdir()):
            if path in known or path.name == LOCK or path.name.startswith(PREFIX):
                continue
            with suppress(OSError):
                if max(p.lstat().st_mtime for p in (path, *path.rglob("*"))) < oldest:
                    path.unlink() if path.is_file() else shutil.rmtree(path)

    def delete_expired_until_stopped(self) -> None:
        """Delete expired files regularly until `stopped` is set; run it in a thread."""
        while not self.stopped.wait(EXPIRY_INTERVAL):
            self.delete_expired()


def _size(folders: list[Path]) -> int:
    """Return the bytes of all files in folders."""
    total = 0
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            with suppress(OSError):
                total += path.lstat().st_size if not path.is_dir() else 0
    return total
