"""Locks of folders, so that two processes do not write to one at the same time."""

import contextlib
import errno
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from camerapose.io.files import ABANDONED, make_folder

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: File in a folder that is in use.
NAME = ".camerapose.lock"
#: File in a private folder, whose process holds its lock.
PRIVATE_LOCK = ".camerapose-private.lock"
_PRIVATE = re.compile(r"camerapose-([a-z]+-)?[a-z0-9_]{8}")
#: Start of the names of folders with uploads, and the empty folder that Gradio creates in others.
_PAGE, _GRADIO_FOLDER = "camerapose-page-", "vibe_edit_history"
#: Errors of file systems without locks, where none is used.
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class FolderInUse(OSError):
    """Another process is writing to a folder."""


@contextlib.contextmanager
def lock_folder(
    folder: str | os.PathLike[str],
    *,
    name: str = NAME,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock of a folder during the context.

    The operating system releases the lock when the process ends, however it ends. The lock file is
    removed at the end of the context; one that a killed process left does not matter.

    Args:
        folder: existing folder.
        name: name of the lock file in it.
        waiting: wait for another process, after calling this with a message. None: do not wait.

    Raises:
        FolderInUse: another process, or another thread, holds the lock; only without `waiting`.
        OSError: the lock file cannot be created.
    """
    path = Path(folder) / name
    file = _acquire(path, False)
    if file is None:
        owner = _owner(path)
        if waiting is None:
            raise FolderInUse(
                f"{folder} is in use by another process{owner}; wait until it has finished, or "
                "choose another folder"
            )
        waiting(f"waiting for another process{owner} that uses {folder}")
        while file is None:
            file = _acquire(path, True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if os.name != "nt":  # Windows does not remove open files
                path.unlink()
        file.close()
        if os.name == "nt":
            with contextlib.suppress(OSError):
                path.unlink()


def _acquire(path: Path, wait: bool) -> IO[bytes] | None:
    """Return the locked file; None if another process holds it, or has removed it meanwhile."""
    # Never truncated: the holder's name must remain readable. In a folder that others can write
    # to, a symbolic link may lead to any file.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.fdopen(os.open(path, flags), "r+b", 0)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(f"the lock file {path} is a symbolic link; remove it") from error
    try:
        if not _lock(file, wait) or not _is_same(file, path):
            file.close()
            return None if wait else _retry(path, file)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
    except BaseException:
        file.close()
        raise
    return file


def _retry(path: Path, file: IO[bytes]) -> IO[bytes] | None:
    """Try again if the lock file was removed by its holder between opening and locking."""
    return None if path.exists() else _acquire(path, False)


def _lock(file: IO[bytes], wait: bool) -> bool:
    """Lock a file; return whether that succeeded."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        else:
            import msvcrt

            mode = "LK_LOCK" if wait else "LK_NBLCK"
            file.seek(1 << 30)  # far from the text, which others read
            msvcrt.locking(file.fileno(), getattr(msvcrt, mode), 1)  # type: ignore[attr-defined]
            file.seek(0)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        if error.errno not in _UNSUPPORTED:
            raise
    return True


def _is_same(file: IO[bytes], path: Path) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False


def _owner(path: Path) -> str:
    """Return the process that holds a lock, in brackets, if it is known."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    return f" ({text})" if text else ""


@contextlib.contextmanager
def lock_cache(
    folder: str | os.PathLike[str], name: str, waiting: Callable[[str], None]
) -> Iterator[None]:
    """Create a folder of the cache and hold a lock in it, after waiting for other processes.

    Args:
        folder, name, waiting: as in `lock_folder`.

    Raises:
        OSError: the folder cannot be created or written to.
    """
    with lock_folder(make_folder(folder), name=name, waiting=waiting):
        yield


@contextlib.contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """Provide a temporary folder that only this user can access; remove it at the end.

    Those that killed processes of this user left are removed first.

    Args:
        purpose: part of the name, camerapose-PURPOSE-RANDOM; letters.
    """
    remove_private_folders(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"camerapose-{purpose}-"))
    try:
        with lock_folder(folder, name=PRIVATE_LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():  # a thread is writing: another process removes it
            with contextlib.suppress(OSError):
                (folder / PRIVATE_LOCK).write_text("abandoned")


def remove_private_folders(parent: Path) -> None:
    """Remove the private folders of this user whose processes were killed.

    A process holds the lock of its folder, which the operating system releases at its end. Folders
    without a lock file, or with an empty one, of processes that were about to lock it, are removed
    after a day.
    """
    for folder in parent.glob("camerapose-*"):
        with contextlib.suppress(OSError):
            if _is_private(folder):
                _remove_abandoned(folder)


def _is_private(folder: Path) -> bool:
    """Whether a folder has the name, the owner and the permissions of a private folder."""
    status = folder.lstat()  # of the link, if it is one
    own = os.name == "nt" or (status.st_uid == os.getuid() and not status.st_mode & 0o077)
    return own and stat.S_ISDIR(status.st_mode) and bool(_PRIVATE.fullmatch(folder.name))


def _remove_abandoned(folder: Path) -> None:
    """Remove a private folder unless its process runs; raise OSError if that fails."""
    # Earlier web pages used the common name.
    for name in (PRIVATE_LOCK, NAME) if folder.name.startswith(_PAGE) else (PRIVATE_LOCK,):
        if (folder / name).exists() and (folder / name).stat().st_size:
            with lock_folder(folder, name=name):
                shutil.rmtree(folder)
            return
    newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    if time.time() - newest < ABANDONED:
        return
    if folder.name.startswith(_PAGE) or (folder / PRIVATE_LOCK).exists():
        shutil.rmtree(folder)
        return
    with contextlib.suppress(OSError):
        (folder / _GRADIO_FOLDER).rmdir()
    folder.rmdir()
