"""Human3.6M: real 2D-3D pairs from four calibrated cameras.

Source: Ionescu et al., "Human3.6M" (TPAMI 2014). Three layouts are read:

- the official one, `S1/MyPoseFeatures/D3_Positions/Directions 1.cdf`;
- that of h36m-fetch, `S1/Directions-1/annot.h5`;
- that of VideoPose3D (Pavllo et al., 2019): `data_3d_h36m.npz` holds {subject: {action: (frames, 32
  joints, 3)}}, world frame, metres, 50 Hz; `data_2d_h36m_NAME.npz` holds {subject: {action: [one
  (frames, joints, 2) per camera]}}, pixels.

Human3.6M is licensed for non-commercial research, and so are models trained on it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.datasets.human36m import assembly
from camerapose.data.datasets.human36m.detections import Detections
from camerapose.data.datasets.human36m.layouts import Layout, as_names
from camerapose.data.datasets.human36m.recordings import FRAMES, TRAIN, published_actions
from camerapose.data.datasets.human36m.sequences import read_sequences

ROOT = "data/h36m"


def load(
    root: str | Path,
    *,
    subjects: Sequence[str] = TRAIN,
    actions: Sequence[str] | None = None,
    frame_step: int = 1,
    detections: str | None = None,
    skeleton: str = "h36m_16",
) -> Poses:
    """Load Human3.6M as seen by its four cameras.

    3D is in the camera frame (metres). 2D is the projection through the published camera including
    lens distortion, or the output of a detector. Cameras have no rotation (poses are in the camera
    frame); their translation is the position of the root. Rows are ordered by subject (as given),
    action (by name), camera, frame. `S11 Directions` is excluded, as in all protocols.

    With `detections`, the ground-truth 2D is `poses.reprojection`.

    Args:
        root: folder of `data_3d_h36m.npz`, of the official S1 to S11, or of h36m-fetch (selected
            frames, 2D as in the file).
        subjects: subset of S1, S5, S6, S7, S8 (training), S9, S11 (test).
        actions: names with a number ("Walking 1") or without (all takes); None: all.
        frame_step: keep every n-th frame of each recording.
        detections: NAME of a `data_2d_h36m_NAME.npz` in the folder, used as `pose2d`. Its joints
            are converted to `skeleton` by name; missing ones are interpolated, with lower
            confidence. Recordings are cut to the shorter of 2D and 3D; recordings without 2D are
            dropped, with a warning.
        skeleton: "h36m_16" or "h36m_17".

    Returns:
        Poses with the labels subject, action (as in the file), camera (0 to 3), frame.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has unexpected content, or an option is invalid.
    """
    _check_options(frame_step=frame_step, skeleton=skeleton)
    layout, detected = _open(root, detections)
    poses = _load(
        layout, detected, layout.subjects(subjects),
        actions=actions, frame_step=frame_step, skeleton=skeleton,
    )  # fmt: skip
    if poses is None:
        raise ValueError(
            f"no recording of {', '.join(subjects)} among the requested actions "
            f"({'all' if actions is None else ', '.join(actions)})"
            + (f" with 2D in {detected.file}" if detected else "")
            + "; request more subjects or actions, or another file of detections"
        )
    return poses


def parts(
    root: str | Path,
    *,
    subjects: Sequence[str] = TRAIN,
    detections: str | None = None,
    **options: Any,
) -> list[tuple[str, Callable[[], Poses | None]]]:
    """Return the result of `load` in parts: each subject, and a function that loads it."""
    _check_options(**options)
    layout, detected = _open(root, detections)
    return [
        (subject, partial(_load, layout, detected, (subject,), **options))
        for subject in layout.subjects(subjects)
    ]


def files(
    root: str | Path,
    *,
    subjects: Sequence[str] = TRAIN,
    detections: str | None = None,
    **_: Any,
) -> list[Path]:
    """Return the files that `load` reads with these options."""
    layout, detected = _open(root, detections)
    return layout.files(as_names(subjects)) + ([detected.path] if detected else [])


def expected(
    *, subjects: Sequence[str] = TRAIN, **options: Any
) -> dict[str, dict[str, int | None]]:
    """Return the published number of poses by label, for `camerapose data check`."""
    requested = as_names(subjects)
    if options.get("actions") is not None:
        return {}
    result: dict[str, dict[str, int | None]] = {
        "subject/action": {
            f"{subject}/{action}": None
            for subject in requested
            for action in published_actions(subject)
        }
    }
    if options.get("frame_step", 1) == 1:
        result["subject"] = {
            names: 4 * frames
            for names, frames in FRAMES.items()
            if set(names.split("+")) <= set(requested)
        }
    return result


def _open(root: str | Path, detections: str | None) -> tuple[Layout, Detections | None]:
    layout = Layout(root)
    if layout.kind == "h5" and detections:
        raise ValueError(
            f"{root} holds annot.h5 of h36m-fetch, which do not match detections; omit detections"
        )
    return layout, Detections(layout.root, detections) if detections else None


def _load(
    layout: Layout,
    detections: Detections | None,
    subjects: Sequence[str],
    *,
    actions: Sequence[str] | None = None,
    frame_step: int = 1,
    skeleton: str = "h36m_16",
) -> Poses | None:
    """Return the poses of these subjects, or None if no recording is left."""
    target = _skeleton(skeleton)
    chosen = layout.actions(actions)
    if layout.kind == "h5":
        return assembly.from_h5(layout, subjects, chosen, target, frame_step)
    sequences = [
        sequence._replace(pose3d=sequence.pose3d[::frame_step])
        for sequence in read_sequences(layout, subjects, chosen, target)
    ]
    if sequences and detections is not None:
        sequences = detections.add_to(sequences, target, frame_step)
    return assembly.from_sequences(sequences, target, frame_step) if sequences else None


def _check_options(*, frame_step: int = 1, skeleton: str = "h36m_16", **_: Any) -> None:
    _skeleton(skeleton)
    if frame_step < 1:
        raise ValueError(f"frame_step is {frame_step}; give 1 (every frame) or more")


def _skeleton(name: str) -> Skeleton:
    known = {s.name: s for s in (H36M_16, H36M_17)}
    if name not in known:
        raise ValueError(
            f"Human3.6M is available as {' or '.join(known)}, not as {name!r}; for another joint "
            "format use poses.to(skeleton) on the result"
        )
    return known[name]
