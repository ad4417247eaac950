"""World-frame sequences of Human3.6M (npz and CDF layouts)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets.human36m.cdf import read_cdf
from camerapose.data.datasets.human36m.layouts import HOW_TO_GET, POSITIONS, Layout
from camerapose.data.datasets.human36m.recordings import EXCLUDED, JOINTS_OF_32
from camerapose.io.pickles import numbers

#: Coordinates beyond this are not metres.
MAX_COORDINATE = 100.0


class Sequence3d(NamedTuple):
    """One recording.

    Attributes:
        pose3d: joints (frames, joints, 3) in the world frame, metres.
        detections: per camera x, y (pixels) and confidence (frames, joints, 3); None: projections.
    """

    subject: str
    action: str
    pose3d: np.ndarray
    detections: list[np.ndarray] | None = None


def read_sequences(
    layout: Layout, subjects: Sequence[str], actions: frozenset[str], target: Skeleton
) -> list[Sequence3d]:
    """Read all recordings of these subjects and actions, without the excluded ones."""
    return [
        Sequence3d(subject, action, _read(layout, subject, action, target))
        for subject in subjects
        for action in sorted(actions & set(layout.recordings[subject]))
        if (subject, action) not in EXCLUDED
    ]


def _read(layout: Layout, subject: str, action: str, target: Skeleton) -> np.ndarray:
    content = layout.recordings[subject][action]
    if isinstance(content, Path):
        return _select_joints(read_cdf(content), str(content), target)
    return _select_joints(content, f"{POSITIONS}, {subject} {action}", target)


def _select_joints(pose3d: Any, where: str, target: Skeleton) -> np.ndarray:
    """Return the target's joints of a recording with 32, 17 or 16 joints."""
    pose3d = numbers(pose3d, where, HOW_TO_GET)
    if pose3d.ndim != 3 or pose3d.shape[2] != 3 or pose3d.dtype.kind != "f" or not len(pose3d):
        raise ValueError(
            f"{where}: got {pose3d.dtype} of shape {pose3d.shape}, expected floats of shape "
            f"(frames, 32, 3). {HOW_TO_GET}"
        )
    if pose3d.shape[1] == 32:
        pose3d = pose3d[:, JOINTS_OF_32]
    source = {17: H36M_17, 16: H36M_16}.get(pose3d.shape[1])
    if source is None:
        raise ValueError(
            f"{where}: got {pose3d.shape[1]} joints, expected 32, 17 or 16 (h36m_16). {HOW_TO_GET}"
        )
    if set(target.joints) - set(source.joints):
        raise ValueError(
            f"{where}: {source.n_joints} joints do not give {target.name}; "
            f"pass skeleton={source.name!r}"
        )
    if not np.isfinite(pose3d).all() or np.abs(pose3d).max(initial=0) > MAX_COORDINATE:
        raise ValueError(
            f"{where}: coordinates are not all finite and within {MAX_COORDINATE:.0f} m; expected "
            f"metres. {HOW_TO_GET}"
        )
    return pose3d[:, [source.index(joint) for joint in target.joints]]
