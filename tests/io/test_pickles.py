"""Pickles are read, never run: plain data come back as they were, anything else is refused."""

import collections
import os
import pickle
import pickletools

import numpy as np
import pytest
from helpers.miniatures import save_python2_pickle

from camerapose.io.pickles import read_pickle, read_pickled

PLAIN = {
    "floats": np.arange(6.0).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "other end": np.arange(4, dtype=">i2"),
    "flags": np.array([True, False]),
    "none": np.empty((0, 3)),
    "point": np.array(2.5),
    "names": np.array(["a", "bc"]),
    "number": np.float32(1.5),
    "nested": {"a": [1, 2.5, None, True, "text", b"bytes"], 3: (np.int64(4), {5})},
    "ragged": np.array([np.zeros(2), "x", None, [1, 2]], dtype=object),
    "order": collections.OrderedDict(a=1),
}


def same(a, b):
    if isinstance(a, np.ndarray):
        assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape
        if not a.dtype.hasobject:
            return np.testing.assert_array_equal(a, b)
        a, b = a.ravel().tolist(), b.ravel().tolist()
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, (list, tuple)):
        assert type(a) is type(b) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
        return None
    assert a == b and type(a) is type(b)
    return None


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_come_back(tmp_path, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(PLAIN, protocol=protocol))
    same(read_pickle(path), PLAIN)


def test_of_python_2(tmp_path):
    content = {"a": np.arange(3.0), "b": ["text", np.arange(300, dtype="<i8")], "c": np.bool_(1)}
    path = save_python2_pickle(tmp_path / "a.pkl", content)
    assert b"numpy.core.multiarray" in path.read_bytes() and b"_codecs" not in path.read_bytes()
    same(read_pickle(path), content)


def test_what_is_shared_stays_shared_and_circles_end(tmp_path):
    circle = [np.ones(2)]
    circle.append(circle)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(circle))
    found = read_pickle(path)
    assert found[1] is found and found[0].tolist() == [1, 1]
    many = [1]
    for _ in range(60):
        many = [many, many]  # as a tree it would have 2^60 leaves
    path.write_bytes(pickle.dumps(many))
    found = read_pickle(path)
    assert found[0] is found[1]


def test_members_of_npz(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, tree=PLAIN, numbers=np.arange(3))
    same(read_pickled(path, "tree"), PLAIN)
    assert read_pickled(path, "numbers").tolist() == [0, 1, 2]
    assert read_pickled(path, "other", default=None) is None
    with pytest.raises(ValueError, match=r"a\.npz cannot be read .*no other, but tree\.npy"):
        read_pickled(path, "other")


class Runs:
    """Runs something as soon as it is unpickled."""

    def __init__(self, function, *arguments):
        self.how = function, arguments

    def __reduce__(self):
        return self.how


HOSTILE = {
    "system": Runs(os.system, "touch ran"),
    "mkdir": Runs(os.mkdir, "ran"),
    "eval": Runs(eval, "open('ran', 'w')"),
    "exec": Runs(exec, "open('ran', 'w')"),
    "getattr": Runs(getattr, "", "upper"),
    "import": Runs(__import__, "os"),
    "file": Runs(np.load, "ran"),
    "memory map": Runs(np.memmap, "ran", "f8", "w+"),
    "much memory": Runs(bytearray, 10**12),
    "range": Runs(range, 10**12),
    "a class of numpy": Runs(np.matrix, [1]),
    "codec": Runs(__import__("codecs").encode, "x", "rot13"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickles_are_refused_and_not_run(tmp_path, monkeypatch, name, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": [HOSTILE[name]]}, protocol=protocol))
    with pytest.raises(ValueError, match=r"a\.pkl cannot be read as a pickle of plain data \(it .*"
                       "which no array needs"):  # fmt: skip
        read_pickle(path)
    np.savez(tmp_path / "a.npz", tree=np.array({"a": HOSTILE[name]}, dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz cannot be read"):
        read_pickled(tmp_path / "a.npz", "tree")
    assert not (tmp_path / "ran").exists()


BY_HAND = {
    "attribute of a function": b"cnumpy\nndarray\n(N}X\x01\x00\x00\x00aK\x01stb.",
    "extension": b"\x82\x01.",
    "someone else": b"X\x01\x00\x00\x00aQ.",
    "memory of the reader": b"K\x01r\xff\xff\xff\xff.",
    "nothing": b"",
    "a function alone": b"cnumpy\nndarray\n.",
    "an array without state": b"cnumpy._core.multiarray\n_reconstruct\n)R.",
    "dotted name": b"\x8c\x05numpy\x8c\x0clib.npyio.os\x93.",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_operations_that_numpy_does_not_write(tmp_path, name):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x04" + BY_HAND[name])
    if name == "memory of the reader":  # not wrong, only wasteful to some readers
        assert read_pickle(path) == 1
    else:
        with pytest.raises(ValueError, match=r"a\.pkl cannot be read"):
            read_pickle(path)


@pytest.mark.parametrize(
    "state",
    [
        (1, (-1,), "f8", False, b""),
        (1, (10**12,), "f8", False, b"12345678"),
        (1, (2,), "f8", False, b"12345678"),
        (1, 2, "f8", False, b"12345678"),
        (1, (1,), "O", False, b"12345678"),
        (1, (1,), "f8,f8", False, b"1234567812345678"),
        (1, (1,), "(100,100)f8", False, b""),
        (1, (1,), "V8", False, b"12345678"),
        (1, (1,), "M8[D]", False, b"12345678"),
        (1, (1,), "f8", False, [1.0]),
    ],
)
def test_arrays_that_are_none(tmp_path, state):
    """Written by hand: numpy would not."""
    version, shape, code, fortran, data = state

    class Dtype:
        def __reduce__(self):
            return np.dtype, (code, False, True)

    class Array:
        def __reduce__(self):
            start = np.zeros(1).__reduce__()
            return start[0], start[1], (version, shape, Dtype(), fortran, data)

    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(Array()))
    assert any(o[0].name == "BUILD" for o in pickletools.genops(path.read_bytes()))
    with pytest.raises(ValueError, match=r"a\.pkl cannot be read.*which no array needs"):
        read_pickle(path)


def test_the_error_says_where_the_file_comes_from(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"not a pickle")
    with pytest.raises(ValueError, match=r"a\.pkl cannot be read .*\)\. Get it from there\."):
        read_pickle(path, "Get it from there.")
    with pytest.raises(FileNotFoundError):
        read_pickle(tmp_path / "b.pkl")
