"""Results to a picture for a paper or a page: `camerapose figure`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core.poses import Poses
from camerapose.io import media
from camerapose.io import results as result_files
from camerapose.io.resize import shrink
from camerapose.view import visualize

#: The kinds, and how many moments each shows unless told.
KINDS = {"keypoints": 4, "compare": 4, "gallery": 9, "steps": 5}
#: Longer side, pixels, of the images that are drawn.
MAX_PIXELS = 1600
#: Two results' 2D is of the same person if it is nearer than this, as a share of the width.
SAME_PERSON = 0.05


def figure(
    kind: str,
    results: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    source: str | os.PathLike | None = None,
    frames: Sequence[int] = (),
    most: int | None = None,
) -> Path:
    """Draw results of `predict` after one of CameraPose's figures.

    Args:
        kind: "keypoints" (Fig. 4: confidences), "compare" (Fig. 6: two models), "gallery"
            (Fig. 7: 2D and 3D of many images) or "steps" (Fig. 8: detected, 3D, reprojected).
        results: a folder of `predict`, or a .npz of poses; of "compare" two.
        out: the picture: .png, .jpg, .pdf or .svg.
        source: the images, the folder of images or the video that the results are of; None draws
            on a plain ground.
        frames: which to show; none: spread evenly over those with somebody.
        most: how many frames are chosen then, of `KINDS` without.

    Raises:
        ValueError, FileNotFoundError: what is given can't be drawn.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no figure {kind!r}; there are {', '.join(KINDS)}")
    wanted = 2 if kind == "compare" else 1
    if len(results) != wanted:
        raise ValueError(
            f"figure {kind} takes {wanted} result{'s' * (wanted > 1)}, and got {len(results)}: "
            + ("RESULT_A RESULT_B" if wanted > 1 else "give one, or draw each by itself")
        )
    if most is not None and most < 1:
        raise ValueError(f"--most {most} leaves nothing to draw; give 1 or more")
    people = [result_files.read(path) for path in results]
    shown = _chosen(people[0], frames, most or KINDS[kind])
    images = _images(people[0], source, shown)
    rows = [
        visualize.Row(mine, images.get(frame), _title(mine))
        for frame in shown
        for mine in [people[0][people[0].labels["frame"] == frame]]
    ]
    match kind:
        case "steps":
            drawn = visualize.sheet(rows)
        case "gallery":
            drawn = visualize.gallery(rows)
        case "keypoints":
            drawn = visualize.keypoints(_one_each(rows))
        case _:
            pairs = _pairs(_one_each(rows), people[1])
            drawn = visualize.side_by_side(pairs, _names(results))
    try:
        return visualize.save_figure(drawn, out, dpi=150)
    except ValueError as error:  # matplotlib lists what it can write
        raise ValueError(f"{out} can't be written as a picture: {error}") from error


def _chosen(poses: Poses, frames: Sequence[int], most: int) -> list[int]:
    """The frames to show: those asked for, or evenly spread."""
    there = np.unique(poses.labels["frame"])
    if absent := sorted(set(frames) - set(there.tolist())):
        raise ValueError(
            f"nobody was found in frame {', '.join(map(str, absent))}; the results have frames "
            f"{there[0]} to {there[-1]}, {len(there)} in all"
        )
    if frames:
        return list(frames)
    n = min(most, len(there))
    return [int(there[int((i + 0.5) * len(there) / n)]) for i in range(n)]


def _images(
    poses: Poses, source: str | os.PathLike | None, frames: Sequence[int]
) -> dict[int, Any]:
    """The frames' images, none of them larger than a picture needs."""
    if source is None:
        return {}
    source = Path(source)
    kind = media.kind(source)
    if kind == "keypoints":
        raise ValueError(f"{source} holds keypoints, not images; leave --input out")
    if kind == "video":
        shots = media.frames(source, start=min(frames), end=max(frames) + 1)
        found = {
            shot.index: shrink(shot.image, MAX_PIXELS)
            for shot in shots
            if shot.index in set(frames)
        }
    else:
        folder = source if kind == "folder" else source.parent
        names = poses.labels.get("image")
        found = {}
        for frame in frames:
            name = "" if names is None else str(names[poses.labels["frame"] == frame][0])
            path = folder / Path(name).name if kind == "folder" else source
            if name and path.is_file():
                found[frame] = shrink(media.read_image(path), MAX_PIXELS)
    if not found:
        raise ValueError(f"{source} has none of the images that the results are of")
    return found


def time_label(seconds: float) -> str:
    """Return a video time as minutes and seconds: 65.25 is 1:05.2."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def _title(poses: Poses) -> str:
    """A time in a video, an image's name, or a frame's number."""
    if "time" in poses.labels:
        return time_label(float(poses.labels["time"][0]))
    name = str(poses.labels["image"][0]) if "image" in poses.labels else ""
    return name or f"frame {poses.labels['frame'][0]}"


def _one_each(rows: Sequence[visualize.Row]) -> list[visualize.Row]:
    """A row for each person."""
    return [row._replace(poses=one) for row in rows for one in row.poses]


def _pairs(rows: Sequence[visualize.Row], others: Poses) -> list[tuple[visualize.Row, Poses]]:
    """Each row with the same person in other results; people whom those lack are left out."""
    skeleton = rows[0].poses.skeleton
    if others.skeleton != skeleton:
        others = others.to(skeleton)
    pairs = []
    for row in rows:
        same = others[others.labels["frame"] == row.poses.labels["frame"][0]]
        if len(same):
            apart = _distance(row.poses, same)
            if apart.min() < SAME_PERSON:
                pairs.append((row, same[[int(apart.argmin())]]))
    if not pairs:
        raise ValueError(
            "the two results share nobody in the frames shown: are both of the same input? "
            "--frames chooses others"
        )
    return pairs


def _distance(one: Poses, others: Poses) -> Float[np.ndarray, " n"]:
    """Mean distance, normalised, over the joints that both see; infinite if there are none."""
    seen = (one.confidence > 0) & (others.confidence > 0)
    apart = np.linalg.norm(one.pose2d - others.pose2d, axis=-1)
    count = seen.sum(1)
    return np.where(count > 0, (apart * seen).sum(1) / np.maximum(count, 1), np.inf)


def _names(results: Sequence[str | os.PathLike]) -> tuple[str, str]:
    """What to call two results: their folders, or the parts of their paths that differ."""
    paths = [Path(path).resolve() for path in results]
    paths = [path.parent if path.name == "poses.npz" else path for path in paths]
    while paths[0].name == paths[1].name and paths[0] != paths[1]:
        paths = [path.parent for path in paths]
    return paths[0].stem, paths[1].stem
