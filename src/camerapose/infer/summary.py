"""Lines of text that summarize a prediction."""

from collections.abc import Iterator

import numpy as np

from camerapose.core.conversion import has_definitions
from camerapose.core.poses import Poses
from camerapose.core.visibility import hidden_note
from camerapose.infer.keypoint_checks import MIN_JOINTS
from camerapose.infer.lift import Lifted
from camerapose.view.displayed import displayed

#: Mean displacement (pixels) below which no joint counts as refined.
MIN_DISPLACEMENT = 1e-2

MISSED = (
    ", also not in rotated copies and parts of the image; try --detector rtmlib, or --model heavy "
    "for video"
)


def summarize(lifted: Lifted, poses: Poses, seconds: float) -> Iterator[str]:
    """Yield the log lines of a prediction.

    Args:
        poses: after per-clip processing.
        seconds: time for reading, detection and lifting.
    """
    detections = lifted.detections
    frames = len(detections.frames[0])
    yield (
        f"{_count(frames, 'frame')} in {seconds:.1f} s ({frames / seconds:.1f} frames/s), "
        f"{lifted.frames_with_people} with people: {_count(len(poses), 'pose')}"
    )
    yield from detections.notes
    if detections.swapped:
        yield f"corrected left-right swaps in {_count(detections.swapped, 'detection')}"
    if lifted.skipped:
        yield (
            f"skipped {_count(lifted.skipped, 'person', 'people')} with fewer than {MIN_JOINTS} "
            "visible joints"
        )
    if lifted.outside:
        yield (
            f"{_count(lifted.outside, 'pose')} completely outside the image: their 3D is "
            "unreliable, check the image size"
        )
    if "filled" in poses.labels:
        filled = int(poses.labels["filled"].sum())
        yield f"interpolated {_count(filled, 'pose')} in gaps"
    if len(poses):
        if note := hidden_note(displayed(poses)):
            yield note
        if not has_definitions(poses.skeleton):  # others have no refinement network
            yield _refinement(poses)
        yield f"mean reprojection error {poses.reprojection_error.mean():.1f} px"
    else:
        yield "no person detected" + (MISSED if detections.from_images else "")


def _refinement(poses: Poses) -> str:
    """Return a line about the mean displacement of visible joints by the refinement network."""
    moved, names = poses.refinement, poses.skeleton.joints
    mean = [np.nanmean(column) if np.isfinite(column).any() else 0.0 for column in moved.T]
    if max(mean) < MIN_DISPLACEMENT:
        return "no refinement: these weights use the 2D keypoints unchanged"
    most = int(np.argmax(mean))
    return (
        f"refinement moved joints by {np.nanmean(moved):.1f} px on average, "
        f"{names[most]} most ({mean[most]:.1f} px)"
    )


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
