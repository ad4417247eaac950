"""Write files atomically: a file that is incomplete never has its final name."""

import contextlib
import errno
import functools
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, overload

#: Age in seconds after which the temporary file of another computer's process is removed.
ABANDONED = 24 * 3600
#: Free bytes below which the failure of a library counts as a full disk.
MIN_FREE = 1 << 16
#: Errors that only writing can cause, whoever raises them.
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_HINTS = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EFBIG: "choose a file system that accepts larger files",
    errno.EACCES: "choose a folder with write permission",
    errno.EPERM: "choose a folder with write permission",
    errno.EROFS: "choose a folder with write permission",
}
_TEMPORARY = re.compile(r"\..*-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}-part(\.\w+)?")


class AtomicFile:
    """Provide a temporary path to a library that writes files by name.

    On leaving the context, the file at the temporary path is flushed to disk and renamed to
    `path`, replacing an existing file. If an exception leaves the context, `path` keeps its
    previous content and the temporary file is removed. The temporary file is in the folder of
    `path` and has the same suffix. A symbolic link is followed; a device or a pipe receives the
    complete content.

    Args:
        path: final name; its folder must exist.
        min_size: least number of bytes of a complete file. Several libraries do not report a full
            disk.

    Raises:
        OSError: the file cannot be written, or the library wrote fewer bytes than `min_size`. The
            message is one line that names the file.
    """

    def __init__(self, path: str | os.PathLike[str], *, min_size: int = 1):
        self.path = Path(path)
        self.min_size = min_size
        self._target = self._temporary = self.path

    def __enter__(self) -> Path:
        try:
            self._target = Path(os.path.realpath(self.path))
            special = _is_special(self._target)
            folder = Path(tempfile.gettempdir()) if special else self._target.parent
            self._temporary = folder / _temporary_name(self._target)
            if self._target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if self._target.exists() and not os.access(self._target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            _remove_abandoned(folder)
            # With the permissions that `open` would give, which tempfile.mkstemp does not.
            os.close(os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise self._explained(error) from error
        return self._temporary

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._commit()
            elif isinstance(error, OSError) and self._is_ours(error):
                raise self._explained(error) from error
            elif isinstance(error, Exception) and _is_full(self._temporary.parent):
                raise self._explained(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
        finally:
            with contextlib.suppress(OSError):
                self._temporary.unlink()

    def _commit(self) -> None:
        try:
            size = self._temporary.stat().st_size
            if size < self.min_size:
                full = _is_full(self._temporary.parent)
                reason = "no space left" if full else "the library wrote an incomplete file"
                raise OSError(reason)
            if _is_special(self._target):
                with open(self._temporary, "rb") as source, open(self._target, "wb") as target:
                    shutil.copyfileobj(source, target)
                return
            if self._target.exists():
                shutil.copymode(self._target, self._temporary)
            _flush(self._temporary, os.O_RDWR)
            os.replace(self._temporary, self._target)
            if os.name != "nt":  # Windows cannot open folders
                _flush(self._target.parent, os.O_RDONLY)
        except OSError as error:
            raise self._explained(error) from error

    def _is_ours(self, error: OSError) -> bool:
        """Whether an error comes from writing the temporary file, not from reading another."""
        if error.filename is not None:
            return os.fspath(error.filename) == str(self._temporary)
        return error.errno is None or error.errno in _WRITING

    def _explained(self, error: OSError) -> OSError:
        """Return an error of the same class whose message names the file and a remedy."""
        code = error.errno
        reason = error.strerror or str(error) or type(error).__name__
        hint = _HINTS.get(code or 0)
        if code == errno.ENOENT and not self._target.parent.exists():
            reason, hint = f"folder {self._target.parent} does not exist", "create it first"
        written = 0
        with contextlib.suppress(OSError):
            written = self._temporary.stat().st_size if self._temporary != self.path else 0
        if written or self.min_size > 1:
            reason += f" after {_megabytes(written)}"
            reason += f" of {_megabytes(self.min_size)}" if self.min_size > 1 else ""
        known = type(error) if type(error).__module__ == "builtins" else OSError
        message = f"cannot write {self.path}: {reason[0].lower()}{reason[1:]}"
        explained = known(f"{message}; {hint}" if hint else message)
        explained.errno = code
        return explained


@overload
def atomic_write(
    path: str | os.PathLike[str], mode: Literal["wb"] = "wb"
) -> AbstractContextManager[IO[bytes]]: ...
@overload
def atomic_write(
    path: str | os.PathLike[str], mode: Literal["w"]
) -> AbstractContextManager[IO[str]]: ...
@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: Literal["w", "wb"] = "wb") -> Iterator[IO]:
    r"""Open a file for writing that gets its final name when the context is left.

    See `AtomicFile` for what happens on errors. Text is UTF-8 with ``\n`` at line ends.

    Args:
        path: final name; its folder must exist.
        mode: "wb" for bytes, "w" for text.

    Raises:
        OSError: the file cannot be written; the message is one line that names the file.
    """
    text: dict[str, Any] = {"encoding": "utf-8", "newline": "\n"} if mode == "w" else {}
    with AtomicFile(path, min_size=0) as temporary, open(temporary, mode, **text) as file:
        yield file


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes atomically; raises as `AtomicFile`."""
    with AtomicFile(path, min_size=len(content)) as temporary, open(temporary, "wb") as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Write UTF-8 text with ``\n`` at line ends atomically; raises as `AtomicFile`."""
    write_bytes(path, text.encode())


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents, unless it exists, and check that it can be written to.

    Raises:
        OSError: the folder cannot be created or written to; the message is one line.
    """
    folder = Path(path)
    probe = folder / _temporary_name(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        reason = "a file has this name" if isinstance(error, FileExistsError) else error.strerror
        message = f"cannot write to the folder {folder}: {(reason or str(error)).lower()}"
        raise type(error)(f"{message}; choose another folder") from error
    return folder


def flush_folder(folder: str | os.PathLike[str]) -> None:
    """Flush all files of a folder to disk, for folders that get their final name by renaming."""
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            _flush(path, os.O_RDWR)
        elif path.is_dir() and os.name != "nt":
            _flush(path, os.O_RDONLY)
    if os.name != "nt":
        _flush(Path(folder), os.O_RDONLY)


def _temporary_name(target: Path) -> str:
    """Return a hidden, unused name with the suffix of `target`, within the usual 255 bytes."""
    suffix = target.suffix if re.fullmatch(r"\.\w{1,16}", target.suffix) else ""
    stem = target.stem[:32].replace(".", "_")
    return f".{stem}-{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}-part{suffix}"


@functools.cache
def _machine() -> str:
    """Return a name of the computer, or the container, whose process numbers are comparable."""
    namespace = 0
    with contextlib.suppress(OSError):
        namespace = os.stat("/proc/self/ns/pid").st_ino
    return f"{zlib.crc32(f'{platform.node()} {namespace}'.encode()):08x}"


@functools.cache
def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files that killed processes left, once per folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY.fullmatch(entry.name)
            if name and _is_abandoned(name[1], int(name[2]), entry):
                os.unlink(entry.path)


def _is_abandoned(machine: str, process: int, entry: os.DirEntry) -> bool:
    if machine == _machine() and os.name != "nt":  # os.kill would end processes on Windows
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass
        return False
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, such as /dev/stdout, which must not be replaced."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < MIN_FREE
    except OSError:
        return False


def _flush(path: Path, flags: int) -> None:
    """Flush a file or a folder to disk, where the file system can."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"
