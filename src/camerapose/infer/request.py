"""Check that source, output folder and options fit together before anything is loaded."""

import os
from pathlib import Path

from camerapose.infer.options import PredictOptions
from camerapose.io.frames import SourceInfo
from camerapose.io.source import Source
from camerapose.view.window import check_window


def check_request(source: Source, out: Path | None, options: PredictOptions) -> SourceInfo | None:
    """Check a request for a prediction. The first frame of images and video is read.

    Returns:
        Image size, frame rate and number of frames; None for keypoints and webcams.

    Raises:
        FileNotFoundError, ValueError: the source cannot be read, or an option does not apply to it.
        OSError: the output folder cannot be used.
    """
    if options.overlay and source.kind != "video":
        raise ValueError(f"overlay requires video input, got {source.title}")
    if options.slowmo != 1 and source.kind not in ("video", "keypoints"):
        raise ValueError(f"slowmo requires video or keypoints, got {source.title}")
    if options.show:
        if not source.is_video:
            raise ValueError(f"show requires a webcam or a video, got {source.title}")
        check_window()
    if out is not None:
        check_folder(out)
    for name in ("export", "overlay", "report"):
        if out is None and getattr(options, name):
            raise ValueError(f"{name} writes files and requires an output folder; pass out=")
    return source.info()


def check_folder(folder: Path) -> None:
    """Check that a folder is writable or can be created, without creating it.

    Raises:
        OSError: it is not.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        reason = f"{existing} is a file"
    elif not os.access(existing, os.W_OK | os.X_OK):
        reason = f"no permission to write to {existing}"
    else:
        return
    raise OSError(f"cannot use {folder} as the output folder: {reason}; choose another")
