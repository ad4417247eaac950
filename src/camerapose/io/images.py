"""Read image files and arrays as upright 8-bit RGB."""

import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

#: Diagonal in millimetres of the 24 x 36 mm film that equivalent focal lengths refer to.
DIAGONAL_35MM = 43.27


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as uint8 (height, width, 3) RGB.

    The EXIF orientation is applied. Grey, palette and 16-bit images become 8-bit RGB; transparent
    pixels are composited on white.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no image file {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                return to_rgb(ImageOps.exif_transpose(file))
    # Pillow's readers raise many kinds of errors on damaged files.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def focal_length(path: str | os.PathLike[str]) -> float | None:
    """Return the focal length in pixels from the EXIF data of a photo, or None if it has none.

    EXIF gives the 35 mm equivalent, which compares diagonals (CIPA DCG-001): 43.27 mm of film and
    the diagonal of the image. The result is wrong for photos that were cropped.
    """
    try:
        with Image.open(path) as image:
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
            value = exif.get(ExifTags.Base.FocalLengthIn35mmFilm)
            diagonal = float(np.hypot(*image.size))
    except (OSError, ValueError, SyntaxError):
        return None
    return float(value) / DIAGONAL_35MM * diagonal if value else None


def to_rgb(image: Image.Image) -> np.ndarray:
    """Convert a Pillow image of any mode to uint8 (height, width, 3) RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _grey_to_rgb(np.asarray(image), image.mode)
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
        return np.rint(array / 257).astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"got an image array of type {array.dtype}; pass uint8 or float")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # NaN included
        raise ValueError(f"got image values from {low} to {high}; pass 0 to 1 or 0 to 255")
    scale = 255 if array.dtype.kind == "f" and high <= 1 else 1
    return np.rint(array * scale).astype(np.uint8)


def _grey_to_rgb(grey: np.ndarray, mode: str) -> np.ndarray:
    """Scale 16-bit values by the range of 16 bits, floats by their own range."""
    grey = grey.astype(np.float64)
    low, high = (np.nanmin(grey), np.nanmax(grey)) if mode == "F" else (0, 65535)
    grey = np.nan_to_num((grey - low) * (255 / max(high - low, 1e-12)))
    return np.repeat(grey.clip(0, 255).round().astype(np.uint8)[..., None], 3, axis=2)
