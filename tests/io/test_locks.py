"""Locks of folders: between processes and threads, after kills, and without remains."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from camerapose.io import locks
from camerapose.io.locks import FolderInUse, lock_folder, private_folder, remove_private_folders

HOLD = """
import sys
from camerapose.io.locks import lock_folder
with lock_folder(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock of `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.wait()


def test_second_process_is_refused(holder, tmp_path):
    with pytest.raises(FolderInUse, match=rf"in use by .*process {holder.pid} on .*choose another"):
        lock_folder(tmp_path).__enter__()
    holder.communicate(b"")
    with lock_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_second_process_waits(holder, tmp_path):
    messages = []

    def release(message):
        messages.append(message)
        threading.Timer(0.2, holder.kill).start()

    with lock_folder(tmp_path, waiting=release):
        assert (tmp_path / locks.NAME).read_text().startswith(f"process {os.getpid()} ")
    assert len(messages) == 1 and f"process {holder.pid}" in messages[0]


def test_lock_of_a_killed_process(holder, tmp_path):
    os.kill(holder.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    holder.wait()
    assert (tmp_path / locks.NAME).exists()
    with lock_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_threads_of_one_process(tmp_path):
    with lock_folder(tmp_path), pytest.raises(FolderInUse), lock_folder(tmp_path):
        pass
    inside, most = [], []

    def work():
        for _ in range(20):
            with lock_folder(tmp_path, waiting=lambda message: None):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 160


def test_lock_is_released_after_an_exception(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock_folder(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(locks.fcntl is None, reason="POSIX locks")
def test_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with lock_folder(tmp_path):
        pass


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError), lock_folder(tmp_path / "absent"):
        pass


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


PRIVATE = """
from camerapose.io.locks import private_folder
with private_folder("page") as folder:
    (folder / "photo.png").touch()
    print(folder, flush=True)
    input()
"""


def test_private_folders_of_killed_processes_are_removed(temporary):
    """Not those of running processes."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PRIVATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=os.environ | {"TMPDIR": str(temporary)},
        ) for _ in range(2)
    ]  # fmt: skip
    killed, running = (temporary / process.stdout.readline().strip() for process in processes)
    assert killed.stat().st_mode & 0o077 == 0
    processes[0].kill()
    processes[0].wait()
    with private_folder("gradio") as own:
        assert sorted(temporary.iterdir()) == sorted([running, own])
        assert (running / "photo.png").exists()
    processes[1].communicate("\n")
    assert not list(temporary.iterdir())


def test_other_folders_are_not_removed(temporary):
    def folder(name, age=0.0, file=None, mode=0o700):
        path = temporary / name
        path.mkdir(mode)
        if file:
            (path / file).write_text("content")
            os.utime(path / file, (time.time() - age,) * 2)
        os.utime(path, (time.time() - age,) * 2)
        return path

    week = 7 * 24 * 3600.0
    kept = [
        folder("camerapose-new45678"),  # of a process that does not have its lock yet
        folder("camerapose-page-content1", week, "photo.png", mode=0o755),
        folder("camerapose-page-lock4567", week, locks.PRIVATE_LOCK, mode=0o755),
        folder("camerapose-page-upload12", 60, "photo.png"),
        folder("camerapose-analysis", week, "poses.json"),
        folder("camerapose-analyses", week, locks.NAME),
        folder("camerapose-results", week, locks.NAME),  # of a killed prediction
        folder("camerapose-page-results-of-monday", week, locks.PRIVATE_LOCK),
        folder("elsewhere", week, locks.PRIVATE_LOCK),
    ]
    (temporary / "camerapose-link1234").symlink_to(kept[-1])
    folder("camerapose-old45678", week)
    folder("camerapose-page-content2", week, "photo.png")
    folder("camerapose-page-locked12", 0.0, locks.NAME)  # of an earlier version
    left = folder("camerapose-old56789", week) / locks._GRADIO_FOLDER
    left.mkdir()
    for path in (left, left.parent):
        os.utime(path, (time.time() - week,) * 2)
    folder("camerapose-page-killed12", 0.0, locks.PRIVATE_LOCK)
    remove_private_folders(temporary)
    assert set(temporary.iterdir()) == {*kept, temporary / "camerapose-link1234"}


def test_processes_that_start_together_keep_their_private_folders(temporary):
    lost = []

    def work():
        for i in range(10):
            with private_folder("page") as folder:
                (folder / "photo.png").touch()
                dead = temporary / f"camerapose-page-{threading.get_ident() % 10**6:06}{i:02}"
                dead.mkdir(0o700, exist_ok=True)
                (dead / locks.PRIVATE_LOCK).write_text("process 1")
                remove_private_folders(temporary)
                lost.extend([folder] * (not (folder / "photo.png").exists()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    remove_private_folders(temporary)
    assert not lost and not list(temporary.iterdir())


def test_private_folder_that_a_thread_still_uses_is_removed_later(temporary, monkeypatch):
    with private_folder("page") as folder:
        (folder / "photo.png").touch()
        monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors: None)
    monkeypatch.undo()
    assert folder.exists()
    remove_private_folders(folder.parent)
    assert not folder.exists()


def test_private_folder_whose_lock_is_being_created_is_kept(temporary, monkeypatch):
    """Another process may look for abandoned folders between the creation and the lock."""
    lock = locks._lock

    def slow(file, wait):
        remove_private_folders(temporary)
        return lock(file, wait)

    monkeypatch.setattr(locks, "_lock", slow)
    with private_folder("page") as folder:
        assert (folder / locks.PRIVATE_LOCK).exists()


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="requires POSIX")
def test_lock_file_that_is_a_link_is_refused(tmp_path):
    """Otherwise whoever can write to the folder could empty a file of its user."""
    target = tmp_path / "target"
    target.write_text("content")
    (tmp_path / locks.NAME).symlink_to(target)
    with pytest.raises(OSError, match=r"is a symbolic link; remove it"):
        lock_folder(tmp_path).__enter__()
    assert target.read_text() == "content"
