"""Checks of a data set: published counts, value ranges, consistency of 2D, 3D and cameras."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import plugins
from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.catalog import prepare

#: Poses checked at a time, to limit memory.
ROWS = 50_000
#: Accepted median distance between 2D and projected 3D, as a share of the image width; detectors
#: stay below it.
MAX_REPROJECTION = 0.03
#: Accepted mean length of a bone (metres), relative difference of left and right, and extent of the
#: pose (metres).
BONE_LENGTH, MAX_ASYMMETRY, POSE_EXTENT = (0.005, 0.8), 0.25, (0.7, 2.6)
#: Accepted share of the visible joints inside the image.
MIN_INSIDE = 0.5


class Report(NamedTuple):
    """Result of `check`: information and problems, one line each."""

    lines: list[str]
    problems: list[str]


def check(name: str, root: Path | None = None, options: Mapping[str, Any] | None = None) -> Report:
    """Check a data set (arguments as in `catalog.prepare`)."""
    poses, _ = prepare(name, root, options)
    adapter = plugins.load("datasets", name)
    expected = adapter.expected(**(options or {})) if hasattr(adapter, "expected") else {}
    return check_poses(poses, expected)


def check_poses(poses: Poses, expected: Mapping[str, Mapping[str, int | None]]) -> Report:
    """Check poses.

    Args:
        poses: any poses (numpy).
        expected: by label ("subject", or several as "subject/action") the published number of poses
            of each value ("S1"; "S5+S7" is a sum); None: at least one.
    """
    report = Report([f"{len(poses):,} poses of {poses.skeleton.name}"], [])
    if not len(poses):
        report.problems.append("no poses")
        return report
    _list_labels(poses, report)
    if not expected:
        report.lines.append("published counts: unknown")
    for label, counts in expected.items():
        _check_counts(poses, label, counts, report)
    _check_values(poses, report)
    if poses.pose3d is not None:
        _check_3d(poses, report)
        _check_bones(poses, report)
    if poses.camera is not None:
        _check_cameras(poses, report)
    return report


def _list_labels(poses: Poses, report: Report) -> None:
    for label in ("split", "subject", "camera"):
        if label in poses.labels:
            values, counts = np.unique(poses.labels[label], return_counts=True)
            first = [f"{v} {c:,}" for v, c in zip(values[:16], counts[:16], strict=True)]
            report.lines.append(f"{label}: {', '.join(first)}{' ...' if len(values) > 16 else ''}")


def _check_counts(
    poses: Poses, label: str, expected: Mapping[str, int | None], report: Report
) -> None:
    if set(label.split("/")) - set(poses.labels):
        report.problems.append(f"no label {label} to count by")
        return
    counts = _counts(poses, label)
    missing, different = [], []
    for key, number in expected.items():
        count = sum(counts.get(value, 0) for value in key.split("+"))
        if not count:
            missing.append(key)
        elif number not in (None, count):
            different.append(f"{label} {key}: {count:,} of {number:,} published poses")
    extra = sorted(set(counts) - {value for key in expected for value in key.split("+")})
    if missing:
        report.problems.append(f"missing, by {label}: {', '.join(missing)}")
    if extra and not any("+" in key for key in expected) and len(expected) > 1:
        report.problems.append(f"not in the published data, by {label}: {', '.join(extra)}")
    report.problems.extend(different)
    equal = len(expected) - len(missing) - len(different)
    report.lines.append(f"as published, by {label}: {equal} of {len(expected)}")


def _counts(poses: Poses, label: str) -> dict[str, int]:
    """Return the number of poses by the value of a label, or of several joined by slashes."""
    columns = [np.asarray(poses.labels[name]).astype(str) for name in label.split("/")]
    joined = columns[0]
    for column in columns[1:]:
        joined = np.char.add(np.char.add(joined, "/"), column)
    values, counts = np.unique(joined, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _chunks(poses: Poses) -> list[Poses]:
    return [poses[start : start + ROWS] for start in range(0, len(poses), ROWS)]


def _check_values(poses: Poses, report: Report) -> None:
    """Check that values are finite, confidences within [0, 1] and most joints inside the image."""
    not_finite, inside, visible, below_one, out_of_range = 0, 0, 0, 0, 0
    for chunk in _chunks(poses):
        columns = [c for name, c in chunk.columns().items() if not name.startswith("label_")]
        finite = [np.isfinite(c).reshape(len(chunk), -1).all(axis=1) for c in columns]
        not_finite += int((~np.logical_and.reduce(finite)).sum())
        out_of_range += int(((chunk.confidence < 0) | (chunk.confidence > 1)).sum())
        is_visible = chunk.confidence > 0
        visible += int(is_visible.sum())
        below_one += int((is_visible & (chunk.confidence < 1)).sum())
        if chunk.image_size is not None:
            pixels = denormalize(chunk.pose2d, chunk.image_size)
            is_inside = ((pixels >= 0) & (pixels <= chunk.image_size[:, None])).all(axis=-1)
            inside += int((is_inside & is_visible).sum())
    share = visible / (len(poses) * poses.skeleton.n_joints)
    report.lines.append(
        f"visible joints: {share:.1%}, with confidence below 1: {below_one / max(visible, 1):.1%}"
    )
    if not_finite:
        report.problems.append(f"{not_finite:,} poses contain NaN or infinity")
    if out_of_range:
        report.problems.append(f"{out_of_range:,} confidences are not between 0 and 1")
    if poses.image_size is not None:
        report.lines.append(f"visible joints inside the image: {inside / max(visible, 1):.2%}")
        if inside < MIN_INSIDE * visible:
            report.problems.append("most joints are outside the image: wrong size or wrong unit")


def _check_3d(poses: Poses, report: Report) -> None:
    """Check that people are in front of the camera and their 3D projects onto the 2D."""
    depth = np.asarray(poses.root_position[:, 2])
    report.lines.append(
        f"distance from the camera: {depth.min():.2f} to {depth.max():.2f} m, median "
        f"{np.median(depth):.2f} m"
    )
    if (depth <= 0).any():
        report.problems.append(f"{(depth <= 0).sum():,} poses are behind the camera")
    if poses.camera is None:
        return
    error = np.concatenate([chunk.reprojection_error for chunk in _chunks(poses)])
    unit, width = "normalised units", 2.0
    if poses.image_size is not None:
        unit, width = "pixels", float(np.median(poses.image_size[:, 0]))
    median = np.median(error)
    report.lines.append(
        f"reprojection error, {unit}: median {median:.3f}, 99th percentile "
        f"{np.percentile(error, 99):.3f}, maximum {error.max():.3f}"
    )
    if median > MAX_REPROJECTION * width:
        report.problems.append(
            f"the 3D does not project onto the 2D (median error {median:.1f} {unit})"
        )


def _check_bones(poses: Poses, report: Report) -> None:
    """Check bone lengths, symmetry and extent of the poses of each subject."""
    subjects = poses.labels.get("subject", np.full(len(poses), "all"))
    extents, variations = [], []
    for subject in np.unique(subjects):
        rows = np.flatnonzero(subjects == subject)
        chosen = poses[rows[:: max(1, len(rows) // ROWS)]]
        mean, deviation, is_known = _bone_statistics(chosen)
        report.problems.extend(
            f"{subject}: {problem}" for problem in _bone_problems(chosen.skeleton, mean, is_known)
        )
        variation = deviation[is_known] / mean[is_known]
        variations.append(float(np.median(variation)) if is_known.any() else 0.0)
        extent = (chosen.pose3d.max(axis=1) - chosen.pose3d.min(axis=1)).max(axis=-1)
        extents.append(float(np.median(extent)))
    report.lines.append(
        f"extent of the poses: {min(extents):.2f} to {max(extents):.2f} m (medians by subject); "
        f"variation of bone lengths: {min(variations):.1%} to {max(variations):.1%}"
    )
    if min(extents) < POSE_EXTENT[0] or max(extents) > POSE_EXTENT[1]:
        report.problems.append("people are not of human size: the unit should be metres")


def _bone_statistics(poses: Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each bone's length, and whether it is known."""
    child, parent = (list(column) for column in zip(*poses.skeleton.bones, strict=True))
    length = np.linalg.norm(poses.pose3d[:, child] - poses.pose3d[:, parent], axis=-1)
    is_visible = poses.confidence > 0
    is_visible = is_visible[:, child] & is_visible[:, parent]
    count = np.maximum(is_visible.sum(axis=0), 1)
    mean = np.where(is_visible, length, 0).sum(axis=0) / count
    variance = np.where(is_visible, (length - mean) ** 2, 0).sum(axis=0) / count
    return mean, np.sqrt(variance), is_visible.any(axis=0) & (mean > 0)


def _bone_problems(skeleton: Skeleton, mean: np.ndarray, is_known: np.ndarray) -> Iterator[str]:
    minimum, maximum = BONE_LENGTH
    for i in np.flatnonzero(is_known & ((mean < minimum) | (mean > maximum))):
        yield f"bone {skeleton.bone_names[i]} has the length {100 * mean[i]:.1f} cm"
    other = mean[list(skeleton.bone_mirror)]
    difference = np.abs(mean - other) / np.maximum((mean + other) / 2, 1e-9)
    for i in np.flatnonzero(is_known & (difference > MAX_ASYMMETRY)):
        if skeleton.bone_names[i].startswith("left_"):
            yield f"{skeleton.bone_names[i]} and its mirror differ by {difference[i]:.0%}"


def _check_cameras(poses: Poses, report: Report) -> None:
    focal = np.unique(np.round(np.asarray(poses.camera.focal[:, 0], np.float64), 3))
    first = ", ".join(f"{f:.3f}" for f in focal[:8])
    report.lines.append(
        f"focal lengths (2 f / width): {first}"
        + (f" ... {focal[-1]:.3f} ({len(focal)} different)" if len(focal) > 8 else "")
    )
    if poses.pose3d is not None:
        distance = np.abs(poses.camera.translation - poses.root_position).max()
        if distance > 1e-3:
            report.problems.append("the cameras' translations are not the positions of the roots")
    if (np.asarray(poses.camera.focal) <= 0).any():
        report.problems.append("some focal lengths are not positive")
