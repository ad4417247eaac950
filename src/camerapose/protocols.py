"""What a number is measured on: named test sets, each with its protocol in words.

`unlike_landscape` and `unlike_portrait` are Human3.6M's test poses seen through cameras that
Human3.6M does not have. They tell whether a lifter has learned its four cameras by heart.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapose import skeleton as skeletons
from camerapose.cache import cached
from camerapose.camera import Camera
from camerapose.datasets import human36m, humaneva, mpii
from camerapose.poses import Poses

#: Cameras of `unlike_cameras`: focal length (normalised units, log-uniform), distance (metres),
#: pitch (degrees, positive looks down), and how far off the middle the root stands, as a share of
#: the image's width and height.
UNLIKE_FOCAL = (1.2, 3.5)
UNLIKE_DISTANCE = (2.5, 8.0)
UNLIKE_PITCH = (-10.0, 45.0)
UNLIKE_OFF_CENTER = 0.25
UNLIKE_SIZES = {"unlike_landscape": (1280, 720), "unlike_portrait": (720, 1280)}
TEST_SUBJECTS = ("S9", "S11")
DATASETS = ("human36m", *UNLIKE_SIZES, "humaneva", "mpii")


class TestSet(NamedTuple):
    """Poses to measure on, and how to speak of them."""

    __test__ = False  # no test of pytest's

    poses: Poses
    truth2d: np.ndarray | None  # exact 2D where `poses.pose2d` is another
    source2d: str
    protocol: str


def load(
    dataset: str,
    root: Path | str,
    *,
    skeleton: str = "h36m_16",
    detections: str | None = None,
    subjects: Sequence[str] = TEST_SUBJECTS,
    frame_step: int = 1,
) -> TestSet:
    """The test set of that name.

    Args:
        dataset: one of `DATASETS`.
        root: folder of the data set's files (for unlike_*: Human3.6M's).
        skeleton: of Human3.6M's joints; HumanEva and MPII keep their own.
        detections: NAME of data_2d_h36m_NAME.npz (human36m only).
        subjects: of Human3.6M.
        frame_step: take every so many frames (Human3.6M).
    """
    if dataset not in DATASETS:
        raise ValueError(f"unknown data set {dataset!r}; known are {', '.join(DATASETS)}")
    if detections is not None and dataset != "human36m":
        raise ValueError(f"{dataset} has no detections here; leave --detections out")
    if dataset == "humaneva":
        poses, truth2d = cached(humaneva.load, Path(root)), None
        source = "ground truth"
        protocol = "HumanEva-I, 3 colour cameras, Train and Validate; cross-data, never trained on"
    elif dataset == "mpii":
        poses, truth2d = cached(mpii.load, Path(root), split="valid"), None
        poses = poses.convert(skeletons.get(skeleton))
        poses = poses[(poses.confidence > 0).all(1)]
        source = "annotation"
        protocol = "MPII valid, people with all joints annotated; 2D only"
    else:
        options = dict(subjects=tuple(subjects), frame_step=frame_step, skeleton=skeleton)
        poses = cached(human36m.load, Path(root), detections=detections, **options)
        truth2d = None if detections is None else poses.reprojection
        source = "ground truth" if detections is None else f"detections {detections}"
        protocol = f"Human3.6M, {' + '.join(subjects)}, every camera"
        if dataset in UNLIKE_SIZES:
            size = UNLIKE_SIZES[dataset]
            poses = unlike_cameras(poses[poses.labels["camera"] == 0], size)
            protocol = (
                f"Human3.6M, {' + '.join(subjects)}, each pose through one camera unlike "
                f"Human3.6M's, {size[0]} x {size[1]}, seed 0"
            )
    return TestSet(poses, truth2d, source, protocol)


def unlike_cameras(poses: Poses, image_size: tuple[int, int], seed: int = 0) -> Poses:
    """Human3.6M's poses as other cameras would see them, exactly projected, without distortion.

    Any heading; the rest is drawn from `UNLIKE_*`. Cameras stand level (no roll). A person may
    reach beyond the picture; their joints are given all the same.

    Args:
        poses: from `datasets.human36m`, with labels subject and camera.
        image_size: width and height.

    Returns:
        The same rows, labels kept, with another camera each; the same for the same seed.
    """
    rng, n = np.random.default_rng(seed), len(poses)

    def draw(between: tuple[float, float]) -> np.ndarray:
        return rng.uniform(*between, n)

    heading, pitch = draw((0.0, 2 * math.pi)), np.radians(draw(UNLIKE_PITCH))
    distance = draw(UNLIKE_DISTANCE)
    focal = np.exp(draw((math.log(UNLIKE_FOCAL[0]), math.log(UNLIKE_FOCAL[1]))))
    off = UNLIKE_OFF_CENTER * 2
    place = np.stack([draw((-off, off)), draw((-off, off)) * image_size[1] / image_size[0]], 1)

    ray = np.concatenate([place / focal[:, None], np.ones((n, 1))], axis=1)
    root = ray / np.linalg.norm(ray, axis=1, keepdims=True) * distance[:, None]
    body = _upright(poses) @ np.swapaxes(_view(heading, pitch), 1, 2)
    pose3d = np.float32(body + root[:, None])
    camera = Camera(
        focal=np.float32(np.stack([focal, focal], 1)),
        center=np.zeros((n, 2), np.float32),
        translation=pose3d[:, poses.skeleton.root_index].copy(),
    )
    return replace(
        poses,
        pose2d=camera.project(pose3d),
        confidence=np.ones_like(poses.confidence),
        pose3d=pose3d,
        camera=camera,
        image_size=np.tile(np.float32(image_size), (n, 1)),
    )


def _upright(poses: Poses) -> np.ndarray:
    """Root-relative poses in the world's frame: z up, metres."""
    relative = poses.pose3d - poses.root_position[:, None]
    upright = np.empty(relative.shape)
    for subject in np.unique(poses.labels["subject"]):
        rotation = human36m.cameras(str(subject))[0].rotation
        rows = np.flatnonzero(poses.labels["subject"] == subject)
        upright[rows] = relative[rows] @ rotation[poses.labels["camera"][rows]]
    return upright


def _view(heading: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) from the world (z up) to cameras (y down, z forward)."""
    zero = np.zeros_like(heading)
    forward = np.stack(
        [np.cos(heading) * np.cos(pitch), np.sin(heading) * np.cos(pitch), -np.sin(pitch)], 1
    )
    right = np.stack([np.sin(heading), -np.cos(heading), zero], 1)
    return np.stack([right, np.cross(forward, right), forward], 1)
