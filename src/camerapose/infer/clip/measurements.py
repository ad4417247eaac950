"""Measurements of the clip optimisation: detections and lifted poses with standard deviations."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import ANKLE_HEIGHT, LIMB_LENGTHS, body_height, has_limbs
from camerapose.core.bones import bone_lengths, bone_vectors, pose_from_bones, unit
from camerapose.core.poses import Poses
from camerapose.core.translation import solve_translation
from camerapose.core.viewing import view_rotation
from camerapose.infer.clip.body import Body
from camerapose.infer.clip.camera import joint_weight
from camerapose.infer.clip.noise import noise_level
from camerapose.infer.clip.variables import Motion, Shared, Window
from camerapose.infer.clip.vertical import Vertical

#: Standard deviation per coordinate of a bone vector, metres, by the outer joint, for weights that
#: do not predict it: that of `human36m` on training subjects of Human3.6M, seen by random static
#: cameras with simulated detector errors (`benchmarks/clip.py --constants`; its clips give up to
#: 35% more).
LIFTER_DEVIATION = {
    "hip": 0.017, "knee": 0.051, "ankle": 0.058, "spine": 0.029, "thorax": 0.025, "head": 0.035,
    "shoulder": 0.021, "elbow": 0.044, "wrist": 0.061,
}  # fmt: skip
#: The same for other joints.
OTHER_DEVIATION = 0.05
#: Factor of the lifter's deviation in frames in which a person was not detected.
FILLED_FACTOR = 10.0
#: Bounds of the standard deviation of a detection relative to the person's spread.
MIN_LEVEL, MAX_LEVEL = 0.01, 1.0
#: Standard deviation of missing joints, normalised units.
MISSING = 100.0


class PersonRows(NamedTuple):
    """Rows of one continuous movement of a person, in order of time."""

    person: int
    rows: np.ndarray
    times: np.ndarray


def detection_deviation(
    poses: Poses, times: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n joints"]:
    """Return standard deviations of the 2D in normalised units.

    The larger of two estimates, times the person's spread: from the confidences, by the inverse of
    those that detectors report for an error (`camerapose.data.augment.detector_errors.confidence`),
    and from the rapid changes of the 2D, since keypoints without confidences are not certain.

    Args:
        poses: of one person in order of time.
        times: seconds.
    """
    visible: np.ndarray = np.asarray(poses.confidence) > 0
    score = np.clip(np.asarray(poses.confidence, float), 0.05, 0.99)
    level = 0.03 * np.exp((2.3 - np.log(score / (1 - score))) / 1.2)
    count = np.maximum(visible.sum(1), 1)[:, None]
    points = np.asarray(poses.pose2d, float)
    mean = (points * visible[..., None]).sum(1) / count
    spread = ((points - mean[:, None]) ** 2).sum(-1) * visible
    spread = np.sqrt(spread.sum(1) / count[:, 0])
    spread = np.where(np.any(visible, axis=1), spread, 1.0)  # interpolated rows have no detections
    spread = np.maximum(spread, 1e-4)[:, None]
    projected = np.asarray(poses.reprojection, float) / spread[..., None]
    score = np.asarray(poses.confidence, float)
    noise = noise_level(points / spread[..., None], projected, score, times)
    level = np.maximum(level, noise)
    deviation = np.clip(level, MIN_LEVEL, MAX_LEVEL) * spread
    return np.where(visible, deviation, MISSING)


def lifter_deviation(
    poses: Poses, lengths: Float[np.ndarray, " bones"], own: Float[np.ndarray, " bones"]
) -> Float[np.ndarray, "n bones"]:
    """Return standard deviations per coordinate of the lifted bone vectors, in bone lengths.

    From `pose3d_std` where the model predicts it, otherwise `LIFTER_DEVIATION`.

    Args:
        lengths: bone lengths of the person, metres.
        own: bone lengths in the size that the model predicts, metres.
    """
    skeleton = poses.skeleton
    if poses.pose3d_std is not None:
        std = np.where(np.isfinite(poses.pose3d_std), poses.pose3d_std, 1.0).astype(float)
        outer, inner = (std[:, [bone[i] for bone in skeleton.bones]] for i in (0, 1))
        deviation = np.sqrt(np.maximum(outer**2 - inner**2, (outer / 2) ** 2))
        deviation, lengths = np.maximum(deviation, 0.005), own
    else:
        names = [skeleton.joints[child] for child, _ in skeleton.bones]
        names = [name.removeprefix("left_").removeprefix("right_") for name in names]
        constants = np.array([LIFTER_DEVIATION.get(name, OTHER_DEVIATION) for name in names])
        deviation = np.tile(constants, (len(poses), 1))
    detected = np.asarray(poses.confidence).max(axis=1, keepdims=True) > 0
    return np.where(~detected, deviation * FILLED_FACTOR, deviation) / np.maximum(lengths, 1e-3)


def body_lengths(poses: Poses, body: Body) -> Float[np.ndarray, " groups"]:
    """Return the median length of each pair of bones over the poses, metres."""
    lengths = np.median(bone_lengths(np.asarray(poses.pose3d), poses.skeleton), axis=0)
    count = np.bincount(body.group)
    return np.maximum(np.bincount(body.group, lengths) / count, 1e-3)


def size_shares(lengths: Float[np.ndarray, " groups"], body: Body) -> Float[np.ndarray, " groups"]:
    """Return the share of each pair of bones in the sum of the limb lengths.

    These are the derivatives of the logarithm of the body height by those of the lengths. Skeletons
    without limbs have equal shares.
    """
    limb = np.zeros(len(lengths))
    for bone, (child, _) in enumerate(body.skeleton.bones):
        if body.skeleton.joints[child].removeprefix("left_") in LIMB_LENGTHS:
            limb[body.group[bone]] = 1.0
    weighted = lengths * (limb if limb.any() else 1.0)
    return weighted / weighted.sum()


def size_of(poses: Poses) -> float:
    """Return the median body height of the poses, metres; NaN if the skeleton has no limbs."""
    if not has_limbs(poses.skeleton):
        return float("nan")
    return float(np.median(body_height(np.asarray(poses.pose3d, float), poses.skeleton)))


def window_of(
    poses: Poses,
    movement: PersonRows,
    lengths: Float[np.ndarray, " bones"],
    own: Float[np.ndarray, " bones"],
    height: float,
    vertical: Vertical,
    static: bool,
) -> Window:
    """Return the measurements of a movement.

    Args:
        lengths: bone lengths of the person, metres.
        own: bone lengths in the size that the model predicts, metres.
        height: body height of the person, metres.
        vertical: that each pose of the movement indicates, camera frame.
        static: the camera does not move.
    """
    part = poses[movement.rows]
    assert part.camera is not None
    visible = np.asarray(part.confidence) > 0
    count = np.maximum(visible.sum(1), 1)[:, None]
    position = (np.asarray(part.pose2d, float) * visible[..., None]).sum(1) / count
    hidden = ~visible.any(1)
    position[hidden] = np.asarray(part.pose2d, float)[hidden].mean(1)
    rotation = view_rotation(position, part.camera.focal, part.camera.center)
    directions = unit(bone_vectors(np.asarray(part.pose3d, float), part.skeleton))
    return Window(
        person=movement.person,
        times=movement.times,
        points=np.asarray(part.pose2d, float),
        deviation=detection_deviation(part, movement.times),
        center=np.zeros(2),
        position=position,
        facing=directions @ rotation,
        lifted=directions,
        lifted_deviation=lifter_deviation(part, lengths, own),
        log_focal=float(np.log(part.camera.focal).mean()),
        vertical=replace(vertical, up=(vertical.up[:, None] @ rotation)[:, 0]),
        up=vertical.up,
        contact=np.zeros((len(part), 2)),
        ankle=ANKLE_HEIGHT * height,
        has_floor=static,
    )


def initial_motion(poses: Poses, window: Window, shared: Shared, body: Body) -> Motion:
    """Return the lifter's directions with the shared bone lengths, at the depth of the 2D."""
    directions = window.aimed(shared.log_focal).lifted
    length = np.exp(shared.log_length[window.person])[body.group]
    relative = pose_from_bones(directions * length[:, None], poses.skeleton)
    n = len(window.times)
    focal = np.full((n, 2), np.exp(shared.log_focal))
    center = np.broadcast_to(window.center, (n, 2))
    root = solve_translation(relative, window.points, joint_weight(poses), focal, center)
    place = root[:, :2] / root[:, 2:] * focal + center
    return Motion(place, np.log(root[:, 2]) - shared.log_focal, directions)
