"""Read the frames of a webcam."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from camerapose.io import display
from camerapose.io.completeness import Completeness
from camerapose.io.frames import Frame
from camerapose.io.video import decode


def is_webcam(source: Any) -> bool:
    """Whether a webcam is meant: a number for which no file exists, or /dev/videoN."""
    if isinstance(source, int):
        return source >= 0 and not isinstance(source, bool)
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    return text.startswith("/dev/video") or (text.isdecimal() and not Path(text).exists())


def webcam_frames(name: str, wanted: range) -> Iterator[Frame]:
    """Iterate over frames until `wanted` ends or the webcam is disconnected.

    Frames that arrive while the caller is busy may be lost; times are the webcam's.

    Args:
        name: number or device, such as "0" or "/dev/video0".
        wanted: indices of the frames.

    Raises:
        ValueError: the webcam cannot be opened.
    """
    import av

    address, form, options = device(name)
    try:
        container = av.open(address, format=form, options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ValueError(
            f"webcam {name} cannot be opened ({getattr(error, 'strerror', None) or error}); check "
            "that it is connected, permitted and not in use, or try another number"
        ) from error
    began = None
    with container:
        for index, decoded in enumerate(decode(container, Completeness(1.0))):
            if index >= wanted.stop:
                return
            time = float(decoded.time or 0.0)
            began = time if began is None else began
            if index in wanted:
                yield Frame(index, time - began, display.to_rgb(decoded), f"webcam_{index:06d}")


def device(name: str) -> tuple[str, str, dict[str, str]]:
    """Return address, format and options of a webcam for FFmpeg."""
    if sys.platform == "darwin":
        return name, "avfoundation", {"framerate": "30"}
    if sys.platform == "win32":
        raise ValueError(
            f"webcam {name} cannot be opened: webcams have no numbers on Windows; record a video "
            "and pass the file"
        )
    return (name if name.startswith("/") else f"/dev/video{name}"), "v4l2", {}
