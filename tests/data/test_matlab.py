"""MATLAB files: both versions agree, v5 equals scipy, and declared sizes are checked."""

import struct
import zlib

import h5py
import numpy as np
import pytest
from helpers import miniatures
from scipy.io import loadmat, savemat

from camerapose.core import limits
from camerapose.data.readers.matlab import read_mat

NUMBERS = {
    f"of_{kind}": (np.arange(24).reshape(2, 3, 4) - 5).astype(kind)
    for kind in ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
} | {"row": np.arange(3.0)[None], "one": np.array([[2.5]]), "none": np.empty((0, 3))}


@pytest.mark.parametrize("v73", [False, True])
def test_both_versions_agree(tmp_path, v73):
    path = miniatures.save_mat(
        tmp_path / "a.mat", v73, matrix=np.arange(6.0).reshape(2, 3), row=np.arange(3.0)[None],
        cube=np.arange(24.0).reshape(2, 3, 4), cells=[np.eye(2), np.ones((1, 3))],
    )  # fmt: skip
    result = read_mat(path, ["matrix", "row", "cube", "cells", "other"])
    assert set(result) == {"matrix", "row", "cube", "cells"}
    assert result["matrix"].tolist() == [[0, 1, 2], [3, 4, 5]] and result["row"].shape == (1, 3)
    assert np.array_equal(result["cube"], np.arange(24.0).reshape(2, 3, 4))
    assert [cell.shape for cell in result["cells"]] == [(2, 2), (1, 3)]


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_as_scipy_reads_them(tmp_path, compressed):
    path = tmp_path / "a.mat"
    savemat(path, NUMBERS, do_compression=compressed)
    result, reference = read_mat(path, list(NUMBERS)), loadmat(path)
    for name in NUMBERS:
        assert result[name].dtype == reference[name].dtype, name
        np.testing.assert_array_equal(result[name], reference[name])
    assert set(read_mat(path, ["row"])) == {"row"}


@pytest.mark.parametrize("compressed", [False, True])
def test_text_structs_and_cells(tmp_path, compressed):
    path, people = tmp_path / "a.mat", np.zeros(2, [("name", object), ("age", object)])
    people["name"], people["age"] = ["Ann", "a name that is longer"], [np.array([[3.0]]), []]
    cells = np.empty((2, 2), object)
    cells[:] = [[np.eye(2), "text"], [{"x": 1.0, "inner": {"y": "é"}}, np.empty((0, 0))]]
    savemat(path, {"people": people, "cells": cells, "text": "ab"}, do_compression=compressed)
    result = read_mat(path, ["people", "cells", "text"])
    assert result["text"] == "ab"
    assert [person["name"] for person in result["people"]] == ["Ann", "a name that is longer"]
    assert result["people"][0]["age"].item() == 3 and result["people"][1]["age"].size == 0
    first, below, beside, last = result["cells"]  # column by column
    assert np.array_equal(first, np.eye(2)) and beside == "text" and last.size == 0
    assert below[0]["x"].item() == 1 and below[0]["inner"][0]["y"] == "é"


def test_big_endian(tmp_path):
    """Three int16 values of a double matrix, written by a big-endian machine."""

    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    matrix = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 3))
    matrix += struct.pack(">HH", 1, 1) + b"a\0\0\0"  # a small element
    matrix += element(3, struct.pack(">hhh", 1, -2, 300))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    (tmp_path / "a.mat").write_bytes(header + element(14, matrix))
    result = read_mat(tmp_path / "a.mat", ["a"])["a"]
    assert result.tolist() == [[1.0, -2.0, 300.0]] and result.dtype == np.float64
    assert loadmat(tmp_path / "a.mat")["a"].tolist() == result.tolist()


def by_hand(*elements):
    """Return a file with one matrix of the given elements (type, content)."""
    content = b"".join(
        struct.pack("<II", kind, len(c)) + c + bytes(-len(c) % 8) for kind, c in elements
    )
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return header + struct.pack("<II", 14, len(content)) + content


def flags(kind):
    return 6, struct.pack("<II", kind, 0)


def shape(*lengths):
    return 5, struct.pack(f"<{len(lengths)}i", *lengths)


NAME = 1, b"a"
MALFORMED = {
    "no_matlab": (b"something else" * 20, "its header is not that of version 5 or 7.3"),
    "short": (b"MATLAB 5.0", "its header"),
    "enormous": (by_hand(flags(6), shape(2**30, 2**30), NAME, (9, bytes(8))), "1 numbers in an"),
    "negative": (by_hand(flags(6), shape(-1, 3), NAME, (9, bytes(24))), "shape"),
    "many_cells": (by_hand(flags(1), shape(2**30, 1), NAME), "ends before 1073741824 cells"),
    "many_structs": (
        by_hand(flags(2), shape(2**30, 1), NAME, (5, struct.pack("<i", 32)), (1, b"x" * 32)),
        "ends before 1073741824 structs",
    ),
    "no_names": (
        by_hand(flags(2), shape(1, 1), NAME, (5, struct.pack("<i", 0)), (1, b"")),
        "names of 0 characters",
    ),
    "sparse": (by_hand(flags(5), shape(1, 1), NAME, (9, bytes(8))), "of class 5"),
    "lost_content": (by_hand(flags(6), shape(1, 1), NAME), "too early"),
    "length": (by_hand(flags(6))[:136] + struct.pack("<II", 6, 2**31), "too early"),
    "text_for_numbers": (by_hand(flags(6), shape(1, 1), NAME, (14, b"")), "type 14 instead"),
    "inflated": (
        b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, 6) + b"abcdef", "Error",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(tmp_path, name):
    content, message = MALFORMED[name]
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"a\.mat cannot be read as a MATLAB file \(.*{message}.*Go"
    ):
        read_mat(path, ["a"], "Go and get it.")


def test_deeply_nested_cells_are_refused(tmp_path):
    cell = np.empty((1, 1), object)
    cell[0, 0] = np.eye(2)
    for _ in range(40):
        outer = np.empty((1, 1), object)
        outer[0, 0] = cell
        cell = outer
    savemat(tmp_path / "a.mat", {"a": cell})
    with pytest.raises(ValueError, match=r"cells 32 deep"):
        read_mat(tmp_path / "a.mat", ["a"])


def test_declared_size_of_a_compressed_variable(tmp_path, monkeypatch):
    """The size is read before the rest is decompressed, and must be correct."""
    path = tmp_path / "a.mat"
    savemat(path, {"a": np.zeros(100_000)}, do_compression=True)
    monkeypatch.setattr(limits, "DEFAULT", limits.Limits(max_bytes=500_000))
    with pytest.raises(ValueError, match=r"0\.0 GB when decompressed"):
        read_mat(path, ["a"])
    monkeypatch.undo()
    data = bytearray(zlib.decompress(path.read_bytes()[136:]))
    for declared in (len(data) - 24, len(data) + 8):
        data[4:8] = struct.pack("<I", declared)
        packed = zlib.compress(bytes(data))
        head = path.read_bytes()[:128] + struct.pack("<II", 15, len(packed))
        (tmp_path / "b.mat").write_bytes(head + packed)
        with pytest.raises(ValueError, match="declared"):
            read_mat(tmp_path / "b.mat", ["a"])


@pytest.mark.parametrize("v73", [False, True])
def test_number_of_cells(tmp_path, monkeypatch, v73):
    path = miniatures.save_mat(tmp_path / "a.mat", v73, cells=[np.eye(2)] * 50)
    monkeypatch.setattr(limits, "DEFAULT", limits.Limits(max_objects=40))
    with pytest.raises(ValueError, match="more than 40"):
        read_mat(path, ["cells"])


def test_long_text(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"a": "x" * 1_000_001}, do_compression=True)
    with pytest.raises(ValueError, match="text of"):
        read_mat(path, ["a"])
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (2_000_000, 1), "u2").attrs["MATLAB_class"] = np.bytes_("char")
    with pytest.raises(ValueError, match="text of"):
        read_mat(path, ["a"])
