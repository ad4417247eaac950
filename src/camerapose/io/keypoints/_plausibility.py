"""How human the people of a file look in a joint format: bone lengths and directions in 2D.

The evidence for a joint order is a log-likelihood ratio, summed over the bones of a common tree:
that of the bone's length and vertical component if the order is right, against that of two joints
picked at random. A person has one size in the image, which is chosen with the largest likelihood,
because often only a part of the body is visible. Medians and spreads are relative to the diagonal
of the bounding box of complete people, and were measured on people of COCO val2017.

Few joints can look human by chance. The order in the file must therefore also have more evidence
than every one of `PERMUTATIONS` random orders of the same points (a permutation test). Thresholds
were chosen on one half of the images; dev/experiment-log.md has the rates of the other half.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from camerapose.core.skeleton import Skeleton

#: (from, to), median and spread of the length, median and spread of the downward component.
#: "shoulders" and "hips" are the midpoints, "face" is the first of `_FACES`.
_BONES: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("left_shoulder", "right_shoulder"): (0.23, 0.11, 0.0, 0.06),
    ("left_hip", "right_hip"): (0.155, 0.07, 0.0, 0.045),
    ("left_shoulder", "left_hip"): (0.38, 0.10, 0.37, 0.12),
    ("right_shoulder", "right_hip"): (0.38, 0.10, 0.37, 0.12),
    ("left_shoulder", "left_elbow"): (0.22, 0.08, 0.19, 0.10),
    ("right_shoulder", "right_elbow"): (0.22, 0.08, 0.19, 0.10),
    ("left_elbow", "left_wrist"): (0.175, 0.075, 0.06, 0.13),
    ("right_elbow", "right_wrist"): (0.175, 0.075, 0.06, 0.13),
    ("left_hip", "left_knee"): (0.255, 0.07, 0.21, 0.13),
    ("right_hip", "right_knee"): (0.255, 0.07, 0.21, 0.13),
    ("left_knee", "left_ankle"): (0.26, 0.065, 0.235, 0.09),
    ("right_knee", "right_ankle"): (0.26, 0.065, 0.235, 0.09),
    ("shoulders", "face"): (0.16, 0.065, -0.13, 0.075),
    ("nose", "left_eye"): (0.032, 0.011, -0.022, 0.009),
    ("nose", "right_eye"): (0.032, 0.011, -0.022, 0.009),
    ("left_eye", "right_eye"): (0.045, 0.016, 0.0, 0.008),
    ("left_eye", "left_ear"): (0.054, 0.021, 0.009, 0.017),
    ("right_eye", "right_ear"): (0.054, 0.021, 0.009, 0.017),
    ("left_shoulder", "left_ear"): (0.14, 0.03, -0.122, 0.03),
    ("right_shoulder", "right_ear"): (0.14, 0.03, -0.122, 0.03),
    ("hips", "pelvis"): (0.0, 0.03, 0.0, 0.03),
    ("shoulders", "thorax"): (0.02, 0.03, 0.0, 0.03),
    ("pelvis", "spine"): (0.19, 0.05, -0.185, 0.06),
    ("spine", "thorax"): (0.19, 0.05, -0.185, 0.06),
    ("thorax", "neck_nose"): (0.10, 0.06, -0.09, 0.06),
    ("neck_nose", "head"): (0.08, 0.05, -0.06, 0.05),
}
#: The same of two joints picked at random.
_RANDOM = (0.41, 0.23, 0.0, 0.42)
#: Joints that stand for the head, the preferred first.
_FACES = ("nose", "neck_nose", "head", "head_top", "upper_neck")
#: A larger deviation counts as this many spreads.
MAX_DEVIATION = 4.0
#: Diagonals of the visible part of a person, relative to that of the complete person.
SIZES = (1.2, 1.0, 0.85, 0.7, 0.5, 0.33, 0.22, 0.15, 0.1)
#: Log-likelihoods of people who are not upright in the image, and (times the squared logarithm of
#: the size) of people of whom only a part is visible.
ROTATED, PARTIAL = -3.0, -1.2
#: Share of the expected evidence below which a joint order is wrong.
PLAUSIBLE = 0.6
#: Evidence per person (log-likelihood ratio) by which a format must be better than all others, and
#: by which it must be better than the usual format of the program.
CLEAR, UNUSUAL = 4.0, 8.0
#: Expected evidence per person below which too few joints are visible for a decision.
MIN_EXPECTED = 12.0
#: Number of people of a file that are looked at.
MAX_PEOPLE = 2000
#: Random orders that are compared with that of the file, the evidence per person by which it must
#: be better than all of them, and the number of people for this, those with most visible joints.
PERMUTATIONS, MARGIN, TESTED_PEOPLE = 300, 4.0, 4


class Evidence(NamedTuple):
    """How well a joint format fits, as medians over people.

    Attributes:
        score: log-likelihood ratio of this order of joints against a random one.
        expected: that of people in this order of whom the same joints are visible.
    """

    score: float
    expected: float

    @property
    def share(self) -> float:
        """The score relative to the expected one; 0 without evidence."""
        return self.score / self.expected if self.expected else 0.0


def evidence(
    points: Float[np.ndarray, "n joints 2"],
    visible: Bool[np.ndarray, "n joints"],
    skeleton: Skeleton,
) -> Evidence:
    """Return how well people fit a joint format.

    Args:
        points: any unit, the same in both directions.
        visible: joints that are known.
    """
    some = visible.sum(axis=1) > 1
    if not some.any():
        return Evidence(0.0, 0.0)
    scores, expected = _scores(points[some].astype(np.float64), visible[some], skeleton)
    return Evidence(float(np.median(scores)), float(np.median(expected)))


def margin(
    points: Float[np.ndarray, "n joints 2"],
    visible: Bool[np.ndarray, "n joints"],
    skeleton: Skeleton,
) -> float:
    """Return the evidence for the order of the joints minus that for the best random order.

    Args:
        points, visible: as for `evidence`.
    """
    rows = np.argsort(-visible.sum(axis=1), kind="stable")[:TESTED_PEOPLE]
    points, visible = points[rows].astype(np.float64), visible[rows]
    random = np.random.default_rng(0)
    orders = [np.arange(skeleton.n_joints)]
    orders += [random.permutation(skeleton.n_joints) for _ in range(PERMUTATIONS)]
    scores, _ = _scores(
        np.concatenate([points[:, order] for order in orders]),
        np.concatenate([visible[:, order] for order in orders]),
        skeleton,
    )
    medians = np.median(scores.reshape(len(orders), len(rows)), axis=1)
    return float(medians[0] - medians[1:].max())


def _scores(
    points: np.ndarray, visible: np.ndarray, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Return the evidence of each person, and the expected one."""
    offsets, known = _bones(points, visible, skeleton)
    length = np.linalg.norm(offsets, axis=-1)
    best = np.full(len(offsets), -np.inf)
    for penalty, down in (
        (0.0, offsets[..., 1]), (ROTATED, offsets[..., 0]),
        (ROTATED, -offsets[..., 0]), (ROTATED, -offsets[..., 1]),
    ):  # fmt: skip
        for size in SIZES:
            ratios = np.where(known, _log_ratios(length * size, down * size), 0).sum(axis=1)
            best = np.maximum(best, ratios + penalty + PARTIAL * np.log(size) ** 2)
    return best, known @ _EXPECTED


def _log_ratios(length: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Return the log-likelihood ratio of every bone against two random joints."""
    return _log_likelihood(length, down, _COLUMNS) - _log_likelihood(length, down, _RANDOM)


def _log_likelihood(length: np.ndarray, down: np.ndarray, columns: tuple) -> np.ndarray:
    median, spread, drop, drop_spread = columns
    squares = np.minimum(((length - median) / spread) ** 2, MAX_DEVIATION**2)
    squares += np.minimum(((down - drop) / drop_spread) ** 2, MAX_DEVIATION**2)
    return -squares / 2 - np.log(spread * drop_spread)


def _expected() -> np.ndarray:
    """Return the mean log-likelihood ratio of every bone of people in the right order."""
    (median, spread, drop, drop_spread), (m, s, d, t) = _COLUMNS, _RANDOM
    random = ((median - m) ** 2 + spread**2) / s**2 + ((drop - d) ** 2 + drop_spread**2) / t**2
    return random / 2 - 1 + np.log(s * t) - np.log(spread * drop_spread)


_COLUMNS = tuple(np.array(list(_BONES.values())).T)
_EXPECTED = _expected()


def _bones(
    points: np.ndarray, visible: np.ndarray, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bones (n, bones, 2) relative to the person's extent, and which are known."""
    shown = visible[..., None]
    masked = np.where(shown, points, np.nan)
    high = points.max(axis=1, where=shown, initial=-np.inf)
    extent = np.nan_to_num(high - points.min(axis=1, where=shown, initial=np.inf), neginf=0)
    size = np.maximum(np.linalg.norm(extent, axis=-1), 1e-9)
    joints = {name: masked[:, i] for i, name in enumerate(skeleton.joints)}
    for middle, name in (("shoulders", "shoulder"), ("hips", "hip")):
        sides = f"left_{name}", f"right_{name}"
        if set(sides) <= set(joints):
            joints[middle] = (joints[sides[0]] + joints[sides[1]]) / 2
    face = next((name for name in _FACES if name in joints), None)
    if face is not None:
        joints["face"] = joints[face]
    nothing = np.full((len(points), 2), np.nan)
    offsets = np.stack([joints.get(b, nothing) - joints.get(a, nothing) for a, b in _BONES], axis=1)
    known = np.isfinite(offsets).all(axis=-1)
    return np.where(known[..., None], offsets, 0) / size[:, None, None], known
