"""Assembly of Human3.6M's recordings and cameras into `Poses`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from camerapose.core.camera import Camera, normalize
from camerapose.core.joint_formats import H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets.human36m.calibration import INTRINSICS, cameras
from camerapose.data.datasets.human36m.h5 import read_h5
from camerapose.data.datasets.human36m.layouts import Layout
from camerapose.data.datasets.human36m.recordings import EXCLUDED_H5, JOINTS_OF_32
from camerapose.data.datasets.human36m.sequences import Sequence3d


def from_sequences(sequences: list[Sequence3d], target: Skeleton, frame_step: int) -> Poses:
    """Return all recordings as seen by all cameras.

    Columns are allocated once and filled view by view, since the data set is large.
    """
    counts = [len(s.pose3d) for s in sequences for _ in range(4)]
    n, joints, root = sum(counts), target.n_joints, target.root_index
    pose2d = np.empty((n, joints, 2), np.float32)
    pose3d = np.empty((n, joints, 3), np.float32)
    confidence = np.ones((n, joints), np.float32)
    calibrations = {subject: cameras(subject) for subject in {s.subject for s in sequences}}
    start, views = 0, []
    for sequence in sequences:
        four, sizes = calibrations[sequence.subject]
        for i in range(4):
            rows, camera = slice(start, start + len(sequence.pose3d)), four[i : i + 1]
            pose3d[rows] = camera.to_camera(np.float32(sequence.pose3d))
            if sequence.detections is None:
                pose2d[rows] = camera.project(pose3d[rows])
            else:
                confidence[rows] = sequence.detections[i][..., 2]
                pose2d[rows] = normalize(sequence.detections[i][..., :2], sizes[i])
                pose2d[rows][confidence[rows] == 0] = 0
            views.append((sequence.subject, sequence.action, camera, sizes[i]))
            start = rows.stop
    subject, action, camera, size = zip(*views, strict=True)

    def column(values: Any) -> np.ndarray:
        return np.repeat(np.asarray(values), counts, axis=0)

    camera = Camera.cat(camera).map(column)
    return Poses(
        skeleton=target,
        pose2d=pose2d,
        confidence=confidence,
        pose3d=pose3d,
        camera=Camera(
            camera.focal, camera.center, pose3d[:, root].copy(), distortion=camera.distortion
        ),
        image_size=column(size),
        labels={
            "subject": column(subject),
            "action": column(action),
            "camera": np.repeat(np.tile(np.arange(4, dtype=np.int8), len(sequences)), counts),
            "frame": np.concatenate([np.arange(c, dtype=np.int32) for c in counts]) * frame_step,
        },
    )


def from_h5(
    layout: Layout,
    subjects: Sequence[str],
    actions: frozenset[str],
    target: Skeleton,
    frame_step: int,
) -> Poses | None:
    """Return h36m-fetch's selected frames: 2D and 3D as published, with the published cameras."""
    views = []
    for subject in subjects:
        for action in sorted(actions & set(layout.recordings[subject])):
            if (subject, action) not in EXCLUDED_H5:
                content = read_h5(layout.recordings[subject][action], tuple(INTRINSICS))
                views += [
                    _h5_view(content, subject, action, camera, target, frame_step)
                    for camera in range(4)
                ]
    views = [view for view in views if len(view)]
    return Poses.cat(views) if views else None


def _h5_view(
    content: dict[str, np.ndarray],
    subject: str,
    action: str,
    number: int,
    target: Skeleton,
    frame_step: int,
) -> Poses:
    """Return the frames of one camera."""
    joints = [JOINTS_OF_32[H36M_17.index(joint)] for joint in target.joints]
    four, sizes = cameras(subject)
    rows = np.flatnonzero(content["camera"] == number)[::frame_step]
    n, pose3d = len(rows), np.float32(content["pose3d"][rows][:, joints])
    camera = four[number : number + 1].map(lambda column: np.repeat(column, n, axis=0))
    root = pose3d[:, target.root_index].copy()
    return Poses(
        skeleton=target,
        pose2d=normalize(np.float32(content["pose2d"][rows][:, joints]), sizes[number]),
        confidence=np.ones((n, target.n_joints), np.float32),
        pose3d=pose3d,
        camera=Camera(camera.focal, camera.center, root, distortion=camera.distortion),
        image_size=np.tile(sizes[number], (n, 1)),
        labels={
            "subject": np.full(n, subject),
            "action": np.full(n, action),
            "camera": np.full(n, number, np.int8),
            "frame": np.int32(content["frame"][rows]),
        },
    )
