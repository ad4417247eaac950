"""Read image files and arrays as upright 8-bit RGB."""

import contextlib
import functools
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from camerapose.core.limits import DEFAULT, Limits
from camerapose.io import video
from camerapose.io.frames import Log, ignore

#: Diagonal in millimetres of the 24 x 36 mm film that equivalent focal lengths refer to.
DIAGONAL_35MM = 43.27
#: Formats of Pillow that run other programs, or contain something other than images.
EXCLUDED_FORMATS = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "IPTC", "XVTHUMB"}
#: Formats of Pillow without a reliable signature.
LOOSE_FORMATS = {"TGA", "SPIDER", "PCX", "MSP", "IM", "IMT", "GBR", "CUR", "ICO", "DCX", "FLI",
                 "PIXAR", "MCIDAS", "PCD", "XBM", "SUN", "SGI", "DIB"}  # fmt: skip
#: First brands of HEIF files with HEVC images (ISO 23008-12).
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def read_image(
    path: str | os.PathLike[str], limits: Limits = DEFAULT, log: Log = ignore
) -> np.ndarray:
    """Read an image file as uint8 (height, width, 3) RGB.

    The EXIF orientation is applied. Grey, palette and 16-bit images become 8-bit RGB; transparent
    pixels are composited on white. If 16-bit values use fewer bits, they are stretched.

    Args:
        log: receives a message if the image was stretched, or has further frames or pages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is too large or cannot be decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no image file {path}")
    try:
        return _read_with_pillow(path, limits, log)
    except ValueError as error:
        if isinstance(error.__cause__, UnidentifiedImageError) and video.content(path) == "image":
            with contextlib.suppress(ValueError):
                return video.read_still(path, limits)
        raise


def _read_with_pillow(path: Path, limits: Limits, log: Log) -> np.ndarray:
    with open_image(path) as file:
        limits.check_pixels(path, *file.size)
        try:
            count = getattr(file, "n_frames", 1)
            if count > 1 and file.format != "MPO":  # phones store previews in JPEG files
                log(f"only the first of several frames or pages is used: {path.name}")
            if _is_deep_colour(file):
                values = video.read_still(path, limits, "rgb48le")
                if values.max() < 1 << 15:  # else Pillow's 8 bits are the upper half of 16
                    return _stretch(values, path.name, log)
            return to_rgb(ImageOps.exif_transpose(file), path.name, log)
        except Exception as error:  # Pillow's readers raise any kind on damaged files
            raise ValueError(f"{path} cannot be read as an image: {error}") from error


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image file with Pillow without decoding it.

    Raises:
        ValueError: it is not an image, or it is damaged.
    """
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            file = Image.open(path, formats=_formats())
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise ValueError(
            f"{path} has more than {most:.0f} million pixels; reduce its size"
        ) from error
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's readers raise any kind on damaged files
        reason = str(error)
        with path.open("rb") as stream:
            brand = stream.read(12)[4:]
        if brand[:4] == b"ftyp" and brand[4:] in HEIF_BRANDS:
            reason = 'HEIC needs pillow-heif: pip install "camerapose[heic]"'
        raise ValueError(f"{path} cannot be read as an image: {reason}") from error
    with file:
        yield file


def is_image(path: Path, strict: bool = False) -> bool:
    """Whether Pillow recognises a file; strictly only by a signature that rules out other files."""
    try:
        with open_image(path) as image:
            return not strict or image.format not in LOOSE_FORMATS
    except (ValueError, OSError):
        return False


def focal_length(path: str | os.PathLike[str]) -> float | None:
    """Return the focal length in pixels from the EXIF data of a photo, or None if it has none.

    EXIF gives the 35 mm equivalent, which compares diagonals (CIPA DCG-001): 43.27 mm of film and
    the diagonal of the image. The result is wrong for photos that were cropped.
    """
    try:
        with open_image(Path(path)) as image:
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
            value = exif.get(ExifTags.Base.FocalLengthIn35mmFilm)
            diagonal = float(np.hypot(*image.size))
        return float(value) / DIAGONAL_35MM * diagonal if value else None
    except Exception:  # Pillow's readers raise any kind on damaged files
        return None


def to_rgb(image: Image.Image, name: str = "", log: Log = ignore) -> np.ndarray:
    """Convert a Pillow image of any mode to uint8 (height, width, 3) RGB."""
    if image.mode == "F":
        return _float_to_rgb(np.asarray(image))
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _stretch(np.asarray(image), name, log)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def array_to_rgb(array: np.ndarray) -> np.ndarray:
    """Convert an image array to uint8 (height, width, 3) RGB.

    Args:
        array: (height, width), (height, width, 1), (height, width, 3) in RGB order or
            (height, width, 4) with opacity, composited on white. Floats whose maximum is at most
            1 are multiplied by 255, uint16 is divided by 257; other numbers must be 0 to 255.

    Raises:
        ValueError: another shape, type or range of values.
    """
    array = np.asarray(array)
    shape = " x ".join(map(str, array.shape))
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(
            f"got an array of shape {shape}; an image is height x width x 3 (RGB), "
            "height x width x 4 (RGBA) or height x width (grey)"
        )
    values = _to_uint8(array)
    if values.shape[2] == 4:
        opacity = values[..., 3:] / 255
        values = np.rint(values[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))


def natural_sort(files: Iterable[Path]) -> list[Path]:
    """Sort paths by name, comparing digits as numbers: im2 precedes im10."""

    def key(path: Path) -> list[str | int]:
        return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", path.as_posix())]

    return sorted(files, key=key)


def _to_uint8(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return np.rint(array * (255 / 65535)).astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"got an image array of type {array.dtype}; pass uint8 or float")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # NaN included
        raise ValueError(f"got image values from {low} to {high}; pass 0 to 1 or 0 to 255")
    scale = 255 if array.dtype.kind == "f" and high <= 1 else 1
    return np.rint(array * scale).astype(np.uint8)


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether a colour image has 16 bits per channel, of which Pillow keeps the upper 8."""
    tiles = getattr(image, "tile", None) or []
    return image.mode in ("RGB", "RGBA") and any(";16" in str(tile) for tile in tiles)


def _stretch(values: np.ndarray, name: str, log: Log) -> np.ndarray:
    """Scale integers to 8 bits by the number of bits that they use."""
    highest = int(values.max(initial=0))
    bits = next((b for b in (8, 10, 12, 14, 16) if highest < 1 << b), 32)
    if bits < 16:
        log(f"16-bit values use only {bits} bits and are stretched: {name}")
    if bits == 32:
        values = (values / highest * 65535).astype(np.uint16)
        bits = 16
    table = np.rint(np.arange(1 << bits) * (255 / ((1 << bits) - 1))).astype(np.uint8)
    scaled = table[np.maximum(values, 0)]
    return scaled if scaled.ndim == 3 else np.repeat(scaled[..., None], 3, axis=2)


def _float_to_rgb(grey: np.ndarray) -> np.ndarray:
    """Scale floats by their range."""
    low, high = np.nanmin(grey), np.nanmax(grey)
    scaled = np.nan_to_num((grey - low) * (255 / max(float(high - low), 1e-12)))
    return np.repeat(scaled.clip(0, 255).round().astype(np.uint8)[..., None], 3, axis=2)


@functools.cache
def _register_heif() -> None:
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _formats() -> list[str]:
    """Return the formats of Pillow without those that run programs or are not images."""
    Image.init()
    return [name for name in Image.ID if name not in EXCLUDED_FORMATS]
