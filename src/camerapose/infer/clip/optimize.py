"""Optimisation of a clip: one camera, one body per person, and their trajectories."""

from dataclasses import replace
from typing import Any

import numpy as np

from camerapose.core.poses import Poses
from camerapose.infer.clip.body import Body
from camerapose.infer.clip.rows import (
    check_one_row_per_frame,
    check_poses,
    check_strength,
    row_times,
    shots,
)
from camerapose.infer.clip.shot import SHARED_WEIGHTS, ClipCamera, Shot, Solution
from camerapose.infer.clip.subset import Movement, Subset
from camerapose.infer.clip.term_weights import Weights
from camerapose.infer.clip.vertical import indicated_verticals, no_verticals
from camerapose.infer.clip.workers import Workers

#: Time constant with which joints that are not estimated move relative to the others, seconds.
FOLLOWING_TIME = 0.1


def optimize(
    poses: Poses,
    *,
    fps: float | None = None,
    times: Any = None,
    focal_known: bool = False,
    height: float | None = None,
    static: bool = False,
    strength: float = 1.0,
    weights: Weights | None = None,
    shared_weights: Weights | None = None,
    threads: int | None = None,
) -> tuple[Poses, list[ClipCamera]]:
    """Estimate cameras, bodies and movements of a clip together.

    Robust non-linear least squares over all frames and people of a shot for one focal length, one
    set of symmetric bone lengths per person, and the trajectories. The terms are the distances to
    the detections, to the lifter's bone directions, and the accelerations; for a static camera also
    the velocity and height of feet on the floor, and the vertical that the balance of
    standing people indicates (`infer.clip.vertical`). The principal point is the image centre.

    A frame that shares no person with the next one ends a shot. People who appear in a single frame
    are not changed. Windows of `WINDOW` frames bound the memory.

    Args:
        poses: numpy, with 3D and cameras.
        fps: frames per second, for poses without the label time; None: 30.
        times: time of each row, seconds; takes precedence over the label time.
        focal_known: the focal length of `poses.camera` is given.
        height: body height of all people, metres; 0: keep the network's sizes; None: the median
            person has `DEFAULT_HEIGHT`.
        static: the camera does not move.
        strength: 1 is the default, 2 smooths more, 0 returns the poses unchanged.
        weights: of the terms; None: the default.
        threads: number of processor threads, on which the result does not depend; None: as many
            as cores, at most `MAX_THREADS`.

    Returns:
        Poses of the same rows, with the labels contact_left and contact_right (probabilities) if
        the camera is static, and the camera of each shot.

    Raises:
        ValueError: negative strength, no thread, invalid rate or times, missing columns, or several
            poses per frame without the label person.
    """
    check_strength(strength)
    check_poses(poses, "pose3d", "camera")
    if strength == 0 or len(poses) == 0:
        return poses, []
    check_one_row_per_frame(poses)
    seconds = row_times(poses, fps, times)
    weights, shared_weights = weights or Weights(), shared_weights or SHARED_WEIGHTS
    weights = replace(
        weights,
        root_acceleration=weights.root_acceleration / strength**2,
        depth_acceleration=weights.depth_acceleration / strength**2,
        bone_acceleration=weights.bone_acceleration / strength**2,
    )
    subset = Subset.of(poses.skeleton, np.asarray(poses.confidence).max(0) > 0)
    verticals = indicated_verticals(poses) if static else no_verticals(len(poses))
    whole, poses = poses, subset.select(poses)
    has_feet = bool(Body.of(poses.skeleton).ankles)
    solution = Solution.of(poses)
    cameras: list[ClipCamera] = []
    movements: list[Movement] = []
    with Workers(threads) as workers:
        for rows in [np.arange(len(poses))] if static else shots(poses, seconds):
            shot = Shot(
                poses, rows, seconds, focal_known, height, static, verticals, weights,
                shared_weights, workers,
            )  # fmt: skip
            if not shot.movements:
                continue
            shot.estimate(solution)
            cameras.append(shot.camera())
            movements += [Movement(m.rows, m.times, cameras[-1].ground) for m in shot.movements]
    result = subset.complete(whole, solution.poses(poses), movements, strength * FOLLOWING_TIME)
    contact = solution.contact
    if static and has_feet:
        labels = {"contact_left": contact[:, 0], "contact_right": contact[:, 1]}
        result = replace(result, labels={**result.labels, **labels})
    return result, cameras
