"""The cache of data sets: equal poses, invalidated by changes, complete or absent."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data import store
from camerapose.data.cache import cached, prepared_folder
from camerapose.data.datasets import mpii, synthetic


class Adapter:
    """Counts its calls; reads one file."""

    def __init__(self, monkeypatch, tmp_path):
        self.calls, self.root = 0, tmp_path / "root"
        self.root.mkdir()
        (self.root / "values.txt").write_text("1.5")
        self.source = tmp_path / "counting.py"
        self.source.write_text("# version 1")
        module = type(sys)("camerapose.data.datasets.counting")
        module.__file__ = str(self.source)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        self.module = module

        def load(root, *, n=3, names=("a",), where=None):
            self.calls += 1
            value = float((root / "values.txt").read_text())
            return Poses(
                H36M_16,
                np.full((n, 16, 2), value, np.float32),
                np.ones((n, 16), np.float32),
                labels={"name": np.array([names[0]] * n)},
            )

        load.__module__ = module.__name__
        self.load = load


@pytest.fixture
def adapter(monkeypatch, tmp_path):
    return Adapter(monkeypatch, tmp_path)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def assert_same(a, b):
    assert a.skeleton == b.skeleton and a.columns().keys() == b.columns().keys()
    for name, column in b.columns().items():
        assert a.columns()[name].dtype == column.dtype
        assert (a.columns()[name] == column).all(), name


def test_cached_poses_are_equal(folder):
    expected = synthetic.load(n=50)
    for _ in range(2):
        assert_same(cached(synthetic.load, None, cache_dir=folder, n=50), expected)


def test_prepared_once(adapter, folder, capsys):
    for _ in range(3):
        cached(adapter.load, adapter.root, cache_dir=folder)
    assert adapter.calls == 1
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("preparing counting") == 1


def test_writing_to_columns_does_not_change_the_cache(adapter, folder):
    poses = cached(adapter.load, adapter.root, cache_dir=folder)
    poses.pose2d[:] = 7
    again = cached(adapter.load, adapter.root, cache_dir=folder)
    assert (again.pose2d == 1.5).all() and adapter.calls == 1
    assert again.to_torch().pose2d.mean() == 1.5


def test_options_are_part_of_the_key(adapter, folder):
    for options in ({}, {"n": 4}, {"names": ("b",)}, {"n": 4}, {"names": ["b"]}):
        cached(adapter.load, adapter.root, cache_dir=folder, **options)
    assert adapter.calls == 3
    cached(adapter.load, adapter.root, cache_dir=folder, where=folder)
    cached(adapter.load, adapter.root, cache_dir=folder, where=str(folder))
    assert adapter.calls == 4


def test_changed_files_invalidate(adapter, folder):
    cached(adapter.load, adapter.root, cache_dir=folder)
    (adapter.root / "values.txt").write_text("2.5")
    os.utime(adapter.root / "values.txt", ns=(1, 1))
    assert (cached(adapter.load, adapter.root, cache_dir=folder).pose2d == 2.5).all()
    (adapter.root / "another.txt").touch()
    cached(adapter.load, adapter.root, cache_dir=folder)
    assert adapter.calls == 3


def test_changed_adapter_invalidates(adapter, folder):
    cached(adapter.load, adapter.root, cache_dir=folder)
    adapter.source.write_text("# version 2")
    cached(adapter.load, adapter.root, cache_dir=folder)
    assert adapter.calls == 2


def test_files_named_by_the_adapter(adapter, folder):
    adapter.module.files = lambda root, **_: [root / "values.txt"]
    cached(adapter.load, adapter.root, cache_dir=folder)
    (adapter.root / "irrelevant.txt").touch()
    cached(adapter.load, adapter.root, cache_dir=folder)
    assert adapter.calls == 1


@pytest.mark.parametrize("damage", ["cut", "missing", "other", "contents", "no contents", "text"])
def test_damaged_cache_is_repeated(adapter, folder, damage, capsys):
    cached(adapter.load, adapter.root, cache_dir=folder)
    (kept,) = folder.iterdir()
    column, contents = kept / "pose2d.npy", kept / "contents.json"
    if damage == "cut":
        column.write_bytes(column.read_bytes()[:-100])
    elif damage == "missing":
        column.unlink()
    elif damage == "other":
        np.save(column, np.zeros((9, 16, 2)))
    elif damage == "contents":
        contents.write_text(json.dumps({"columns": {}}))
    elif damage == "no contents":
        contents.unlink()
    else:
        column.write_text("text")
    poses = cached(adapter.load, adapter.root, cache_dir=folder)
    assert (poses.pose2d == 1.5).all() and adapter.calls == 2
    assert "is damaged" in capsys.readouterr().err
    cached(adapter.load, adapter.root, cache_dir=folder)
    assert adapter.calls == 2


def test_interrupted_preparation_leaves_nothing(adapter, folder, monkeypatch):
    write = store._write_column

    def interrupted(pieces, path):
        if path.name == "confidence.npy":
            raise KeyboardInterrupt
        return write(pieces, path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "_write_column", interrupted)
        cached(adapter.load, adapter.root, cache_dir=folder)
    assert list(folder.iterdir()) == []
    cached(adapter.load, adapter.root, cache_dir=folder)
    assert adapter.calls == 2


def test_remains_of_a_killed_preparation_are_ignored_and_removed(adapter, folder):
    cached(adapter.load, adapter.root, cache_dir=folder)
    (kept,) = folder.iterdir()
    part = kept.with_name(kept.name + ".part-0")
    kept.rename(part)
    assert len(cached(adapter.load, adapter.root, cache_dir=folder)) == 3
    assert adapter.calls == 2 and part.exists()  # another process may be writing it
    os.utime(part, (time.time() - 1e6,) * 2)
    cached(adapter.load, adapter.root, cache_dir=folder, n=2)
    assert not part.exists()


def test_folder_without_write_permission(adapter, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot be cached in .*CAMERAPOSE_CACHE"):
        poses = cached(adapter.load, adapter.root, cache_dir=tmp_path / "file")
    assert (poses.pose2d == 1.5).all()


def test_full_disk(adapter, folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write_column", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert len(cached(adapter.load, adapter.root, cache_dir=folder)) == 3
    assert list(folder.iterdir()) == []


def test_folder_from_the_environment(adapter, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "own"))
    cached(adapter.load, adapter.root)
    assert [p.name[:9] for p in (tmp_path / "own/datasets").iterdir()] == ["counting-"]


def test_errors_of_the_adapter_are_raised(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="MPII: no annotations"):
        cached(mpii.load, tmp_path, cache_dir=folder)
    with pytest.raises(ValueError, match="n is 0"):
        cached(synthetic.load, None, cache_dir=folder, n=0)
    assert list(folder.iterdir()) == []


def test_columns_are_memory_mapped(folder):
    cached(synthetic.load, None, cache_dir=folder, n=50)
    poses = cached(synthetic.load, None, cache_dir=folder, n=50)
    assert isinstance(poses.pose2d.base, np.memmap) and isinstance(poses.pose3d.base, np.memmap)


class Parted(Adapter):
    """Has three parts; part `fails` is interrupted."""

    def __init__(self, monkeypatch, tmp_path):
        super().__init__(monkeypatch, tmp_path)
        self.fails, self.loaded = None, []

        def piece(root, i, n):
            if i == self.fails:
                raise KeyboardInterrupt
            self.loaded.append(i)
            return self.whole(root, n=n, names=("ab" * (i + 1),)) if i != 1 else None

        self.whole = self.load

        def parts(root, *, n=3):
            return [(f"part{i}", lambda i=i: piece(root, i, n)) for i in range(3)]

        def load(root, *, n=3):
            return Poses.cat([p for _, make in parts(root, n=n) if (p := make()) is not None])

        load.__module__ = self.module.__name__
        self.load = self.module.load = load
        self.module.parts = parts


@pytest.fixture
def parted(monkeypatch, tmp_path):
    return Parted(monkeypatch, tmp_path)


def test_joined_parts_equal_the_whole(parted, folder):
    expected = parted.load(parted.root)
    assert_same(cached(parted.load, parted.root, cache_dir=folder), expected)
    assert expected.labels["name"].tolist() == ["ab"] * 3 + ["ababab"] * 3
    assert len(list(folder.iterdir())) == 1  # the parts are removed


def test_resumes_after_interruption(parted, folder):
    parted.fails = 2
    with pytest.raises(KeyboardInterrupt):
        cached(parted.load, parted.root, cache_dir=folder)
    assert prepared_folder(parted.load, parted.root, cache_dir=folder) is None
    parted.fails = None
    again = cached(parted.load, parted.root, cache_dir=folder)
    assert len(again) == 6 and parted.loaded == [0, 1, 1, 2]
    cached(parted.load, parted.root, cache_dir=folder)
    assert parted.loaded == [0, 1, 1, 2]
    assert prepared_folder(parted.load, parted.root, cache_dir=folder).parent == folder


def test_damaged_part_is_repeated(parted, folder):
    parted.fails = 2
    with pytest.raises(KeyboardInterrupt):
        cached(parted.load, parted.root, cache_dir=folder)
    column = next(folder.glob("*.making/*/pose2d.npy"))
    column.write_bytes(column.read_bytes()[:-9])
    parted.fails = None
    assert len(cached(parted.load, parted.root, cache_dir=folder)) == 6
    assert parted.loaded == [0, 1, 0, 1, 2]


def test_parts_of_changed_files_are_ignored(parted, folder):
    parted.fails = 2
    with pytest.raises(KeyboardInterrupt):
        cached(parted.load, parted.root, cache_dir=folder)
    parted.fails = None
    (parted.root / "values.txt").write_text("2.25")
    assert (cached(parted.load, parted.root, cache_dir=folder).pose2d == 2.25).all()


KILLED = """
import sys, pathlib
from camerapose.data import cache, store
from camerapose.data.datasets import synthetic
write = store._write_column
def slow(pieces, path):
    written = write(pieces, path)
    if "pose3d" in str(path):
        print("now", flush=True)
        sys.stdin.read()  # until it is killed
    return written
store._write_column = slow
cache.cached(synthetic.load, None, cache_dir=sys.argv[1], n=200)
"""


def test_killed_preparation_is_not_complete(folder):
    command = [sys.executable, "-c", KILLED, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"now\n"
    process.kill()
    process.communicate()
    assert [p.name for p in folder.glob("*/pose3d.npy")] == ["pose3d.npy"]  # it was writing
    assert prepared_folder(synthetic.load, None, cache_dir=folder, n=200) is None
    expected = synthetic.load(n=200)
    assert_same(cached(synthetic.load, None, cache_dir=folder, n=200), expected)


def test_parts_that_cannot_be_cached(parted, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match="cannot be cached"):
        assert len(cached(parted.load, parted.root, cache_dir=tmp_path / "file" / "cache")) == 6


def test_no_poses_in_any_part(parted, folder, monkeypatch):
    monkeypatch.setattr(parted.module, "parts", lambda root: [("S1", lambda: None)])
    with pytest.raises(ValueError, match="no poses in S1"):
        cached(parted.load, parted.root, cache_dir=folder)
