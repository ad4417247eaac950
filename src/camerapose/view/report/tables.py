"""Tables of the report: one row per person, and the refinement of each joint."""

from collections.abc import Sequence

import numpy as np

from camerapose.core.anatomy import body_height
from camerapose.core.conversion import has_definitions
from camerapose.core.poses import Poses
from camerapose.view.report.template import table


def summary(poses: Poses, people: Sequence[tuple[int, Poses]]) -> str:
    """Return the extent of the input, and a table with one row per person.

    Args:
        poses: all poses.
        people: number and poses of each person of the table.
    """
    width, height = poses.image_size[0].astype(int)
    frames = len(np.unique(poses.labels["frame"]))
    rows = []
    for person, own in people:
        focal = np.median(own.camera.in_pixels(own.image_size).focal)
        rows.append(
            (
                f"{person}",
                f"{len(own)}",
                f"{np.median(body_height(own.pose3d, own.skeleton)):.2f}",
                _range(np.linalg.norm(own.root_position, axis=1)),
                f"{focal:.0f}",
                f"{own.reprojection_error.mean():.1f}",
            )
        )
    header = ("person", "poses", "body height, m", "distance, m", "focal length, pixels",
              "re\u00adprojection error, pixels")  # fmt: skip
    return (
        f"<p>People detected in {frames} frame{'s' * (frames > 1)} of {width} x {height} pixels. "
        "Heights and focal lengths are medians. From one camera, size and distance are estimates "
        "unless the person's height was given.</p>" + table(header, rows)
    )


def refinement(poses: Poses) -> str:
    """Return a table of how far the refinement network moved each joint; empty without one."""
    if has_definitions(poses.skeleton):  # predicted without a refinement network
        return ""
    moved = poses.refinement
    known = np.isfinite(moved).any(0)
    if not known.any():
        return ""
    rows = []
    for j in np.flatnonzero(known):
        pixels = moved[np.isfinite(moved[:, j]), j]
        confidence = poses.confidence[poses.confidence[:, j] > 0, j]
        rows.append(
            (
                poses.skeleton.joints[j].replace("_", " "),
                f"{pixels.mean():.1f}",
                f"{np.percentile(pixels, 95):.1f}",
                f"{confidence.mean():.2f}",
            )
        )
    header = ("joint", "mean shift, pixels", "95th percentile, pixels", "mean confidence")
    return (
        "<details><summary>Refinement</summary><p>Distance by which the refinement network moved "
        "the detected joints before lifting: "
        f"{np.nanmean(moved):.1f} pixels on average.</p>{table(header, rows)}</details>"
    )


def _range(metres: np.ndarray) -> str:
    low, high = f"{metres.min():.1f}", f"{metres.max():.1f}"
    return low if low == high else f"{low} to {high}"
