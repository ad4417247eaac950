"""Temporal smoothing of people and cameras over a whole clip."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core.bones import bone_lengths, bone_vectors, pose_from_bones, unit
from camerapose.core.poses import Poses
from camerapose.core.translation import solve_translation
from camerapose.infer.clip.camera import (
    frame_cameras,
    joint_weight,
    keep_rows,
    replace_camera,
    with_pose3d,
)
from camerapose.infer.clip.rows import (
    MAX_GAP,
    check_one_row_per_frame,
    check_poses,
    check_strength,
    frame_numbers,
    increasing,
    person_numbers,
    row_times,
    rows_by_person,
)
from camerapose.infer.clip.rts_smoother import rts_smooth

#: Cutoff frequencies (hertz) of bone directions, position in the image, depth, and camera.
CUTOFF_BODY, CUTOFF_POSITION, CUTOFF_DEPTH, CUTOFF_CAMERA = 5.0, 8.0, 1.0, 0.3


def smooth(
    poses: Poses, *, fps: float | None = None, times: Any = None, strength: float = 1.0
) -> Poses:
    """Remove jitter over time, and give each person constant and symmetric bone lengths.

    First the cameras are averaged over the people of each frame and smoothed, and the people are
    moved to match (`replace_camera`). Then, per person and continuous movement, the bone directions
    are smoothed; with the person's median bone lengths they form a body, whose translation is
    solved from the 2D; the position in the image and the depth are smoothed. Values are weighted by
    confidence (`rts_smooth`). Rows are kept (`fill_gaps` adds rows); people who appear in a
    single frame are not changed.

    Args:
        poses: numpy, with 3D and cameras.
        fps: frames per second, for poses without the label time; None: 30.
        times: time of each row, seconds; takes precedence over the label time.
        strength: 1 is the default, 2 halves the cutoff frequencies, 0 disables smoothing.

    Raises:
        ValueError: negative strength, invalid rate or times, missing columns, or several poses per
            frame without the label person.
    """
    check_strength(strength)
    check_poses(poses, "pose3d", "camera")
    if strength == 0 or len(poses) == 0:
        return poses
    check_one_row_per_frame(poses)
    seconds = row_times(poses, fps, times)
    people = rows_by_person(poses)
    poses = _smooth_cameras(poses, seconds, strength)
    assert poses.camera is not None
    pose3d = np.array(poses.pose3d, float)
    for rows in people:
        lengths = _median_lengths(poses[rows])
        for part, part_times in _movements(poses, rows, seconds):
            pose3d[part] = _smooth_movement(poses[part], part_times, lengths, strength)
    root = pose3d[:, poses.skeleton.root_index]
    relative = pose3d - root[:, None]
    return with_pose3d(poses, relative, root, poses.camera.focal, poses.camera.center)


def _movements(
    poses: Poses, rows: Int[np.ndarray, " rows"], seconds: Float[np.ndarray, " n"]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return rows and times of each continuous movement of a person; single frames are left out."""
    rows = rows[np.argsort(frame_numbers(poses)[rows], kind="stable")]
    times = increasing(seconds[rows])
    cuts = np.flatnonzero(np.diff(times) > MAX_GAP) + 1
    pieces = np.split(np.arange(len(rows)), cuts)
    return [(rows[piece], times[piece]) for piece in pieces if len(piece) > 1]


def _smooth_cameras(poses: Poses, seconds: Float[np.ndarray, " n"], strength: float) -> Poses:
    """Return poses with smoothed cameras, shared by the people of a frame.

    A frame that shares no person with the next one is taken as the last before a cut, after which
    smoothing restarts. A single frame between two cuts is not changed.
    """
    frames, first, inverse = np.unique(frame_numbers(poses), return_index=True, return_inverse=True)
    focal, center = frame_cameras(poses, inverse, len(frames))
    weight = joint_weight(poses).mean(1)[first, None]
    times, cutoff = increasing(seconds[first]), CUTOFF_CAMERA / strength
    cuts = np.flatnonzero((np.diff(times) > MAX_GAP) | ~_continues(poses, inverse)) + 1
    single = np.zeros(len(frames), bool)
    for piece in np.split(np.arange(len(frames)), cuts):
        log_focal = rts_smooth(np.log(focal[piece]), times[piece], cutoff, weight[piece])
        focal[piece] = np.exp(log_focal)
        center[piece] = rts_smooth(center[piece], times[piece], cutoff, weight[piece])
        single[piece] = len(piece) == 1
    return keep_rows(replace_camera(poses, focal[inverse], center[inverse]), poses, single[inverse])


def _continues(poses: Poses, frame: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " pairs"]:
    """Return for each frame but the last whether one of its people is in the next frame, too."""
    _, person = np.unique(person_numbers(poses), return_inverse=True)
    pairs = np.unique(np.stack([person, frame], axis=1), axis=0)
    same = (pairs[1:, 0] == pairs[:-1, 0]) & (pairs[1:, 1] == pairs[:-1, 1] + 1)
    continues = np.zeros(frame.max(), bool)
    continues[pairs[:-1][same][:, 1]] = True
    return continues


def _smooth_movement(
    poses: Poses,
    times: Float[np.ndarray, " t"],
    lengths: Float[np.ndarray, " bones"],
    strength: float,
) -> Float[np.ndarray, "t joints 3"]:
    """Return the smoothed 3D of one person, frames in order."""
    assert poses.camera is not None
    skeleton, focal, center = poses.skeleton, poses.camera.focal, poses.camera.center
    weight = joint_weight(poses)
    children = [child for child, _ in skeleton.bones]
    direction = unit(bone_vectors(np.asarray(poses.pose3d), skeleton))
    direction = rts_smooth(direction, times, CUTOFF_BODY / strength, weight[:, children, None])
    body = pose_from_bones(unit(direction) * lengths[:, None], skeleton)
    root = solve_translation(body, poses.pose2d, weight, focal, center)
    mean_weight = weight.mean(1, keepdims=True)
    place = root[:, :2] / root[:, 2:] * focal + center
    place = rts_smooth(place, times, CUTOFF_POSITION / strength, mean_weight)
    depth = rts_smooth(np.log(root[:, 2:]), times, CUTOFF_DEPTH / strength, mean_weight)
    depth = np.exp(depth)
    root = np.concatenate([(place - center) / focal * depth, depth], axis=1)
    return body + root[:, None]


def _median_lengths(poses: Poses) -> Float[np.ndarray, " bones"]:
    """Return the median length of each bone, averaged over left and right, metres."""
    lengths = np.median(bone_lengths(np.asarray(poses.pose3d), poses.skeleton), axis=0)
    return (lengths + lengths[list(poses.skeleton.bone_mirror)]) / 2
