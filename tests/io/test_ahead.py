"""Reading ahead: same items and exceptions, one item in advance."""

import threading

import pytest

from camerapose.io.ahead import read_ahead


def test_same_items():
    assert list(read_ahead(iter(range(1, 6)))) == [1, 2, 3, 4, 5]
    assert list(read_ahead(iter(()))) == []


def test_an_exception_comes_after_the_items_before_it():
    def items():
        yield from (1, 2)
        raise ValueError("damaged")

    result = read_ahead(items())
    assert [next(result), next(result)] == [1, 2]
    with pytest.raises(ValueError, match="damaged"):
        next(result)


def test_the_next_item_is_computed_meanwhile():
    second = threading.Event()

    def items():
        yield "first"
        second.set()
        yield "second"

    result = read_ahead(items())
    assert next(result) == "first"
    assert second.wait(10), "the second item is computed before it is requested"
    assert list(result) == ["second"]


def test_closing_closes_the_source():
    closed = []

    def items():
        try:
            yield from range(1, 100)
        finally:
            closed.append(True)

    result = read_ahead(items())
    assert next(result) == 1
    result.close()
    assert closed == [True]
