"""Cameras of a clip: known, averaged over people, or constant over time."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.core.translation import solve_translation
from camerapose.core.viewing import view_rotation
from camerapose.infer.clip.rows import check_poses, frame_numbers

#: Smallest weight of a joint: joints of lower confidence are weighted as if they had this one.
MIN_CONFIDENCE = 0.05
#: Poses whose translation is solved at once, which bounds the memory.
ROWS = 10_000


def set_focal_length(poses: Poses, focal: Any, center: Any = None) -> Poses:
    """Set known camera intrinsics, and rotate and move the people to match their 2D.

    Args:
        poses: numpy, with 3D, cameras and image sizes.
        focal: focal length in pixels: a number, (x, y), or one row per pose.
        center: principal point in pixels, likewise; None: the image centre.

    Raises:
        ValueError: wrong shapes, a focal length that is not positive and finite, or missing
            columns.
    """
    check_poses(poses, "pose3d", "camera")
    return replace_camera(poses, *normalised_intrinsics(poses, focal, center))


def normalised_intrinsics(
    poses: Poses, focal: Any, center: Any = None
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
    """Return focal lengths and principal points in normalised units.

    Args:
        poses: with image sizes.
        focal, center: pixels, as for `set_focal_length`.

    Raises:
        ValueError: wrong shapes, no image sizes, or a focal length that is not positive and finite.
    """
    if poses.image_size is None:
        raise ValueError("poses have no image_size; a focal length in pixels needs it")
    size = poses.image_size
    focal = _one_row_each("focal", focal, len(poses))
    if not (np.isfinite(focal) & (focal > 0)).all():
        raise ValueError(f"focal is {focal[:1].tolist()}; give pixels above 0")
    center = size / 2 if center is None else _one_row_each("center", center, len(poses))
    if not np.isfinite(center).all():
        raise ValueError(f"center is {center[:1].tolist()}; give finite pixel coordinates")
    width = size[:, :1]
    return focal * 2 / width, (2 * center - size) / width


def _one_row_each(name: str, values: Any, n: int) -> Float[np.ndarray, "n 2"]:
    values = np.asarray(values, float)
    if values.shape not in ((), (2,), (n, 1), (n, 2)):
        raise ValueError(
            f"{name} has shape {values.shape}; give a number, (x, y), or one row for each of "
            f"{n} poses"
        )
    return np.broadcast_to(values, (n, 2))


def average_camera(poses: Poses) -> Poses:
    """Give all people of a frame the same camera, so that they share one 3D space.

    The camera is the mean of the individual predictions (of focal lengths: the geometric mean),
    weighted by confidence; people are moved to match their 2D. Frames with one person are returned
    unchanged.
    """
    check_poses(poses, "pose3d", "camera")
    _, inverse, count = np.unique(frame_numbers(poses), return_inverse=True, return_counts=True)
    shared = count[inverse] > 1
    if not shared.any():
        return poses
    focal, center = (mean[inverse] for mean in frame_cameras(poses, inverse, len(count)))
    return keep_rows(replace_camera(poses, focal, center), poses, ~shared)


def static_camera(poses: Poses) -> Poses:
    """Give all frames the same camera: the median of the predictions; people are moved to match.

    For a camera that does not move, so that depths do not vary with the predicted focal length.
    """
    check_poses(poses, "pose3d", "camera")
    if len(poses) == 0:
        return poses
    assert poses.camera is not None
    focal = np.exp(np.median(np.log(poses.camera.focal), axis=0))
    center = np.median(poses.camera.center, axis=0)
    shape = poses.camera.focal.shape
    return replace_camera(poses, np.broadcast_to(focal, shape), np.broadcast_to(center, shape))


def replace_camera(
    poses: Poses, focal: Float[np.ndarray, "n 2"], center: Float[np.ndarray, "n 2"]
) -> Poses:
    """Return the same people as seen by other cameras.

    The appearance of a person depends on the viewing direction, so the pose rotates with the ray to
    the person (`view_rotation`). Then the translation is solved from the 2D.

    Args:
        poses: numpy, with 3D and cameras.
        focal: new focal lengths, normalised units.
        center: new principal points, normalised units.
    """
    check_poses(poses, "pose3d", "camera")
    return reposition(poses, aimed(poses, focal, center), focal, center)


def aimed(
    poses: Poses, focal: Float[np.ndarray, "n 2"], center: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n joints 3"]:
    """Return root-relative poses, rotated with the ray to the person of another camera, metres."""
    assert poses.camera is not None
    visible = poses.confidence > 0
    count = np.maximum(visible.sum(1), 1)[:, None]
    place = (poses.pose2d * visible[..., None]).sum(1) / count
    before = view_rotation(place, poses.camera.focal, poses.camera.center)
    after = view_rotation(place, focal, center)
    relative = poses.pose3d - poses.root_position[:, None]
    return relative @ before @ np.swapaxes(after, 1, 2)


def reposition(
    poses: Poses,
    relative: Float[np.ndarray, "n joints 3"],
    focal: Float[np.ndarray, "n 2"],
    center: Float[np.ndarray, "n 2"],
) -> Poses:
    """Replace 3D and cameras by root-relative poses, at the translation solved from the 2D.

    Args:
        poses: numpy; their refined 2D is used where it exists.
        relative: root-relative poses in the axes of the new cameras, metres.
        focal: focal lengths, normalised units.
        center: principal points, normalised units.
    """
    points = poses.pose2d if poses.refined2d is None else poses.refined2d
    columns = relative, points, joint_weight(poses), focal, center
    translation = np.concatenate([
        solve_translation(*(column[row : row + ROWS] for column in columns))
        for row in range(0, max(len(poses), 1), ROWS)
    ])  # fmt: skip
    return with_pose3d(poses, relative, translation, focal, center)


def joint_weight(poses: Poses) -> Float[np.ndarray, "n joints"]:
    """Return the weight of each joint in least squares: its confidence, from `MIN_CONFIDENCE`."""
    return np.maximum(poses.confidence, MIN_CONFIDENCE)


def frame_cameras(
    poses: Poses, frame: Int[np.ndarray, " n"], n_frames: int
) -> tuple[Float[np.ndarray, "frames 2"], Float[np.ndarray, "frames 2"]]:
    """Return the mean focal length and principal point of the people of each frame.

    Args:
        frame: index of each row's frame, from 0.
        n_frames: number of frames.
    """
    assert poses.camera is not None
    weight = joint_weight(poses).mean(1)
    total = np.bincount(frame, weight, n_frames)

    def mean(column: np.ndarray) -> np.ndarray:
        sums = [np.bincount(frame, weight * column[:, i], n_frames) for i in (0, 1)]
        return np.stack(sums, axis=1) / total[:, None]

    focal, center = np.asarray(poses.camera.focal, float), np.asarray(poses.camera.center, float)
    return np.exp(mean(np.log(focal))), mean(center)


def keep_rows(changed: Poses, original: Poses, rows: Float[np.ndarray, " n"] | Any) -> Poses:
    """Return `changed` with 3D and cameras of `original` in the rows of a mask."""
    assert changed.camera is not None and original.camera is not None

    def chosen(new: Any, old: Any) -> Any:
        return np.where(rows.reshape(-1, *[1] * (new.ndim - 1)), old, new)

    names = ("focal", "center", "translation")
    columns = {n: chosen(getattr(changed.camera, n), getattr(original.camera, n)) for n in names}
    return replace(
        changed,
        pose3d=chosen(changed.pose3d, original.pose3d),
        camera=replace(changed.camera, **columns),
    )


def with_pose3d(poses: Poses, relative: Any, root: Any, focal: Any, center: Any) -> Poses:
    """Return poses with 3D from root-relative poses and root positions, and their cameras."""
    camera = Camera(np.float32(focal), np.float32(center), np.float32(root))
    return replace(poses, pose3d=np.float32(relative + root[:, None]), camera=camera)
