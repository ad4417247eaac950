"""A window that shows images, with OpenCV."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from jaxtyping import UInt8

PROGRAM = Path(__file__).with_name("window_process.py")
INSTALL = 'run pip install "camerapose[show]"'
#: Seconds within which a window must open.
TIMEOUT = 60


def check_window() -> None:
    """Check that a window can be opened.

    A window that cannot be opened may end the process, so this is tried in another one.

    Raises:
        ValueError: OpenCV is missing or has no windows, or there is no display.
    """
    linux = sys.platform.startswith("linux")
    if linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError(
            "show requires a display, but neither DISPLAY nor WAYLAND_DISPLAY is set; run it on a "
            "computer with a screen, or leave out --show and watch poses.jsonl"
        )
    code = "import cv2; cv2.namedWindow('camerapose'); cv2.waitKey(1); cv2.destroyAllWindows()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"show cannot open a window within {TIMEOUT} s; check DISPLAY") from None
    if done.returncode == 0:
        return
    if "ModuleNotFoundError" in done.stderr:
        raise ValueError(f"show requires OpenCV; {INSTALL}")
    if "not implemented" in done.stderr:
        raise ValueError(
            f"show requires OpenCV with windows, but opencv-python-headless is installed; {INSTALL}"
        )
    raise ValueError(
        f"show cannot open a window on display {os.environ.get('DISPLAY', '')!r}; check that the "
        "display exists and accepts connections"
    )


class Window:
    """A window in a process of its own; use it as a context manager.

    Args:
        title: of the window.
        program: Python file that shows the images; see `camerapose.view.window_process`.
    """

    def __init__(self, title: str = "camerapose", program: Path = PROGRAM):
        self._title, self._program = title, program
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            with suppress(OSError):
                self._pipe.close()
            self._process.wait(TIMEOUT)

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> bool:
        """Show an RGB image; all have the same size.

        Returns:
            False once the user has closed the window, or pressed q or Escape.
        """
        if self._process is None:
            height, width = image.shape[:2]
            command = [sys.executable, str(self._program), self._title, str(width), str(height)]
            # A session of its own: Ctrl-C is for this process, which then closes the window.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        try:
            self._pipe.write(np.ascontiguousarray(image[..., ::-1]).tobytes())
            self._pipe.flush()
        except OSError:  # the process has ended
            return False
        return True

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process is not None and self._process.stdin is not None
        return self._process.stdin
