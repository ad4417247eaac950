"""Threads that solve independent windows of a clip."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from threading import Event
from types import TracebackType
from typing import TypeVar

from threadpoolctl import threadpool_limits

#: Largest number of threads, each of which needs 50 MB; most time holds no lock of Python.
MAX_THREADS = 4

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """A pool of threads, each with one thread for linear algebra; a context manager.

    Args:
        threads: number of threads, of which `MAX_THREADS` are used at most; 1: everything runs in
            the calling thread; None: as many as processor cores that this process may use.

    Raises:
        ValueError: fewer than one thread.
    """

    def __init__(self, threads: int | None = None):
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; give 1 or more")
        self.threads = min(threads or usable_cores(), MAX_THREADS)
        self._ended = Event()

    def __enter__(self) -> "Workers":
        # Matrices are small: threads of BLAS would wait for each other most of the time. Some BLAS
        # libraries have a limit for each thread, others one for all.
        limit = partial(threadpool_limits, 1, user_api="blas")
        self._limits = limit()
        self._pool = ThreadPoolExecutor(self.threads, "clip", initializer=limit)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        try:
            self._pool.shutdown(cancel_futures=True)
        finally:
            self._limits.restore_original_limits()

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Yield the results of a function for each item, in order.

        Memory is bounded: at most one item more than threads is computed before its result is
        taken. An exception, also in the caller, cancels items that have not started.
        """
        if self.threads == 1 or len(items) == 1:
            yield from map(function, items)
            return
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                pending.append(self._pool.submit(function, item))
                if len(pending) > self.threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def serial(self, function: Callable[[T], R], items: Iterable[T]) -> Iterable[R]:
        """Apply a function in the calling thread, as the built-in `map` does.

        Raises:
            CancelledError: the context has ended, by an interruption for example; work in other
                threads ends with this.
        """
        if self._ended.is_set():
            raise CancelledError
        return map(function, items)


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1
