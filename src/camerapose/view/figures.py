"""`camerapose figure`: draw results of prediction as the figures of the paper."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core.conversion import has_definitions
from camerapose.core.poses import Poses
from camerapose.io import results as result_files
from camerapose.io.resize import shrink
from camerapose.io.source import Source
from camerapose.view.comparison import draw_two_models
from camerapose.view.confidence import draw_keypoints
from camerapose.view.frames import draw_frames
from camerapose.view.gallery import draw_gallery
from camerapose.view.layout import save_figure
from camerapose.view.rows import IMAGE_PIXELS, Row, frame_title, spread

#: Kinds of figures and their default number of frames.
KINDS = {"keypoints": 4, "compare": 4, "gallery": 9, "steps": 5}
#: Mean distance of 2D joints below which poses of two results are of the same person; a share of
#: half the image width.
SAME_PERSON = 0.05
DPI = 150


def draw_results(
    kind: str,
    results: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    source: str | os.PathLike | None = None,
    frames: Sequence[int] = (),
    max_frames: int | None = None,
) -> Path:
    """Draw results of `predict` as a figure of the paper.

    Args:
        kind: "keypoints" (Fig. 4: confidences), "compare" (Fig. 6: two models), "gallery"
            (Fig. 7: 2D and 3D of many images) or "steps" (Fig. 8: detected, 3D, reprojected).
        results: a result folder or its poses.npz; two for "compare".
        out: .png, .jpg, .pdf or .svg file.
        source: image, folder of images or video of the results; None draws plain backgrounds.
        frames: frame numbers to show; empty for a selection spread evenly over all frames with
            people.
        max_frames: size of that selection; None for the default in `KINDS`.

    Raises:
        ValueError: unknown kind, wrong number of results, or results that cannot be drawn.
        FileNotFoundError: a result does not exist.
    """
    _check(kind, results, max_frames)
    poses = [result_files.read(path) for path in results]
    shown = _choose_frames(poses[0], frames, max_frames or KINDS[kind])
    images = {} if source is None else _read_images(poses[0], Source.open(source), shown)
    rows = [
        Row(people, images.get(frame), frame_title(people))
        for frame in shown
        for people in [poses[0][poses[0].labels["frame"] == frame]]
    ]
    if kind == "steps":
        figure = draw_frames(rows)
    elif kind == "gallery":
        figure = draw_gallery(rows)
    elif kind == "keypoints":
        figure = draw_keypoints(_person_rows(rows))
    else:
        pairs = _match_people(_person_rows(rows), poses[1])
        figure = draw_two_models(pairs, result_names(results))
    try:
        return save_figure(figure, out, dpi=DPI)
    except ValueError as error:  # matplotlib lists its formats
        raise ValueError(f"cannot write {out} as an image: {error}") from error


def result_names(results: Sequence[str | os.PathLike]) -> tuple[str, str]:
    """Return short names of two results: their folders, or the parts of their paths that differ."""
    paths = [Path(path).resolve() for path in results]
    paths = [path.parent if path.name == result_files.ARRAYS else path for path in paths]
    while paths[0].name == paths[1].name and paths[0] != paths[1]:
        paths = [path.parent for path in paths]
    return paths[0].stem, paths[1].stem


def _check(kind: str, results: Sequence[str | os.PathLike], max_frames: int | None) -> None:
    if kind not in KINDS:
        raise ValueError(f"unknown figure {kind!r}; choose from {', '.join(KINDS)}")
    expected = 2 if kind == "compare" else 1
    if len(results) != expected:
        raise ValueError(
            f"figure {kind!r} takes {expected} result{'s' * (expected > 1)}, got {len(results)}"
        )
    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames is {max_frames}; give 1 or more")


def _choose_frames(poses: Poses, frames: Sequence[int], count: int) -> list[int]:
    """Return the requested frames, or `count` frames spread evenly."""
    available = np.unique(poses.labels["frame"])
    if missing := sorted(set(frames) - set(available.tolist())):
        raise ValueError(
            f"no person in frame {', '.join(map(str, missing))}; the results have "
            f"{len(available)} frames from {available[0]} to {available[-1]}"
        )
    return list(frames) or spread(available.tolist(), count)


def _read_images(poses: Poses, source: Source, frames: Sequence[int]) -> dict[int, Any]:
    """Read the images of the frames, shrunk to the resolution of a figure."""
    if source.kind == "keypoints":
        raise ValueError(f"{source.path} contains keypoints, not images; omit the input")
    images = {}
    if source.is_video:
        for frame in source.frames(start=min(frames), end=max(frames) + 1):
            if frame.index in frames:
                images[frame.index] = shrink(frame.image, IMAGE_PIXELS)
    else:
        names = poses.labels.get("image")
        for number in frames:
            name = "" if names is None else str(names[poses.labels["frame"] == number][0])
            if name and source.kind == "image":  # it may have been renamed
                name = source.frame_name(0)
            if name and (source.folder / name).is_file():
                images[number] = shrink(source.read(name), IMAGE_PIXELS)
    if not images:
        raise ValueError(f"{source.path} contains none of the images of the results")
    return images


def _person_rows(rows: Sequence[Row]) -> list[Row]:
    """Return one row per person."""
    return [row._replace(poses=person) for row in rows for person in row.poses]


def _match_people(rows: Sequence[Row], others: Poses) -> list[tuple[Row, Poses]]:
    """Pair each row with the same person in other results; rows without one are left out."""
    skeleton = rows[0].poses.skeleton
    if others.skeleton != skeleton and has_definitions(skeleton):  # select, rather than derive
        rows = [row._replace(poses=row.poses.to(others.skeleton)) for row in rows]
    elif others.skeleton != skeleton:
        others = others.to(skeleton)
    pairs = []
    for row in rows:
        candidates = others[others.labels["frame"] == row.poses.labels["frame"][0]]
        if len(candidates):
            distance = _distances(row.poses, candidates)
            if distance.min() < SAME_PERSON:
                pairs.append((row, candidates[[int(distance.argmin())]]))
    if not pairs:
        raise ValueError(
            "the two results have no person in common in these frames; use results of the same "
            "input, or choose other frames"
        )
    return pairs


def _distances(one: Poses, others: Poses) -> Float[np.ndarray, " n"]:
    """Return mean 2D distances, normalised, over the joints visible in both; infinite if none."""
    visible = (one.confidence > 0) & (others.confidence > 0)
    distance = np.linalg.norm(one.pose2d - others.pose2d, axis=-1)
    count = visible.sum(1)
    mean = (distance * visible).sum(1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.inf)
