"""Program that shows the images on its standard input in a window; started by `view.window`.

It imports nothing of this package: OpenCV's windows hang in a process that has loaded PyAV.
"""

import sys

import cv2
import numpy as np

#: Keys that end: q, Escape.
END_KEYS = (ord("q"), 27)


def main(title: str, width: int, height: int) -> None:
    """Show BGR images of this size until the input ends or the user ends the window."""
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    cv2.resizeWindow(title, width, height)
    size = width * height * 3
    while len(data := sys.stdin.buffer.read(size)) == size:
        cv2.imshow(title, np.frombuffer(data, np.uint8).reshape(height, width, 3))
        pressed = cv2.waitKey(1) & 0xFF
        if pressed in END_KEYS or cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
            break
    cv2.destroyAllWindows()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
