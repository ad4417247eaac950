"""Resource limits that are checked before anything is decoded."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Largest inputs that are read; the defaults only refuse what no camera produces.

    Attributes:
        max_pixels: width times height of an image or a video.
        max_frames: frames of one source.
        max_archive_bytes: decompressed size of all members of a zip archive, such as an .npz file.
    """

    max_pixels: int = 178_000_000
    max_frames: int = 10_000_000
    max_archive_bytes: int = 1_000_000_000

    def check_pixels(self, name: str | os.PathLike[str], width: int, height: int) -> None:
        """Raise ValueError if an image of this size is too large."""
        if width * height > self.max_pixels:
            raise ValueError(
                f"{name} has {width} x {height} pixels ({width * height / 1e6:.0f} million); at "
                f"most {self.max_pixels / 1e6:.0f} million are read: reduce its size"
            )

    def check_frames(self, name: str | os.PathLike[str], count: int) -> None:
        """Raise ValueError if a source has too many frames."""
        if count > self.max_frames:
            raise ValueError(
                f"{name} has {count} frames; at most {self.max_frames} are read: select a part"
            )


DEFAULT = Limits()


def check_archive(path: str | os.PathLike[str], limits: Limits = DEFAULT) -> None:
    """Raise ValueError if a zip archive, such as an .npz file, is too large when decompressed.

    Files that are not zip archives pass; their reader reports them.
    """
    try:
        with zipfile.ZipFile(Path(path)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except Exception:  # zipfile raises many kinds on damaged files
        return
    if size > limits.max_archive_bytes:
        raise ValueError(
            f"{path} has {size / 1e9:.1f} GB when decompressed; at most "
            f"{limits.max_archive_bytes / 1e9:.1f} GB are read"
        )
