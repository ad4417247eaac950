"""Atomic writing: faults are injected at every step, and the previous content must survive."""

import builtins
import errno
import io
import os
import random
import resource
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camerapose.io import files
from camerapose.io.files import AtomicFile, atomic_write, write_bytes, write_text

OLD, NEW = b"previous content", b"new content " * 1000

pytestmark = pytest.mark.skipif(os.name == "nt", reason="faults are injected through POSIX calls")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "poses.npz").write_bytes(OLD)
    return tmp_path / "poses.npz"


@pytest.fixture
def full_disk():
    """Let writing fail after 4096 bytes of a file, in C libraries too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def by_library(path, content):
    """Write as a library that opens the file itself."""
    with AtomicFile(path) as temporary:
        temporary.write_bytes(content)


def by_file(path, content):
    with atomic_write(path) as file:
        file.write(content)


def by_text(path, content):
    write_text(path, content.decode())


def by_lines(path, content):
    with atomic_write(path, "w") as file:
        file.writelines([content.decode()])


WRITERS = [write_bytes, by_text, by_file, by_lines, by_library]


def assert_unchanged(path):
    assert path.read_bytes() == OLD
    assert [p.name for p in path.parent.iterdir()] == [path.name]


class TestWriting:
    @pytest.mark.parametrize("write", WRITERS)
    def test_content_replaces_the_previous_file(self, path, write):
        write(path, NEW)
        assert path.read_bytes() == NEW
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    @settings(max_examples=30, deadline=None)
    @given(content=st.binary(max_size=5000), text=st.text(max_size=500))
    def test_round_trip(self, tmp_path_factory, content, text):
        folder = tmp_path_factory.mktemp("round_trip")
        write_bytes(folder / "a", content)
        assert (folder / "a").read_bytes() == content
        encodable = text.encode("utf-8", "replace").decode()
        write_text(folder / "a.txt", encodable)
        assert (folder / "a.txt").read_bytes() == encodable.encode()

    @pytest.mark.parametrize(
        "name", ["walk.mp4", "no_suffix", "a.tar.gz", "100%:é.png", "x" * 250 + ".json", "ü" * 120]
    )
    def test_temporary_file_has_the_same_suffix_and_folder(self, tmp_path, name):
        with AtomicFile(tmp_path / name) as temporary:
            assert temporary.suffix == (tmp_path / name).suffix
            assert temporary.parent == tmp_path and temporary.name != name
            temporary.write_bytes(NEW)
            assert not (tmp_path / name).exists()
        assert (tmp_path / name).read_bytes() == NEW

    def test_numpy_adds_no_second_suffix(self, tmp_path):
        with AtomicFile(tmp_path / "a.npz") as temporary:
            np.savez(temporary, a=np.arange(3))
        with np.load(tmp_path / "a.npz") as file:
            np.testing.assert_array_equal(file["a"], [0, 1, 2])

    def test_file_gets_the_usual_permissions_and_keeps_existing_ones(self, tmp_path):
        old = os.umask(0o027)
        try:
            write_bytes(tmp_path / "a", b"1")
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        (tmp_path / "a").chmod(0o604)
        write_bytes(tmp_path / "a", b"2")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604

    def test_symbolic_link_is_followed(self, path):
        link = path.parent / "link"
        link.symlink_to(path.name)
        write_bytes(link, NEW)
        assert link.is_symlink() and path.read_bytes() == NEW

    def test_pipe_receives_the_content(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        received = []
        reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
        reader.start()
        write_bytes(tmp_path / "pipe", NEW)
        reader.join()
        assert received == [NEW] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def test_data_are_on_disk_before_the_file_has_its_name(self, path, monkeypatch):
        calls = []
        for name in ("fsync", "replace"):
            act = getattr(os, name)
            monkeypatch.setattr(
                files.os, name, lambda *a, n=name, act=act: (calls.append(n), act(*a))
            )
        write_bytes(path, NEW)
        assert calls == ["fsync", "replace", "fsync"]

    def test_concurrent_writers_leave_one_complete_file(self, path):
        contents = [bytes([65 + i]) * 100_000 for i in range(8)]
        threads = [threading.Thread(target=write_bytes, args=(path, c)) for c in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert path.read_bytes() in contents
        assert len(list(path.parent.iterdir())) == 1

    def test_abandoned_temporary_files_are_removed(self, tmp_path):
        ended = subprocess.Popen(["true"])
        ended.wait()
        here, old = files._machine(), time.time() - 2 * files.ABANDONED
        removed = [f".a-{here}-{ended.pid}-00000000-part.mp4", ".b-00000000-1-00000000-part"]
        kept = [
            f".c-{here}-{os.getpid()}-00000000-part.npz",  # may still be written
            ".d-00000000-1-00000001-part",  # of another computer
            ".e-part.mp4",
            "f-part",
        ]
        for name in removed + kept:
            (tmp_path / name).touch()
        for name in (removed[1], ".e-part.mp4", "f-part"):
            os.utime(tmp_path / name, (old, old))
        files._remove_abandoned.cache_clear()
        write_bytes(tmp_path / "x", b"1")
        assert {p.name for p in tmp_path.iterdir()} == {*kept, "x"}


class TestFaults:
    @pytest.mark.parametrize("write", WRITERS)
    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("a"), OSError(28, "full")])
    @pytest.mark.parametrize("step", ["open", "stat", "fsync", "replace"])
    def test_every_step(self, path, monkeypatch, write, error, step):
        def fail(*arguments, **options):
            raise error

        with monkeypatch.context() as patch:
            if step == "open":
                patch.setattr(builtins, "open", fail)
                patch.setattr(io, "open", fail)
            elif step == "stat":
                patch.setattr(AtomicFile, "_commit", fail)
            else:
                patch.setattr(files.os, step, fail)
            with pytest.raises(error if isinstance(error, type) else type(error)):
                write(path, NEW)
        assert_unchanged(path)

    @pytest.mark.parametrize("call", ["open", "close"])
    def test_creating_the_temporary_file(self, path, monkeypatch, call):
        def fail(*arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(files.os, call, fail)
            with pytest.raises(OSError, match=r"poses\.npz: no space left.*free some space"):
                write_bytes(path, NEW)
        assert path.read_bytes() == OLD

    @settings(max_examples=30, deadline=None)
    @given(
        before=st.integers(0, 3), error=st.sampled_from([KeyboardInterrupt, ValueError, OSError])
    )
    def test_exceptions_of_the_caller_pass_unchanged(self, tmp_path_factory, before, error):
        path = tmp_path_factory.mktemp("faults") / "poses.npz"
        path.write_bytes(OLD)
        raised = error(2, "unrelated") if error is OSError else error("unrelated")
        raised.filename = "another_file"
        with pytest.raises(error) as caught, atomic_write(path) as file:
            for _ in range(before):
                file.write(NEW)
            raise raised
        assert caught.value is raised
        assert_unchanged(path)

    @pytest.mark.parametrize("write", WRITERS)
    def test_full_disk(self, path, full_disk, write):
        with pytest.raises(
            OSError, match=r"cannot write .*poses\.npz: .*after 4096 bytes"
        ) as caught:
            write(path, NEW)
        assert caught.value.errno == errno.EFBIG and "\n" not in str(caught.value)
        assert_unchanged(path)

    def test_full_disk_names_the_size(self, path, full_disk):
        with pytest.raises(OSError, match="after 4096 bytes of 12000 bytes"):
            write_bytes(path, NEW)

    def test_full_disk_under_numpy(self, path, full_disk):
        """NumPy's error has no number."""
        with pytest.raises(OSError, match=r"cannot write .*poses\.npz"), atomic_write(path) as file:
            np.save(file, np.zeros(10_000))
        assert_unchanged(path)

    def test_library_that_reports_a_full_disk_by_another_error(self, path, monkeypatch):
        monkeypatch.setattr(files, "_is_full", lambda folder: True)
        with pytest.raises(OSError, match="no space left") as caught, AtomicFile(path):
            raise RuntimeError("failed writing file")
        assert caught.value.errno == errno.ENOSPC
        assert_unchanged(path)

    @pytest.mark.parametrize("size", [0, 99])
    def test_library_that_writes_too_little(self, path, size):
        with (
            pytest.raises(OSError, match="incomplete file"),
            AtomicFile(path, min_size=100 if size else 1) as temporary,
        ):
            temporary.write_bytes(bytes(size))
        assert_unchanged(path)

    def test_library_that_writes_nothing(self, path):
        with pytest.raises(FileNotFoundError, match="cannot write"), AtomicFile(path) as temporary:
            temporary.unlink()
        assert_unchanged(path)

    def test_absent_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist; create it"):
            write_bytes(tmp_path / "absent" / "a.json", b"1")

    def test_folder_in_the_place_of_the_file(self, tmp_path):
        (tmp_path / "a.json").mkdir()
        with pytest.raises(IsADirectoryError, match=r"cannot write .*a\.json: is a directory"):
            write_bytes(tmp_path / "a.json", b"1")

    @pytest.mark.parametrize("write", WRITERS)
    def test_missing_permission(self, path, monkeypatch, write):
        monkeypatch.setattr(files.os, "access", lambda *_: False)  # root may write anything
        with pytest.raises(PermissionError, match=r"cannot write .*poses\.npz: permission denied"):
            write(path, NEW)
        assert_unchanged(path)

    def test_device_without_space(self):
        with pytest.raises(OSError, match="cannot write /dev/full: no space left"):
            write_bytes("/dev/full", NEW)
        assert stat.S_ISCHR(os.stat("/dev/full").st_mode)

    def test_make_folder(self, tmp_path):
        folder = files.make_folder(tmp_path / "a" / "b")
        assert folder.is_dir() and not list(folder.iterdir())
        assert files.make_folder(folder) == folder
        (folder / "c").touch()
        with pytest.raises(FileExistsError, match="folder .*c: a file has this name; choose"):
            files.make_folder(folder / "c")
        with pytest.raises(NotADirectoryError, match="folder .*d: not a directory; choose"):
            files.make_folder(folder / "c" / "d")

    def test_file_system_without_fsync(self, path, monkeypatch):
        def fail(descriptor):
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(files.os, "fsync", fail)
        write_bytes(path, NEW)
        assert path.read_bytes() == NEW


WRITE_FOREVER = """
import itertools, sys
from camerapose.io.files import write_bytes
for i in itertools.count():
    write_bytes(sys.argv[1], bytes([65 + i % 26]) * 2_000_000)
"""


@pytest.mark.slow
def test_killed_process_leaves_a_complete_file(path):
    rng = random.Random(0)
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", WRITE_FOREVER, str(path)])
        while path.stat().st_size == len(OLD):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.wait()
        content = path.read_bytes()
        assert len(content) == 2_000_000 and len(set(content)) == 1
        path.write_bytes(OLD)
    write_bytes(path, NEW)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
