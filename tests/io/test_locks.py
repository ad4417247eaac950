"""Locks of folders: between processes and threads, after kills, and without remains."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from camerapose.io import locks
from camerapose.io.locks import FolderInUse, lock_folder

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
