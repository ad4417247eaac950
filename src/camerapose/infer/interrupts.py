"""Delay of Ctrl-C while results are written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from camerapose.infer.options import Log


@contextmanager
def delayed_interrupt(log: Log) -> Iterator[None]:
    """Delay the first Ctrl-C in the context to its end; the second one has its usual effect.

    Only in the main thread, to which Python delivers signals.

    Raises:
        KeyboardInterrupt: at the end of the context, after a delayed Ctrl-C.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    received = False

    def delay(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True
        signal.signal(signal.SIGINT, previous)
        log("interrupted: writing the poses up to here; press Ctrl-C again to discard them")

    signal.signal(signal.SIGINT, delay)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received:
        raise KeyboardInterrupt
