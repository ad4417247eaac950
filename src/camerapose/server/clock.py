"""The time limit of a prediction on the web page."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from camerapose.io.frames import Frame, IncompleteInput
from camerapose.io.source import Source
from camerapose.server.progress import JobProgress

#: Part of the time in which the input is read; the rest is for lifting and writing.
READING = 0.6


class TimeLimitReached(ValueError):
    """A prediction took longer than the web page allows."""


class JobClock:
    """Ends a prediction at its time limit, or for a reason such as that its visitor has left.

    Reading ends earlier, so that there is time for the results of what was read.

    Args:
        minutes: time limit of the whole prediction.
        ended: returns why the prediction is not required any more; None while it is.

    Attributes:
        cut: where reading ended, if it ended early.
    """

    def __init__(
        self,
        minutes: int | float,
        ended: Callable[[], str | None],
        progress: JobProgress | None = None,
    ):
        self._progress = progress
        self._began, self._minutes, self._ended = time.monotonic(), minutes, ended
        self._reading, self.cut = True, ""

    def __call__(self) -> None:
        """Check the time between the stages after reading; raises as `check`."""
        self._reading = False
        self.check()
        if self._progress is not None:
            self._progress.stage()

    def check(self) -> None:
        """Check the time.

        Raises:
            TimeLimitReached: the limit is reached.
            ValueError: the prediction is not required any more.
        """
        if (reason := self._ended()) is not None:
            raise ValueError(reason)
        if self._elapsed() > 1:
            raise TimeLimitReached(f"the time limit of {self._minutes:g} minutes was reached")

    def after(self, frame: Frame, title: str) -> None:
        """Check the time after a frame was processed; raises as `check`.

        Raises:
            IncompleteInput: the time for reading is over.
        """
        self.check()
        if self._progress is not None:
            self._progress.frame()
        if self._reading and self._elapsed() > READING:
            self.cut = f"the time limit was reached after frame {frame.index} of {title}"
            raise IncompleteInput(self.cut)

    def limited(self, source: Source) -> Source:
        """Return a source whose frames are checked."""
        return _Limited(**{f.name: getattr(source, f.name) for f in fields(source)}, clock=self)

    def _elapsed(self) -> float:
        """Return the part of the time limit that has passed."""
        return (time.monotonic() - self._began) / (60 * self._minutes)


@dataclass(frozen=True)
class _Limited(Source):
    """A source that checks a clock after each frame."""

    clock: JobClock | None = None

    def frames(
        self, start: int | None = None, end: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Iterate as `Source.frames`; raises as `JobClock.after`, too."""
        for frame in super().frames(start, end, stride):
            yield frame
            if self.clock is not None:
                self.clock.after(frame, self.title)
