"""Which joint each column of a file is: by name, by the declared format, or by plausibility."""

from pathlib import Path

import numpy as np

from camerapose.core import joint_formats
from camerapose.core.skeleton import Skeleton
from camerapose.io.keypoints import _names
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._plausibility import (
    CLEAR,
    MARGIN,
    MAX_PEOPLE,
    MIN_EXPECTED,
    PLAUSIBLE,
    UNUSUAL,
    evidence,
    margin,
)

#: The body at the beginning of formats with face or hands, by their number of joints.
WHOLE_BODY = {133: ("coco_wholebody_23",), 135: ("body_25b",), 136: ("halpe_26",)}
#: Further formats with which other formats begin, if the caller names them.
BEGINNINGS = {23: ("coco_17",), 133: ("coco_17",)}
#: Of more people than this, the half with more visible joints is looked at.
MIN_HALVED = 20


def resolve(
    people: People, visible: np.ndarray, wanted: Skeleton | None, path: Path
) -> tuple[_names.Order, list[str]]:
    """Return the joint format of people in pixels, its columns, and messages.

    Args:
        visible: (n, joints) which joints of the file are visible.
        wanted: joint format given by the caller.

    Raises:
        ValueError: the names are unknown, the number of joints fits no format, or several formats
            are equally plausible.
    """
    step = -(-len(people) // MAX_PEOPLE) or 1
    sample, visible = people.keypoints[::step, :, :2], visible[::step]
    own = _declared(people, path)
    if own and wanted and wanted != own:
        raise ValueError(f"{path} is in {own.name}, not in {wanted.name}; omit the skeleton")
    found = None
    if own is None and people.joints is not None:
        found = _by_name(people, wanted, path)
    if found is None and (own or wanted):
        found = _positional(people, own or wanted, path)
    if found is None:
        return _by_plausibility(people, sample, visible, path)
    columns = found.columns[found.columns >= 0]
    present = [j for j, c in zip(found.skeleton.joints, found.columns, strict=True) if c >= 0]
    messages = []
    if found.ignored:
        messages.append(f"{path}: joints that {found.skeleton.name} lacks: {_few(found.ignored)}")
    seen = np.zeros((len(visible), found.skeleton.n_joints), bool)
    points = np.zeros((*seen.shape, 2), np.float32)
    rows = [found.skeleton.index(joint) for joint in present]
    seen[:, rows], points[:, rows] = visible[:, columns], sample[:, columns]
    fit = evidence(np.nan_to_num(points), seen, found.skeleton)
    if fit.expected >= MIN_EXPECTED and fit.share < PLAUSIBLE / 2:
        messages.append(
            f"{path}: the people do not look human in the joint order {found.skeleton.name}; check "
            "the names and the order of the joints, and the units of the coordinates"
        )
    return found, messages


def _declared(people: People, path: Path) -> Skeleton | None:
    """Return the joint format that the file names; None if it names none that is known."""
    if people.skeleton is None:
        return None
    try:
        return joint_formats.get(people.skeleton)
    except (ValueError, FileNotFoundError) as error:
        if people.joints is not None and _names.order(people.joints) is not None:
            return None
        raise ValueError(f"{path}: {error}") from error


def _by_name(people: People, wanted: Skeleton | None, path: Path) -> _names.Order | None:
    names = list(people.joints or ())
    if len(names) != people.keypoints.shape[1]:
        raise ValueError(
            f"{path} names {len(names)} joints, but has {people.keypoints.shape[1]} per person"
        )
    found = _names.order(names, wanted)
    if found is None and wanted is None:
        raise ValueError(
            f"{path}: unknown joint names {_few(names)}; rename them to those of a known format, "
            f"such as {_few(joint_formats.get('coco_17').joints[:6])}, or pass "
            f"skeleton=NAME or --skeleton NAME if they are in the order of one (known: "
            f"{', '.join(joint_formats.FORMATS)})"
        )
    return found


def _positional(people: People, skeleton: Skeleton | None, path: Path) -> _names.Order:
    assert skeleton is not None
    joints = people.keypoints.shape[1]
    begins = WHOLE_BODY.get(joints, ()) + BEGINNINGS.get(joints, ())
    if joints != skeleton.n_joints and skeleton.name not in begins:
        raise ValueError(
            f"{people.place(0)}: got {joints} joints, expected {skeleton.n_joints} "
            f"({skeleton.name}); if the joints are in another format, pass it as skeleton "
            f"(known: {', '.join(joint_formats.FORMATS)})"
        )
    return _names.Order(skeleton, np.arange(skeleton.n_joints), ())


def _by_plausibility(
    people: People, sample: np.ndarray, visible: np.ndarray, path: Path
) -> tuple[_names.Order, list[str]]:
    """Choose among all formats with the number of joints of the file."""
    joints = people.keypoints.shape[1]
    names = [s.name for s in joint_formats.FORMATS.values() if s.n_joints == joints]
    names += WHOLE_BODY.get(joints, ())
    usual = [name for name in people.usual if name in names]
    if not names:
        counts = dict.fromkeys(f"{joint_formats.get(n).n_joints} ({n})" for n in people.usual)
        raise ValueError(
            f"{people.place(0)}: got {joints} joints, expected "
            f"{' or '.join(counts) or 'those of a known format'}; if the joints are in another "
            f"format, pass it as skeleton (known: {', '.join(joint_formats.FORMATS)})"
        )
    if not visible.any() and usual:  # nothing to lift
        return _in_order(usual[0]), [f"{path}: no joint is visible; assuming {usual[0]}"]
    sample, visible = _most_visible(np.nan_to_num(sample), visible)
    fits = {}
    for name in names:
        body = joint_formats.get(name)
        fits[name] = evidence(sample[:, : body.n_joints], visible[:, : body.n_joints], body)
    ranked = sorted(names, key=lambda name: (-fits[name].score, name not in usual))
    best, body = fits[ranked[0]], joint_formats.get(ranked[0])
    second = max((fits[name].score for name in ranked[1:]), default=-np.inf)
    if max(fit.expected for fit in fits.values()) < MIN_EXPECTED:
        reason = "too few joints are visible to determine their order"
        raise ValueError(_ask(path, joints, ranked, reason))
    if best.share < PLAUSIBLE:
        raise ValueError(_ask(path, joints, names, "the joint order could not be determined"))
    if best.score - second < (CLEAR if not usual or ranked[0] in usual else UNUSUAL):
        raise ValueError(_ask(path, joints, ranked, "several joint orders are plausible"))
    if margin(sample[:, : body.n_joints], visible[:, : body.n_joints], body) < MARGIN:
        reason = "other orders of the joints are as plausible"
        raise ValueError(_ask(path, joints, ranked, reason))
    if usual and ranked[0] == usual[0]:
        return _in_order(ranked[0]), []
    message = f"{path}: the {joints} joints have no names; they look like {ranked[0]}"
    return _in_order(ranked[0]), [message]


def _in_order(name: str) -> _names.Order:
    body = joint_formats.get(name)
    return _names.Order(body, np.arange(body.n_joints), ())


def _most_visible(points: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the half of many people that has more visible joints."""
    if len(points) <= MIN_HALVED:
        return points, visible
    rows = np.argsort(-visible.sum(axis=1), kind="stable")[: len(points) // 2]
    return points[rows], visible[rows]


def _ask(path: Path, joints: int, names: list[str], reason: str) -> str:
    return (
        f"{path}: {reason}: {joints} joints without names; pass skeleton=NAME or "
        f"--skeleton NAME (candidates: {', '.join(names)})"
    )


def _few(names: object) -> str:
    items = [str(name) for name in names]  # type: ignore[attr-defined]
    return ", ".join(items[:8]) + (", ..." if len(items) > 8 else "")
