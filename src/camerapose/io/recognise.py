"""Recognise what a file is: by its suffix where that is certain, otherwise by its content."""

from pathlib import Path
from typing import Literal

from camerapose.io import animation, images, keypoints, video

#: Suffixes of images; some of them may contain an animation.
IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".tif",
    ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".heic", ".heif", ".hif", ".jp2",
    ".j2k", ".jpf", ".jpx", ".jpc", ".j2c", ".tga", ".sgi", ".qoi", ".psd", ".pcx", ".dds",
    ".exr", ".hdr", ".dpx", ".jxl",
}  # fmt: skip
ANIMATION_SUFFIXES = {".webp", ".png", ".apng", ".avif", ".avifs"}
VIDEO_SUFFIXES = {
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".gif",
    ".mts", ".m2ts", ".m2t", ".3gp", ".3g2", ".flv", ".f4v", ".ogv", ".ogm", ".vob", ".mxf",
    ".asf", ".divx", ".dv", ".mjpeg", ".mjpg", ".m2v", ".mpv", ".h264", ".264", ".hevc",
    ".h265", ".265", ".ivf", ".nut", ".qt", ".mod", ".tod", ".rm", ".rmvb", ".wtv", ".y4m",
    ".apng",
}  # fmt: skip
KEYPOINT_SUFFIXES = {".json", ".npz", ".jsonl", ".ndjson"}
#: Suffixes of data that can only be keypoints; their reader says what is wrong with others.
TABLE_SUFFIXES = {".csv", ".tsv", ".npy", ".h5", ".hdf5", ".slp", ".pkl", ".pickle", ".trc"}
#: Suffixes of raw photos. Pillow would read the thumbnail inside.
RAW_SUFFIXES = {
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".orf", ".rw2",
    ".raf", ".pef", ".srw", ".x3f", ".3fr", ".iiq",
}  # fmt: skip

Form = Literal["image", "animation", "video", "keypoints"]


def recognise(path: Path) -> Form:
    """Return what an existing file contains.

    Raises:
        ValueError: it is of no known kind.
    """
    suffix = path.suffix.lower()
    if suffix in KEYPOINT_SUFFIXES | TABLE_SUFFIXES:
        return "keypoints"
    if suffix in RAW_SUFFIXES:
        raise ValueError(f"{path} is a raw photo; export it as JPEG, PNG or TIFF")
    if suffix == ".gif" and images.is_image(path) and not animation.is_animated(path):
        return "image"
    if suffix in ANIMATION_SUFFIXES and animation.is_animated(path):
        return "animation"
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if keypoints.recognise(path):
        return "keypoints"
    if images.is_image(path, strict=True):
        return "animation" if animation.is_animated(path) else "image"
    if form := video.content(path):
        return form
    raise ValueError(
        f"{path} is neither an image nor a video nor keypoints in a known format; give for example "
        "a .jpg, .mp4 or .json"
    )


def is_image_file(path: Path) -> bool:
    """Whether a file is an image; its content is read if the suffix is unknown."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    known = suffix in VIDEO_SUFFIXES | KEYPOINT_SUFFIXES | TABLE_SUFFIXES | RAW_SUFFIXES
    return not known and images.is_image(path, strict=True)


def list_suffixes(suffixes: set[str]) -> str:
    return " ".join(sorted(suffixes))
