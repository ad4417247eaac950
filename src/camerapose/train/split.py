"""Split a data set into training and validation poses."""

from collections.abc import Sequence

import numpy as np

from camerapose.core.poses import Poses
from camerapose.evaluate.statistics import recordings

#: Fewest recordings of which some are held out; with fewer, the end of the data is.
MIN_RECORDINGS = 10


def split(
    poses: Poses, held_out: Sequence[str], share: float, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows for training and those for validation.

    Held out are subjects if given, otherwise a share: whole recordings (of a subject and action, by
    the labels), since neighbouring frames are almost equal, or the last poses if there are fewer
    than `MIN_RECORDINGS`. The split is the same in every run.

    Args:
        held_out: values of the label `subject`.
        share: share of the poses.
        name: of the data set, for errors.

    Raises:
        ValueError: a subject that the data set does not have, or no other subject.
    """
    if held_out:
        return _subjects(poses, held_out, name)
    n = len(poses)
    wanted = round(share * n) if share else 0
    if share and n > 1:
        wanted = min(max(wanted, 1), n - 1)
    recording, noun = recordings(poses)
    if wanted and noun == "recordings" and recording.max() + 1 >= MIN_RECORDINGS:
        counts = np.bincount(recording)
        order = np.random.default_rng(0).permutation(len(counts))
        chosen = order[: 1 + np.searchsorted(np.cumsum(counts[order]), wanted)]
        mask = np.isin(recording, chosen)
    else:
        mask = np.arange(n) >= n - wanted
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _subjects(poses: Poses, held_out: Sequence[str], name: str) -> tuple[np.ndarray, np.ndarray]:
    subjects = poses.labels.get("subject")
    known = [] if subjects is None else sorted(set(map(str, subjects)))
    missing = [subject for subject in held_out if subject not in known]
    if missing or subjects is None:
        raise ValueError(
            f"{name} has no subject {missing[0]!r} to hold out; it has {', '.join(known) or 'none'}"
        )
    mask = np.isin(subjects.astype(str), list(held_out))
    if mask.all():
        raise ValueError(f"{name}: all subjects are held out; leave at least one of {known}")
    return np.flatnonzero(~mask), np.flatnonzero(mask)
