"""Read ahead: the next item of an iterator is computed by a second thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items, which are not None; while one is in use, the next one is computed.

    Exceptions are raised at the same place as without. A generator is closed with this one.
    """
    try:
        with ThreadPoolExecutor(1, "read_ahead") as reader:
            coming = reader.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = reader.submit(next, items, None)
                yield item
    finally:
        if hasattr(items, "close"):
            items.close()
