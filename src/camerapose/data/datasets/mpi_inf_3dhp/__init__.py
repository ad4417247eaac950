"""MPI-INF-3DHP: eight people in a studio, and a test set that is partly outdoors.

Source: Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN
supervision" (3DV 2017); layout, joint order and frame counts are those of the readme and functions
distributed with the data.

- Training: `S1/Seq1/annot.mat` to `S8/Seq2/annot.mat` (one cell per camera: annot2 (frames, 56),
  pixels; annot3 and univ_annot3 (frames, 84), millimetres, in that camera's frame), each next to
  its `camera.calibration`.
- Test: `TS1/annot_data.mat` to `TS6/annot_data.mat` (annot2 2 x 17 x 1 x frames, annot3 and
  univ_annot3 3 x 17 x 1 x frames, valid_frame, activity_annotation).

Both kinds of MATLAB files are read. The data set is licensed for non-commercial research and must
not be redistributed.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from camerapose.core import joint_formats
from camerapose.core.poses import Poses
from camerapose.data.datasets.mpi_inf_3dhp.published import (
    ANNOTATIONS,
    CAMERAS,
    FRAMES,
    HOW_TO_GET,
    SEQUENCES,
    SUBJECTS,
    VALID_FRAMES,
    VNECT,
    joint_order,
)
from camerapose.data.datasets.mpi_inf_3dhp.test import read_view
from camerapose.data.datasets.mpi_inf_3dhp.train import frame_numbers, read_views
from camerapose.data.datasets.mpi_inf_3dhp.views import View, assemble


def load(
    root: str | Path,
    *,
    split: str = "train",
    subjects: Sequence[str] | None = None,
    cameras: Sequence[int] = VNECT,
    annotation: str = "annot3",
    frame_step: int = 1,
    skeleton: str = "mpi_inf_3dhp_17",
) -> Poses:
    """Load MPI-INF-3DHP: 2D as annotated, 3D in the camera frame, absolute, metres.

    Rows are ordered by subject (as given), recording, camera, frame. Invalid frames of the test set
    are excluded. The cameras of the test set are not published here: each is the pinhole camera
    that projects annot3 to annot2.

    Args:
        root: folder of S1 to S8 and of TS1 to TS6 (or mpi_inf_3dhp_test_set).
        split: "train" or "test".
        subjects: subset of the split's subjects; None: all.
        cameras: subset of the 14 (train only); the test set has one.
        annotation: "annot3" has true size. "univ_annot3" is scaled to a person of one height and is
            what the test set is measured with; its pelvis is moved to that of annot3, and its
            projection is not the 2D.
        frame_step: keep every n-th frame of each recording (test: of the valid frames).
        skeleton: "mpi_inf_3dhp_17", "mpi_inf_3dhp_28" (train only), or "h36m_17" and "h36m_16" as
            is usual (neck as thorax, top of the head as head).

    Returns:
        Poses with the labels subject, action (train: the recording; test: the activity), camera,
        frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has unexpected content, or an option is invalid.
    """
    _subjects(split, subjects)
    order = joint_order(skeleton, split)
    if annotation not in ANNOTATIONS:
        raise ValueError(f"unknown annotation {annotation!r}; give {' or '.join(ANNOTATIONS)}")
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")
    chosen = tuple(dict.fromkeys(int(c) for c in cameras))
    if not chosen or set(chosen) - set(range(CAMERAS)):
        raise ValueError(f"cameras are {chosen}; give some of 0 to {CAMERAS - 1}")
    paths = files(root, split=split, subjects=subjects)
    views: Iterator[View] | list[View]
    if split == "test":
        views = [read_view(path, annotation, order, frame_step) for path in paths]
        counts = [len(view.frame) for view in views]
    else:
        pairs = list(zip(paths[::2], paths[1::2], strict=True))
        frames = [frame_numbers(path)[::frame_step] for path, _ in pairs]
        counts = [len(f) for f in frames for _ in chosen]
        views = (
            view
            for (path, calibration), rows in zip(pairs, frames, strict=True)
            for view in read_views(path, calibration, rows, chosen, annotation, order)
        )
    return assemble(views, counts, joint_formats.get(skeleton))


def files(
    root: str | Path, *, split: str = "train", subjects: Sequence[str] | None = None, **_: Any
) -> list[Path]:
    """Return the files that `load` reads; for training each annot.mat and camera.calibration."""
    chosen = _subjects(split, subjects)
    root = Path(root).expanduser()
    if split == "test":
        inner = root / "mpi_inf_3dhp_test_set"
        root = inner if inner.is_dir() else root
        paths = [root / subject / "annot_data.mat" for subject in chosen]
    else:
        folders = [root / subject / sequence for subject in chosen for sequence in SEQUENCES]
        paths = [f / name for f in folders for name in ("annot.mat", "camera.calibration")]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"MPI-INF-3DHP ({split}): {len(missing)} of {len(paths)} files are missing, the first "
            f"is {missing[0].absolute()}. {HOW_TO_GET}"
        )
    return paths


def parts(
    root: str | Path,
    *,
    split: str = "train",
    subjects: Sequence[str] | None = None,
    **options: Any,
) -> list[tuple[str, Callable[[], Poses]]]:
    """Return the result of `load` in parts: each subject, and a function that loads it."""
    files(root, split=split, subjects=subjects)
    return [
        (subject, partial(load, root, split=split, subjects=(subject,), **options))
        for subject in _subjects(split, subjects)
    ]


def expected(
    *,
    split: str = "train",
    subjects: Sequence[str] | None = None,
    cameras: Sequence[int] = VNECT,
    frame_step: int = 1,
    **_: Any,
) -> dict[str, dict[str, int | None]]:
    """Return the published number of poses by label (None: at least one)."""
    chosen = _subjects(split, subjects)
    if split == "test":
        return {"subject": {s: VALID_FRAMES[s] if frame_step == 1 else None for s in chosen}}
    pairs = [(subject, sequence) for subject in chosen for sequence in SEQUENCES]
    views = len(set(cameras))
    counts = {"/".join(p): views * -(-FRAMES[p] // frame_step) for p in pairs}
    return {"subject/action": counts}


def _subjects(split: str, requested: Sequence[str] | None) -> tuple[str, ...]:
    """Return the requested subjects, all of them in the split; ValueError otherwise."""
    if split not in SUBJECTS:
        raise ValueError(f"unknown split {split!r} of MPI-INF-3DHP; give train or test")
    known = SUBJECTS[split]
    if requested is None:
        return known
    for subject in requested:
        if subject not in known:
            raise ValueError(
                f"no subject {subject!r} in MPI-INF-3DHP ({split}); it has {', '.join(known)}"
            )
    if not requested:
        raise ValueError(f"no subjects requested; give some of {', '.join(known)}")
    return tuple(requested)
