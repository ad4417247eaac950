"""Look after data sets: which there are, prepare one, check it, draw some of it.

Nothing here knows any data set: whatever file stands in `datasets/` and keeps the contract
written there is listed, prepared, checked and shown.
"""

import inspect
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import plugins
from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.data.cache import cached, prepared_folder

#: Poses that are looked at in one go, so that memory stays small.
ROWS = 50_000
#: A data set's 3D should fall onto its 2D: the median distance, as a share of the image's width,
#: that even a detector's 2D keeps to.
MOST_OFF = 0.03
#: A bone's mean length, metres; left and right, relative difference; and the poses' whole size.
BONE, SIDES, BODY = (0.005, 0.8), 0.25, (0.7, 2.6)
#: Letters below a picture.
TITLE = 40
#: At least so many of the joints seen should stand in the image.
LEAST_INSIDE = 0.5


class Entry(NamedTuple):
    """A line of the list of data sets."""

    name: str
    about: str
    root: Path | None
    state: str


class Report(NamedTuple):
    """What `check` found: lines to read, and of these the problems."""

    lines: list[str]
    problems: list[str]


def entries() -> list[Entry]:
    """Every data set that there is, and whether its files are where they are looked for."""
    found = []
    for name in plugins.available("datasets"):
        try:
            adapter = plugins.load("datasets", name)
        except ImportError as error:
            found.append(Entry(name, "", None, f"can't be loaded: {error}"))
            continue
        about = (adapter.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        root = default_root(name)
        found.append(Entry(name, about, root, _state(adapter, root)))
    return found


def _state(adapter: ModuleType, root: Path) -> str:
    try:
        if not _files(adapter, root):
            return "needs no files" if not _takes_root(adapter) else f"not in {root}"
        ready = prepared_folder(adapter.load, root) is not None
    except (OSError, ValueError):
        return f"not in {root}"
    return f"in {root}" + (", prepared" if ready else "")


def _takes_root(adapter: ModuleType) -> bool:
    first = next(iter(inspect.signature(adapter.load).parameters.values()))
    return first.default is inspect.Parameter.empty


def _files(adapter: ModuleType, root: Path) -> list[Path]:
    """Those that `load` would read and that are there."""
    if hasattr(adapter, "files"):
        return [path for path in adapter.files(root) if path.exists()]
    return [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []


def default_root(name: str) -> Path:
    """Where a data set is looked for unless said: `data/NAME`, or the adapter's own `ROOT`."""
    return Path(getattr(plugins.load("datasets", name), "ROOT", f"data/{name}"))


def options(adapter: ModuleType, settings: Sequence[str]) -> dict[str, Any]:
    """Settings as `load` takes them: `subjects=S9,S11 frame_step=5`.

    Raises:
        ValueError: `load` has no such option.
    """
    known = inspect.signature(adapter.load).parameters
    names = [p.name for p in known.values() if p.kind is p.KEYWORD_ONLY]
    name, chosen = adapter.__name__.rpartition(".")[2], {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if key not in names or not equals:
            near = get_close_matches(key, names, n=1)
            raise ValueError(
                f"{name} has no option {setting!r}; give KEY=VALUE with one of "
                f"{', '.join(names) or 'none'}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        chosen[key] = _value(text, known[key])
    return chosen


def _value(text: str, parameter: inspect.Parameter) -> Any:
    """A TOML value, else a string; several by commas where the option takes several."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    several = isinstance(parameter.default, (tuple, list)) or "Sequence" in str(
        parameter.annotation
    )
    if several and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(value) if isinstance(value, list) else value


def prepare(
    name: str, root: Path | None = None, chosen: Mapping[str, Any] | None = None
) -> tuple[Poses, Path | None]:
    """A data set's poses from the cache, made now if need be, and where they are kept.

    Args:
        root: folder of its files; None: `default_root`.
        chosen: its options.
    """
    chosen = chosen or {}
    adapter = plugins.load("datasets", name)
    root = _root(adapter, name, root)
    poses = cached(adapter.load, root, **chosen)
    return poses, prepared_folder(adapter.load, root, **chosen)


def _root(adapter: ModuleType, name: str, root: Path | None) -> Path | None:
    if root is None and not _takes_root(adapter):
        return None
    return default_root(name) if root is None else Path(root).expanduser()


def check(name: str, root: Path | None = None, chosen: Mapping[str, Any] | None = None) -> Report:
    """What a data set holds, and what of it is missing, differs or can't be right."""
    poses, _ = prepare(name, root, chosen)
    adapter = plugins.load("datasets", name)
    expected = adapter.expected(**(chosen or {})) if hasattr(adapter, "expected") else {}
    return check_poses(poses, expected)


def check_poses(poses: Poses, expected: Mapping[str, Mapping[str, int | None]]) -> Report:
    """The same for poses.

    Args:
        expected: by label ("subject", or several as "subject/action") the number of poses of each
            value ("S1"; "S5+S7" is a sum); None: at least one.
    """
    report = Report([f"{len(poses):,} poses of {poses.skeleton.name}"], [])
    if not len(poses):
        report.problems.append("there are no poses")
        return report
    _check_counts(poses, expected, report)
    _check_numbers(poses, report)
    if poses.pose3d is not None:
        _check_3d(poses, report)
        _check_bones(poses, report)
    if poses.camera is not None:
        _check_cameras(poses, report)
    return report


def _check_counts(poses: Poses, expected: Mapping, report: Report) -> None:
    for label in ("split", "subject", "camera"):
        if label in poses.labels:
            values, counts = np.unique(poses.labels[label], return_counts=True)
            some = [f"{v} {c:,}" for v, c in zip(values[:16], counts[:16], strict=True)]
            report.lines.append(f"{label}: {', '.join(some)}{' ...' if len(values) > 16 else ''}")
    if not expected:
        report.lines.append("published counts: none are known")
    for label, wanted in expected.items():
        if set(label.split("/")) - set(poses.labels):
            report.problems.append(f"there is no label {label} to count by")
            continue
        found = _counts(poses, label)
        missing, wrong = [], []
        for key, number in wanted.items():
            there = sum(found.get(value, 0) for value in key.split("+"))
            if not there:
                missing.append(key)
            elif number not in (None, there):
                wrong.append(f"{label} {key}: {there:,} of {number:,} published poses")
        extra = sorted(set(found) - {value for key in wanted for value in key.split("+")})
        if missing:
            report.problems.append(f"missing, by {label}: {', '.join(missing)}")
        if extra and not any("+" in key for key in wanted) and len(wanted) > 1:
            report.problems.append(f"not among the published, by {label}: {', '.join(extra)}")
        report.problems.extend(wrong)
        good = len(wanted) - len(missing) - len(wrong)
        report.lines.append(f"as published, by {label}: {good} of {len(wanted)}")


def _counts(poses: Poses, label: str) -> dict[str, int]:
    """Number of poses by the value of a label, or of several joined by a slash."""
    columns = [np.asarray(poses.labels[name]).astype(str) for name in label.split("/")]
    joined = columns[0]
    for column in columns[1:]:
        joined = np.char.add(np.char.add(joined, "/"), column)
    values, counts = np.unique(joined, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _slices(poses: Poses) -> list[Poses]:
    return [poses[start : start + ROWS] for start in range(0, len(poses), ROWS)]


def _check_numbers(poses: Poses, report: Report) -> None:
    broken, inside, seen, unsure, outside = 0, 0, 0, 0, 0
    for some in _slices(poses):
        columns = [c for name, c in some.columns().items() if not name.startswith("label_")]
        finite = [np.isfinite(c).reshape(len(some), -1).all(axis=1) for c in columns]
        broken += int((~np.logical_and.reduce(finite)).sum())
        outside += int(((some.confidence < 0) | (some.confidence > 1)).sum())
        is_seen = some.confidence > 0
        seen += int(is_seen.sum())
        unsure += int((is_seen & (some.confidence < 1)).sum())
        if some.image_size is not None:
            pixels = denormalize(some.pose2d, some.image_size)
            there = ((pixels >= 0) & (pixels <= some.image_size[:, None])).all(axis=-1)
            inside += int((there & is_seen).sum())
    joints = len(poses) * poses.skeleton.n_joints
    report.lines.append(
        f"joints seen: {seen / joints:.1%}, of these with less than full confidence: "
        f"{unsure / max(seen, 1):.1%}"
    )
    if broken:
        report.problems.append(f"{broken:,} poses hold NaN or infinity")
    if outside:
        report.problems.append(f"{outside:,} confidences are not between 0 and 1")
    if poses.image_size is not None:
        report.lines.append(f"joints inside the image: {inside / max(seen, 1):.2%} of those seen")
        if inside < LEAST_INSIDE * seen:
            report.problems.append("most joints are outside the image: wrong size or wrong unit")


def _check_3d(poses: Poses, report: Report) -> None:
    depth = np.asarray(poses.root_position[:, 2])
    report.lines.append(
        f"distance from the camera: {depth.min():.2f} to {depth.max():.2f} m, median "
        f"{np.median(depth):.2f} m"
    )
    if (depth <= 0).any():
        report.problems.append(f"{(depth <= 0).sum():,} poses are behind the camera")
    if poses.camera is None:
        return
    error = np.concatenate([some.reprojection_error for some in _slices(poses)])
    unit, share = "normalised units", 2.0
    if poses.image_size is not None:
        unit, share = "pixels", float(np.median(poses.image_size[:, 0]))
    median, most = np.median(error), error.max()
    report.lines.append(
        f"3D projected onto 2D, {unit}: median {median:.3f}, 99 of 100 within "
        f"{np.percentile(error, 99):.3f}, at most {most:.3f}"
    )
    if median > MOST_OFF * share:
        report.problems.append(f"the 3D does not fall onto the 2D (median {median:.1f} {unit})")


def _check_bones(poses: Poses, report: Report) -> None:
    """By subject: mean length of each bone, left against right, and how much it changes."""
    subjects = poses.labels.get("subject", np.full(len(poses), "all"))
    skeleton = poses.skeleton
    child, parent = (list(column) for column in zip(*skeleton.bones, strict=True))
    whole, change = [], []
    for subject in np.unique(subjects):
        rows = np.flatnonzero(subjects == subject)
        rows = rows[:: max(1, len(rows) // ROWS)]
        pose3d, known = poses.pose3d[rows], poses.confidence[rows] > 0
        length = np.linalg.norm(pose3d[:, child] - pose3d[:, parent], axis=-1)
        known = known[:, child] & known[:, parent]
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, length, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (length - mean) ** 2, 0).sum(axis=0) / count)
        there = known.any(axis=0) & (mean > 0)
        change.append(float(np.median(spread[there] / mean[there])) if there.any() else 0.0)
        whole.append(float(np.median((pose3d.max(axis=1) - pose3d.min(axis=1)).max(axis=-1))))
        for i in np.flatnonzero(there & ((mean < BONE[0]) | (mean > BONE[1]))):
            report.problems.append(
                f"{subject}: bone {skeleton.bone_names[i]} is {100 * mean[i]:.1f} cm long"
            )
        other = mean[list(skeleton.bone_mirror)]
        apart = np.abs(mean - other) / np.maximum((mean + other) / 2, 1e-9)
        for i in np.flatnonzero(there & (apart > SIDES)):
            if skeleton.bone_names[i].startswith("left_"):
                report.problems.append(
                    f"{subject}: {skeleton.bone_names[i]} and its other side differ by "
                    f"{apart[i]:.0%}"
                )
    report.lines.append(
        f"size of the poses: {min(whole):.2f} to {max(whole):.2f} m (medians by subject); bones "
        f"change by {min(change):.1%} to {max(change):.1%}"
    )
    if min(whole) < BODY[0] or max(whole) > BODY[1]:
        report.problems.append("people are not of human size: the unit should be metres")


def _check_cameras(poses: Poses, report: Report) -> None:
    focal = np.unique(np.round(np.asarray(poses.camera.focal[:, 0], np.float64), 3))
    some = ", ".join(f"{f:.3f}" for f in focal[:8])
    report.lines.append(
        f"focal lengths (2 f / width): {some}"
        + (f" ... {focal[-1]:.3f} ({len(focal)} different)" if len(focal) > 8 else "")
    )
    if poses.pose3d is not None:
        apart = np.abs(poses.camera.translation - poses.root_position).max()
        if apart > 1e-3:
            report.problems.append("the cameras' translations are not the roots' places")
    if (np.asarray(poses.camera.focal) <= 0).any():
        report.problems.append("there are focal lengths that are not positive")


def show(
    name: str,
    out: Path,
    root: Path | None = None,
    chosen: Mapping[str, Any] | None = None,
    *,
    n: int = 4,
    seed: int = 0,
    images: Path | None = None,
) -> Path:
    """Draw some poses: 2D, 3D from two sides, and the 3D projected over the 2D.

    Args:
        n: how many, drawn at random by `seed`.
        images: folder of the images that the label `image` names, to draw on.
    """
    from camerapose.view.frames import draw_samples
    from camerapose.view.layout import save_figure

    if n < 1:
        raise ValueError(f"n is {n}; show 1 pose or more")
    poses, _ = prepare(name, root, chosen)
    rows = np.random.default_rng(seed).permutation(len(poses))[:n]
    figure = draw_samples([sample(poses[[row]], images) for row in np.sort(rows)])
    return save_figure(figure, out)


def sample(pose: Poses, images: Path | None) -> Any:
    """A row of a picture (`view.rows.Row`), titled by the labels.

    Args:
        images: folder of the images that the label `image` names. FileNotFoundError where one
            is not there.
    """
    from camerapose.io.media import read_image
    from camerapose.view.rows import Row

    parts = []
    words = {"camera": "cam ", "frame": "frame ", "person": "person "}
    for label in ("subject", "action", "camera", "frame", "image", "person"):
        if label in pose.labels:
            parts.append(words.get(label, "") + str(pose.labels[label][0]))
    image = None
    if images is not None and "image" in pose.labels:
        path = Path(images).expanduser() / str(pose.labels["image"][0])
        if not path.is_file():
            raise FileNotFoundError(f"there is no image {path}; give the folder of the images")
        image = read_image(path)
    return Row(pose, image, ", ".join(parts)[:TITLE])
