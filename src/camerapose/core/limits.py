"""Resource limits of all inputs, checked before anything is decoded."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Largest inputs that are read; the defaults only refuse what no camera or program produces.

    Attributes:
        max_pixels: width times height of an image or a video.
        max_side: width or height of an image, also of one that keypoints refer to.
        max_frames: frames of one source.
        max_live_frames: frames of a webcam whose people are kept in memory, the last ones.
        max_seconds: absolute value of a time.
        max_bytes: decompressed size of all members of a zip archive, such as an .npz file, or of
            all values that are read from an HDF5 or MATLAB file.
        max_suspicious_bytes, max_ratio: an archive or array that is larger than this when
            decompressed must not be compressed by more than this ratio.
        max_chunk_bytes: size of a chunk of an HDF5 array, which is decompressed as a whole.
        max_objects: arrays, cells and structs of an HDF5 or MATLAB file, nodes of an ONNX graph.
        max_depth: nesting of cells and structs, of TOML tables, and of ONNX graphs.
        max_text: characters of a TOML file, or of one string in a MATLAB file.
        max_graph_bytes: size of an ONNX file; protobuf has no larger messages.
        max_generated_bytes: size of one constant that an ONNX graph computes from its description.
    """

    max_pixels: int = 178_000_000
    max_side: int = 1_000_000
    max_frames: int = 10_000_000
    max_live_frames: int = 108_000
    max_seconds: float = 1e9
    max_bytes: int = 1_000_000_000
    max_suspicious_bytes: int = 1 << 28
    max_ratio: int = 200
    max_chunk_bytes: int = 1 << 28
    max_objects: int = 8_000_000
    max_depth: int = 32
    max_text: int = 1_000_000
    max_graph_bytes: int = 1 << 31
    max_generated_bytes: int = 1 << 28

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


#: Limits of the command line and of Python.
DEFAULT = Limits()
#: Limits of the web page; `camerapose.server.limits.ServerLimits` are those that its owner sets.
WEB = Limits(max_pixels=50_000_000, max_frames=1_000_000)


class Budget:
    """Counts what is read from one file, and refuses what exceeds the limits.

    Args:
        limits: of the whole file; None: the default limits.
    """

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or DEFAULT
        self.bytes = self.objects = 0

    def spend(self, n_bytes: int, stored: int | None = None) -> None:
        """Count an object and its decompressed bytes.

        Args:
            stored: its compressed bytes, if known.

        Raises:
            ValueError: too many bytes or objects, or a compression that is not plausible.
        """
        self.bytes += n_bytes
        self.count(1)
        limits = self.limits
        if self.bytes > limits.max_bytes:
            raise ValueError(
                f"it has {self.bytes / 1e9:.1f} GB when decompressed; at most "
                f"{limits.max_bytes / 1e9:.1f} GB are read"
            )
        check_ratio(n_bytes, stored, limits)

    def count(self, n: int) -> None:
        """Count objects that take no memory worth counting; raises as `spend`."""
        self.objects += n
        if self.objects > self.limits.max_objects:
            raise ValueError(
                f"it has more than {self.limits.max_objects} arrays, cells and structs"
            )


def check_ratio(n_bytes: int, stored: int | None, limits: Limits = DEFAULT) -> None:
    """Raise ValueError if a large amount of data is compressed more than data of cameras are."""
    if stored is None or n_bytes <= limits.max_suspicious_bytes:
        return
    if n_bytes > limits.max_ratio * stored:
        raise ValueError(
            f"it contains {n_bytes / 1e9:.1f} GB in {stored / 1e6:.1f} MB, which is not plausible"
        )


def check_archive(path: str | os.PathLike[str], limits: Limits = DEFAULT) -> None:
    """Raise ValueError if a zip archive, such as an .npz file, is too large when decompressed.

    Files that are not zip archives pass; their reader reports them.
    """
    try:
        with zipfile.ZipFile(Path(path)) as archive:
            members = archive.infolist()
    except Exception:  # zipfile raises many kinds on damaged files
        return
    try:
        budget = Budget(limits)
        for member in members:
            budget.spend(member.file_size)
        check_ratio(budget.bytes, sum(member.compress_size for member in members), limits)
    except ValueError as error:
        raise ValueError(f"{path} {str(error).removeprefix('it ')}") from None
