"""SLEAP: analysis HDF5."""

from typing import Any

import numpy as np

from camerapose.io.hdf5 import Hdf5, open_hdf5
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, with_scores
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "SLEAP analysis HDF5"
SOURCES = (
    Source(
        "SLEAP", "1.3, 1.4", "Export Analysis HDF5",
        'joints by node_names, identities by track; needs pip install "camerapose[data]"',
    ),
)  # fmt: skip
SIGNATURE = b"\x89HDF"
#: Arrays that every file of this kind has.
ARRAYS = ("tracks", "node_names", "track_occupancy")


def matches(content: Content) -> bool:
    """Return whether this is HDF5 with the arrays of SLEAP's analysis export."""
    if content.kind != "hdf5":
        return False
    with open(content.path, "rb") as file:
        head = file.read(1 << 20)
    return head[:4] == SIGNATURE and all(name.encode() in head for name in ARRAYS)


def read(content: Content) -> People:
    """Read all tracks of all frames; point scores, if there are any, are the confidence.

    Raises:
        ValueError: h5py is not installed, or the arrays have another layout.
    """
    try:
        with open_hdf5(content.path) as file:
            points, scores = _frames_first(file)
            joints = _names(file, "node_names")
            tracks = _names(file, "track_names") if "track_names" in file else []
    except OSError as error:
        raise ValueError(f"{content.path} cannot be read as {DESCRIPTION} ({error})") from error
    n_frames, n_tracks = points.shape[:2]
    if points.shape[2] != len(joints):
        raise ValueError(f"{points.shape[2]} nodes, but {len(joints)} names")
    frame, track = np.nonzero(np.isfinite(points).any(axis=(2, 3)))
    names = tracks if len(tracks) == n_tracks else [str(i) for i in range(n_tracks)]
    return People(
        with_scores(points[frame, track], None if scores is None else scores[frame, track]),
        place=lambda i: f"{content.path}, frame {frame[i]}, track {names[track[i]]}",
        image=[""] * len(frame),
        frame=frame,
        frames=list(range(n_frames)),
        person=track,
        joints=joints,
        unit="pixel",
    )


def _frames_first(file: Hdf5) -> tuple[np.ndarray, np.ndarray | None]:
    """Return points (frames, tracks, nodes, 2) and scores (frames, tracks, nodes)."""
    points = file.read(file["tracks"])
    if points.ndim != 4 or 2 not in points.shape[1:3]:
        raise ValueError(f"tracks has shape {points.shape}, expected (tracks, 2, nodes, frames)")
    scores: Any = file.read(file["point_scores"]) if "point_scores" in file else None
    if points.shape[1] == 2:  # as MATLAB reads it: tracks, coordinates, nodes, frames
        points = points.transpose(3, 0, 2, 1)
        scores = None if scores is None else scores.transpose(2, 0, 1)
    else:  # frames, nodes, coordinates, tracks
        points = points.transpose(0, 3, 1, 2)
        scores = None if scores is None else scores.transpose(0, 2, 1)
    if scores is not None and (scores.shape != points.shape[:3] or not np.nansum(scores) > 0):
        scores = None  # annotated by hand
    return points.astype(np.float32), scores


def _names(file: Hdf5, name: str) -> list[str]:
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in file.read(file[name]).ravel()
    ]
