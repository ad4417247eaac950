"""Files of known programs that cannot be used, with what to export instead."""

from typing import NamedTuple

from camerapose.io.keypoints import deeplabcut_h5, sleap
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "a file of another program"


class Known(NamedTuple):
    """A kind of file that cannot be used.

    Attributes:
        what: program and file.
        instead: what to export.
    """

    what: str
    instead: str


KNOWN = {
    "cvat": Known("CVAT XML", "export as COCO Keypoints 1.0"),
    "voc": Known("Pascal VOC XML", "export the keypoints as COCO"),
    "opencv": Known("OpenPose's --write_keypoint", "run OpenPose with --write_json DIR"),
    "labelme": Known("LabelMe JSON", "convert it to COCO keypoints (labelme2coco)"),
    "via": Known("VGG Image Annotator JSON", "export as COCO"),
    "slp": Known("a SLEAP project", "export it as Analysis HDF5"),
    "hdf5": Known(
        "HDF5 of an unknown program", "export CSV (SLEAP: Analysis HDF5; DeepLabCut: CSV)"
    ),
    "pickle": Known("a pickle", "save the keypoints as .npy, .npz or JSON"),
    "smpl": Known("SMPL parameters", "export 2D keypoints in pixels"),
}  # fmt: skip
SOURCES = tuple(Source(k.what, "", "", f"refused: {k.instead}") for k in KNOWN.values())


def matches(content: Content) -> bool:
    """Return whether this is one of `KNOWN`."""
    return _kind(content) is not None


def read(content: Content) -> People:
    """Raise a ValueError that names the program and what to export."""
    kind = _kind(content)
    assert kind is not None
    known = KNOWN[kind]
    raise ValueError(f"{content.path} is {known.what}, which cannot be used; {known.instead}")


def _kind(content: Content) -> str | None:
    if content.path.suffix.lower() == ".slp":
        return "slp"
    if content.kind == "hdf5":
        return None if any(own.matches(content) for own in (deeplabcut_h5, sleap)) else "hdf5"
    if content.kind == "pickle":
        return content.kind
    if content.text is not None:
        text = content.text
        if "%YAML" in text[:20] or "<opencv_storage>" in text:
            return "opencv"
        if "<annotations" in text:
            return "cvat"
        return "voc" if "<annotation" in text else None
    document = content.json
    if isinstance(document, dict):
        if {"shapes", "imagePath"} <= set(document):
            return "labelme"
        if "_via_img_metadata" in document or "_via_settings" in document:
            return "via"
        if {"pose", "betas"} <= set(document) or "smpl" in document:
            return "smpl"
    if isinstance(document, Table) and {"pose", "betas"} <= set(document.keys):
        return "smpl"
    names = set(content.arrays or ())
    return "smpl" if {"poses", "betas"} <= names else None
