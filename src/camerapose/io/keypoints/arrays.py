"""Plain arrays of 2D keypoints: .npy, .npz, JSON or CSV without names, best with a skeleton."""

from typing import Any

import numpy as np

from camerapose.io.keypoints import _tables
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People, with_scores
from camerapose.io.keypoints._sources import Source
from camerapose.io.keypoints._stream import Table

DESCRIPTION = "an array (frames, joints, 2 or 3) in .npy, .npz, .json or .csv"
#: Names of the members with keypoints and with scores.
POINTS = ("keypoints", "keypoints_2d", "kpts", "kps", "pose2d", "poses", "points", "data",
          "reconstruction", "arr_0")  # fmt: skip
#: The member that the demos of MHFormer, MotionAGFormer and others write: people before frames.
PEOPLE_FIRST = "reconstruction"
SCORES = ("scores", "keypoint_scores", "confidence", "conf", "visibility", "score", "arr_1")
SOURCES = (
    Source(
        "NumPy", "2", "np.save, np.savez",
        "(frames, joints, 2 or 3) or (frames, people, joints, 2 or 3); --skeleton",
    ),
    Source(
        "MotionBERT, MHFormer, MotionAGFormer, P-STMO", "2023", "demo: input_2D/keypoints.npz",
        "the array reconstruction (people, frames, 17, 2 or 3); Human3.6M 17 or COCO 17",
    ),
    Source("any program", "", "CSV of numbers only", "x, y of every joint per row; --skeleton"),
)  # fmt: skip
#: Numbers per row of a CSV: at least this many joints.
MIN_JOINTS = 5


def matches(content: Content) -> bool:
    """Return whether this is an array, or has one, that can be keypoints."""
    if content.kind == "npy":
        return True
    if content.arrays is not None:
        others = {"skeleton", "boxes", "betas"} & set(content.arrays)
        return any(name in content.arrays for name in POINTS) and not others
    if isinstance(content.json, (list, np.ndarray)) and not isinstance(content.json, Table):
        return len(content.json) > 0 and isinstance(content.json[0], (list, np.ndarray))
    if content.header is not None:
        return len(content.header) >= 2 * MIN_JOINTS and all(map(_is_number, content.header))
    return False


def read(content: Content) -> People:
    """Read an array; a third coordinate is the score."""
    scores, name, notes = None, "", []
    if content.kind == "npz":
        name, points, scores = _members(content)
    elif content.kind == "npy":
        points = np.load(content.path, allow_pickle=False)
    elif content.json is not None:
        points = np.array(content.json, np.float32)
    else:
        points = _from_rows(content)
    keypoints = _checked(content, np.asarray(points), scores)
    is_single = np.ndim(points) == 4 and len(keypoints) == 1 and keypoints.shape[1] > 1
    if people_first := name == PEOPLE_FIRST or is_single:
        keypoints = keypoints.swapaxes(0, 1)
        if name != PEOPLE_FIRST:
            notes = [f"{content.path}: shape {np.shape(points)} is read as one person in "
                     f"{len(keypoints)} frames"]  # fmt: skip
    people = keypoints.shape[1]
    rows = keypoints.reshape(-1, *keypoints.shape[2:])
    present = np.isfinite(rows[..., :2]).all(-1).any(-1) & (np.nan_to_num(rows[..., :2]) != 0).any(
        axis=(1, 2)
    )
    frame = np.repeat(np.arange(len(keypoints)), people)
    return People(
        rows[present],
        place=lambda i: f"{content.path}, frame {frame[present][i]}",
        image=[""] * int(present.sum()),
        frame=frame[present],
        frames=list(range(len(keypoints))),
        person=np.tile(np.arange(people), len(keypoints))[present]
        if people == 1 or people_first
        else None,
        notes=notes,
    )


def _members(content: Content) -> tuple[str, np.ndarray, np.ndarray | None]:
    """Return name and array of the keypoints, and the scores if there are any."""
    try:
        with np.load(content.path, allow_pickle=False) as file:
            name = next(name for name in POINTS if name in file.files)
            scores = next((file[name] for name in SCORES if name in file.files), None)
            return name, file[name], scores
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise ValueError(f"{content.path} is damaged: {error}") from error


def _from_rows(content: Content) -> np.ndarray:
    values = _tables.numbers(content.rows(), len(content.header or ()))
    columns = values.shape[1]
    width = 3 if columns % 3 == 0 and _is_score(values[:, 2::3]) else 2
    if columns % width:
        raise ValueError(f"{content.path} has {columns} columns, expected x and y of every joint")
    return values.reshape(len(values), -1, width)


def _checked(content: Content, points: np.ndarray, scores: Any) -> np.ndarray:
    """Return (frames, people, joints, 3). ValueError if the array is anything else."""
    if points.dtype.kind not in "iuf" or points.ndim not in (2, 3, 4):
        raise ValueError(
            f"{content.path} contains an array of {points.dtype} with shape {points.shape}, "
            "expected (frames, joints, 2 or 3)"
        )
    points = points.astype(np.float32)
    points = points.reshape(*(1,) * (3 - points.ndim), *points.shape)
    points = points[:, None] if points.ndim == 3 else points
    if points.shape[-1] == 3 and _is_score(points[..., 2]):
        return points
    if points.shape[-1] != 2:
        raise ValueError(
            f"{content.path} has {points.shape[-1]} numbers per joint that are not x, y and score "
            f"(shape {points.shape}); 3D positions cannot be used, save the 2D keypoints in pixels"
        )
    if scores is not None:
        scores = np.asarray(scores, np.float32).reshape(points.shape[:3])
    flat = with_scores(points.reshape(-1, *points.shape[2:]), None if scores is None else (
        scores.reshape(-1, points.shape[2])))  # fmt: skip
    return flat.reshape(*points.shape[:3], 3)


def _is_score(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(finite.min() >= 0 and finite.max() <= 1.01)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
