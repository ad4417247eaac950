"""TRC with 2D markers in pixels, as Sports2D and Pose2Sim write them."""

import numpy as np

from camerapose.io.keypoints import _tables
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, with_scores
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "TRC with 2D markers in pixels"
SOURCES = (
    Source(
        "Sports2D", "0.8", "*_px_person00.trc", "joints by marker name, times, one person per file"
    ),
    Source("Pose2Sim", "0.10", "pose/*_json (OpenPose files)", "see OpenPose; 3D TRC is refused"),
)  # fmt: skip
#: Number of lines before the data.
HEADER = 5


def matches(content: Content) -> bool:
    """Return whether the first field is PathFileType."""
    return content.text is not None and content.text.startswith("PathFileType")


def read(content: Content) -> People:
    """Read all frames of one person.

    Raises:
        ValueError: the markers are 3D, or in metres.
    """
    lines = content.path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(lines) <= HEADER:
        raise ValueError(f"{content.path} has no frames")
    settings = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    rows = [line.split("\t") for line in lines[HEADER:] if line.strip()]
    values = _tables.numbers(rows, 2 + 3 * len(names))
    points = values[:, 2:].reshape(len(values), len(names), 3)
    units = settings.get("Units", "").strip().lower()
    flat = np.nan_to_num(points[..., 2])
    if np.ptp(flat) > 1e-6 or units in ("m", "mm", "cm"):
        raise ValueError(
            f"{content.path} contains 3D markers or metres (units {units or 'unknown'}), which "
            "cannot be used; pass the file in pixels (Sports2D: *_px_*.trc) or the 2D keypoints "
            "(Pose2Sim: the folder pose/*_json)"
        )
    points = points[..., :2]
    empty = ~np.isfinite(points).any(axis=(1, 2))
    missing = ~np.isfinite(points).all(-1) | (np.nan_to_num(points) == 0).all(-1)
    keypoints = with_scores(points, ~missing)
    frame = values[:, 0].astype(int)
    return People(
        keypoints[~empty],
        place=lambda i: f"{content.path}, row {i}",
        image=[""] * int((~empty).sum()),
        frame=[int(i) for i in frame[~empty]],
        frames=[int(i) for i in frame],
        person=[0] * int((~empty).sum()),
        time=values[~empty, 1],
        joints=names,
    )
