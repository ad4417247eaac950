"""HDF5 files of unknown origin: limits before decoding, and nothing outside the file."""

import h5py
import numpy as np
import pytest

from camerapose.core.limits import Limits
from camerapose.io.hdf5 import Hdf5, open_hdf5


@pytest.fixture
def make(tmp_path):
    def write(fill):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            fill(file)
        return path

    return write


def read(path, name="a", limits=None):
    with open_hdf5(path) as file:
        reader = file if limits is None else Hdf5(file._file, limits)
        return reader.read(reader[name])


def test_values_are_those_of_h5py(make):
    values = np.arange(24.0).reshape(2, 3, 4)
    path = make(lambda f: f.create_dataset("pose/2d", data=values, chunks=(1, 2, 4), compression=4))
    assert np.array_equal(read(path, "pose/2d"), values)


def test_declared_size(make):
    """An array of 80 GB that was never written takes no space in the file."""
    path = make(lambda f: f.create_dataset("a", (100_000, 100_000), "f8"))
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"80\.0 GB when decompressed"):
        read(path)


def test_several_arrays_together(make):
    path = make(lambda f: [f.create_dataset(name, data=np.zeros(100)) for name in "ab"])
    with open_hdf5(path) as file:
        reader = Hdf5(file._file, Limits(max_bytes=1000))
        reader.read(reader["a"])
        with pytest.raises(ValueError, match="when decompressed"):
            reader.read(reader["b"])


def test_compression_ratio(make):
    path = make(lambda f: f.create_dataset("a", data=np.zeros(200_000), compression=9))
    assert len(read(path)) == 200_000
    with pytest.raises(ValueError, match="not plausible"):
        read(path, limits=Limits(max_suspicious_bytes=1000))


def test_chunks_are_decompressed_as_a_whole(make):
    """One value in a chunk of 8 GB, and chunks that lie mostly beyond the array."""
    path = make(
        lambda f: f.create_dataset("a", (1,), "f8", maxshape=(None,), chunks=(500_000_000,))
    )
    with pytest.raises(ValueError, match=r"chunks of 4\.0 GB"):
        read(path)
    path = make(lambda f: f.create_dataset("a", (1,), "f8", maxshape=(None,), chunks=(1000,)))
    with pytest.raises(ValueError, match="when decompressed"):
        read(path, limits=Limits(max_bytes=7999))


def test_values_of_unlimited_length(make):
    path = make(lambda f: f.create_dataset("a", data=["x", "y"], dtype=h5py.string_dtype()))
    with pytest.raises(ValueError, match="unlimited length"):
        read(path)


def test_values_in_other_files(make, tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(80))
    path = make(
        lambda f: f.create_dataset("a", (10,), "f8", external=[(tmp_path / "secret.bin", 0, 80)])
    )
    with pytest.raises(ValueError, match="in other files"):
        read(path)


def test_links(make, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.ones(3)

    def fill(file):
        file["a"] = h5py.ExternalLink("other.h5", "x")
        file["group/b"] = h5py.SoftLink("/a")

    path = make(fill)
    for name in ("a", "group/b"):
        with pytest.raises(ValueError, match="is a link"):
            read(path, name)
    with open_hdf5(path) as file, pytest.raises(ValueError, match="is a link"):
        file.members(file["group"])


def test_groups_and_empty_arrays_are_no_values(make):
    def fill(file):
        file.create_group("g")
        file["a"] = h5py.Empty("f8")

    path = make(fill)
    for name in ("a", "g"):
        with pytest.raises(ValueError, match="is empty|no array"):
            read(path, name)
    with pytest.raises(KeyError):
        read(path, "missing")
