"""2D detections in VideoPose3D's layout, `data_2d_h36m_NAME.npz`."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core import conversion
from camerapose.core.joint_formats import FORMATS, H36M_17, MPII_16
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets.human36m.layouts import HOW_TO_GET, find, read_tree
from camerapose.data.datasets.human36m.sequences import Sequence3d
from camerapose.io.pickles import numbers, read_pickled

#: Pixel coordinates beyond this are errors.
MAX_PIXELS = 1e6


class Detections:
    """A file of detections, read on demand and once."""

    def __init__(self, root: Path, name: str):
        self.file, self._root = f"data_2d_h36m_{name}.npz", root

    @property
    def path(self) -> Path:
        return find(self._root, self.file)

    @cached_property
    def _content(self) -> tuple[Any, Any]:
        positions = read_tree(self.path, "positions_2d")
        return positions, read_pickled(self.path, "metadata", {}, HOW_TO_GET)

    def add_to(
        self, sequences: list[Sequence3d], target: Skeleton, frame_step: int
    ) -> list[Sequence3d]:
        """Return the sequences with detections, both cut to the shorter.

        Args:
            sequences: recordings of every `frame_step`-th frame, without detections.
            target: joint format of the detections returned; joints that the file lacks are
                interpolated.
            frame_step: step of the frames of `sequences`.

        Recordings without detections are dropped, with a warning.
        """
        result, missing = [], []
        for sequence in sequences:
            name = f"{sequence.subject} {sequence.action}"
            views = self._content[0].get(sequence.subject, {}).get(sequence.action)
            if views is None:
                missing.append(name)
                continue
            detections = self._views(views, name, target, frame_step)
            frames = min(len(sequence.pose3d), *map(len, detections))
            result.append(
                sequence._replace(
                    pose3d=sequence.pose3d[:frames], detections=[v[:frames] for v in detections]
                )
            )
        if missing:
            warnings.warn(f"{self.file} lacks {', '.join(missing)}; dropped", stacklevel=3)
        return result

    def _views(self, views: Any, name: str, target: Skeleton, frame_step: int) -> list[np.ndarray]:
        where = f"{self.file}, {name}"
        views = list(views) if isinstance(views, (list, tuple, np.ndarray)) else []
        views = [np.atleast_1d(numbers(view, where))[::frame_step] for view in views]
        if len(views) != 4 or any(
            v.ndim != 3 or v.shape[2] not in (2, 3) or not len(v) for v in views
        ):
            raise ValueError(
                f"{where}: got arrays of shape {[v.shape for v in views]}, expected four of "
                "(frames, joints, 2), one per camera"
            )
        source = _joint_format(self._content[1], views[0].shape[1], self.file)
        return [_convert(view, source, target) for view in views]


def _joint_format(metadata: Any, joints: int, file: str) -> Skeleton:
    """Return the joint format of a file, by its list of left joints or its name."""
    metadata = metadata if isinstance(metadata, dict) else {}
    candidates = [s for s in FORMATS.values() if s.n_joints == joints]
    symmetry, name = metadata.get("keypoints_symmetry"), str(metadata.get("layout_name", ""))
    is_stated = False
    if isinstance(symmetry, (list, tuple, np.ndarray)) and len(symmetry):
        left = set(numbers(symmetry[0], f"{file}, keypoints_symmetry").ravel().tolist())
        same = [s for s in candidates if {s.index(j) for j in s.joints if "left_" in j} == left]
        candidates, is_stated = same or candidates, bool(same)
    named = [s for s in candidates if name and s.name.startswith(name)]
    candidates, is_stated = named or candidates, is_stated or bool(named)
    if len(candidates) > 1 or not is_stated:  # VideoPose3D's own files do not state it
        candidates = {16: [MPII_16], 17: [H36M_17]}.get(joints, [])
    if len(candidates) != 1:
        raise ValueError(
            f"{file} has {joints} joints per pose ({name or 'no layout_name'}), expected 17 in the "
            "order of Human3.6M or COCO, or 16 in that of MPII"
        )
    return candidates[0]


def _convert(view: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """Return x, y (pixels) and confidence (frames, joints, 3) of the target's joints."""
    points, confidence = view[..., :2], np.ones(view.shape[:2], np.float32)
    if view.shape[2] == 3:
        confidence = np.clip(np.nan_to_num(view[..., 2]), 0, 1)
    valid = (np.isfinite(points) & (np.abs(points) < MAX_PIXELS)).all(axis=-1)
    points = np.where(valid[..., None], points, 0).astype(np.float32)
    confidence = np.where(valid, confidence, 0)
    points, confidence = conversion.convert(points, confidence, source, target)
    return np.concatenate([points, confidence[..., None]], axis=-1, dtype=np.float32)
