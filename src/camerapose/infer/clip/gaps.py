"""Interpolation of people over frames in which they were not detected."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core.bones import bone_vectors, pose_from_bones, unit
from camerapose.core.poses import Poses
from camerapose.infer.clip.camera import with_pose3d
from camerapose.infer.clip.rows import (
    check_one_row_per_frame,
    check_poses,
    frame_numbers,
    row_times,
    rows_by_person,
)


def fill_gaps(
    poses: Poses,
    max_gap: float,
    *,
    fps: float | None = None,
    times: Any = None,
    clock: tuple[np.ndarray, np.ndarray] | None = None,
) -> Poses:
    """Add rows for the frames between two detections of a person.

    Bone directions and lengths, position in the image, depth and camera are interpolated linearly
    over time. The 2D of an added row is its reprojection, with confidence 0; its standard
    deviations are the larger ones of both ends. `optimize` rounds the interpolation.

    Args:
        poses: numpy, with 3D and cameras. Without the label frame there are no gaps.
        max_gap: longer absences (seconds) are not filled.
        fps: frames per second, for poses without the label time; None: 30.
        times: time of each row, seconds; takes precedence over the label time.
        clock: numbers and times (seconds) of all frames of a video. None: all frames at the
            smallest step between the frame numbers of the poses.

    Returns:
        Rows in the order of their frames, with the labels frame, and filled, which is true for
        added rows.

    Raises:
        ValueError: invalid limit, rate or times, missing columns, or several poses per frame
            without the label person.
    """
    check_poses(poses, "pose3d", "camera")
    if not max_gap >= 0:
        raise ValueError(f"max_gap is {max_gap}; give seconds, 0 or more")
    if len(poses) == 0:
        return poses
    check_one_row_per_frame(poses)
    number = frame_numbers(poses)
    frames, seconds = _all_frames(number, row_times(poses, fps, times)) if clock is None else clock
    when = np.interp(number, frames, seconds)
    labels = {**poses.labels, "frame": number, "filled": np.zeros(len(poses), bool)}
    poses = replace(poses, labels=labels)
    parts = [poses]
    for rows in rows_by_person(poses):
        rows = rows[np.argsort(number[rows], kind="stable")]
        for before, after in zip(rows, rows[1:], strict=False):
            first, last = np.searchsorted(frames, number[[before, after]])
            if last - first > 1 and when[after] - when[before] <= max_gap + 1e-9:
                inside = slice(first + 1, last)
                share = (seconds[inside] - when[before]) / (when[after] - when[before])
                pair = poses[[before]], poses[[after]]
                parts.append(_interpolated(*pair, share, frames[inside], seconds[inside]))
    filled = Poses.cat(parts)
    return filled[np.argsort(filled.labels["frame"], kind="stable")]


def _all_frames(
    number: np.ndarray, seconds: Float[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers and times of all frames at the smallest step of the given frame numbers."""
    present, first = np.unique(number, return_index=True)
    steps = np.diff(present)
    frames = np.arange(present[0], present[-1] + 1, steps.min() if len(steps) else 1)
    frames = np.unique(np.concatenate([frames, present]))
    return frames, np.interp(frames, present, seconds[first])


def _interpolated(
    before: Poses,
    after: Poses,
    share: Float[np.ndarray, " t"],
    frames: np.ndarray,
    seconds: np.ndarray,
) -> Poses:
    """Return poses between two poses (one row each), with their labels.

    Args:
        share: relative position of each new row in time, from 0 (before) to 1 (after).
        frames: frame number of each new row.
        seconds: time of each new row.
    """
    assert before.camera is not None and after.camera is not None
    skeleton, share = before.skeleton, share[:, None]

    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.asarray(a, float), np.asarray(b, float)
        part = share.reshape(-1, *[1] * (a.ndim - 1))
        return (1 - part) * a + part * b

    bones = [bone_vectors(np.asarray(p.pose3d, float), skeleton) for p in (before, after)]
    lengths = mix(*(np.linalg.norm(b, axis=-1) for b in bones))
    body = pose_from_bones(unit(mix(*map(unit, bones))) * lengths[..., None], skeleton)
    cameras, roots = (before.camera, after.camera), (before.root_position, after.root_position)
    focal = np.exp(mix(*(np.log(c.focal) for c in cameras)))
    center = mix(*(c.center for c in cameras))
    depth = np.exp(mix(*(np.log(r[:, 2:]) for r in roots)))
    places = [r[:, :2] / r[:, 2:] * c.focal + c.center for r, c in zip(roots, cameras, strict=True)]
    root = np.concatenate([(mix(*places) - center) / focal * depth, depth], axis=1)
    rows = with_pose3d(before[np.zeros(len(share), int)], body, root, focal, center)
    points = np.float32(rows.reprojection)
    labels = {**rows.labels, "frame": frames, "filled": np.ones(len(share), bool)}
    if "time" in labels:
        labels["time"] = seconds
    std = None
    if before.pose3d_std is not None and after.pose3d_std is not None:
        std = np.tile(np.maximum(before.pose3d_std, after.pose3d_std), (len(share), 1))
    return replace(
        rows,
        pose3d_std=std,
        pose2d=points,
        refined2d=None if before.refined2d is None else points,
        confidence=np.zeros_like(rows.confidence),
        labels=labels,
    )
