"""What a number is measured on: named test sets, each with its protocol in words.

`unlike_landscape` and `unlike_portrait` are Human3.6M's test poses seen through cameras that
Human3.6M does not have. They tell whether a lifter has learned its four cameras by heart.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapose.core import formats
from camerapose.core.camera import Camera
from camerapose.core.formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m, humaneva, mpi_inf_3dhp, mpii, pw3d, ski_pose
from camerapose.data.datasets.human36m.calibration import cameras
from camerapose.data.datasets.mpi_inf_3dhp.published import VALID_FRAMES

#: Cameras of `unlike_cameras`: focal length (normalised units, log-uniform), distance (metres),
#: pitch (degrees, positive looks down), and how far off the middle the root stands, as a share of
#: the image's width and height.
UNLIKE_FOCAL = (1.2, 3.5)
UNLIKE_DISTANCE = (2.5, 8.0)
UNLIKE_PITCH = (-10.0, 45.0)
UNLIKE_OFF_CENTER = 0.25
UNLIKE_SIZES = {"unlike_landscape": (1280, 720), "unlike_portrait": (720, 1280)}
TEST_SUBJECTS = ("S9", "S11")
#: Of the 16 joints, those of the official measure of MPI-INF-3DHP and of LSP: limbs, neck and head.
FOURTEEN = tuple(joint for joint in H36M_16.joints if joint not in ("pelvis", "spine"))


class TestSet(NamedTuple):
    """Poses to measure on, and how to speak of them."""

    __test__ = False  # no test of pytest's

    poses: Poses
    truth2d: np.ndarray | None  # exact 2D where `poses.pose2d` is another
    source2d: str
    protocol: str
    joints: tuple[str, ...] | None = None  # over which errors are taken; None: all


class _Asked(NamedTuple):
    """What `load` was asked for."""

    dataset: str
    root: Path
    skeleton: str
    detections: str | None
    subjects: tuple[str, ...]
    frame_step: int

    def joints(self, *offered: str) -> str:
        """The model's joint format where the data set has it, else the first that it has."""
        return self.skeleton if self.skeleton in offered else offered[0]


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
        skeleton: joint format of the model; taken where the data set has it.
        detections: NAME of data_2d_h36m_NAME.npz (human36m), or "poses2d" (pw3d_*); else exact 2D.
        subjects: of Human3.6M.
        frame_step: take every so many frames.
    """
    if dataset not in DATASETS:
        raise ValueError(f"unknown data set {dataset!r}; known are {', '.join(DATASETS)}")
    of_pw3d = dataset.startswith("pw3d_")
    if detections is not None and dataset != "human36m" and (detections, of_pw3d) != ("poses2d", 1):
        known = "only poses2d as" if of_pw3d else "no"
        raise ValueError(f"{dataset} has {known} detections here; leave --detections out")
    asked = _Asked(dataset, Path(root), skeleton, detections, tuple(subjects), frame_step)
    return _LOADERS[dataset](asked)


def _human36m(asked: _Asked) -> TestSet:
    poses = cached(
        human36m.load, asked.root, detections=asked.detections, subjects=asked.subjects,
        frame_step=asked.frame_step, skeleton=asked.joints("h36m_16", "h36m_17"),
    )  # fmt: skip
    truth2d = None if asked.detections is None else poses.reprojection
    source = "ground truth" if asked.detections is None else f"detections {asked.detections}"
    protocol = f"Human3.6M, {' + '.join(asked.subjects)}, every camera"
    return TestSet(poses, truth2d, source, protocol)


def _unlike(asked: _Asked) -> TestSet:
    exact, size = _human36m(asked), UNLIKE_SIZES[asked.dataset]
    poses = unlike_cameras(exact.poses[exact.poses.labels["camera"] == 0], size)
    protocol = (
        f"Human3.6M, {' + '.join(asked.subjects)}, each pose through one camera unlike "
        f"Human3.6M's, {size[0]} x {size[1]}, seed 0"
    )
    return exact._replace(poses=poses, protocol=protocol)


def _humaneva(asked: _Asked) -> TestSet:
    poses = cached(humaneva.load, asked.root)[:: asked.frame_step]
    protocol = "HumanEva-I, 3 colour cameras, Train and Validate; cross-data, never trained on"
    return TestSet(poses, None, "ground truth", protocol)


def _mpii(asked: _Asked) -> TestSet:
    poses = cached(mpii.load, asked.root, split="valid").to(formats.get(asked.skeleton))
    poses = poses[(poses.confidence > 0).all(1)][:: asked.frame_step]
    protocol = "MPII valid, people with all joints annotated; 2D only"
    return TestSet(poses, None, "annotation", protocol)


def _mpi_inf_3dhp(asked: _Asked) -> TestSet:
    official = asked.dataset.endswith("_14")
    names = ("h36m_16",) if official else ("h36m_16", "h36m_17")
    poses = cached(
        mpi_inf_3dhp.load, asked.root, split="test", annotation="univ_annot3",
        frame_step=asked.frame_step, skeleton=asked.joints(*names),
    )  # fmt: skip
    published = sum(VALID_FRAMES.values())
    protocol = f"MPI-INF-3DHP, TS1 to TS6, {_of(poses, published, asked, 'valid frames')}"
    protocol += ", univ_annot3, neck as thorax, head's top as head"
    if official:
        protocol += "; the official measure is PCK@150 and AUC of these joints"
    return TestSet(poses, None, "ground truth", protocol, FOURTEEN if official else None)


def _pw3d(asked: _Asked) -> TestSet:
    every = asked.dataset == "pw3d_24"
    poses = cached(
        pw3d.load, asked.root, split="test", frame_step=asked.frame_step,
        skeleton="smpl_24" if every else "h36m_16",
        keypoints="projection" if asked.detections is None else "poses2d",
    )  # fmt: skip
    found, published = len(np.unique(poses.labels["action"])), pw3d.SEQUENCES["test"]
    protocol = f"3DPW, test, {_count(found, published, 'sequences')}, frames with a valid camera"
    protocol += ", joints of SMPL" + ("" if every else " (neck as thorax)")
    truth2d = None if asked.detections is None else poses.reprojection
    source = "projection of the 3D" if asked.detections is None else "poses2d (OpenPose's)"
    return TestSet(
        poses, truth2d, source, protocol, FOURTEEN if asked.dataset[-2:] == "14" else None
    )


def _ski_pose(asked: _Asked) -> TestSet:
    poses = cached(
        ski_pose.load, asked.root, split="test", frame_step=asked.frame_step,
        skeleton=asked.joints("h36m_16", "h36m_17"),
    )  # fmt: skip
    images = _of(poses, ski_pose.IMAGES["test"], asked, "images")
    return TestSet(poses, None, "annotation", f"Ski-Pose PTZ, test, {images}")


def _of(poses: Poses, published: int, asked: _Asked, what: str) -> str:
    return what if asked.frame_step > 1 else _count(len(poses), published, what)


def _count(found: int, published: int, what: str) -> str:
    """2,929 valid frames; where the files have others, also how many are published."""
    return f"{found:,} {what}" + (f" of {published:,} published" if found != published else "")


_LOADERS: dict[str, Callable[[_Asked], TestSet]] = {
    "human36m": _human36m,
    **dict.fromkeys(UNLIKE_SIZES, _unlike),
    "humaneva": _humaneva,
    "mpi_inf_3dhp": _mpi_inf_3dhp,
    "mpi_inf_3dhp_14": _mpi_inf_3dhp,
    "pw3d_16": _pw3d,
    "pw3d_14": _pw3d,
    "pw3d_24": _pw3d,
    "ski_pose": _ski_pose,
    "mpii": _mpii,
}
DATASETS = tuple(_LOADERS)


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
        rotation = cameras(str(subject))[0].rotation
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
