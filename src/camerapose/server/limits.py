"""Limits of the web page, and the checks of uploads."""

from dataclasses import dataclass
from pathlib import Path

from camerapose.core.limits import WEB
from camerapose.io.source import Source

#: Maximum number of people, and of waiting visitors.
MAX_PEOPLE, MAX_WAITING = 6, 10
#: Frame rate above which the length limit counts frames instead of seconds (slow motion).
MAX_FPS = 120
DEFAULT_FPS = 30.0
#: People who are detected in fewer frames of a video, or in a smaller part of it, are left out.
MIN_FRAMES, MIN_PART = 10, 0.1


@dataclass(frozen=True)
class ServerLimits:
    """Limits of uploads."""

    max_megabytes: float = 200
    "maximum size of an upload"
    max_seconds: float = 60
    "maximum length of a video; the rest is ignored"
    keep_minutes: float = 60
    "maximum time that uploads and results are kept after the last use"
    max_job_minutes: float = 15
    "maximum time of a prediction; what was read until then is used"
    max_total_megabytes: float = 20_000
    "maximum size of all uploads and results; a visitor may use a quarter of it"
    workers: int = 1
    "number of predictions at the same time"

    def __post_init__(self) -> None:
        ranges = {
            "max_megabytes": 1e5, "max_seconds": 1e5, "keep_minutes": 1e6, "max_job_minutes": 1e5,
            "max_total_megabytes": 1e8, "workers": 64,
        }  # fmt: skip
        for name, maximum in ranges.items():
            value = getattr(self, name)
            if not 0 < value <= maximum:
                raise ValueError(f"{name} is {value}; require above 0, at most {maximum:g}")


def check_upload(path: Path, limits: ServerLimits) -> Source:
    """Check an upload and return it as a source of kind "image" or "video".

    Raises:
        ValueError: deleted, too large, or neither image nor video; the message is for visitors.
    """
    if not path.is_file():
        raise ValueError("the file has been deleted meanwhile; upload it again")
    source = Source.open(path, limits=WEB)
    if source.kind not in ("image", "video"):
        raise ValueError(f"{path.name} is neither an image nor a video")
    size = path.stat().st_size / 1e6
    if size > limits.max_megabytes:
        raise ValueError(
            f"{path.name} has {size:.0f} MB, the limit is {limits.max_megabytes:g} MB; cut or "
            "compress it, or run `camerapose predict` on your computer"
        )
    with path.open("rb") as stream:
        head = stream.read(512)
    if head and b"\0" not in head and head.isascii():
        raise ValueError(f"{path.name} is a text file, neither an image nor a video")
    source.info()  # checks the number of pixels before it reads the first frame
    return source


def fewest_frames(n_frames: int | None, end: int) -> int:
    """Return the number of frames in which a person must be detected.

    Args:
        n_frames: of the video; None: unknown.
        end: number of frames that are processed.
    """
    return 1 if n_frames is None else max(1, min(MIN_FRAMES, int(MIN_PART * min(n_frames, end))))


def frame_limit(source: Source, limits: ServerLimits) -> tuple[int, str]:
    """Return the number of frames to process, and a message if the video is longer."""
    info = source.info()
    assert info is not None, "a video"
    fps = info.fps or DEFAULT_FPS
    end = max(1, round(limits.max_seconds * min(fps, MAX_FPS)))
    if info.n_frames is None or info.n_frames <= end:
        return end, ""
    return end, (
        f"**The video is {info.n_frames / fps:.0f} s long; only the first {end / fps:.0f} s are "
        "processed.** `camerapose predict` has no limit."
    )
