"""Named test sets, each with its protocol in words."""

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from camerapose.core import joint_formats, plugins
from camerapose.core.conversion import has_definitions
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.data.cache import cached
from camerapose.data.catalog import default_root
from camerapose.data.datasets import human36m, humaneva, mpi_inf_3dhp, mpii, pw3d, ski_pose
from camerapose.data.datasets.mpi_inf_3dhp.published import VALID_FRAMES
from camerapose.evaluate.novel_cameras import novel_cameras

#: Image sizes of the protocols with novel cameras.
NOVEL_SIZES = {"novel_landscape": (1280, 720), "novel_portrait": (720, 1280)}
TEST_SUBJECTS = ("S9", "S11")
#: The joints of the official measure of MPI-INF-3DHP and of LSP: limbs, neck and head.
FOURTEEN = tuple(joint for joint in H36M_16.joints if joint not in ("pelvis", "spine"))


@dataclass(frozen=True)
class TestSet:
    """Poses to measure on, with a description.

    Attributes:
        poses: 2D input and 3D ground truth.
        target2d: ground-truth 2D if `poses.pose2d` is something else.
        source2d: origin of the input 2D.
        protocol: description of the test set.
        joints: joints of the pose errors; None: all.
    """

    __test__: ClassVar[bool] = False  # not a test class of pytest

    poses: Poses
    target2d: np.ndarray | None
    source2d: str
    protocol: str
    joints: tuple[str, ...] | None = None


class _Request(NamedTuple):
    """Arguments of `load`."""

    dataset: str
    root: Path
    skeleton: str
    detections: str | None
    subjects: tuple[str, ...] | None
    frame_step: int

    def joints(self, *offered: str) -> str:
        """Return the model's joint format if the data set offers it, otherwise the first."""
        return self.skeleton if self.skeleton in offered else offered[0]


def load(
    dataset: str,
    root: str | os.PathLike | None,
    *,
    skeleton: str = "h36m_16",
    detections: str | None = None,
    subjects: Sequence[str] | None = None,
    frame_step: int = 1,
) -> TestSet:
    """Load a test set by name.

    Args:
        dataset: one of `DATASETS`, or any other data set of `camerapose data list`.
        root: folder of the data set's files (novel_*: Human3.6M's); None: its default folder.
        skeleton: joint format of the model, used if the data set offers it.
        detections: NAME of data_2d_h36m_NAME.npz (human36m), or "poses2d" (pw3d_*); None:
            ground-truth 2D.
        subjects: subjects; None: S9 and S11 of Human3.6M, all of other data sets.
        frame_step: keep every n-th frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: an option is invalid, or a file has unexpected content.
    """
    check_options(dataset, detections, frame_step)
    folder = default_root(_SOURCES.get(dataset, dataset)) if root is None else Path(root)
    chosen = None if subjects is None else tuple(subjects)
    request = _Request(dataset, folder, skeleton, detections, chosen, frame_step)
    return _of_subjects(_LOADERS.get(dataset, _any)(request), request)


def check_options(dataset: str, detections: str | None, frame_step: int) -> None:
    """Raise ValueError if options of `load` are invalid, without reading files."""
    others = [name for name in plugins.available("datasets") if name not in _LOADERS]
    if dataset not in _LOADERS and dataset not in others:
        known = ", ".join([*_LOADERS, *others])
        raise ValueError(f"unknown data set {dataset!r}; known are {known}")
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")
    is_pw3d = dataset.startswith("pw3d_")
    if detections is None or dataset == "human36m" or (is_pw3d and detections == "poses2d"):
        return
    known = "only poses2d as" if is_pw3d else "no"
    raise ValueError(f"{dataset} has {known} detections; omit the option detections")


def _any(request: _Request) -> TestSet:
    """Return all poses of a data set without a protocol of its own."""
    load = plugins.load("datasets", request.dataset).load
    poses = cached(load, request.root) if _takes_root(load) else cached(load, None)
    return TestSet(poses[:: request.frame_step], None, "as in the data set", "all poses")


def _takes_root(load: Callable[..., Poses]) -> bool:
    return next(iter(inspect.signature(load).parameters), "") == "root"


def _of_subjects(test: TestSet, request: _Request) -> TestSet:
    """Return the poses of the requested subjects.

    Raises:
        ValueError: the data set does not have one of them.
    """
    if request.subjects is None or request.dataset in _WITH_SUBJECTS:
        return test
    labels = test.poses.labels.get("subject")
    known = set() if labels is None else set(labels.astype(str))
    missing = sorted(set(request.subjects) - known)
    if labels is None or missing:
        raise ValueError(
            f"{request.dataset} has no subject {missing[0]!r}; it has "
            f"{', '.join(sorted(known)) or 'no labels of subjects'}"
        )
    poses = test.poses[np.flatnonzero(np.isin(labels.astype(str), request.subjects))]
    target2d = None
    if test.target2d is not None:
        target2d = test.target2d[np.isin(labels.astype(str), request.subjects)]
    protocol = f"{test.protocol}, {' + '.join(request.subjects)}"
    return replace(test, poses=poses, target2d=target2d, protocol=protocol)


def _human36m(request: _Request) -> TestSet:
    subjects = request.subjects or TEST_SUBJECTS
    poses = cached(
        human36m.load, request.root, detections=request.detections, subjects=subjects,
        frame_step=request.frame_step, skeleton=request.joints("h36m_16", "h36m_17"),
    )  # fmt: skip
    target2d = None if request.detections is None else poses.reprojection
    source = "ground truth" if request.detections is None else f"detections {request.detections}"
    protocol = f"Human3.6M, {' + '.join(subjects)}, all cameras"
    return TestSet(poses, target2d, source, protocol)


def _novel_cameras(request: _Request) -> TestSet:
    test, size = _human36m(request), NOVEL_SIZES[request.dataset]
    poses = novel_cameras(test.poses[test.poses.labels["camera"] == 0], size)
    protocol = (
        f"Human3.6M, {' + '.join(request.subjects or TEST_SUBJECTS)}, each pose seen by one novel "
        f"camera, {size[0]} x {size[1]}, seed 0"
    )
    return replace(test, poses=poses, protocol=protocol)


def _humaneva(request: _Request) -> TestSet:
    poses = cached(humaneva.load, request.root)[:: request.frame_step]
    protocol = "HumanEva-I, 3 colour cameras, Train and Validate; cross-data, not used in training"
    return TestSet(poses, None, "ground truth", protocol)


def _mpii(request: _Request) -> TestSet:
    """Return people with all joints; in MPII's joints for models of several joint definitions."""
    poses = cached(mpii.load, request.root, split="valid")
    skeleton = joint_formats.get(request.skeleton)
    several = has_definitions(skeleton)
    converted = poses.to(H36M_16 if several else skeleton)
    complete = (converted.confidence > 0).all(1)
    poses = (poses if several else converted)[complete][:: request.frame_step]
    return TestSet(
        poses, None, "annotation", "MPII valid, people with all joints annotated; 2D only"
    )


def _mpi_inf_3dhp(request: _Request) -> TestSet:
    official = request.dataset.endswith("_14")
    offered = ("h36m_16",) if official else ("h36m_16", "h36m_17")
    poses = cached(
        mpi_inf_3dhp.load, request.root, split="test", annotation="univ_annot3",
        frame_step=request.frame_step, skeleton=request.joints(*offered),
    )  # fmt: skip
    frames = _count_of(poses, sum(VALID_FRAMES.values()), request, "valid frames")
    protocol = (
        f"MPI-INF-3DHP, TS1 to TS6, {frames}, univ_annot3, neck as thorax, top of the head as head"
    )
    if official:
        protocol += "; the official measure is PCK@150 and AUC of these joints"
    return TestSet(poses, None, "ground truth", protocol, FOURTEEN if official else None)


def _pw3d(request: _Request) -> TestSet:
    all_joints = request.dataset == "pw3d_24"
    poses = cached(
        pw3d.load, request.root, split="test", frame_step=request.frame_step,
        skeleton="smpl_24" if all_joints else "h36m_16",
        keypoints="projection" if request.detections is None else "poses2d",
    )  # fmt: skip
    count = len(np.unique(poses.labels["action"]))
    sequences = _count(count, pw3d.SEQUENCES["test"], "sequences")
    protocol = f"3DPW, test, {sequences}, frames with a valid camera, joints of SMPL"
    protocol += "" if all_joints else " (neck as thorax)"
    target2d = None if request.detections is None else poses.reprojection
    source = "projection of the 3D" if request.detections is None else "poses2d (OpenPose)"
    joints = FOURTEEN if request.dataset == "pw3d_14" else None
    return TestSet(poses, target2d, source, protocol, joints)


def _ski_pose(request: _Request) -> TestSet:
    poses = cached(
        ski_pose.load, request.root, split="test", frame_step=request.frame_step,
        skeleton=request.joints("h36m_16", "h36m_17"),
    )  # fmt: skip
    images = _count_of(poses, ski_pose.IMAGES["test"], request, "images")
    return TestSet(poses, None, "annotation", f"Ski-Pose PTZ, test, {images}")


def _count_of(poses: Poses, published: int, request: _Request, noun: str) -> str:
    return noun if request.frame_step > 1 else _count(len(poses), published, noun)


def _count(count: int, published: int, noun: str) -> str:
    """Return "2,929 valid frames", with the published number if it differs."""
    return f"{count:,} {noun}" + (f" of {published:,} published" if count != published else "")


_LOADERS: dict[str, Callable[[_Request], TestSet]] = {
    "human36m": _human36m,
    **dict.fromkeys(NOVEL_SIZES, _novel_cameras),
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
#: Data set of protocols with another name, and protocols that select subjects themselves.
_SOURCES = {
    **dict.fromkeys(NOVEL_SIZES, "human36m"),
    "mpi_inf_3dhp_14": "mpi_inf_3dhp",
    **dict.fromkeys(("pw3d_16", "pw3d_14", "pw3d_24"), "pw3d"),
}
_WITH_SUBJECTS = ("human36m", *NOVEL_SIZES)
