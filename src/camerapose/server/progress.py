"""Progress of a prediction, with the remaining time of all stages."""

import time
from collections.abc import Callable

#: Receives the completed part, from 0 to 1, and a description.
Report = Callable[[float, str], None]
#: Completed parts at the end of the stages of a video, as measured on the sample video: finding
#: people, lifting, files and report; the overlay is the rest.
READ, LIFTED, WRITTEN = 0.72, 0.76, 0.86
#: Seconds before which no remaining time is given.
MIN_SECONDS = 2.0


class JobProgress:
    """Estimate how much of a prediction is complete.

    Args:
        report: called at each step.
        frames: number of frames of a video; 1 for an image.
    """

    def __init__(self, report: Report, frames: int | None):
        self._report, self._frames = report, frames or 1
        self._began, self._count, self._reading = time.monotonic(), 0, True
        self._say(0.0, "Opening the file")

    def frame(self) -> None:
        """Note that a frame has been processed, first for people, then for the overlay."""
        self._count += 1
        share = min(self._count / self._frames, 1.0)
        text = f"frame {self._count} of {max(self._frames, self._count)}"
        if self._reading:
            self._say(READ * share, f"Step 1 of 3, finding people: {text}")
        else:
            self._say(WRITTEN + (1 - WRITTEN) * share, f"Step 3 of 3, drawing the video: {text}")

    def stage(self) -> None:
        """Note that a stage after reading begins."""
        if self._reading:
            self._reading, self._count = False, 0
            self._say(READ, "Step 2 of 3, computing 3D poses")
        elif self._count == 0:
            self._say(LIFTED, "Step 2 of 3, writing files and the report")

    def _say(self, part: float, text: str) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed > MIN_SECONDS and part > 0.02:
            text += f"; about {_duration(elapsed / part * (1 - part))} left"
        self._report(part, text)


def _duration(seconds: float) -> str:
    """Return a rounded time: 40 s, 3 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
